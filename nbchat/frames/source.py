"""What frames are made of: runs, known by what they have and not by their class."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

import pandas as pd

from nbchat.errors import RunNotFoundError

if TYPE_CHECKING:
    from datetime import datetime
    from types import FrameType

    from nbchat.api.params import ChatParams
    from nbchat.api.response import Completion


class RunLike(Protocol):
    """What a run has that frames read; `nbchat.run.Run` says what it means."""

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def profile(self) -> str: ...
    @property
    def params(self) -> ChatParams: ...
    @property
    def completion(self) -> Completion | None: ...
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def ttft_s(self) -> float | None: ...
    @property
    def elapsed_s(self) -> float | None: ...
    @property
    def tokens_per_s(self) -> float | None: ...
    @property
    def cost_usd(self) -> float | None: ...
    @property
    def vocab_size(self) -> int | None: ...
    @property
    def logprob_basis(self) -> str: ...
    @property
    def n_begun(self) -> int: ...
    @property
    def end_tokens(self) -> Sequence[int]: ...


class HasRuns(Protocol):
    """Anything that keeps runs, as a thread or a sweep does."""

    @property
    def runs(self) -> Iterable[RunLike]: ...


#: a frame stands for the runs of its column `run_id`, a text for the run whose id begins so
Source: TypeAlias = "RunLike | HasRuns | pd.DataFrame | str | Iterable[RunLike | HasRuns]"


def runs_of(source: Source) -> list[RunLike]:
    """Give the runs of a source, in its order. Raise TypeError where it has none to give."""
    if isinstance(source, str):
        return [_run_with_id(source)]
    if _is_run(source):
        return [source]
    if hasattr(source, "runs") and not callable(source.runs):  # a sweep's are a frame
        return list(source.runs)
    if isinstance(source, pd.DataFrame):
        return _runs_of_frame(source)
    if isinstance(source, Iterable) and not isinstance(source, bytes):
        return [run for item in source for run in _runs_of_item(item)]
    raise TypeError(_not_runs(source))


Finder = Callable[[Sequence[str]], "Mapping[str, RunLike]"]
#: where runs are found by their ids, in this order
_finders: list[Finder] = []


def find_runs_with(finder: Finder) -> None:
    """Let frames with a column `run_id` stand for the runs that this function finds by id."""
    if finder not in _finders:
        _finders.append(finder)


NamedRun = Callable[[str], "RunLike"]
_named: list[NamedRun] = []


def find_run_with(finder: NamedRun) -> None:
    """Let this function find the run whose id begins with a text, in the place of any before."""
    _named[:] = [finder]


def _run_with_id(beginning: str) -> RunLike:
    for named in _named:
        try:
            return named(beginning)
        except RunNotFoundError:
            for finder in _finders:  # a sweep's runs are in its folder alone
                if beginning in (runs := finder([beginning])):
                    return runs[beginning]
            raise
    raise TypeError(_not_runs(beginning))


def _runs_of_frame(frame: pd.DataFrame) -> list[RunLike]:
    if "run_id" not in frame:
        raise TypeError("expected a run, runs or a frame with a column run_id; this has none")
    ids = [str(run_id) for run_id in frame["run_id"].dropna().unique()]
    by_id: dict[str, RunLike] = {}
    for finder in _finders:
        missing = [run_id for run_id in ids if run_id not in by_id]
        if missing:
            by_id.update(finder(missing))
    missing = [run_id for run_id in ids if run_id not in by_id]
    if missing:
        raise RunNotFoundError(
            f"{len(missing)} of {len(ids)} runs of this frame are neither in this kernel nor in "
            f"the history: {', '.join(missing[:3])}{', …' * (len(missing) > 3)}"
        )
    return [by_id[run_id] for run_id in ids]


def _runs_of_item(item: Any) -> list[RunLike]:
    if _is_run(item):
        return [item]
    if hasattr(item, "runs"):
        return list(item.runs)
    raise TypeError(_not_runs(item))


def _is_run(source: Any) -> TypeGuard[RunLike]:
    return hasattr(source, "completion") and hasattr(source, "params")


def _not_runs(source: Any) -> str:
    return f"expected a run, runs, a run's id or something with .runs, got {type(source).__name__}"


class MissingLogprobsWarning(UserWarning):
    """Log probabilities were asked for and the server sent none. Given once for each run."""


_warned: set[str] = set()


def warn_of_missing_logprobs(runs: Iterable[RunLike]) -> None:
    """Warn of each run that asked for logprobs and has text without them."""
    for run in runs:
        if run.id not in _warned and lacks_logprobs(run):
            _warned.add(run.id)
            warnings.warn(
                f"Run {run.id} asked for logprobs and {run.model or 'the server'} sent none."
                + what_to_ask(run),
                MissingLogprobsWarning,
                stacklevel=depth_of_caller(),
            )


def what_to_ask(run: RunLike) -> str:
    """Say what would bring log probabilities where the request is why there are none."""
    if run.params.given().get("top_logprobs") != 0:
        return ""
    return " llama.cpp takes top_logprobs=0 for none at all: ask for top_logprobs=1."


def lacks_logprobs(run: RunLike) -> bool:
    """Tell whether logprobs were asked for and there is text without any."""
    completion = run.completion
    if completion is None or run.status == "running" or not run.params.given().get("logprobs"):
        return False
    return any(
        (choice.message.content or choice.message.refusal)
        and not (choice.logprobs and (choice.logprobs.content or choice.logprobs.refusal))
        for choice in completion.choices
    )


def depth_of_caller() -> int:
    """Give the `stacklevel` at which the caller's own line stands."""
    depth, frame = 1, sys._getframe(1)  # noqa: SLF001 - warnings count the same way
    while _is_ours(frame) and frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "nbchat"
