"""Whether the log probabilities of a run can be what they say: what servers get wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from nbchat.frames.alternatives_lists import lists_of
from nbchat.frames.decoded_text import texts_of
from nbchat.frames.integrity_checks import CHECKS, NO_FAULTS, Facts
from nbchat.frames.per_choice import choices
from nbchat.frames.source import lacks_logprobs
from nbchat.frames.text_alignment import reply_prefix, token_places
from nbchat.frames.token_arrays import CHANNELS, positions_of
from nbchat.frames.token_texts import Words

if TYPE_CHECKING:
    from nbchat.frames.source import RunLike
    from nbchat.frames.token_arrays import Owner


class Finding(msgspec.Struct, frozen=True):
    """What one check found. `is_off` is False for what is worth knowing and no fault."""

    check: str
    is_off: bool
    choice: int | None
    channel: str | None
    count: int
    positions: list[int]
    meaning: str


class Integrity:
    """What is off with the log probabilities of a run; shown, it says so in a few lines.

    - `ok`: bool, nothing is off
    - `findings`: DataFrame, one row for each check that found something in a list of
      logprobs: `check` (string), `is_off` (bool; False is worth knowing and no fault),
      `choice` (Int64, NA of the whole run), `channel` (string), `count` (int64), `positions`
      (object, list of int), `meaning` (string)
    - `note`: str, a few words; "" where nothing is off
    """

    def __init__(self, findings: list[Finding], n_tokens: int):
        self._findings = findings
        self._n_tokens = n_tokens

    @property
    def ok(self) -> bool:
        return not any(finding.is_off for finding in self._findings)

    @property
    def findings(self) -> pd.DataFrame:
        rows = [msgspec.structs.asdict(finding) for finding in self._findings]
        frame = pd.DataFrame(rows, columns=list(Finding.__struct_fields__))
        dtypes = {"check": "string", "is_off": "bool", "choice": "Int64", "channel": "string"}
        return frame.astype({**dtypes, "count": "int64", "positions": object, "meaning": "string"})

    @property
    def note(self) -> str:
        counts: dict[str, int] = {}
        for finding in self._findings:
            if finding.is_off:
                counts[finding.check] = counts.get(finding.check, 0) + finding.count
        checks = ", ".join(f"{check} ({count:,})" for check, count in counts.items())
        return f"off here: {checks}; run.integrity() says more" if checks else ""

    def __repr__(self) -> str:
        return "\n".join([self._title(), *self._lines()])

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<div>{escape(self._title())}{f'<ul>{lines}</ul>' if lines else ''}</div>"

    def _title(self) -> str:
        count = f"{self._n_tokens:,} token{'' if self._n_tokens == 1 else 's'}"
        n_off = sum(finding.is_off for finding in self._findings)
        if not self._n_tokens and not n_off:
            return "There are no log probabilities to check."
        if not n_off:
            return f"Nothing is off in the log probabilities of {count}."
        things = f"{n_off} thing{'s are' if n_off > 1 else ' is'}"
        return f"{things} off in the log probabilities of {count}:"

    def _lines(self) -> Iterator[str]:
        for finding in sorted(self._findings, key=lambda finding: not finding.is_off):
            where = [str(place) for place in finding.positions[:8]]
            more = ", …" if len(finding.positions) > 8 else ""
            places = f" at position {', '.join(where)}{more}" if where else ""
            whose = f"choice {finding.choice}, " if finding.choice else ""
            kind = "" if finding.is_off else "note: "
            count = f" ({finding.count:,})" if finding.positions or finding.count > 1 else ""
            yield f"{kind}{whose}{finding.check}{count}{places}: {finding.meaning}"


def integrity(run: RunLike, choice: int | None = None) -> Integrity:
    """Check the log probabilities of a run, or of one of its choices, for what servers get wrong.

    Off is what makes a figure wrong or a bound: text that no token writes, tokens without a
    row, sentinels, lists that are no lists of the likeliest. Worth knowing and no fault is,
    for instance, a token that was drawn though it is not among those listed. All positions
    are checked at once: a million alternatives take a fraction of a second.
    """
    positions = positions_of([run])
    words = Words(positions.codes, positions.alternative_codes)
    texts = texts_of(positions, words)
    facts = Facts(positions, words, texts, lists_of(positions, words))
    marks = {check: mark(facts) for check, (mark, _) in CHECKS.items()}
    findings: list[Finding] = []
    counted = 0
    for table, owner in enumerate(positions.owners):
        if choice is not None and owner.choice.index != choice:
            continue
        stretch = slice(int(positions.borders[table]), int(positions.borders[table + 1]))
        counted += stretch.stop - stretch.start
        if run.status != "running":
            findings += _text_findings(facts, owner, stretch, getattr(run, "messages", ()))
        for check, marked in marks.items():
            findings += _in_list(check, owner, np.flatnonzero(marked[stretch]).tolist())
    return Integrity([*_run_findings(run, has_tokens=counted > 0), *findings], counted)


def _run_findings(run: RunLike, *, has_tokens: bool) -> Iterator[Finding]:
    """Give what is of the whole run: tokens without a row, and what the numbers are taken from."""
    if lacks_logprobs(run):
        yield _of_run("no logprobs", 1, "log probabilities were asked for and did not come")
    if not has_tokens or run.status == "running":
        return
    fields = run.params.given()
    counts = choices(run).iloc[0]
    if counts["n_missing"] is not pd.NA and counts["n_missing"] > 0:
        stops = bool(fields.get("stop"))
        why = "a stop string" if stops else "parts of characters, or a fence that was cut off"
        words = f"the usage counts more tokens than there are rows ({why}): sums lack them"
        yield _of_run("missing tokens", int(counts["n_missing"]), words, is_off=not stops)
    elif counts["n_missing"] is not pd.NA and counts["n_missing"] < 0:
        words = "there are more rows than the usage counts tokens"
        yield _of_run("more rows", -int(counts["n_missing"]), words)
    if run.logprob_basis == "unknown":
        words = (
            "whether log probabilities are from before or after temperature is not known; "
            "nbchat.probe() finds out for later runs"
        )
        yield _of_run("basis", 1, words, is_off=False)
    elif run.logprob_basis == "tempered" and fields.get("temperature") not in (None, 1):
        words = "log probabilities are from after temperature: not those of the model itself"
        yield _of_run("basis", 1, words, is_off=False)


def _in_list(check: str, owner: Owner, places: list[int], **other: Any) -> Iterator[Finding]:
    """Give what a check found in one list of logprobs; nothing where it found nothing."""
    if places or other:
        facts = {
            "is_off": check not in NO_FAULTS,
            "count": len(places),
            "meaning": CHECKS[check][1] if check in CHECKS else "",
            **other,
        }
        channel = CHANNELS[owner.channel]
        yield Finding(check, choice=owner.choice.index, channel=channel, positions=places, **facts)


def _of_run(check: str, count: int, meaning: str, *, is_off: bool = True) -> Finding:
    return Finding(check, is_off, None, None, count, [], meaning)


def _text_findings(
    facts: Facts, owner: Owner, stretch: slice, messages: Sequence[Any]
) -> Iterator[Finding]:
    """Compare the tokens of one list, joined, with the text that came."""
    message = owner.choice.message
    text = ((message.refusal if owner.channel else message.content) or "").encode(
        "utf-8", "surrogatepass"
    )
    places, special = facts.places[stretch].tolist(), facts.texts.is_special[stretch]
    joined = b"".join(
        b"" if hidden else facts.words.data[place]
        for place, hidden in zip(places, special, strict=True)
    )
    if joined == text:
        return
    prefix = reply_prefix(messages).encode("utf-8", "surrogatepass")
    ends = facts.texts.byte_end[stretch]
    starts = ends - facts.texts.n_bytes[stretch]
    first, last, is_placed = token_places(starts, ends, joined, text, prefix)
    first, last = np.clip(first, 0, len(text)), np.clip(last, 0, len(text))
    n_written = int((last - first)[is_placed].sum())
    n_begun = len(prefix) if text.startswith(prefix) else 0
    outside = np.flatnonzero(~is_placed | ((first == last) & (ends > starts))).tolist()
    count = len(text) - n_begun - n_written
    if count > 0:
        words = "bytes of the text that no token is known to write: positions in it are not certain"
        yield from _in_list("text differs", owner, outside, count=count, meaning=words)
    elif outside:
        words = "tokens not in the text: a stop string, a fence, blanks or reasoning cut off"
        yield from _in_list("cut from text", owner, outside, is_off=False, meaning=words)
