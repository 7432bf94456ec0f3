"""The cells of a sweep's figure: what stands in each, and the rows behind it, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError
from nbchat.sweep.comparison import flipped
from nbchat.sweep.folder import Folder
from nbchat.sweep.records import HAVE_ANSWERS
from nbchat.sweep.row_places import RowPlaces
from nbchat.sweep.score_columns import (
    ANSWERED,
    TOKENS,
    as_names,
    checked_columns,
    scores_of,
)
from nbchat.sweep.tables import parts_of, table

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run
    from nbchat.sweep.records import Record
    from nbchat.sweep.sweep import Sweep

#: which rows of a cell: all, those that are wrong, those without a score, those of items whose mean
#: is another one in another cell
Which = Literal["all", "wrong", "missing", "flips"]


class Listed(NamedTuple):
    """One row of a cell, with the texts of its record where it has one."""

    row_id: str
    item: int
    sample: int
    status: str
    score: float
    #: the mean of its item in this cell and in the other, where flips are listed
    means: tuple[float, float] | None
    #: the axes that are taken together, and the columns of the data
    variables: dict[str, Any]
    record: Record | None


class Cells:
    """Means with intervals at the points of a sweep, as its `table` gives them, and their rows.

    What is kept is a frame of scores, without texts; those are read from the folder, of a page at
    a time. `by`: axes or columns of the data, all axes if not given. Raise CheckError for a name
    that is none.
    """

    def __init__(
        self, sweep: Sweep, by: str | Sequence[str] | None = None, score: str | None = None
    ):
        self.sweep = sweep
        self.by = [*sweep.design.axes] if by is None else list(dict.fromkeys(as_names(by)))
        #: axes that a cell takes together
        self.rest = [axis for axis in sweep.design.axes if axis not in self.by]
        self._places = RowPlaces(Folder(sweep.folder))
        self._has_places = False
        self.look()
        self.show(self.scores[0] if score is None else score)

    def look(self) -> None:
        """Read what has come since; answers that have no score yet are scored.

        Raise CheckError where the folder is gone in which there were answers.
        """
        data = [name for name in self.by if name in self.sweep.design.items.columns]
        if hasattr(self, "frame"):
            self.check_folder()
        frame = self.sweep.scores(data)
        checked_columns(frame, "by", self.by)
        self.scores = [*scores_of(frame)]
        taken = set(frame.columns)
        self._has_status = ANSWERED not in taken
        if self._has_status:
            has_answer = frame["status"].isin(HAVE_ANSWERS).astype(float)
            frame[ANSWERED] = has_answer.mask(frame["status"] == "not_sent")
            self.scores.append(ANSWERED)
        if TOKENS not in taken:
            frame[TOKENS] = float("nan")  # read when they are wanted
            self.scores.append(TOKENS)
            self._has_tokens = False
        else:
            self._has_tokens = True
        self.frame = frame
        self._parts: list[Any] | None = None
        if hasattr(self, "score"):
            self.show(self.score if self.score in self.scores else self.scores[0])

    def show(self, score: str) -> None:
        """Take another score into the figure. Raise CheckError where there is none of this name."""
        if score not in self.scores:
            near = nearest(score, self.scores)
            raise CheckError(
                f"score: there is no score {score}; there is {', '.join(self.scores)}."
                f"{did_you_mean(near)}",
                field="score",
                value=score,
            )
        if score == TOKENS and not self._has_tokens:
            self.check_folder()
            self._places.look()
            tokens = [self._places.completion_tokens(run_id) for run_id in self.frame["run_id"]]
            self.frame[TOKENS] = tokens
            self._has_tokens = True
        self.score = score
        self.table = table(self.frame, self.by, score)

    def check_folder(self) -> None:
        """Raise CheckError where the folder is gone in which there were answers."""
        if self.n_ended and not self._places.is_there:
            raise CheckError(
                f"The folder {self.sweep.folder} is no longer there: this is what was read of it "
                "before.",
                field="folder",
            )

    @property
    def n_ended(self) -> int:
        """Give how many rows of the plan have ended."""
        return int((self.frame["status"] != "not_sent").sum())

    @property
    def points(self) -> list[dict[str, Any]]:
        """Give the point of each cell, in the order of the table: name -> value or None."""
        names = [self.table[name].astype(object) for name in self.by]
        columns = [values.where(values.notna(), None) for values in names]
        return [
            dict(zip(self.by, values, strict=True)) for values in zip(*columns, strict=True)
        ] or [{}]

    @property
    def is_of_right(self) -> bool:
        """Whether the score is one of right and wrong, whose mean is a share."""
        return bool(self.table["if_right"].notna().any())

    @property
    def is_of_status(self) -> bool:
        """Whether the figure is of the share of requests that have an answer."""
        return self.score == ANSWERED and self._has_status

    def rows(self, cell: int, which: Which = "all", other: int | None = None) -> pd.DataFrame:
        """Give the rows of a cell that are meant, in the order in which they are listed.

        Those of right and wrong come as in the plan, else those without a score first and then the
        lowest; flips with the largest difference first, in columns ``here`` and ``there``.
        """
        part = self._part(cell)
        scores = part[self.score]
        if which == "missing":
            return part[scores.isna()]
        if which == "wrong":
            return part[scores < 1]
        if which == "flips":
            if other is None:
                return part.iloc[:0]
            means = flipped(part, self._part(other), self.score, self.rest)
            part = part[part["item"].isin(means.keys())]
            order = {item: place for place, item in enumerate(means)}
            part = part.assign(
                here=[means[item][0] for item in part["item"]],
                there=[means[item][1] for item in part["item"]],
            )
            return part.sort_values("item", key=lambda items: items.map(order), kind="stable")
        if self.is_of_right:
            return part
        return part.sort_values(self.score, kind="stable", na_position="first")

    def counts(self, cell: int) -> dict[str, int]:
        """Give how many rows of a cell there are, how many are wrong, how many have no score."""
        scores = self._part(cell)[self.score]
        wrong = int((scores < 1).sum()) if self.is_of_right else 0
        return {"all": len(scores), "wrong": wrong, "missing": int(scores.isna().sum())}

    def listed(self, rows: pd.DataFrame) -> list[Listed]:
        """Give these rows with their texts, which are read from the folder: give a page of them."""
        design = self.sweep.design
        records = self._places.records(each for each in rows["run_id"] if isinstance(each, str))
        shown = []
        for row in rows.to_dict("records"):
            variables = {axis: row[axis] for axis in self.rest}
            if row["item"] < len(design.items):
                item = design.items[row["item"]]
                variables |= {key: item[key] for key in item if key not in variables}
            shown.append(
                Listed(
                    row_id=row["row_id"],
                    item=int(row["item"]),
                    sample=int(row["sample"]),
                    status=str(row["status"]),
                    score=float(row[self.score]),
                    means=(row["here"], row["there"]) if "here" in row else None,
                    variables={key: variables[key] for key in variables if key not in self.by},
                    record=records.get(row["run_id"]),
                )
            )
        return shown

    def run(self, run_id: str) -> Run:
        """Give the run of a row. Raise RunNotFoundError where it is no longer in the folder."""
        return self._places.run(run_id)

    def cell_of(self, row_id: str) -> int | None:
        """Give the number of the cell that has this row; None where the plan has no such row."""
        rows = self.frame.index[self.frame["row_id"] == str(row_id)]
        return next((n for n, part in enumerate(self._indexes()) if rows.isin(part).any()), None)

    def _part(self, cell: int) -> pd.DataFrame:
        """Give the rows of a cell, which are those that its mean was taken of."""
        part: pd.DataFrame = self.frame.loc[self._indexes()[cell]]
        return part

    def _indexes(self) -> list[Any]:
        """Give which rows of the frame each cell has."""
        if self._parts is None:
            self._parts = [part.index for _, part in parts_of(self.frame, self.by)]
        return self._parts
