"""What a page of the panel asks, and what is done about it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.code import as_call, as_cell, as_curl, as_json, as_openai, draft_of
from nbchat.errors import CheckError, NbchatError
from nbchat.request.describe import attached
from nbchat.request.draft import copied
from nbchat.widgets.explorer import axes, kept_state, session_file, variables
from nbchat.widgets.explorer.axes import Axis
from nbchat.widgets.explorer.conversation import (
    call_at,
    called,
    choice_json,
    choice_markdown,
    texts_of,
    with_result,
)
from nbchat.widgets.explorer.desk import Desk
from nbchat.widgets.explorer.entries import sentence_of
from nbchat.widgets.explorer.form import edited, functions_of
from nbchat.widgets.explorer.notebook import names_of, notebook_variables
from nbchat.widgets.explorer.offers import Offers
from nbchat.widgets.explorer.pinned_comparison import comparison
from nbchat.widgets.explorer.probabilities import alternatives_record, tokens_record
from nbchat.widgets.explorer.template_code import written

if TYPE_CHECKING:
    pass

_CODE: Mapping[str, Callable[..., str]] = {
    "cell": as_cell,
    "call": as_call,
    "openai": as_openai,
    "curl": as_curl,
    "json": as_json,
}
Content = dict[str, Any]


class Answers:
    """Does what pages ask for; Jupyter calls `take`, with JSON that a page has sent."""

    def __init__(self, desk: Desk, origin: Callable[[], str]):
        self.desk = desk
        self._origin = origin
        self._base: str | None = None
        self.offers = Offers(desk)

    def take(self, content: Any) -> None:
        """Do what a page asks for, and tell it where that is not to be done."""
        if not isinstance(content, dict) or content.get("do") not in DOES:
            return
        view = content.get("view")
        try:
            with self.desk.lock:
                DOES[content["do"]](self, content)
        except Exception as error:  # noqa: BLE001 - the page tells it, and goes on
            self.refuse(content["do"], view, sentence_of(error))
        self.desk.send({"on": "told"})

    def refuse(self, what: str, view: Any, sentence: str) -> None:
        """Tell a page why it is not done."""
        self.desk.send({"on": "refused", "what": what, "by": view, "sentence": sentence})

    def _do_hello(self, content: Content) -> None:
        desk = self.desk
        desk.send({"on": "form", "form": desk.form(), "by": content["view"], "seq": 0})
        desk.screen.tell_all(content["view"])
        desk.questions.tell_all()
        self.offers.offer()

    def _do_restore(self, content: Content) -> None:
        """Go on from the state that the notebook has, unless the cell says something else now."""
        left = content["left"]
        self.desk.is_kept = True
        self.desk.changed()
        if not isinstance(left, dict) or left.get("origin") != self._origin():
            return
        if not self.desk.is_as_opened:
            return
        try:
            situation, literal = kept_state.of_json(left.get("state"), notebook_variables())
        except NbchatError:
            return
        self.desk.literal |= literal
        self.desk.set(situation.draft, situation.variables, undo="The panel is as you left it.")
        self.desk.changed()

    def _do_edit(self, content: Content) -> None:
        desk = self.desk
        if "messages" in content:
            messages = desk.attachments.from_page(content["messages"])
            content = {**content, "messages": messages}
        draft, note = edited(desk.draft, content, notebook_variables())
        held = self._variables_of(content)
        about = {"by": content["view"], "seq": content.get("seq", 0), "note": note}
        desk.set(draft, held, undo=content.get("undo", ""), **about)

    def _variables_of(self, content: Content) -> variables.Variables:
        held = self.desk.variables
        if "values" in content:
            values = {**held.values, **variables.read(content["values"])}
            blank = [n for n, v in content["values"].items() if not v["text"] and not v["several"]]
            values = {name: value for name, value in values.items() if name not in blank}
            held = msgspec.structs.replace(held, values=values)
        if "data" in content:
            held = msgspec.structs.replace(held, data=content["data"])
        if "is_raw" in content:
            held = msgspec.structs.replace(held, is_raw=content["is_raw"])
        return held

    def _do_undo(self, _content: Content) -> None:
        self.desk.undo()

    def _do_paste(self, content: Content) -> None:
        text = content["text"]
        pasted = copied(attached(draft_of(text, notebook_variables())))
        if pasted.profile is None:
            pasted = msgspec.structs.replace(pasted, profile=self.desk.draft.profile)
        self.desk.keep_unsent()
        is_prompt = pasted.messages == [{"role": "user", "content": text}]
        words = "It is no request, so it is what the user says." if is_prompt else "It is read."
        self.desk.set(pasted, undo=words)

    def _do_attach(self, content: Content) -> None:
        desk = self.desk
        part = desk.attachments.part_of(content["kind"], content["name"], content["data"])
        messages = [*desk.draft.messages] or [{"role": "user", "content": ""}]
        message = messages[content["place"]]
        text = message.get("content")
        before = (
            [{"type": "text", "text": text}] if isinstance(text, str) and text.strip() else text
        )
        messages[content["place"]] = {**message, "content": [*(before or ()), part]}
        draft = msgspec.structs.replace(desk.draft, messages=messages)
        desk.set(draft, undo=f"{content['name']} is attached.")

    def _do_reset(self, _content: Content) -> None:
        draft = self.desk.draft
        model = {name: value for name, value in draft.fields.items() if name == "model"}
        bare = msgspec.structs.replace(draft, fields=model, extra={})
        self.desk.keep_unsent()
        self.desk.set(bare, undo="All parameters are unset; the model and the messages stay.")

    def _do_run(self, content: Content) -> None:
        sentence = self.desk.run()
        if sentence:
            self.refuse("run", content["view"], sentence)

    def _do_stop(self, _content: Content) -> None:
        self.desk.runner.stop()

    def _do_answer(self, content: Content) -> None:
        self.desk.questions.answer(content["id"], is_wanted=content["yes"] is True)

    def _do_vary(self, content: Content) -> None:
        sentence = self.desk.vary(
            _axes(content), repeats=content["repeats"], has_seeds=content["seeds"]
        )
        if sentence:
            self.refuse("vary", content["view"], sentence)

    def _do_plan(self, content: Content) -> None:
        """Say how many replies there would be; nothing is sent."""
        try:
            along = _axes(content)
            entries, _ = self.desk.lanes(
                along, repeats=content["repeats"], has_seeds=content["seeds"]
            )
            count, sentence = len(entries), ""
        except NbchatError as error:
            count, sentence = 0, sentence_of(error)
        self.desk.send({"on": "plan", "by": content["view"], "count": count, "sentence": sentence})

    def _do_sweep(self, content: Content) -> None:
        from nbchat.code.inline_data import as_code
        from nbchat.code.sweep_call import as_sweep

        desk = self.desk
        along = _axes(content)
        desk.check_axes(along, content["repeats"])
        grid = {axis.name: axis.values for axis in along}
        named, notebook = desk.names, notebook_variables()
        data = desk.variables.data if named else ""
        columns = variables.columns_of(desk.variables, notebook)
        beside = {n: as_code(n) for n in named if n in notebook and n not in columns}
        rows = None
        if data:
            single, several = variables.values_of(desk.variables, named)
            grid = {**several, **grid}
            beside |= {name: value for name, value in single.items() if name not in columns}
        elif named:
            rows = variables.rows_of(desk.variables, named)
        literal = texts_of(desk.draft.messages) if desk.variables.is_raw else desk.literal
        text = as_sweep(
            desk.draft,
            grid,
            rows,
            data=data,
            columns=columns,
            beside=beside,
            repeats=content["repeats"],
            has_seeds=content["seeds"],
            server_fields=desk.server_fields,
            literal=literal,
        )
        desk.send({"on": "sweep", "by": content["view"], "text": text})

    def _do_show(self, content: Content) -> None:
        desk = self.desk
        entry = desk.entry(content["id"])
        desk.keep_unsent()
        desk.set(entry.draft, entry.variables, undo=f"Back at request #{entry.number}.")
        desk.screen.open([entry])
        desk.changed()

    def _do_continue(self, content: Content) -> None:
        desk = self.desk
        entry = desk.entry(content["id"])
        if entry.run is None:
            raise CheckError("There is no reply yet to go on from.", field="messages")
        desk.go_on(entry.run, content["choice"])

    def _do_call(self, content: Content) -> None:
        """Run the call whose result belongs into a message; in a thread, as calls may be long."""
        desk = self.desk
        place = content["place"]
        call = call_at(desk.draft.messages, place)
        tools = functions_of(desk.draft)
        if call is None or call.name not in tools:
            name = "this call" if call is None else call.name
            raise CheckError(f"No function of the notebook is named for {name}.", field="tools")
        messages = desk.draft.messages

        def work() -> None:
            done = called(call, tools)
            with desk.lock:
                if desk.draft.messages != messages:
                    return  # it is another conversation by now
                desk.literal.add(done.message["content"])
                sentence = f"{done.name} has been called."
                desk.set(with_result(desk.draft, place, done), undo=sentence)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="nbchat-call", daemon=True).start()

    def _do_copy(self, content: Content) -> None:
        entry = self.desk.entry(content["id"])
        if entry.run is None:
            raise CheckError("There is no reply yet to copy.")
        made = choice_json if content["form"] == "json" else choice_markdown
        text = made(entry.run, content["choice"])
        self.desk.send({"on": "copied", "by": content["view"], "text": text})

    def _do_raw(self, _content: Content) -> None:
        self.desk.screen.show_sources()

    def _do_pin(self, content: Content) -> None:
        entry = self.desk.entry(content["id"])
        entry.is_pinned = not entry.is_pinned
        self.desk.screen.want()

    def _do_mark(self, content: Content) -> None:
        entry = self.desk.entry(content["id"])
        if "mark" in content:
            entry.mark = content["mark"]
        if "note" in content:
            entry.note = content["note"]
        self.desk.screen.want()

    def _do_compare(self, content: Content) -> None:
        self._base = content.get("base") or self._base
        pinned = [entry for entry in self.desk.entries if entry.is_pinned]
        self.desk.send(comparison(pinned, self._base))

    def _do_tokens(self, content: Content) -> None:
        entry = self.desk.entry(content["id"])
        self.desk.send(tokens_record(entry, content["choice"], self.desk.screen.shown))

    def _do_alternatives(self, content: Content) -> None:
        entry = self.desk.entry(content["id"])
        start, count = content["start"], content["count"]
        self.desk.send(alternatives_record(entry, content["choice"], start, count))

    def _do_code(self, _content: Content) -> None:
        texts = {name: self._written(name) for name in _CODE}
        self.desk.send({"on": "code", "texts": texts})

    def _do_models(self, _content: Content) -> None:
        self.offers.offer()

    def _do_names(self, content: Content) -> None:
        names = names_of(notebook_variables())
        self.desk.send({"on": "names", "by": content["view"], **names})

    def _do_save(self, content: Content) -> None:
        path = self.save(content["path"])
        self.desk.tell(note=f"Saved: {path.name}, with {len(self.desk.runs())} runs.")

    def _do_open(self, content: Content) -> None:
        self.open(session_file.load(content["path"], notebook_variables()))
        self.desk.tell(note=f"Opened: {content['path']}.")

    def save(self, path: Any) -> Any:
        """Write the session to a file; give its path."""
        desk = self.desk
        return session_file.save(path, desk.situation, desk.entries, desk.literal)

    def open(self, session: session_file.Session) -> None:
        """Show a session; what the panel has run stays in its history."""
        desk = self.desk
        desk.keep_unsent()
        desk.literal |= session.literal
        number = desk.next_number()
        for place, entry in enumerate(session.entries):
            entry.number = number + place
        desk.entries.extend(session.entries)
        desk.set(session.situation.draft, session.situation.variables, undo="The session is open.")
        last = [entry for entry in session.entries if entry.run is not None][-1:]
        desk.screen.open(last)
        desk.changed()

    def _written(self, form: str) -> str:
        try:
            if not self.desk.names:
                return _CODE[form](self.desk.draft)
            return written(form, self.desk)
        except (NbchatError, ValueError) as error:
            return sentence_of(error)


DOES: Mapping[str, Callable[[Answers, Content], None]] = {
    name.removeprefix("_do_"): function
    for name, function in vars(Answers).items()
    if name.startswith("_do_")
}


def _axes(content: Content) -> list[Axis]:
    return [
        Axis(one["name"], axes.typed_values(one["name"], one["text"])) for one in content["axes"]
    ]
