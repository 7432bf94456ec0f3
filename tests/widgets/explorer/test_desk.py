"""What a panel stands at: nothing of it is lost, and what its names stand for is what is sent."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

import nbchat
from nbchat.api.params import ChatParams
from nbchat.api.server_fields import SERVER_FIELDS, server_fields, still_wanted
from nbchat.code import Draft, draft_of
from nbchat.display.pace import Painter
from nbchat.errors import CheckError
from nbchat.run import Run
from nbchat.widgets import stand_in
from nbchat.widgets.explorer import explore
from nbchat.widgets.explorer.axes import typed_values
from nbchat.widgets.explorer.entries import Entry, spent_text
from nbchat.widgets.explorer.screen import Screen
from nbchat.widgets.explorer.variables import MOST_LANES
from tests.fuzzing import examples
from tests.media.made import picture
from tests.scripted import HANG, Reply, ScriptedServer, chunk, completion, sse
from tests.widgets.explorer.conftest import Page

OpenPage = Callable[..., Page]
KEY = "sk-proj-0123456789abcdefghij"


def weather(city: str) -> str:
    """Say what the weather is."""
    return f"It rains in {city}."


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The variables of the notebook; what is set here is gone afterwards."""
    variables = vars(sys.modules["__main__"])
    before = dict(variables)
    yield variables
    variables.clear()
    variables.update(before)


def said(server: ScriptedServer) -> list[str]:
    return [request.body["messages"][-1]["content"] for request in server.requests]


# nothing is lost


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.ask("reset"),
        lambda page: page.ask("edit", seq=1, messages=[], undo="Message 1 is removed."),
        lambda page: page.ask("edit", seq=1, fields={"response_format": {}}, undo="So it is."),
        lambda page: page.ask("paste", text="curl http://x.test/v1/chat/completions"),
        lambda page: page.ask("paste", text='[{"role": "user", "content": "Ho"}]'),
    ],
)
def test_what_is_done_at_once_can_be_undone(
    change: Callable[[Page], None], open_page: OpenPage
) -> None:
    page = open_page("Hi", temperature=0.5)
    before = page.desk.situation
    change(page)
    if page.desk.situation != before:
        assert page.last("form")["undo"] is True
        page.ask("undo")
    assert page.desk.situation == before
    page.ask("undo")
    assert page.last("refused")["sentence"] == "There is nothing to undo."


def test_going_back_keeps_what_was_not_sent(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page("First")
    page.ask("run")
    page.wait_over()
    page.ask("edit", seq=1, messages=[{"role": "user", "content": "Second, never sent"}])
    page.ask("show", id=page.entries[0].id)
    assert page.panel.draft.messages[0]["content"] == "First"
    page.wait(lambda: len(page.entries) == 2 and not page.desk.screen.dirty)
    row = page.last("rows")["rows"][-1]
    assert (row["state"], row["text"]) == ("unsent", "Second, never sent")
    page.ask("show", id=page.entries[1].id)
    assert page.panel.draft.messages[0]["content"] == "Second, never sent"
    assert len(page.entries) == 2  # what is there is not kept twice
    assert len(page.panel.runs) == 1
    page.ask("undo")
    assert page.panel.draft.messages[0]["content"] == "First"


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (sse(chunk(finish_reason="stop")), "The reply is empty."),
        (sse(chunk(finish_reason="length")), "greatest length"),
        (sse(chunk(finish_reason="content_filter")), "filter withheld it"),
        (Reply(before=[HANG]), "Stopped before the first token."),
        (sse(chunk(delta={"refusal": "I won't."}), chunk(finish_reason="stop")), ""),
    ],
)
def test_a_blank_reply_has_a_word_in_it(
    server: ScriptedServer, open_page: OpenPage, reply: Any, word: str
) -> None:
    server.default = reply
    page = open_page()
    page.ask("run")
    server.wait_for_requests()
    if isinstance(reply, Reply):
        page.ask("stop")
    page.wait_over()
    (lane,) = page.desk.screen._lanes()
    assert word in lane["blank"]
    assert bool(lane["blank"]) == bool(word)
    assert bool(lane["blank"]) != bool(page.texts())
    assert word in page.panel.stand_in_html()


def test_errors_count_messages_as_the_labels_do(open_page: OpenPage) -> None:
    page = open_page([{"role": "user", "content": "Hi"}, {"role": "user", "content": 5}])
    sentence = page.desk.form()["problems"]["messages"]
    assert sentence.startswith("message 2: content is 5")


def test_a_long_reply_does_not_hold_up_the_next_one() -> None:
    """The budget of what is shown is counted from its own beginning."""
    sent: list[dict[str, Any]] = []
    painter = Painter(lambda: 100.0, has_thread=False)
    screen = Screen(sent.append, painter)

    def begun(text: str) -> Entry:
        entry = Entry(draft_of("Hi"), 1, run=nbchat.Run.from_completion(completion(text)))
        entry.state = "running"
        return entry

    long = begun("word")
    screen.open([long])
    painter.step()
    assert long.run is not None
    long.run.completion = nbchat.Run.from_completion(completion("word " * 20_000)).completion
    long.state = "complete"
    screen.want()
    while painter.step() == 0.0:
        pass
    screen.want()
    assert (painter.step() or 0) > 1  # of the same reply nothing more for a while
    screen.open([begun("short")])
    assert painter.step() == 0.0  # and the next one at once
    assert not screen.dirty


# the state in the notebook


def test_the_cell_opens_as_the_panel_was_left(open_page: OpenPage, notebook: Any) -> None:
    notebook["weather"] = weather
    page = open_page("Hi {{ name }}", tools=[weather])
    page.ask("edit", seq=1, fields={"temperature": 0.3}, values={"name": typed("Ada")})
    left = json.loads(json.dumps(page.last("keep")["state"]))
    origin = page.panel.opening["origin"]
    again = open_page("Hi {{ name }}", tools=[weather])
    assert again.panel.opening["origin"] == origin
    again.ask("restore", left={"origin": origin, "state": left})
    assert again.desk.situation == page.desk.situation
    assert again.panel.draft.fields["tools"] == [weather]
    assert "go on from here" in again.panel.stand_in_html()
    again.ask("undo")
    assert again.panel.draft.fields == {"tools": [weather]}


def test_what_was_left_gives_way_to_other_arguments_and_to_what_was_done(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page("Hi")
    page.ask("edit", seq=1, fields={"temperature": 0.3})
    left = {"origin": page.panel.opening["origin"], "state": page.last("keep")["state"]}
    other = open_page("Ho")
    other.ask("restore", left=left)
    assert other.panel.draft.fields == {}
    begun = open_page("Hi")
    begun.ask("run")
    begun.wait_over()
    begun.ask("restore", left=left)
    assert begun.panel.draft.fields == {}
    torn = open_page("Hi")
    torn.ask("restore", left={**left, "state": {"messages": 5}})
    assert torn.panel.draft.messages == [{"role": "user", "content": "Hi"}]
    assert "run the cell again" in torn.panel.stand_in_html()


def test_no_key_is_kept(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("Hi")
    page.ask("edit", seq=1, messages=[{"role": "user", "content": f"Is {KEY} a key?"}])
    assert KEY not in json.dumps(page.last("keep"))
    assert KEY not in page.panel.save(tmp_path / "a.json").read_text()


# a conversation


def test_a_reply_goes_on_as_a_conversation(server: ScriptedServer, open_page: OpenPage) -> None:
    server.default = sse(chunk("It is {{ not }} a template."), chunk(finish_reason="stop"))
    page = open_page("Hi", system="Be terse.", n=None)
    page.ask("run")
    page.wait_over()
    page.ask("continue", id=page.entries[0].id, choice=0)
    assert [m["role"] for m in page.panel.draft.messages] == ["system", "user", "assistant", "user"]
    assert page.desk.form()["variables"] == []
    messages = [*page.panel.draft.messages[:-1], {"role": "user", "content": "Go on."}]
    page.ask("edit", seq=1, messages=messages)
    page.ask("run")
    page.wait_over()
    assert server.requests[1].body["messages"][2]["content"] == "It is {{ not }} a template."
    page.ask("undo")
    assert len(page.panel.draft.messages) == 2
    page.panel.go_on("And on.")
    assert [m["content"] for m in page.panel.draft.messages[-2:]] == [
        page.panel.last.text,
        "And on.",
    ]


def calling(*names: str) -> bytes:
    calls = [
        {
            "index": k,
            "id": "",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({"city": "Ulm"})},
        }
        for k, name in enumerate(names)
    ]
    return sse(chunk(delta={"tool_calls": calls}), chunk(finish_reason="tool_calls"))


def test_calls_are_answered_by_hand_or_by_the_function_that_was_named(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.reply(
        calling("weather", "elsewhere"), sse(chunk("A coat."), chunk(finish_reason="stop"))
    )
    schema = {"type": "function", "function": {"name": "elsewhere", "parameters": {}}}
    page = open_page("A coat?", tools=[weather, schema])
    page.ask("run")
    page.wait_over()
    page.ask("continue", id=page.entries[0].id, choice=0)
    messages = page.panel.draft.messages
    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert [m.get("tool_call_id") for m in messages[2:]] == ids
    assert len({*ids}) == 2
    assert "" not in ids
    assert page.desk.form()["callable"] == ["weather"]
    page.ask("call", place=3)
    assert "elsewhere" in page.last("refused")["sentence"]
    page.ask("call", place=2)
    page.wait(lambda: page.panel.draft.messages[2]["content"])
    typed_in = [*page.panel.draft.messages[:3], {**messages[3], "content": "by hand"}]
    page.ask("edit", seq=1, messages=typed_in)
    page.ask("run")
    page.wait_over()
    sent = server.requests[1].body["messages"]
    assert [m["content"] for m in sent[2:]] == ["It rains in Ulm.", "by hand"]
    assert page.panel.last.text == "A coat."


def test_a_reply_is_copied_as_it_came_and_as_json(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.default = sse(chunk("**Yes**"), chunk(finish_reason="stop"))
    page = open_page()
    page.ask("run")
    page.wait_over()
    page.ask("copy", id=page.entries[0].id, choice=0, form="markdown")
    assert page.last("copied")["text"] == "**Yes**"
    page.ask("copy", id=page.entries[0].id, choice=0, form="json")
    assert json.loads(page.last("copied")["text"])["message"]["content"] == "**Yes**"
    page.ask("raw")
    (lane,) = page.last("lanes")["lanes"]
    assert lane["choices"][0]["source"] == {"keep": 0, "tail": "**Yes**"}


# variables


def typed(text: str, *, several: bool = False) -> dict[str, Any]:
    return {"text": text, "several": several}


def test_what_is_sent_is_filled_in_and_code_keeps_the_template(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page("Is {{ thing }} a fruit?")
    assert page.desk.form()["variables"][0]["note"] == "no value yet"
    page.ask("run")
    assert "thing" in page.last("refused")["sentence"]
    page.ask("edit", seq=1, values={"thing": typed('an "apple" 7 %} ü')})
    page.ask("run")
    page.wait_over()
    asked = 'Is an "apple" 7 %} ü a fruit?'
    assert said(server) == [asked]
    page.ask("code")
    texts = page.last("code")["texts"]
    assert "{{ thing }}" in texts["cell"]
    assert draft_of(texts["cell"]).messages[-1]["content"] == asked
    assert "fill('Is {{ thing }} a fruit?', values)" in texts["call"]
    sent: list[Any] = []
    code = texts["call"].replace("nbchat.chat", "sent.append").replace(", profile=", ") #")
    exec(code.split("    profile=")[0] + ")", {"sent": sent})
    assert sent == [asked]
    for form in ("openai", "json", "curl"):
        assert draft_of(texts[form]).messages[-1]["content"] == asked
    assert page.entries[0].draft.messages[0]["content"] == "Is {{ thing }} a fruit?"


def test_text_stays_text_where_it_is_wanted(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page("Explain {{ this }}.")
    page.ask("edit", seq=1, is_raw=True)
    page.ask("run")
    page.wait_over()
    assert said(server) == ["Explain {{ this }}."]
    run = page.panel.last
    again = open_page(run)  # what a run said was filled in already
    assert again.desk.form()["variables"] == []


def test_several_values_are_lanes(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page("{{ a }} and {{ b }}", variables={"a": ["x", "y"], "b": [1, 2, 3]})
    assert page.desk.form()["lanes"] == "6 replies side by side"
    page.panel.run()
    page.wait_over()
    assert sorted(said(server)) == sorted(f"{a} and {b}" for a in "xy" for b in (1, 2, 3))
    assert [entry.label for entry in page.entries][:2] == ["a x · b 1", "a x · b 2"]
    page.ask("show", id=page.entries[1].id)
    assert page.panel.variables == {"a": "x", "b": 2}
    page.panel.variables = {"a": [*range(5)], "b": [*range(5)]}
    with pytest.raises(CheckError, match="25 replies: 24 stand side by side"):
        page.panel.run()


def test_rows_of_a_table_are_lanes_and_the_rest_is_said(
    server: ScriptedServer, open_page: OpenPage, notebook: Any
) -> None:
    notebook["fruits"] = pd.DataFrame({"thing": [f"fruit {k}" for k in range(30)], "n": range(30)})
    page = open_page("Is {{ thing }} a fruit?", data="fruits")
    assert page.desk.form()["lanes"] == "the first 24 of 30"
    page.panel.run()
    page.wait_over()
    assert len(server.requests) == MOST_LANES
    assert "Is fruit 23 a fruit?" in said(server)
    page.ask("sweep", axes=[])
    assert "data=fruits" in page.last("sweep")["text"]
    with pytest.raises(CheckError, match="fruit is no DataFrame"):
        page.panel.data = "fruit"
    page.ask("names")
    assert page.last("names")["frames"] == ["fruits"]
    page.panel.data = None
    assert page.panel.data == ""
    page.panel.data = notebook["fruits"]
    assert page.panel.data == "fruits"
    for wrong in (notebook["fruits"].copy(), [1]):
        with pytest.raises(CheckError, match="that a variable of the notebook holds"):
            page.panel.data = wrong
    with pytest.raises(CheckError, match="must be a mapping of names"):
        explore("Hi", variables=["thing"])


def test_what_is_attached_is_kept_and_not_told_with_each_letter(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbchat.widgets.explorer.desk._KEPT_AFTER_S", 0.2)
    page = open_page("What is this?", images=picture(size=(200, 200)))
    messages = page.desk.form()["messages"]
    for text in ("What", "Wha", "Wh"):
        changed = [
            {**messages[0], "content": [{"type": "text", "text": text}, messages[0]["content"][1]]}
        ]
        page.ask("edit", seq=1, messages=changed)
    assert page.heard_of("keep") == []
    page.wait(lambda: page.heard_of("keep"))
    assert len(page.heard_of("keep")) == 1
    again = open_page("What is this?", images=picture(size=(200, 200)))
    left = {"origin": again.panel.opening["origin"], "state": page.last("keep")["state"]}
    again.ask("restore", left=left)
    assert again.desk.draft == page.desk.draft
    assert again.desk.form()["attachments"]


# what varies


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0..1 step 0.25", [0, 0.25, 0.5, 0.75, 1]),
        ("1-5", [1, 2, 3, 4, 5]),
        ("2..4", [2, 3, 4]),
        ("unset, 0.5", [UNSET, 0.5]),
        ('a, "b, c", null, [1, 2]', ["a", "b, c", None, [1, 2]]),
        ("[0, 1]", [0, 1]),
        ("", []),
    ],
)
def test_values_are_read_as_they_are_typed(text: str, values: list[Any]) -> None:
    assert typed_values("x", text) == values


@pytest.mark.parametrize("text", ["0.1..1", "1..0", "0..1 step 0", "0..100000"])
def test_a_range_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(CheckError, match=r"step|range|most"):
        typed_values("temperature", text)


@examples(50)
@given(st.integers(-50, 50), st.integers(0, 40), st.integers(1, 400))
def test_a_range_meets_its_ends_exactly(begin: int, count: int, step: int) -> None:
    low, by = begin / 100, step / 100
    high = round(low + count * by, 2)
    values = typed_values("x", f"{low}..{high} step {by}")
    assert values == [round(low + k * by, 2) for k in range(count + 1)]


def test_two_axes_are_a_grid_and_unset_is_a_value(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page("Hi", system="Be kind.")
    axes = [{"name": "system", "text": "Be terse.\nunset"}, {"name": "seed", "text": "1-3, unset"}]
    page.ask("plan", axes=axes)
    assert page.last("plan")["count"] == 8
    page.ask("vary", axes=axes)
    page.wait_over()
    assert page.heard_of("lanes")[0]["columns"] == 4
    bodies = [request.body for request in server.requests]
    assert sorted(str(body.get("seed")) for body in bodies) == sorted(["1", "2", "3", "None"] * 2)
    assert sum(len(body["messages"]) for body in bodies) == 12
    page.ask("vary", axes=[{"name": "seed", "text": "1-25"}])
    assert "25 replies" in page.last("refused")["sentence"]
    page.ask("vary", axes=[axes[1], axes[1]])
    assert "both axes" in page.last("refused")["sentence"]


def test_a_variable_varies_with_a_model_and_a_servers_own_field(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page("{{ thing }}?", variables={"thing": ["a", "b"]}, extra={"top_k": 5})
    page.panel.vary("model", ["m", "n"], "top_k", [1, 40])
    page.wait_over()
    wanted = {(thing, model, k) for thing in "ab" for model in "mn" for k in (1, 40)}
    sent = {
        (r.body["messages"][0]["content"][0], r.body["model"], r.body["top_k"])
        for r in server.requests
    }
    assert sent == wanted
    page.panel.vary("thing", ["x"], repeats=3, seeds=True)
    page.wait_over()
    assert sorted(r.body["seed"] for r in server.requests[8:]) == [1, 2, 3]


def test_the_sweep_that_is_written_has_the_same_requests(
    server: ScriptedServer, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that can vary at once: what `nbchat.sweep` plans is what the lanes send."""
    monkeypatch.chdir(tmp_path)
    page = open_page(
        "Is {{ thing }} a fruit?", system="Be terse.", variables={"thing": ["a", "b"]}, seed=3
    )
    page.panel.draft = msgspec.structs.replace(page.panel.draft, extra={"top_k": 5})
    page.desk.literal.add("Be {{ terse }}.")
    messages = [{"role": "system", "content": "Be {{ terse }}."}, *page.panel.draft.messages[1:]]
    page.ask("edit", seq=1, messages=messages)
    axes = [{"name": "temperature", "text": "0.5, unset"}, {"name": "top_k", "text": "1, 40"}]
    page.ask("vary", axes=axes, repeats=2, seeds=True)
    page.wait_over()
    page.ask("sweep", axes=axes, repeats=2, seeds=True)
    found: dict[str, Any] = {}
    exec(page.last("sweep")["text"], found)
    design = found["sweep"].design

    def key(body: dict[str, Any]) -> str:
        return json.dumps(
            {name: body.get(name) for name in ("messages", "temperature", "top_k", "seed")}
        )

    planned = [key(design.cell_of(row).body) for row in design.rows()]
    assert sorted(planned) == sorted(key(request.body) for request in server.requests)
    assert len(planned) == 16


@pytest.mark.parametrize("data", ["fruits", None])
@pytest.mark.parametrize(
    "values", [{}, {"kind": "fruit"}, {"kind": ["fruit", "brick"]}, {"thing": ["a", "b"]}]
)
def test_the_sweep_that_is_written_runs_with_a_table_and_the_notebooks_own(
    server: ScriptedServer,
    open_page: OpenPage,
    notebook: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: str | None,
    values: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    things = [f"fruit {k}" for k in range(3)]
    notebook["fruits"] = pd.DataFrame({"thing": things, "temperature": 0.5, "kind of": 1})
    notebook |= {"thing": "apple", "kind": ["any", "kind"], "own": pd.DataFrame({"a": [1]})}
    page = open_page("Is {{ thing }} a {{ kind }}, {{ own }}?", data=data, variables=values)
    axes = [{"name": "temperature", "text": "0, 1"}]
    page.ask("vary", axes=axes)
    page.wait_over()
    page.ask("sweep", axes=axes)
    namespace = {name: notebook[name] for name in ("fruits", "thing", "kind", "own")}
    exec(page.last("sweep")["text"], namespace)
    n_lanes = len(server.requests)
    namespace["sweep"].run()
    sent = [(r.body["messages"][0]["content"], r.body["temperature"]) for r in server.requests]
    assert sorted(sent[:n_lanes]) == sorted(sent[n_lanes:])
    n_values = max((len(v) for v in values.values() if isinstance(v, list)), default=1)
    assert n_lanes == 2 * (3 if data else 1) * n_values


def test_sweep_this_writes_the_call(open_page: OpenPage) -> None:
    page = open_page(
        "Is {{ thing }} a fruit?", system="Yes or no.", variables={"thing": ["a", "b"]}, seed=1
    )
    page.ask("sweep", axes=[{"name": "temperature", "text": "0, 1"}], repeats=5)
    found: dict[str, Any] = {}
    code = page.last("sweep")["text"].replace("nbchat.sweep(", "take(").removesuffix("sweep")

    def take(prompt: str, **arguments: Any) -> None:
        found.update(arguments, prompt=prompt)

    exec(code, {"take": take})
    found.pop("profile")
    assert found == {
        "prompt": "Is {{ thing }} a fruit?",
        "data": [{"thing": "a"}, {"thing": "b"}],
        "grid": {"temperature": [0, 1]},
        "repeats": 5,
        "folder": "sweep",
        "system": "Yes or no.",
        "seed": 1,
    }


# files, marks, servers


def test_a_session_is_saved_and_opened(
    server: ScriptedServer, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("Hi {{ name }}", variables={"name": ["Ada", "Bo"]}, temperature=0.5)
    page.panel.run()
    page.wait_over()
    entry = page.entries[1]
    page.ask("pin", id=entry.id)
    page.ask("mark", id=entry.id, mark="good", note="the better one")
    page.ask("edit", seq=1, messages=[{"role": "user", "content": "Later"}])
    path = page.panel.save(tmp_path / "x.json")
    again = open_page(str(path), profile=None)
    assert again.desk.draft == page.desk.draft
    runs = again.panel.runs
    assert runs["text"].tolist() == page.panel.runs["text"].tolist()
    assert runs["mark"].tolist() == ["", "good"]
    assert runs["note"].tolist() == ["", "the better one"]
    assert [one.is_pinned for one in again.entries if one.run] == [False, True]
    with pytest.raises(CheckError, match="There is no file"):
        explore("nowhere.json")
    (tmp_path / "y.json").write_text("{}")
    with pytest.raises(CheckError, match="is no session of a panel"):
        explore(tmp_path / "y.json")
    with pytest.raises(CheckError, match=r"must end in \.json"):
        page.panel.save(tmp_path / "x.txt")


def test_compare_marks_what_differs_in_the_prompts(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page("Is a {{ thing }} red?", variables={"thing": ["cherry", "lime"]})
    page.panel.run()
    page.wait_over()
    for entry in page.entries:
        page.ask("pin", id=entry.id)
    page.ask("compare")
    one, other = (column["prompt"] for column in page.last("compare")["columns"])
    assert ["cherry", "removed"] in one
    assert ["lime", "added"] in other


@pytest.mark.parametrize("kind", SERVER_FIELDS)
def test_the_fields_of_a_server_have_controls_and_go_out_as_extra(
    kind: str, server: ScriptedServer, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbchat.widgets.explorer.offers._kind", lambda _: kind)
    page = open_page()
    page.ask("models")
    page.wait(lambda: page.heard_of("models"))
    told = page.last("models")
    assert [one["name"] for one in told["controls"]] == [f.name for f in SERVER_FIELDS[kind]]
    assert "max_tokens" in told["wanted"]
    name = told["controls"][0]["name"]
    page.ask("edit", seq=1, extra={name: 7})
    page.ask("run")
    page.wait_over()
    assert server.requests[-1].body[name] == 7
    page.ask("plan", axes=[{"name": name, "text": "1, 2"}])
    assert page.last("plan")["count"] == 2


def test_openai_wants_nothing_deprecated() -> None:
    assert still_wanted("openai") == set()
    assert server_fields("openai") == ()
    assert "seed" in still_wanted("vllm")


def test_a_panel_that_is_closed_leaves_no_widget() -> None:
    from ipywidgets.widgets import widget

    before = len(widget._instances)
    for _ in range(5):
        explore("Hi").close()
    assert len(widget._instances) == before


def test_a_panel_that_was_shown_just_now_goes_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page that still loads it would take its end for an error."""
    from ipywidgets.widgets import widget

    before = len(widget._instances)
    panel = stand_in.Panel()
    panel._shown_at = time.monotonic()
    monkeypatch.setattr(stand_in, "LOADED_WITHIN_S", 0.3)
    panel.close()
    assert len(widget._instances) > before
    deadline = time.monotonic() + 10
    while len(widget._instances) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_opening_does_not_wait_for_a_server(open_page: OpenPage) -> None:
    began = time.perf_counter()
    explore("Hi", profile="http://192.0.2.1/v1").close()
    assert time.perf_counter() - began < 5
    assert nbchat.Draft is type(open_page().panel.draft)
    assert isinstance(msgspec.json.encode(open_page().panel.opening), bytes)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([], ""),
        ([0.5], ""),  # the run's own line has it
        ([0.0, 0.0], ""),
        ([None, None], ""),
        ([0.001, 0.002], "2 runs $0.0030"),
        ([0.001, None, 0.002], "3 runs at least $0.0030, 1 of unknown cost"),
    ],
)
def test_the_foot_says_what_all_runs_cost(costs: list[float | None], said: str) -> None:
    entries = []
    for number, cost_usd in enumerate(costs):
        run = Run(messages=[], params=ChatParams())
        run.status, run.cost_usd = "complete", cost_usd
        entries.append(Entry(Draft(), number, run=run))
    waiting = Entry(Draft(), len(costs))
    assert spent_text([*entries, waiting]) == said
