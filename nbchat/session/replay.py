"""Answers from the record in the place of requests."""

from __future__ import annotations

import copy
import functools
import hashlib
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from nbchat.api.explain import did_you_mean, nearest
from nbchat.client.presets import LOCAL
from nbchat.errors import CheckError, NotRecordedError
from nbchat.session.notebook import current_cell
from nbchat.session.offline import can_replay_steps
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbchat.client.profiles import Profile
    from nbchat.history.places import Recorded
    from nbchat.request.prepare import Prepared
    from nbchat.run import Run
    from nbchat.session.sources import Answer, Order, Source

Mode = Literal["off", "auto", "only", "refresh"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Record(Protocol):
    """What is replayed: a cassette, or the history."""

    def of_request(self, sha256: str) -> Sequence[Recorded]: ...

    def run(self, run_id: str) -> Run: ...

    def vocabulary_size(self, profile: str, base_url: str) -> int | None: ...


class FromRecord:
    """Answers with a run that was recorded; nothing is sent, and no tool runs."""

    needs_server = False

    def __init__(self, recorded: Run, *, is_own: bool, speed: float | None):
        self._recorded = recorded
        self._is_own = is_own
        self._speed = speed

    def open(self, order: Order) -> Answer:  # noqa: ARG002 - as every source
        from nbchat.api.response import Completion
        from nbchat.history.played_answer import PlayedAnswer

        recorded = self._recorded
        return PlayedAnswer(
            recorded.completion or Completion(),
            ttft_s=recorded.ttft_s,
            elapsed_s=recorded.elapsed_s,
            request_id=recorded.request_id,
            speed=self._speed,
        )

    def begin(self, run: Run) -> None:
        """Give a run what stood in the record before its last answer came."""
        recorded = self._recorded
        run.messages = recorded.messages
        run.rounds = copy.deepcopy(recorded.rounds)
        run.params = recorded.params
        run.is_replayed = True

    def finish(self, run: Run) -> None:
        """Give a run what the record knows of the end; what it cost before is said beside it."""
        recorded = self._recorded
        run.rounds = copy.deepcopy(recorded.rounds)
        for name in (
            "base_url", "vocab_size", "end_tokens", "logprob_basis", "request_id", "ttft_s",
            "cost_source",
        ):  # fmt: skip
            setattr(run, name, getattr(recorded, name))
        if run.status == "complete":
            run.elapsed_s, run.n_begun = recorded.elapsed_s, recorded.n_begun
            run.completion = run.completion or recorded.completion
        run.tries, run.cost_usd = 0, 0.0
        run.cost_before_usd = (
            recorded.cost_before_usd if recorded.is_replayed else recorded.cost_usd
        )
        run.notes = [*recorded.notes, self._note(run.cost_before_usd)]

    def _note(self, cost_before_usd: float | None) -> str:
        from nbchat.session.budget import dollars

        whose = "" if self._is_own else " from an equal request of another place"
        cost = "" if not cost_before_usd else f" (it cost {dollars(cost_before_usd)})"
        return f"replayed{whose}{cost}"


class NotThere:
    """Answers with an error: what was to be replayed is in no record."""

    needs_server = False

    def __init__(self, sentence: str):
        self._sentence = sentence

    def open(self, order: Order) -> Answer:  # noqa: ARG002 - as every source
        raise NotRecordedError(self._sentence)


class FromHistory:
    """The history as a record."""

    def of_request(self, sha256: str) -> Sequence[Recorded]:
        from nbchat.history import store

        return store.of_request(sha256)

    def run(self, run_id: str) -> Run:
        from nbchat.history import store

        return store.get(run_id)

    def vocabulary_size(self, profile: str, base_url: str) -> int | None:
        from nbchat.history import store

        return store.vocabulary_size(profile, base_url)


def record_in_force() -> Record:
    """Give what is replayed: the cassette where there is one, else the history."""
    cassette = STATE.settings.cassette
    return FromHistory() if cassette is None else cassette


def source_for(run: Run, prepared: Prepared, source: Source) -> Source:
    """Note the place of a run that is being prepared, and give where its answer comes from.

    `source` is who answers where nothing is replayed. Raise CheckError where `replay` is none
    of the four words.
    """
    mode = checked_mode(prepared.options.replay or STATE.settings.replay)
    if not source.needs_server:
        return source
    is_ordinary = getattr(source, "is_replayable", False)
    if not is_ordinary and (STATE.settings.cassette is None or run.sweep is not None):
        if mode != "only":
            return source
        return NotThere(_lacks(prepared, "steps of an analysis are kept in a cassette alone"))
    from nbchat.history.canonical import request_sha256

    server = server_of(prepared.profile)
    run.request_sha256 = request_sha256(
        prepared.body, server if is_ordinary else f"{server} in steps"
    )
    cell = current_cell()
    place = STATE.places.take(run.request_sha256, cell.id, cell.execution)
    run.number_in_cell = place.number
    if not is_ordinary:
        if mode != "only":
            return source
        if not can_replay_steps():
            why = 'steps of an analysis are replayed where configure(replay="only") says so'
            return NotThere(_lacks(prepared, why))
        run.is_replayed = True
        run.notes.append("replayed, step by step")
        return source
    if mode in ("off", "refresh"):
        return source
    record = record_in_force()
    recorded = record.of_request(run.request_sha256)
    claim = STATE.claims.claim(place, recorded, may_ask=mode == "auto")
    if claim is not None:
        speed = STATE.settings.replay_speed
        return FromRecord(record.run(claim.id), is_own=claim.is_own, speed=speed)
    return NotThere(_lacks(prepared, _where(record))) if mode == "only" else source


def checked_mode(mode: Any) -> Mode:
    """Give the mode of a replay. Raise CheckError for another word."""
    if mode not in MODES:
        rule = f"must be one of {', '.join(MODES)}"
        raise CheckError(
            f"replay is {mode!r}, but it {rule}.{did_you_mean(nearest(str(mode), MODES))}",
            field="replay",
            value=mode,
            rule=rule,
        )
    checked: Mode = mode
    return checked


def checked_speed(speed: Any) -> float:
    """Give the speed of a replay, 0 for at once. Raise CheckError for what is none."""
    is_number = isinstance(speed, (int, float)) and not isinstance(speed, bool)
    if not is_number or not 0 <= speed < float("inf"):
        rule = "must be a number: 1.0 as fast as it came, 2.0 twice that, 0 at once"
        raise CheckError(
            f"replay_speed is {speed!r}, but it {rule}.",
            field="replay_speed",
            value=speed,
            rule=rule,
        )
    return float(speed)


def server_of(profile: Profile) -> str:
    """Name the server of a profile, as a record knows it: the embedded one by its weights."""
    from nbchat.history.canonical import server_name

    if profile.name != LOCAL:
        return server_name(profile.base_url)
    model = profile.model or ""
    return server_name("", engine="llama.cpp", weights_sha256=_weights_sha256(model))


def _weights_sha256(model: str) -> str:
    """Give the SHA-256 of what the embedded server has loaded, without starting one."""
    from nbchat import local
    from nbchat.local.weights import SHA256

    status = local.status_if_used()
    if model == local.MODEL or status is None or not status.running:
        return SHA256 if model == local.MODEL else model
    path = local.ensure(lambda _: None).path
    facts = path.stat()
    return _file_sha256(path, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _file_sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _where(record: Record) -> str:
    path = getattr(record, "path", None)
    return "the history has no record of it" if path is None else f"{path.name} does not have it"


def _lacks(prepared: Prepared, why: str) -> str:
    content = next(
        (m.get("content") for m in reversed(prepared.new_messages) if m.get("content")), ""
    )
    text = " ".join(content.split()) if isinstance(content, str) else "a message with attachments"
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    model = prepared.body.get("model", "no model")
    return (
        f'replay="only": {why} ({shown!r} to {model} at {prepared.profile.name}). Nothing was '
        'sent; replay="auto" asks for what is not recorded.'
    )
