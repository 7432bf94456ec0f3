"""What is written of a row that has ended: a line of JSON, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from nbchat.api.response import Completion
from nbchat.errors import ApiError, UnreadableRunError
from nbchat.history.redaction import Redaction
from nbchat.run import Run
from nbchat.stored_run import as_json, facts_of
from nbchat.sweep.design import Row
from nbchat.sweep.token_json import columns_of, logprobs_of

#: what became of a row. Answered is also what a user may not like: scores tell of that
Status = Literal["answered", "refused", "truncated", "error", "not_sent"]
#: those that have an answer
HAVE_ANSWERS: tuple[Status, ...] = ("answered", "truncated")
_FILTERED = {"content_filter", "content_policy_violation", "responsible_ai_policy_violation"}


class Record(msgspec.Struct, kw_only=True, gc=False):
    """What is known of a row that was sent: the facts beside its run, one column each.

    - `row_id`, `item`, `sample`; `point`: axis -> value
    - `attempt`: how many times the row had been sent before, from 0; the latest record counts
    - `tries`: requests that it took, those that were refused or failed included
    - `ttft_s`, `elapsed_s`: seconds of the last request; `cost_usd`: None where unknown
    """

    row_id: str
    status: Status
    item: int
    sample: int
    point: dict[str, Any] = {}
    attempt: int = 0
    run_id: str = ""
    created_at: str = ""
    model: str | None = None
    text: str | None = None
    finish_reason: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    ttft_s: float | None = None
    elapsed_s: float | None = None
    cost_usd: float | None = None
    tries: int = 0


class _Whole(Record, kw_only=True, gc=False):
    run: msgspec.Raw
    tokens: msgspec.Raw = msgspec.Raw(b"[]")


_read_record = msgspec.json.Decoder(Record).decode
_read_whole = msgspec.json.Decoder(_Whole).decode
_encode = msgspec.json.Encoder().encode


def status_of(run: Run) -> Status:
    """Tell what became of a row whose request has ended."""
    error = run.error
    if run.status != "complete":
        is_filtered = isinstance(error, ApiError) and {error.code, error.type} & _FILTERED
        return "refused" if is_filtered else "error"
    completion = run.completion
    if completion is None or not completion.choices:
        return "error"
    reasons = {choice.finish_reason for choice in completion.choices}
    if "content_filter" in reasons or run.message.refusal:
        return "refused"
    return "truncated" if "length" in reasons else "answered"


def line_of(
    row: Row, point: Mapping[str, Any], run: Run, attempt: int, tries: int, redaction: Redaction
) -> tuple[Record, bytes]:
    """Give the record of a row, and its line, without keys and with the line's end."""
    tables: list[Any] = []

    def without_tables(completion: Completion) -> Completion:
        choices = [msgspec.structs.replace(c, logprobs=None) for c in completion.choices]
        tables.append([columns_of(c.logprobs) for c in completion.choices])
        return msgspec.structs.replace(completion, choices=choices)

    usage = run.usage
    sentence = None if run.error is None else f"{type(run.error).__name__}: {run.error}"
    record = Record(
        row_id=row.id,
        status=status_of(run),
        item=row.item,
        sample=row.sample,
        point=dict(point),
        attempt=attempt,
        run_id=run.id,
        created_at=run.created_at.isoformat(timespec="milliseconds"),
        model=run.model,
        text=run.text if run.completion is not None else None,
        finish_reason=run.finish_reason,
        error=None if sentence is None else redaction.text(sentence),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        ttft_s=run.ttft_s,
        elapsed_s=run.elapsed_s,
        cost_usd=run.cost_usd,
        tries=tries,
    )
    facts, stored = _encode(record)[:-1], as_json(run, without_tables)
    text = redaction.text((b'%s,"run":%s}' % (facts, stored)).decode())
    if not any(map(any, tables)):
        return record, text.encode() + b"\n"
    # no key is one token, and texts of them are long
    return record, b'%s,"tokens":%s}\n' % (text[:-1].encode(), _encode(tables))


def read_record(line: bytes) -> Record:
    """Read the facts of a line. Raise UnreadableRunError where it is none."""
    try:
        return _read_record(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRunError(f"This is no line of a sweep: {error}.") from None


def read_run(line: bytes, *, with_tokens: bool = True) -> Run:
    """Read the run of a line, or all but its log probabilities.

    Raise UnreadableRunError where there is none.
    """
    try:
        whole = _read_whole(line)
        stored = msgspec.json.decode(whole.run)
        tables = msgspec.json.decode(whole.tokens) if with_tokens else []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRunError(f"This is no line of a sweep: {error}.") from None
    facts = facts_of(stored)
    run = Run(messages=facts.pop("messages"), params=facts.pop("params"))
    for name, value in facts.items():
        setattr(run, name, value)
    for answer, choice_tables in zip(_answers(run), tables, strict=False):
        for choice, columns in zip(answer.choices, choice_tables, strict=True):
            choice.logprobs = logprobs_of(columns)
    return run


def _answers(run: Run) -> Iterator[Completion]:
    for tool_round in run.rounds:
        yield tool_round.completion
    if run.completion is not None:
        yield run.completion
