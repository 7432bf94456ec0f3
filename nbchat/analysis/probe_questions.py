"""The questions of `probe`: each a short request or a few, and what its answer tells."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.response import Choice, Chunk, Completion, ResponseMessage
from nbchat.api.support import REPLACED, refused_here
from nbchat.client.client import Client
from nbchat.errors import ApiError, BadRequestError, NbchatError, NotFoundError, TransportError
from nbchat.request.draft import Draft
from nbchat.run import LogprobBasis
from nbchat.session.repair import asks_for_no_reasoning
from nbchat.session.servers import prepare

if TYPE_CHECKING:
    from nbchat.analysis.probe import Probe

HIGHEST = 20
_SENTINELS_BELOW = -1000.0
_DRAWS = 4
_SEEDS = (7, 8, 9, 10)
_COLOUR = "Name a colour."
_DAYS = "Name the days of the week, beginning with Sunday."
_BEGUN = "Sunday, Monday, Tuesday, Wednes"
#: how vLLM and its relatives are told to go on with a message
_GO_ON = {"add_generation_prompt": False, "continue_final_message": True}
#: a model that reasons thinks before its first token, at this many tokens at most
_THINKING = 512

_CLOSED = {"type": "object", "additionalProperties": False}
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Give the time in a city.",
        "parameters": _CLOSED | {"properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": _CLOSED
        | {"properties": {"is_fine": {"type": "boolean"}}, "required": ["is_fine"]},
    },
}


class Answer(msgspec.Struct):
    """What came for one question."""

    completion: Completion
    is_streamed: bool

    @property
    def choice(self) -> Choice:
        """The first choice; an empty one where none came."""
        choices = self.completion.choices
        return choices[0] if choices else Choice(index=0, message=ResponseMessage())

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return self.choice.message.content or ""

    @property
    def alternatives(self) -> dict[str, float] | None:
        """The logprobs of the first token's alternatives, None where no logprobs came."""
        logprobs = self.choice.logprobs
        if logprobs is None or not logprobs.content:
            return None
        return {entry.token: entry.logprob for entry in logprobs.content[0].top_logprobs}


class Asking:
    """A server while it is asked. What is found goes into a `Probe`."""

    def __init__(self, client: Client, result: Probe):
        self._client = client
        self._result = result
        self._basics: dict[str, Any] = {"model": result.model} if result.model else {}
        refused = refused_here(result.model, {"max_tokens": 1, "temperature": 0})
        self._limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        self._thinks = "temperature" in refused

    def ask_all(self) -> None:
        """Ask everything. Raise `NbchatError` where not even a plain request is answered."""
        self._streams()
        for name, question in {
            "logprobs": self._logprobs,
            "logprob_basis": self._logprob_basis,
            "n": self._n,
            "tools": self._tools,
            "schema": self._schema,
            "seed": self._seed,
            "continuation": self._continuation,
        }.items():
            self._put(name, question)

    def ask_continuation(self) -> None:
        """Ask only whether a reply that was begun is gone on with."""
        self._put("continuation", self._continuation)

    def _put(self, name: str, question: Callable[[], None]) -> None:
        try:
            question()
        except (BadRequestError, NotFoundError) as error:
            self._note(name, "unknown" if name == "logprob_basis" else False, _why(error))
        except (ApiError, TransportError) as error:
            self._note(name, "unknown" if name == "logprob_basis" else None, _why(error))

    def _note(self, name: str, value: object, note: str = "") -> None:
        setattr(self._result, name, value)
        if note:
            self._result.notes[name] = note

    def _ask(
        self,
        prompt: str,
        *,
        most: int,
        streams: bool = False,
        begun: str = "",
        extra: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Answer:
        messages = [{"role": "user", "content": prompt}]
        if begun:
            messages.append({"role": "assistant", "content": begun})
        limit = {self._limit: most + _THINKING * self._thinks}
        prepared = prepare(
            Draft(
                messages=messages,
                fields={**self._basics, **limit, **fields},
                extra=dict(extra or {}),
                profile=self._client.profile,
            )
        )
        chunks: list[Chunk] = []
        stream = self._client.start(
            prepared.messages, prepared.params, streams=streams, max_retries=1
        )
        try:
            with stream:
                chunks.extend(stream)
        finally:
            self._result.requests += stream.tries
        is_whole = any(choice.message for chunk in chunks for choice in chunk.choices or ())
        return Answer(stream.completion, streams and not is_whole)

    def _streams(self) -> None:
        try:
            answer = self._first_answer()
        except BadRequestError as error:
            self._ask("Say hello.", most=4)  # where this fails too, streams are not the reason
            self._note("streaming", value=False, note=_why(error))
            self._note("stream_usage", value=None, note="there is no stream")
            return
        self._note("streaming", answer.is_streamed)
        if not answer.is_streamed:
            self._result.notes["streaming"] = "a whole answer came where a stream was asked for"
            self._note("stream_usage", value=None, note="there is no stream")
            return
        has_usage = answer.completion.usage is not None
        note = "" if has_usage else "asked for, but none came"
        if self._client.refuses_stream_options:
            note = "stream_options is refused" + (", usage comes without it" if has_usage else "")
        self._note("stream_usage", has_usage, note)

    def _first_answer(self) -> Answer:
        """Get a first answer, and learn under which name this server takes the limit."""
        try:
            return self._ask("Say hello.", most=4, streams=True)
        except BadRequestError as error:
            if self._limit not in f"{error.param} {error.message}":
                raise
        self._limit = REPLACED[self._limit]
        return self._ask("Say hello.", most=4, streams=True)

    def _logprobs(self) -> None:
        refusals: list[str] = []

        def count(top: int) -> int | None:
            """Give how many alternatives come for so many asked: None refused, -1 no logprobs."""
            wanted: dict[str, Any] = {"top_logprobs": top} if top else {}
            try:
                n_listed = self._first_alternatives(**wanted)
            except BadRequestError as error:
                refusals.append(_why(error))
                return None
            return -1 if n_listed is None else len(n_listed)

        most = count(HIGHEST)
        is_refused = most is None
        if most is None:
            most = count(0)
        if most is None or most < 0:
            note = "taken, but none came" if most is not None else refusals[-1]
            self._note("logprobs", value=False, note=note)
            return
        low, high = (0, HIGHEST) if is_refused else (HIGHEST, HIGHEST)
        while high - low > 1:
            middle = (low + high) // 2
            n_listed = count(middle)
            low, high = (low, middle) if n_listed is None else (middle, high)
            most = max(most, n_listed or 0)
        self._note("logprobs", value=True)
        note = refusals[0] if is_refused else f"{HIGHEST} asked for, {most} came"
        self._note("top_logprobs", most, "" if most == HIGHEST else note)

    def _logprob_basis(self) -> None:
        top = min(5, self._result.top_logprobs or 0)
        if top < 2 or self._thinks:
            why = "the model takes no temperature" if self._thinks else "needs 2 alternatives"
            self._note("logprob_basis", "unknown", why)
            return
        cold, warm, hot = (
            self._first_alternatives(top_logprobs=top, temperature=temperature) or {}
            for temperature in (0, 1, 2)
        )
        self._note("logprob_basis", *basis_of(cold, warm, hot))

    def _first_alternatives(self, **fields: Any) -> dict[str, float] | None:
        """Get the alternatives of a reply's first token; None where no logprobs come.

        A token drawn by chance can be without text (an end) or a piece of a character (none, or
        U+FFFD), and servers send no entry for it: then another is drawn.
        """
        for _ in range(_DRAWS):
            answer = self._ask(_COLOUR, most=1, logprobs=True, **fields)
            if answer.alternatives or answer.text.strip("\ufffd"):
                break
        return answer.alternatives

    def _n(self) -> None:
        came = len(self._ask("Say hello.", most=4, n=2).completion.choices)
        self._note("n", came == 2, "" if came == 2 else f"2 asked for, {came} came")

    def _tools(self) -> None:
        more: dict[str, Any] = {"tool_choice": "required"}
        note = ""
        try:
            answer = self._ask_for_call(more)
        except BadRequestError as error:
            if asks_for_no_reasoning(error, {"tools": [_TOOL]}):
                more["reasoning_effort"] = note = "none"
                note = 'only with reasoning_effort="none"'
            else:
                more, note = {}, "tool_choice is refused"
            answer = self._ask_for_call(more)
        if answer.choice.message.tool_calls:
            self._note("tools", value=True, note=note)
        else:
            was_required = "tool_choice" in more
            called = "taken, but no call came" + (" though one was required" * was_required)
            self._note("tools", False if was_required else None, called)

    def _ask_for_call(self, more: dict[str, Any]) -> Answer:
        return self._ask("What time is it in Paris?", most=64, tools=[_TOOL], **more)

    def _schema(self) -> None:
        for _ in range(_DRAWS):  # blanks are allowed in JSON, and now and then they fill a reply
            answer = self._ask("Say hello.", most=40, response_format=_SCHEMA)
            is_cut = answer.choice.finish_reason == "length"
            if not is_cut or _is_fine(answer.text):
                break
        if _is_fine(answer.text):
            self._note("schema", value=True)
        elif is_cut and answer.text.lstrip()[:1] in ("{", ""):
            self._note("schema", value=None, note="the answer was cut off")
        else:
            self._note("schema", value=False, note="taken, but the reply does not follow it")

    def _seed(self) -> None:
        first, same = (self._words_of(_SEEDS[0]) for _ in range(2))
        if first != same:
            self._note("seed", value=False, note="the same seed gave two answers")
        elif all(first == self._words_of(seed) for seed in _SEEDS[1:]):
            self._note("seed", value=None, note="other seeds gave the same answer")
        else:
            self._note("seed", value=True)

    def _words_of(self, seed: int) -> str:
        return self._ask("Write five random words.", most=12, seed=seed).text

    def _continuation(self) -> None:
        note = "a new message was begun"
        for extra in ({}, _GO_ON):
            try:
                text = self._ask(
                    _DAYS,
                    most=4,
                    streams=bool(self._result.streaming),
                    begun=_BEGUN,
                    extra=extra,
                ).text
            except BadRequestError as error:
                note = _why(error) if not extra else note
                continue
            # a new message cannot reach so far in four tokens
            repeats = text.startswith(_BEGUN) and not self._thinks
            if repeats or text.startswith("day"):
                self._result.continuation_extra = dict(extra)
                self._result.continuation_repeats = repeats
                needs = f"needs {', '.join(extra)}" if extra else ""
                again = "the reply repeats what was begun" if repeats else ""
                self._note("continuation", True, "; ".join(filter(None, (needs, again))))  # noqa: FBT003
                return
        self._note("continuation", value=False, note=note)


def basis_of(
    cold: Mapping[str, float], warm: Mapping[str, float], hot: Mapping[str, float]
) -> tuple[LogprobBasis, str]:
    """Tell from one position's logprobs at temperatures 0, 1 and 2 what they are taken from.

    The distances between logprobs are divided by the temperature where they are tempered, and
    stay where they are raw. Also give a note.
    """
    hot_slope, cold_slope = _slope(warm, hot), _slope(warm, cold)
    if hot_slope is None:
        return "unknown", "too few alternatives in common at temperatures 1 and 2"
    if abs(hot_slope - 0.5) < 0.1:
        return "tempered", ""
    if abs(hot_slope - 1) < 0.15:
        if cold_slope is not None and abs(cold_slope - 1) < 0.15:
            return "raw", ""
        return "unknown", "equal at temperatures 1 and 2, and others at 0"
    return "unknown", f"distances at temperature 2 are {hot_slope:.2f} times those at 1"


def _slope(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Give the factor between the distances of two lists; None where it cannot be told."""
    common = [t for t in one if t in other and _is_real(one[t]) and _is_real(other[t])]
    if len(common) < 2:
        return None
    first = max(common, key=lambda token: one[token])
    pairs = [(one[t] - one[first], other[t] - other[first]) for t in common]
    size = sum(x * x for x, _ in pairs)
    return None if size < 0.1 else sum(x * y for x, y in pairs) / size


def _is_real(logprob: float) -> bool:
    return math.isfinite(logprob) and logprob > _SENTINELS_BELOW


def _is_fine(text: str) -> bool:
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(answer, dict)
        and [*map(type, answer.values())] == [bool]
        and ("is_fine" in answer)
    )


def _why(error: NbchatError) -> str:
    message = error.message if isinstance(error, ApiError) else str(error)
    sentence = " ".join(message.split())
    shown = sentence if len(sentence) <= 120 else sentence[:119] + "…"
    status = f"{error.status}: " if isinstance(error, ApiError) and error.status else ""
    return f"{status}{shown}"
