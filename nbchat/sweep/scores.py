"""Scores of a sweep's answers, row by row: what its evaluators made of each of them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError, NbchatError
from nbchat.evaluators import Judge
from nbchat.evaluators.evaluator import Evaluator, as_evaluator, numbers_of
from nbchat.frames.source import depth_of_caller
from nbchat.measures import normalised
from nbchat.sweep.judging import Judging
from nbchat.sweep.records import HAVE_ANSWERS, Record
from nbchat.sweep.score_columns import ANSWERED, AROUND, KEYS, TOKENS

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run
    from nbchat.sweep.design import Design, Row
    from nbchat.sweep.folder import Folder

Numbers = dict[str, float]


class ScoreWarning(UserWarning):
    """An evaluator failed for some answers, which have no score."""


def checked_evaluators(design: Design, evaluators: Mapping[str, Any]) -> dict[str, Evaluator]:
    """Give evaluators by the names of their scores.

    Raise CheckError where one is no evaluator, or a name is that of another column.
    """
    taken = {*KEYS, *AROUND, ANSWERED, TOKENS, *design.axes, *design.items.columns}
    checked = {str(name): as_evaluator(str(name), one) for name, one in evaluators.items()}
    for name in checked:
        if name in taken:
            raise CheckError(
                f"evaluate: {name} is a column already: give the score another name.",
                field=f"evaluate.{name}",
            )
    return checked


class Scores:
    """Keeps the evaluators of a sweep, and the score of each answer that was scored.

    Runs are read from the folder, one by one, and each answer is scored once. `sweep_of` makes
    the sweep in which a judge is asked; `limit_usd` is what answers and judges may cost together.
    """

    def __init__(
        self,
        design: Design,
        folder: Folder,
        sweep_of: Callable[..., Any],
        limit_usd: float | None = None,
    ):
        self._limit_usd = limit_usd
        self._design = design
        self._folder = folder
        self._sweep_of = sweep_of
        self._evaluators: dict[str, Evaluator] = {}
        self._numbers: dict[str, dict[str, Numbers]] = {}
        self.judges: dict[str, Judging] = {}
        self._lock = threading.RLock()

    @property
    def names(self) -> list[str]:
        """What is scored: the names of the evaluators."""
        return list(self._numbers)

    def add(self, evaluators: Mapping[str, Any]) -> None:
        """Take evaluators by the names of their scores; one of a name that is there replaces it.

        Raise CheckError where one is no evaluator, or a name is that of another column.
        """
        checked = checked_evaluators(self._design, evaluators)
        with self._lock:
            for name, one in checked.items():
                self._numbers[name] = {}
                self._evaluators.pop(name, None)
                self.judges.pop(name, None)
                if isinstance(one, Judge):
                    self.judges[name] = Judging(
                        name, one, self._design, self._folder, self._sweep_of, self._limit_usd
                    )
                else:
                    self._evaluators[name] = one

    def ask_judges(self) -> None:
        """Let each judge judge what it has not judged yet; that sends requests."""
        for judging in self.judges.values():
            judging.ask()

    def frame(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Give a row for each row of the plan, with its scores; answers not yet scored are.

        Nothing is sent: what a judge was not asked is missing. See `Sweep.scores`.
        """
        import pandas as pd

        self._check(columns)
        with self._lock:
            rows = self._design.rows()
            records = self._folder.records()
            self._score(rows, records)
            by_judge = {name: one.numbers(records) for name, one in self.judges.items()}
            data: dict[str, Any] = {
                "row_id": [row.id for row in rows],
                "item": [row.item for row in rows],
            }
            for name in columns:
                values = self._design.items.column(name)
                data[name] = [values[row.item] for row in rows]
            data["sample"] = [row.sample for row in rows]
            labels = [self._design.labels(at) for at in range(len(self._design.grid.points))]
            for axis in self._design.axes:
                data[axis] = [labels[row.point][axis] for row in rows]
            kept = [records.get(row.id) for row in rows]
            data["status"] = ["not_sent" if one is None else one.status for one in kept]
            data["run_id"] = [None if one is None else one.run_id for one in kept]
            for name in self._numbers:
                if name in by_judge:
                    data[name] = [by_judge[name].get(row.id, float("nan")) for row in rows]
                else:
                    data |= _columns(name, self._numbers[name], data["run_id"])
        return pd.DataFrame(data)

    def texts(self) -> dict[str, str]:
        """Give row id -> the text of its answer, without what means the same (`normalised`)."""
        return {
            key: normalised(record.text or "")
            for key, record in self._folder.records().items()
            if record.status in HAVE_ANSWERS
        }

    def _score(self, rows: Sequence[Row], records: Mapping[str, Record]) -> None:
        plan = {row.id: row for row in rows}
        missing = {
            record.run_id: plan[record.row_id]
            for record in records.values()
            if record.row_id in plan
            and record.status in HAVE_ANSWERS
            and any(record.run_id not in self._numbers[name] for name in self._evaluators)
        }
        if not missing:
            return
        faults: dict[str, list[str]] = {}
        with_tokens = any(
            getattr(one, "reads_tokens", True)
            and any(run_id not in self._numbers[name] for run_id in missing)
            for name, one in self._evaluators.items()
        )
        is_missing: Callable[[Record], bool] = lambda record: record.run_id in missing  # noqa: E731
        for run in self._folder.runs(is_missing, with_tokens=with_tokens):
            variables = self._design.variables(missing[run.id])
            for name, evaluator in self._evaluators.items():
                if run.id not in self._numbers[name]:
                    numbers = _scored(name, evaluator, variables, run, faults)
                    self._numbers[name][run.id] = numbers
        for name, sentences in faults.items():
            warnings.warn(
                f"{name} has no score for {len(sentences):,} of {len(missing):,} answers, for "
                f"which its evaluator failed. The first: {sentences[0]}",
                ScoreWarning,
                stacklevel=depth_of_caller(),
            )

    def _check(self, columns: Sequence[str]) -> None:
        known = self._design.items.columns
        for name in columns:
            if name not in known:
                there = ", ".join(known) or "none"
                near = did_you_mean(nearest(name, known))
                raise CheckError(
                    f"columns: {name} is no column of the data, which has {there}.{near}",
                    field="columns",
                    value=name,
                )


def _scored(
    name: str,
    evaluator: Evaluator,
    variables: dict[str, Any],
    run: Run,
    faults: dict[str, list[str]],
) -> Numbers:
    """Give the scores of one answer. What an evaluator breaks at is no score, and noted."""
    try:
        return numbers_of(name, evaluator(dict(variables), run))
    except NbchatError:
        raise  # a template without its variable: it says what would be right
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        faults.setdefault(name, []).append(f"{type(error).__name__}: {error} (run {run.id})")
        return {}


def _columns(
    name: str, scored: Mapping[str, Numbers], run_ids: Sequence[str | None]
) -> dict[str, list[float]]:
    """Give a column for each name under which an evaluator gave numbers; its own where none."""
    names = dict.fromkeys(key for numbers in scored.values() for key in numbers)
    if len(names) > 1:
        names.pop(name, None)  # it is the name of answers without any
    nothing: Numbers = {}
    return {
        key: [scored.get(run_id or "", nothing).get(key, float("nan")) for run_id in run_ids]
        for key in names or (name,)
    }
