"""What a sweep tells of its answers: scores, tables, comparisons, agreement, judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError
from nbchat.sweep import tables
from nbchat.sweep.comparison import Differences, compare
from nbchat.sweep.score_columns import as_names
from nbchat.sweep.scores import Scores
from nbchat.sweep.tables import Method

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.sweep.design import Design
    from nbchat.sweep.folder import Folder
    from nbchat.sweep.judging import Judging


class Scored:
    """The part of a `Sweep` that scores what came, and tells of it. Nothing here asks for answers.

    A frame that `scores()` gave, also one that was saved and read again, gives the same figures:
    `nbchat.sweep.table`, `nbchat.sweep.compare`, `nbchat.sweep.agreement`.
    """

    design: Design
    evaluators: dict[str, Any]
    _folder: Folder
    _limit_usd: float | None

    @cached_property
    def _scores(self) -> Scores:
        scores = Scores(self.design, self._folder, type(self), self._limit_usd)
        scores.add(self.evaluators)
        return scores

    def evaluate(
        self, evaluators: Mapping[str, Any] | None = None, /, **named: Any
    ) -> pd.DataFrame:
        """Score the answers that are there, and those to come, and give `scores()`.

        `evaluators`, or names with them, are what `nbchat.sweep` takes as `evaluate`; one of a
        name that is there replaces it. No request is sent for the answers; judges are asked about
        those that they have not judged. Raise CheckError for what is no evaluator.
        """
        new = {**(evaluators or {}), **named}
        self._scores.add(new)
        self.evaluators.update(new)
        self._scores.ask_judges()
        return self.scores()

    def scores(self, columns: str | Sequence[str] = ()) -> pd.DataFrame:
        """Give a row for each row of the plan, also while it runs: what it is, and its scores.

        ``row_id``, ``item``, the `columns` of the data that are named, ``sample`` (from 0), the
        axes, ``status`` ("answered", "truncated", "refused", "error", "not_sent"), ``run_id``, and
        a column of float64 for each score, NaN where there is none: an answer that did not come is
        not a wrong one. An evaluator that gives a mapping has the columns ``name.key``.
        """
        return self._scores.frame(as_names(columns))

    def table(
        self,
        by: str | Sequence[str] | None = None,
        score: str | Sequence[str] | None = None,
        *,
        level: float = 0.95,
        interval: Method = "auto",
        groups: str | None = None,
        k: int | Sequence[int] = (),
        seed: int = 0,
    ) -> pd.DataFrame:
        """Give means with intervals over items, and what is missing: see `nbchat.sweep.table`."""
        names = [*self.design.axes] if by is None else as_names(by)
        return tables.table(
            self._scores.frame(self._of_data([*names, groups])),
            names,
            score,
            level=level,
            interval=interval,
            groups=groups,
            k=k,
            seed=seed,
        )

    def compare(
        self,
        axis: str,
        score: str | Sequence[str] | None = None,
        *,
        by: str | Sequence[str] = (),
        margin: float | None = None,
        level: float = 0.95,
        groups: str | None = None,
        seed: int = 0,
    ) -> Differences:
        """Compare the values of an axis, paired by item: see `nbchat.sweep.compare`."""
        frame = self._scores.frame(self._of_data([*as_names(by), groups]))
        differences = compare(
            frame, axis, score, by=by, margin=margin, level=level, groups=groups, seed=seed
        )
        differences.sweep = self
        return differences

    def agreement(
        self, of: str | None = None, by: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Give how far repeats of an item agree: see `nbchat.sweep.agreement`.

        `of` names a score; if not given it is the texts of the answers, without what two that
        are meant the same may differ in (`nbchat.measures.normalised`).
        """
        names = [*self.design.axes] if by is None else as_names(by)
        frame = self._scores.frame(self._of_data(names))
        if of is None:
            of = "text"
            texts = self._scores.texts()
            frame[of] = [texts.get(row_id) for row_id in frame["row_id"]]
        return tables.agreement(frame, of, names)

    @property
    def judges(self) -> dict[str, Judging]:
        """The judges by the names of their scores: prompt, runs, agreement with people."""
        return self._scores.judges

    def ask_judges(self) -> None:
        """Let each judge judge the answers that it has not judged yet; that sends requests."""
        self._scores.ask_judges()

    def _of_data(self, names: Sequence[str | None]) -> list[str]:
        """Give those of the names that are columns of the data. Raise CheckError for others."""
        columns = self.design.items.columns
        axes = {*self.design.axes, "item", "sample", "status"}
        for name in names:
            if name is not None and name not in axes and name not in columns:
                there = ", ".join([*self.design.axes, *columns]) or "none"
                near = did_you_mean(nearest(name, [*axes, *columns]))
                raise CheckError(
                    f"There is no axis or column {name}; there is {there}.{near}",
                    field=name,
                    value=name,
                )
        return list(dict.fromkeys(name for name in names if name is not None and name in columns))
