"""`branch`: another token at a position of a reply, and how the text goes on from there."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from nbchat.analysis.batch import executions_of
from nbchat.analysis.branch_by_token_ids import Exact, exact
from nbchat.analysis.continuation import Ended, FromText, FromTokenIds
from nbchat.analysis.position import Option, Position, data_of, position_of
from nbchat.analysis.position_tokens import NotExact
from nbchat.analysis.prefix import Beginning, beginning_of
from nbchat.analysis.probe import continuation
from nbchat.analysis.run_origin import origin_of
from nbchat.api.json_values import is_whole_number, shown
from nbchat.client import native
from nbchat.client.presets import LOCAL
from nbchat.display.characters import visible
from nbchat.errors import CheckError, NotAvailableError
from nbchat.request.draft import Draft
from nbchat.run import Run
from nbchat.session.execution import FROM_SERVER, Execution
from nbchat.session.in_steps import client_in_steps
from nbchat.session.pool import AT_ONCE, play
from nbchat.session.server_kind import kind_of
from nbchat.session.servers import prepare
from nbchat.session.settings import resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.analysis.probe import Probe
    from nbchat.client.profiles import Profile
    from nbchat.session.sources import Source

Method = Literal["exact", "prefill", "text", "resampling"]
#: fields that a branch takes over from its run with another value, or not at all
_LIMITS = ("max_tokens", "max_completion_tokens")
_NOT_TAKEN_OVER = {"n", "stream_options", *_LIMITS}
#: what holds a whole reply to a form cannot hold the rest of one
_FORMS = ("response_format", "grammar", "json_schema", "tools", "functions")


class Branch(msgspec.Struct, frozen=True, eq=False):
    """Runs that part from a run at one position.

    - `parent`, `choice`, `position`: where they part from it; positions count tokens from 0
    - `alternative`: the token that stands there instead, as the server sends it; `token_id` its
      number, None where it is not known
    - `method`: "exact" (the same tokens by id, written again one by one with the log
      probabilities that they had, to 1e-4 nats, then this one: what the model would have written
      had it drawn it), "prefill" (the same tokens by id, but evaluated otherwise, so that log
      probabilities differ), "text" (the server goes on with the text so far, which it may
      tokenise in another way) or "resampling" (replies drawn anew from the start, of which some
      may begin like this); `label` is a sentence that says it, with the difference
    - `runs`: list of `nbchat.Run`, `run` the first of them. Each is a whole reply, in text and
      log probabilities, and can be branched again
    """

    parent: Run
    choice: int
    position: int
    alternative: str
    token_id: int | None
    method: Method
    runs: list[Run]
    label: str

    @property
    def run(self) -> Run:
        """The first run."""
        return self.runs[0]

    def shares(self) -> pd.DataFrame:
        """Give the distinct replies with their empirical shares (see `nbchat.repeat`)."""
        from nbchat.frames.distinct_answers import distinct

        return distinct(self.runs)

    def __repr__(self) -> str:
        lines = [f"{run.status}: {shown(run.text)}" for run in self.runs]
        return "\n".join([f"<Branch at {self.position}> {visible(self.label)}", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{self._text_html(run)}</li>" for run in self.runs)
        label = html.escape(visible(self.label))
        return f"<div><p><em>{label}</em></p><ol>{rows}</ol></div>"

    def _text_html(self, run: Run) -> str:
        status = "" if run.status == "complete" else f" <em>({html.escape(run.status)})</em>"
        if self.method == "resampling":
            text = _escaped(run.text)
        else:
            here = position_of(run, self.position, 0)
            before = here.data.decode("utf-8", "replace")
            token = data_of(here.table.codes[self.position]).decode("utf-8", "replace")
            after = run.text[len(before) + len(token) :]
            marked = f"<mark>{_escaped(token) or '∅'}</mark>"
            text = f'<span style="opacity: 0.6">{_escaped(before)}</span>{marked}{_escaped(after)}'
        return f'<span style="white-space: pre-wrap">{text}</span>{status}'


def _escaped(text: str) -> str:
    return html.escape(visible(text))


class _Way(NamedTuple):
    """How a branch is made, and the runs that will make it."""

    method: Method
    option: Option
    label: str
    executions: Sequence[Execution]


class _Question(NamedTuple):
    """What is asked for, and where."""

    run: Run
    position: Position
    option: Option
    draft: Draft
    n_new: int | None  # the limit of the new tokens alone; None: what the run's own leaves
    n: int
    profile: Profile

    def drafts(self, n_begun: int) -> tuple[list[Draft], bool]:
        """Give what each run is asked, and whether all are over already: no token is left.

        `n_begun` tokens are given, so that the run's limit is less by as many.
        """
        fields = dict(self.draft.fields)
        settings = self.run.params.given()
        is_over = False
        for name in _LIMITS:
            if self.n_new is None and settings.get(name) is not None:
                left = settings[name] + self.run.n_begun - n_begun
                fields[name] = max(left, 1)
                is_over = left < 1
        seed = fields.get("seed")
        return [
            msgspec.structs.replace(
                self.draft,
                fields=fields if seed is None or not number else {**fields, "seed": seed + number},
            )
            for number in range(self.n)
        ], is_over


def branch(
    run: Run,
    position: int,
    alternative: str | int | None = None,
    *,
    choice: int = 0,
    n: int = 1,
    method: Method | None = None,
    profile: str | Profile | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    at_once: int = AT_ONCE,
    **params: Any,
) -> Branch:
    """Put another token at a position of a reply, and let the model go on from there.

    - `position`: of the token, from 0; negative from the end (``run.tokens()`` counts the same)
    - `alternative`: the token as text (``" Lyon"``); an index into the alternatives there, as
      ``run.alternatives()`` numbers them; or a token id, which is any number beyond those. None:
      the most likely one that was not sampled. An end token ends the reply
    - `choice`: the index of the choice; `n`: how many replies, `at_once` of them together
    - `profile`: where to ask, by default where the run came from
    - `params`: fields of the request. Without them it goes on as the run was asked, with the
      rest of its `max_completion_tokens`; one that is given counts the new tokens alone. With a
      `seed`, reply i has ``seed + i``

    - `method`: None for the best that the server can, or one of

      - "exact": on llama.cpp's server, the embedded model's too, by token ids. The tokens before
        the position are written again one by one, which takes as long as writing them took, and
        each log probability on the way is compared with the run's. Branching on the token that
        was sampled, at temperature 0, gives the same rest with the same log probabilities
      - "prefill": by token ids there too, all evaluated in one batch. That is quicker, and its
        log probabilities differ (on SmolLM2 by up to 0.39 nats): `label` has the difference that
        was measured at the position. It is also what a branch is that was to be exact and
        differs, by up to 0.5 nats
      - "text": on servers that go on with a message of the assistant (`nbchat.probe` knows, else
        one or two short requests tell). It cannot start inside a character
      - "resampling": `n` replies are drawn anew, with their shares in ``branch.shares()``

    `method` and `label` of the result say which it is.

    The runs are in `nbchat.runs()` too. Raise CheckError where the position or the alternative is
    none, before anything is sent; the error of the first run where all failed, which carries
    that run as ``.run``; NotAvailableError where it cannot be by the `method` that was named.
    """
    started = start(
        run,
        position,
        alternative,
        choice=choice,
        n=n,
        method=method,
        profile=profile,
        timeout=timeout,
        max_retries=max_retries,
        **params,
    )
    return started.play(at_once)


class Started(NamedTuple):
    """A branch that is begun: nothing of the replies is asked for until `play`.

    The attributes are those of `Branch`; the `runs` fill while it plays.
    """

    parent: Run
    choice: int
    place: Position
    way: _Way

    @property
    def position(self) -> int:
        return self.place.position

    @property
    def alternative(self) -> str:
        return self.way.option.token

    @property
    def token_id(self) -> int | None:
        return self.way.option.id

    @property
    def method(self) -> Method:
        return self.way.method

    @property
    def label(self) -> str:
        return self.way.label

    @property
    def runs(self) -> list[Run]:
        return [execution.run for execution in self.way.executions]

    def play(self, at_once: int = AT_ONCE) -> Branch:
        """Write the replies, and give the branch. Raise as `branch` does."""
        play(self.way.executions, at_once=at_once)
        runs, label = self.runs, self.label
        errors = [made.error for made in runs if made.error is not None]
        if len(errors) == len(runs):
            raise errors[0]
        if self.method == "resampling":
            label += _share(runs, self.place, self.way.option)
        return Branch(
            self.parent,
            self.choice,
            self.position,
            self.alternative,
            self.token_id,
            self.method,
            runs,
            label,
        )

    def cancel(self) -> None:
        """Stop from another thread. Each run ends as interrupted, with what has come."""
        for execution in self.way.executions:
            if execution.run.status == "running":
                execution.cancel()


def start(
    run: Run,
    position: int,
    alternative: str | int | None = None,
    *,
    choice: int = 0,
    n: int = 1,
    method: Method | None = None,
    profile: str | Profile | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    **params: Any,
) -> Started:
    """Begin a branch, for those who want to see it grow or to stop it; as `branch`."""
    if not is_whole_number(n) or n < 1:
        raise CheckError(f"n is {n!r}, but must be a whole number, 1 or more.", field="n", value=n)
    if method is not None and method not in get_args(Method):
        rule = f"None or one of {', '.join(get_args(Method))}"
        raise CheckError(
            f"method is {shown(method)}, but must be {rule}.", field="method", value=method
        )
    if not isinstance(run, Run):
        sentence = f"branch() goes on from a run, such as nbchat.chat gives, not {shown(run)}."
        raise TypeError(sentence)
    place = position_of(run, position, choice)
    option = place.option(alternative)
    if option.id is not None and run.vocab_size is not None and option.id >= run.vocab_size:
        rule = f"below {run.vocab_size:,}, the size of the vocabulary"
        raise CheckError(
            f"alternative is the token id {option.id}, but must be {rule}.",
            field="alternative",
            value=alternative,
            rule=rule,
        )
    say = PrintingWatcher().status
    draft = _draft(run, params, origin_of(run) if profile is None else profile)
    draft = msgspec.structs.replace(draft, timeout=timeout, max_retries=max_retries)
    prepare(draft, say=say)  # what is wrong is said before anything is asked for
    target = resolved(draft.profile, say)
    # the embedded model may have another address by the time that it is asked
    draft = msgspec.structs.replace(draft, profile=LOCAL if target.name == LOCAL else target)
    n_new = next((params[name] for name in _LIMITS if name in params), None)
    way = _way(_Question(run, place, option, draft, n_new, n, target), method)
    for execution in way.executions:
        execution.run.vocab_size = run.vocab_size
    return Started(run, choice, place, way)


def _draft(run: Run, params: dict[str, Any], profile: Any) -> Draft:
    """Give what is asked: as the run was, with the fields that are given over its own."""
    extra = {**run.params.extra, **params.get("extra", {})}
    of_run = {n: v for n, v in run.params.given().items() if n not in _NOT_TAKEN_OVER}
    fields = {n: v for n, v in params.items() if n != "extra"}
    return Draft(
        messages=run.messages,
        fields={**of_run, **fields},
        extra={n: v for n, v in extra.items() if n not in fields},
        profile=profile,
    )


def _way(question: _Question, method: Method | None) -> _Way:
    if method == "resampling":
        return _resampled(question, "You asked for it.")
    is_by_ids = kind_of(question.profile) == "llama.cpp"
    server = f"{question.profile.name} at {question.profile.base_url}"
    if method in ("exact", "prefill") and not is_by_ids:
        raise NotAvailableError(
            f'method is "{method}", which servers of llama.cpp alone can do: {server} is none.'
        )
    why = ""
    if is_by_ids and method != "text":
        try:
            way = _by_token_ids(question, decodes=method != "prefill")
        except NotExact as reason:
            if method is not None:
                raise NotAvailableError(f"There is no such branch: {reason}.") from None
            why = f" Not by token ids: {reason}."
        else:
            if method == "exact" and way.method != "exact":
                raise NotAvailableError(f"There is no exact branch here. {way.label}")
            return way
    known = continuation(question.profile, question.run.params.given().get("model"))
    if known.continuation:
        return _by_text(question, known, why)
    if method == "text":
        raise NotAvailableError(
            f'method is "text", but {server} goes on with no reply that was begun.'
        )
    return _resampled(question, f"This server goes on with no reply that was begun.{why}")


def _by_token_ids(question: _Question, *, decodes: bool) -> _Way:
    run, place = question.run, question.position
    client = client_in_steps(question.profile)
    made = exact(client, run, place, question.option, decodes=decodes)
    n_slots = native.n_slots(client) if decodes and question.n > 1 else 1

    def source(number: int) -> Source:
        prefix = msgspec.structs.replace(made.prefix, slot=number % n_slots) if decodes else None
        return FromTokenIds(made.beginning, made.ids, prefix)

    executions = _going_on(question, made.beginning, source, made.n_begun, ends=made.ends)
    method: Method = "exact" if made.is_exact else "prefill"
    # a grammar begins at its beginning, and the rest of a text does not
    lost = [form for form in _FORMS if form in {**run.params.given(), **run.params.extra}]
    for execution in executions:
        execution.run.notes.append(f"{method} branch of run {run.id} at token {place.position}")
        execution.run.notes.extend(f"the rest is not held to {form}" for form in lost)
    return _Way(method, made.option, _label_of(made, place), executions)


def _label_of(made: Exact, place: Position) -> str:
    where = _where(made.beginning, place)
    if made.is_exact:
        return (
            f"Exact, by token ids: {where} as if the model had drawn it; what stands before was "
            "written again token by token, with the log probabilities of the run."
        )
    how = (
        "written again token by token, and the log probabilities differ from the run's by up to"
        if made.is_decoded
        else "evaluated in one batch, and the log probabilities here differ from the run's by"
    )
    return (
        f"By token ids, not exact: {where}; what stands before was {how} "
        f"{made.difference:.4f} nats."
    )


def _by_text(question: _Question, known: Probe, why: str) -> _Way:
    from nbchat.frames.token_texts import is_control

    place, option = question.position, question.option
    beginning = _whole_characters(place, option)
    beginning.repeats = bool(known.continuation_repeats)
    ends = not option.data or is_control(option.token)
    source = FromText(beginning, known.continuation_extra)
    executions = _going_on(question, beginning, lambda _: source, place.position + 1, ends=ends)
    for execution in executions:
        execution.run.notes.append(
            f"branch by text of run {question.run.id} at token {place.position}"
        )
    label = (
        f"By text: {_where(beginning, place)}; the server goes on with the text so far, and may "
        f"tokenise it in another way than it was written.{why}"
    )
    return _Way("text", option, label, executions)


def _going_on(
    question: _Question,
    beginning: Beginning,
    source_of: Callable[[int], Source],
    n_begun: int,
    *,
    ends: bool,
) -> list[Execution]:
    """Give the runs that go on from a beginning; where it `ends` the reply, they are over."""
    drafts, is_over = question.drafts(n_begun)
    over = Ended(beginning, "stop" if ends else "length") if ends or is_over else None
    executions = executions_of(
        drafts, by="branch", source_of=lambda number: over or source_of(number)
    )
    for execution in executions:
        execution.run.n_begun = len(beginning.table)
    return executions


def _resampled(question: _Question, why: str) -> _Way:
    drafts, _ = question.drafts(0)
    executions = executions_of(drafts, by="branch", source_of=lambda _: FROM_SERVER)
    for execution in executions:
        execution.run.notes.append(f"drawn anew for a branch of run {question.run.id}")
    drawn = f"{question.n} replies were" if question.n > 1 else "1 reply was"
    label = f"By resampling: {drawn} drawn anew from the start. {why}"
    return _Way("resampling", question.option, label, executions)


def _where(beginning: Beginning, place: Position) -> str:
    data = data_of(beginning.table.codes[-1])
    token = shown(data.decode("utf-8", "backslashreplace")) if data else "a control token"
    return f"{token} stands at token {place.position}"


def _whole_characters(place: Position, option: Option) -> Beginning:
    beginning = beginning_of(place, option)
    try:
        place.data.decode()
        beginning.data.decode()
    except UnicodeDecodeError:
        rule = "must be at the border of a character: a branch by text cannot start inside one"
        raise CheckError(
            f"position {place.position} {rule}.", field="position", value=place.position, rule=rule
        ) from None
    return beginning


def _share(runs: list[Run], place: Position, option: Option) -> str:
    begun = place.data.decode("utf-8", "replace") + option.token
    drawn = [run for run in runs if run.status == "complete"]
    alike = sum(run.text.startswith(begun) for run in drawn)
    share = f"{alike / len(drawn):.0%}" if drawn else "none"
    return f" {alike} of {len(drawn)} ({share}) begin like this branch."
