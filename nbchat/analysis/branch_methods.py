"""The ways to make a branch: by token ids, by text, or by drawing replies anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from nbchat.analysis.batch import executions_of
from nbchat.analysis.branch_by_token_ids import Exact, exact
from nbchat.analysis.continuation import Ended, FromText, FromTokenIds
from nbchat.analysis.position import Option, Position, data_of
from nbchat.analysis.position_tokens import NotExact
from nbchat.analysis.prefix import Beginning, beginning_of
from nbchat.analysis.probe import continuation
from nbchat.api.json_values import shown
from nbchat.client import native
from nbchat.errors import CheckError, NotAvailableError
from nbchat.request.draft import Draft
from nbchat.run import Run
from nbchat.session.execution import FROM_SERVER, Execution
from nbchat.session.in_steps import client_in_steps
from nbchat.session.server_kind import kind_of

if TYPE_CHECKING:
    from nbchat.analysis.probe import Probe
    from nbchat.client.profiles import Profile
    from nbchat.session.sources import Source

Method = Literal["exact", "prefill", "text", "resampling"]
#: fields that say how many tokens a reply may have
LIMITS = ("max_tokens", "max_completion_tokens")
#: what holds a whole reply to a form cannot hold the rest of one
_FORMS = ("response_format", "grammar", "json_schema", "tools", "functions")


class Way(NamedTuple):
    """How a branch is made, and the runs that will make it."""

    method: Method
    option: Option
    label: str
    executions: Sequence[Execution]


class Question(NamedTuple):
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
        for name in LIMITS:
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


def way_of(question: Question, method: Method | None) -> Way:
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


def _by_token_ids(question: Question, *, decodes: bool) -> Way:
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
    return Way(method, made.option, _label_of(made, place), executions)


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


def _by_text(question: Question, known: Probe, why: str) -> Way:
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
    return Way("text", option, label, executions)


def _going_on(
    question: Question,
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


def _resampled(question: Question, why: str) -> Way:
    drafts, _ = question.drafts(0)
    executions = executions_of(drafts, by="branch", source_of=lambda _: FROM_SERVER)
    for execution in executions:
        execution.run.notes.append(f"drawn anew for a branch of run {question.run.id}")
    drawn = f"{question.n} replies were" if question.n > 1 else "1 reply was"
    label = f"By resampling: {drawn} drawn anew from the start. {why}"
    return Way("resampling", question.option, label, executions)


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
