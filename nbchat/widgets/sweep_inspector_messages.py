"""What a page of the sweep inspector and the kernel tell one another (`widgets.protocol`).

What is said of a cell, a row or a run comes as words: the page and the picture say the same.
"""

from __future__ import annotations

from typing import Literal

from nbchat.widgets.records import Protocol, Question, Record

Which = Literal["all", "wrong", "missing", "flips"]


class Label(Record):
    """A value as a figure names it, and more of it where it was too long."""

    text: str
    title: str


class Cell(Record):
    """A point of the sweep. `colour` is empty where no row has a score.

    `lacking` counts the rows without a score by what became of them; `sentence` says all of it.
    """

    number: int
    name: str
    mean: str
    interval: str
    items: str
    lacking: str
    sentence: str
    colour: str
    ink: str


class Line(Record):
    """The cells at one value of the axis that goes down; null where the plan has no such point."""

    label: Label
    cells: list[Cell | None]


class Multiple(Record):
    """A figure at one point of the further axes; its title is empty where there are none."""

    title: Label
    lines: list[Line]


class Scale(Record):
    """The colours from the lowest mean to the highest."""

    colours: list[str]
    lowest: str
    highest: str


class Figure(Record):
    """All that the figure shows. `cut` says what was left out, `lacking` what has no score."""

    name: str
    score: str
    scores: list[str]
    unit: str
    across: Label
    down: Label
    columns: list[Label]
    multiples: list[Multiple]
    scale: Scale
    status: str
    lacking: str
    cut: str


class Counts(Record):
    """The rows of a cell."""

    all: int
    wrong: int
    missing: int


class RowLine(Record):
    """A row of a cell. `is_reason`: what stands in the place of an answer says why there is none.

    `kind` is empty for a score that is not one of right and wrong.
    """

    row: str
    item: str
    sample: str
    variables: str
    answer: str
    is_reason: bool
    status: str
    score: str
    there: str
    kind: Literal["right", "wrong", "missing", ""]


class Rows(Record):
    """A page of the rows of a cell: those from `start` on, of `total` that are meant."""

    cell: int
    name: str
    which: Which
    other: int | None
    counts: Counts
    has_wrong: bool
    has_samples: bool
    has_variables: bool
    order: str
    start: int
    total: int
    size: int
    lines: list[RowLine]


class Passage(Record):
    """A message of a run, or its answer; `note` says how much of it was left out."""

    role: str
    text: str
    note: str


class Shown(Record):
    """A run. `inspector` is the widget of its tokens; where it has none, `note` says why."""

    row: str
    cell: str
    name: str
    place: str
    status: str
    facts: list[tuple[str, str]]
    messages: list[Passage]
    answers: list[Passage]
    inspector: str | None
    note: str
    previous: str | None
    next: str | None


class Work(Record):
    """Whether something is read just now, and what went wrong with the last thing."""

    busy: bool
    sentence: str


class _Ask(Question, tag_field="type"): ...


class Look(_Ask, tag="look"):
    """Read what has come since."""


class ShowScore(_Ask, tag="score"):
    """Show another score."""

    name: str


class ListRows(_Ask, tag="rows"):
    """List rows of a cell, from one on; `other` is the cell that flips are against."""

    cell: int
    which: Which
    other: int | None
    start: int


class ShowRun(_Ask, tag="run"):
    """Show the run of a row."""

    row: str


SWEEP_INSPECTOR = Protocol(
    page=(Look, ShowScore, ListRows, ShowRun),
    kernel=(),
    shared={
        "_figure": (Figure,),
        "_rows": (Rows, type(None)),
        "_run": (Shown, type(None)),
        "_work": (Work,),
        "_stand_in_id": (str,),
    },
)
