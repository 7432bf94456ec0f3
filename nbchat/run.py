"""A run: one request and its outcome."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from nbchat.above import ABOVE
from nbchat.api.params import ChatParams
from nbchat.api.response import Choice, Completion, ResponseMessage, Usage, summed
from nbchat.errors import NoObjectError
from nbchat.nearest import no_attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import pandas as pd

    from nbchat.cell_turn import CellTurn
    from nbchat.display.views import View
    from nbchat.frames.integrity import Integrity
    from nbchat.media import Audio
    from nbchat.plots.heatmap import Heatmap
    from nbchat.structured import Parsed, Structure
    from nbchat.tools import Round

Status = Literal["running", "complete", "interrupted", "error"]
LogprobBasis = Literal["raw", "tempered", "unknown"]

_counter = itertools.count()


class _Process:
    """What the ids of this process end in, and those of no other."""

    mark = os.urandom(4).hex()

    @classmethod
    def renew(cls) -> None:
        cls.mark = os.urandom(4).hex()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.renew)


def new_id() -> str:
    """Give an id that is unique among machines and sorts by time."""
    number = next(_counter)
    return f"{time.time_ns() // 1_000_000:012x}{number & 0xFFFF:04x}{_Process.mark}"


_COUNTS_MEANT = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
}


_NOT_IN_THE_BACKGROUND = (
    "This run goes on where it was asked for, as in a stream that you read or a panel: only runs "
    "in the background (%%chat --background, nbchat.achat) are waited for and stopped here."
)


class GoesOn(Protocol):
    """What plays a run in the background: see `nbchat.session.background`."""

    @property
    def error(self) -> BaseException | None: ...
    def wait(self, timeout_s: float | None = None) -> bool: ...
    def cancel(self) -> None: ...
    def tell_at_end(self, listener: Callable[[], object]) -> None: ...


async def _over(background: GoesOn) -> None:
    """Wait in an event loop for the end of a run; stop it where the waiting is cancelled."""
    import asyncio

    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(over.set)

    background.tell_at_end(end)
    try:
        await over.wait()
    except asyncio.CancelledError:
        background.cancel()
        raise


class RunUsage:
    """The token counts of a run: attributes of `Usage` (None where unknown).

    Call it for the one-row frame: ``run.usage.total_tokens``, ``run.usage()``.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Run):
        self._run = run

    def __call__(self) -> pd.DataFrame:
        """Give the usage frame of this run: one row (see `nbchat.usage`)."""
        from nbchat import frames

        return frames.usage(self._run)

    @property
    def prompt_tokens(self) -> int | None:
        """Tokens of the request."""
        return self._counts().prompt_tokens

    @property
    def completion_tokens(self) -> int | None:
        """Tokens of the reply, those of reasoning included."""
        return self._counts().completion_tokens

    @property
    def total_tokens(self) -> int | None:
        """Both together."""
        return self._counts().total_tokens

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(Usage, name):
            raise no_attribute(
                "the usage of a run", name, self.__dir__, _COUNTS_MEANT.copy, lead="run.usage."
            )
        return getattr(self._counts(), name)

    def __dir__(self) -> list[str]:
        return [name for name in dir(Usage) if not name.startswith("_")]

    def __bool__(self) -> bool:
        return self._counts() != Usage()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RunUsage):
            other = other._counts()
        return self._counts() == other if isinstance(other, Usage) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._run.id)

    def __repr__(self) -> str:
        counts = self._counts()
        return (
            f"Usage(prompt_tokens={counts.prompt_tokens}, "
            f"completion_tokens={counts.completion_tokens}, total_tokens={counts.total_tokens})"
        )

    def _counts(self) -> Usage:
        completion, rounds = self._run.completion, self._run.rounds
        last = (completion and completion.usage) or Usage()
        if not rounds:
            return last
        return summed([each.usage or Usage() for each in rounds if each.is_answered] + [last])


class Run:
    """One request and its outcome: messages, params, completion, timings, cost, error.

    - `id`: str, sorts by time; `created_at`: aware datetime, UTC
    - `profile`, `base_url`: where the request went
    - `model_asked`: the model that was asked for, None where none was; `model` is the one that
      answered
    - `messages`: list of dict, as sent; `params`: `ChatParams`, as asked
    - `completion`: `Completion` or None; while the answer streams, what has come so far
    - `status`: "running", "complete", "interrupted" or "error"; `error`: the exception
    - `ttft_s`, `elapsed_s`: seconds from sending to the first content and to the end
    - `thread`, `turn`: the conversation that it belongs to and its place there, from 1
    - `cost_usd`: US dollars, None where unknown; `cost_source`: whose prices these are, and of
      which version
    - `tries`: requests sent, retries included; `request_id`: the server's name for it
    - `structure`: what the reply was to be (`nbchat.structured`), None where nothing was said
    - `rounds`: list of `nbchat.tools.Round`, the replies that asked for calls, and their results;
      then `messages` are those of the last request, and `usage`, `cost_usd` and `elapsed_s`
      are of all requests together
    - `notes`: list of str, what was changed in the request so that the server takes it, and
      how a branch was made
    - `notebook`, `cell`: where it was asked from, None where that is not known; `cell_turn`: what
      a later kernel takes the conversation of a ``%%chat`` cell up with; `sweep`: the name of
      the sweep that it is a row of
    - `request_sha256`, `number_in_cell`: what a replay knows it by: its request, and the number
      of this request among equal ones in one execution of its cell, from 0
    - `is_replayed`: whether it came from a record; then `cost_usd` is 0, and `cost_before_usd`
      what it cost when it was asked
    - `options`: dict, those of nbchat's own options that are kept with a run
    - `n_begun`: rows of its tokens that a branch took from elsewhere and did not ask for, 0
      where the whole reply was generated
    - `end_tokens`: the ids of all tokens that end a generation of its model, where that is known
    """

    def __init__(
        self,
        *,
        messages: list[dict[str, Any]],
        params: ChatParams,
        profile: str = "",
        base_url: str = "",
        thread: str | None = None,
        turn: int | None = None,
    ):
        self.id = new_id()
        self.created_at = datetime.now(UTC)
        self.profile = profile
        self.base_url = base_url
        self.messages = messages
        self.params = params
        self.status: Status = "running"
        self.error: BaseException | None = None
        self.ttft_s: float | None = None
        self.elapsed_s: float | None = None
        self.thread = thread
        self.turn = turn
        self.cost_usd: float | None = None
        self.cost_source: str | None = None
        self.model_asked: str | None = params.given().get("model")
        self.vocab_size: int | None = None
        self.logprob_basis: LogprobBasis = "unknown"
        self.tries = 0
        self.request_id: str | None = None
        self.rounds: list[Round] = []
        self.notes: list[str] = []
        self.n_begun = 0
        self.end_tokens: list[int] = []
        self.notebook: str | None = None
        self.cell: str | None = None
        self.cell_turn: CellTurn | None = None
        self.sweep: str | None = None
        self.request_sha256: str | None = None
        self.number_in_cell: int | None = None
        self.is_replayed = False
        self.cost_before_usd: float | None = None
        self.structure: Structure | None = None
        self.options: dict[str, Any] = {}
        self._parses: dict[tuple[int, str, int], Parsed] = {}
        self.is_shown = False
        self._completion: Completion | None = None
        self._so_far: Callable[[], Completion] | None = None
        self._background: GoesOn | None = None

    @classmethod
    def from_completion(
        cls,
        completion: Completion | Mapping[str, Any] | Any,
        *,
        messages: list[dict[str, Any]] | None = None,
        params: ChatParams | None = None,
        **facts: Any,
    ) -> Run:
        """Make a run of a completion that came some other way. `facts` set its attributes.

        `completion` is a `Completion`, a Chat Completions answer as a dict, or an object of
        the package openai. Raise `UnreadableRunError` for anything else.
        """
        from nbchat.client.stored_answer import read_answer

        run = cls(messages=messages or [], params=params or ChatParams())
        run.status = "complete"
        run.completion = read_answer(completion)
        for name, value in facts.items():
            if name not in vars(run):
                raise TypeError(f"a run has no {name}")
            setattr(run, name, value)
        return run

    def to_dict(self) -> dict[str, Any]:
        """Give the run as builtins that JSON takes, with all that frames and views read.

        The completion has the shape of the API. Of a type that the reply was to be only its
        schema is kept, so that `parsed` gives builtins afterwards. `Run.from_dict` reads it.
        """
        from nbchat.stored_run import as_dict

        return as_dict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Run:
        """Give the run that `to_dict` made this of. Raise `UnreadableRunError` for other data."""
        from nbchat.stored_run import facts_of

        facts = facts_of(stored)
        run = cls(messages=facts.pop("messages"), params=facts.pop("params"))
        for name, value in facts.items():
            if name != "model_asked" or name in stored:  # older files have the params alone
                setattr(run, name, value)
        return run

    def __getstate__(self) -> dict[str, Any]:
        """Give what a copy has: of a run that goes on, what has come so far."""
        not_copied: dict[str, Any] = {"_so_far": None, "_parses": {}, "_background": None}
        return {**vars(self), "_completion": self.completion, **not_copied}

    @property
    def completion(self) -> Completion | None:
        """The answer, whole or, while it streams, so far. None where nothing came."""
        return self._so_far() if self._so_far is not None else self._completion

    @completion.setter
    def completion(self, completion: Completion | None) -> None:
        self._so_far = None
        self._parses = {}
        self._completion = completion

    def follow(self, so_far: Callable[[], Completion]) -> None:
        """Take the completion from this function for as long as the answer streams."""
        self._so_far = so_far

    def go_on_in(self, background: GoesOn) -> None:
        """Be played by this, which can be waited for and stopped."""
        self._background = background

    def wait(self, timeout_s: float | None = None) -> Run:
        """Wait until the run is over, at most so many seconds, and give it.

        Raise the error that ended it. An interrupt while it is waited for stops the run. Raise
        RuntimeError for a run that goes on elsewhere, as that of a stream that you read.
        """
        if self._background is None:
            if self.status == "running":
                raise RuntimeError(_NOT_IN_THE_BACKGROUND)
        elif self._background.wait(timeout_s) and self._background.error is not None:
            raise self._background.error
        return self

    def stop(self) -> None:
        """Stop a run that goes on in the background. What has come is kept."""
        if self._background is not None:
            self._background.cancel()
        elif self.status == "running":
            raise RuntimeError(_NOT_IN_THE_BACKGROUND)

    def __await__(self) -> Generator[Any, None, Run]:
        """Wait as `wait` does, in an event loop. Cancelling what waits stops the run."""
        if self._background is not None and self.status == "running":
            yield from _over(self._background).__await__()
        return self.wait()

    @property
    def text(self) -> str:
        """The content of the first choice, or the transcript of its sound; "" without either."""
        return self.message.text or ""

    @property
    def has_come(self) -> bool:
        """Whether something of a reply has come: text, reasoning, sound, calls or a refusal."""
        completion = self.completion
        choices = completion.choices if completion is not None else []
        return bool(self.rounds) or any(
            m.text or m.reasoning or m.refusal or m.audio or m.tool_calls or m.function_call
            for m in (choice.message for choice in choices)
        )

    @property
    def audio(self) -> Audio | None:
        """The sound of the first choice, as far as it has come; None where there is none.

        ``run.audio.save("reply.wav")`` writes it to a file; in a notebook it is a player.
        """
        from nbchat.media.sound import sound_of

        return sound_of(self.message, self.params) if self.message.audio else None

    @property
    def message(self) -> ResponseMessage:
        """The message of the first choice; an empty one where none came."""
        completion = self.completion
        if completion is None or not completion.choices:
            return ResponseMessage()
        return completion.choices[0].message

    @property
    def ends_in_calls(self) -> bool:
        """Whether the last thing is a round of calls that the model never saw the results of."""
        return bool(self.rounds) and not self.rounds[-1].is_answered

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; None where it did not."""
        completion = self.completion
        return completion.choices[0].finish_reason if completion and completion.choices else None

    @property
    def model(self) -> str | None:
        """The model that answered, else the one that was asked."""
        completion = self.completion
        if completion is not None and completion.model:
            return completion.model
        return self.params.given().get("model")

    @property
    def usage(self) -> RunUsage:
        """Token counts; call it for the one-row frame."""
        return RunUsage(self)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens generated in a second, from the first one to the end; None if unknown.

        For an answer that came whole, which has no time between its tokens, it is the count
        over the whole time; with rounds of tool calls, over the time of all requests.
        """
        count = self.usage.completion_tokens
        if not count or self.elapsed_s is None or self.ttft_s is None:
            return None
        if self.rounds:
            waited_s = sum(tool_round.elapsed_s or 0.0 for tool_round in self.rounds)
            return float(count / max(self.elapsed_s - waited_s, 1e-6))
        writing_s = self.elapsed_s - self.ttft_s
        is_streamed = count > 1 and writing_s > 0.01 * self.elapsed_s
        rate: float = (count - 1) / writing_s if is_streamed else count / max(self.elapsed_s, 1e-6)
        return rate

    def tokens(self) -> pd.DataFrame:
        """Give one row for each token (see `nbchat.tokens`)."""
        from nbchat import frames

        return frames.tokens(self)

    def alternatives(self) -> pd.DataFrame:
        """Give one row for each alternative (see `nbchat.alternatives`)."""
        from nbchat import frames

        return frames.alternatives(self)

    def words(self, by: Literal["space", "unicode"] = "space") -> pd.DataFrame:
        """Give one row for each word with its surprisal (see `nbchat.words`)."""
        from nbchat import frames

        return frames.words(self, by)

    def choices(self) -> pd.DataFrame:
        """Give one row for each choice (see `nbchat.choices`)."""
        from nbchat import frames

        return frames.choices(self)

    def citations(self) -> pd.DataFrame:
        """Give one row for each citation of a web search (see `nbchat.frames.citations`)."""
        from nbchat import frames

        return frames.citations(self)

    @property
    def parsed(self) -> Any:
        """The object of the first reply, of the type that `response_format` named.

        Builtins where it was a JSON schema or ``{"type": "json_object"}``. None where there
        is no object: then `parse_error` says why.
        """
        return self.parse().value

    @property
    def parse_error(self) -> str | None:
        """Why there is no object, in one sentence; None where there is one."""
        return self.parse().error

    def parse(self, choice: int = 0) -> Parsed:
        """Give the object of a choice as ``.value``, or ``.error`` that says why there is none."""
        key = (choice, self.status, id(self.structure))
        if key in self._parses:
            return self._parses[key]
        from nbchat import structured

        completion = self.completion
        choices = completion.choices if completion is not None else []
        fields = {**self.params.given(), **self.params.extra}
        parsed = structured.parsed(
            next((c for c in choices if c.index == choice), None),
            status=self.status,
            structure=self.structure,
            response_format=fields.get("response_format"),
        )
        if self.status != "running":
            self._parses[key] = parsed
        return parsed

    def frame(self, choice: int = 0) -> pd.DataFrame:
        """Give the objects of a reply: one row for each of a list, one row for one object.

        Properties of an object inside stand in columns named ``outer.inner``. Raise
        `NoObjectError`, with the sentence of `parse_error`, where there is no object.
        """
        from nbchat import structured
        from nbchat.frames.objects import objects

        parsed = self.parse(choice)
        if parsed.error is not None:
            raise NoObjectError(parsed.error)
        return objects(structured.rows(parsed.value), structured.columns(self.structure))

    @overload
    def fields(
        self, choice: int = 0, *, nested: Literal[False] = False, exact: bool = False
    ) -> pd.DataFrame: ...
    @overload
    def fields(self, choice: int = 0, *, nested: Literal[True], exact: bool = False) -> Any: ...
    def fields(self, choice: int = 0, *, nested: bool = False, exact: bool = False) -> Any:
        """Give one row for each JSON value of a reply, and how likely it was.

        With `nested` the reply's own object is given, with the probability of each value
        (`prob`, None where it is NA) in the value's place.

        With `exact` llama.cpp is asked for whole rows where `prob_allowed_lo` and
        `prob_allowed_hi` are apart, and for all tokens that could end a bare number; that is a
        request for each row. Raise `NotAvailableError` where the run's server is another one, or
        has another model now.

        For any reply that is JSON, with or without `response_format`; of one that was cut off,
        the values that are whole. `nbchat.frames.fields` says what the columns are. Raise
        `NoObjectError` where the reply is no JSON.
        """
        from nbchat import frames
        from nbchat.frames.json_fields import nested as nested_of
        from nbchat.structured.allowed_values import allowed_of

        if nested:
            return nested_of(self, choice)
        rows = ABOVE["whole_rows"](self, choice) if exact else None
        return frames.fields(self, choice, allowed_of(self), rows)

    def integrity(self, choice: int | None = None) -> Integrity:
        """Check the log probabilities, of one choice or all, for what servers get wrong.

        ``.ok``, ``.findings`` (a frame); shown, it says in a few lines what is off.
        """
        from nbchat.frames.integrity import integrity

        return integrity(self, choice)

    def heatmap(self, choice: int = 0) -> Heatmap:
        """Give the tokens of a choice as text, coloured by their probability: static HTML."""
        from nbchat.plots.heatmap import heatmap

        return heatmap(self, choice=choice)

    def side_by_side(self) -> View:
        """Give the choices as columns of static HTML, each with its finish reason."""
        from nbchat.display.views import side_by_side

        return side_by_side(self)

    def taken_over(self, choice: int = 0) -> View:
        """Give a choice as static HTML, with what it took over unchanged from the prediction.

        Raise ValueError where no prediction was sent or there is no such choice.
        """
        from nbchat.display.views import taken_over

        return taken_over(self, choice)

    if not TYPE_CHECKING:  # or mypy would take any attribute for one that a run has

        def __getattr__(self, name: str) -> Any:
            raise no_attribute("a run", name, self.__dir__, _meant, lead="run.")

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_")]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text
        shown = text if len(text) <= 60 else text[:59] + "…"
        return f"<Run {self.id} {self.status}: {shown!r}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if self.is_shown:  # it streamed into this very cell
            return {"text/plain": repr(self)}
        from nbchat.display.run_bundle import mimebundle

        return mimebundle(self)


def _meant() -> dict[str, str]:
    """Give what others call the attributes of a run, and where what was asked for stands."""
    params = {name: f"params.{name}" for name in ChatParams.__struct_fields__}
    return params | {
        "answer": "text",
        "content": "text",
        "cost": "cost_usd",
        "dict": "to_dict()",
        "duration": "elapsed_s",
        "finished": "status",
        "json": "to_dict()",
        "latency": "elapsed_s",
        "latency_s": "elapsed_s",
        "model_dump": "to_dict()",
        "output": "text",
        "price": "cost_usd",
        "prompt": "messages",
        "reasoning": "message.reasoning",
        "refusal": "message.refusal",
        "reply": "text",
        "response": "text",
        "speed": "tokens_per_s",
        "state": "status",
        "system": "messages",
        "time": "elapsed_s",
        "tool_calls": "message.tool_calls",
        "ttft": "ttft_s",
    }


def choice_texts(choices: list[Choice]) -> list[str]:
    """Give the content of each choice, or its transcript, in order of index."""
    return [c.message.text or "" for c in sorted(choices, key=lambda c: c.index)]
