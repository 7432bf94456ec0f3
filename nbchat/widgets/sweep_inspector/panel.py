"""The sweep inspector: the widget, and what it is in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from nbchat.errors import CheckError, type_and_sentence
from nbchat.widgets.inspector.panel import Inspector
from nbchat.widgets.stand_in import Panel, joined
from nbchat.widgets.sweep_inspector.chosen_cell import cell_at
from nbchat.widgets.sweep_inspector.figure import figure_of
from nbchat.widgets.sweep_inspector.picture import (
    picture_of_figure,
    picture_of_rows,
    picture_of_run,
)
from nbchat.widgets.sweep_inspector.rows import SIZE, rows_of, status_words, variables_of
from nbchat.widgets.sweep_inspector.shown_run import (
    answers_of,
    facts_of,
    has_probabilities,
    messages_of,
    note_of,
)
from nbchat.widgets.sweep_inspector.words import in_a_line, number

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run
    from nbchat.sweep.cells import Cells, Which
    from nbchat.sweep.sweep import Sweep

_AT_REST = {"busy": False, "sentence": ""}


class SweepInspector(Panel):
    """A figure of a sweep in the notebook: each cell leads to its rows, a row to its run.

    - `selected`: dict of the chosen cell's point, axis -> value; None where none is. It can be
      set to one, also to some of its values where no other cell has them
    - `rows`: DataFrame, the rows of the chosen cell that are listed, in this order, with the
      columns of ``sweep.scores()``
    - `run`: the run that is shown, None where none is; `inspector` is that of its tokens
    - `score`, `by`: what the figure is of; `score` can be set
    - `refresh()` reads what has come since

    `selected` is a trait: ``panel.observe(f, "selected")`` calls f at each change.
    """

    _esm = joined(
        "stand_in.js",
        "elements.js",
        *(f"sweep_inspector/{name}.js" for name in ("figure", "rows", "run", "view", "main")),
    )
    _css = joined("theme.css", "sweep_inspector/sweep_inspector.css")

    selected = traitlets.Any(None, allow_none=True)

    _figure = traitlets.Dict().tag(sync=True)
    # a page sets these two to null where its reader goes back
    _rows: Any = traitlets.Any(None, allow_none=True).tag(sync=True)
    _run: Any = traitlets.Any(None, allow_none=True).tag(sync=True)
    #: whether something is read just now, and what went wrong with the last thing
    _work = traitlets.Dict(_AT_REST).tag(sync=True)

    def __init__(self, cells: Cells):
        self._cells = cells
        self._listed: pd.DataFrame | None = None
        self.run: Run | None = None
        self.inspector: Inspector | None = None
        super().__init__(_figure=figure_of(cells))
        self.on_msg(self._answer)

    @property
    def sweep(self) -> Sweep:
        """The sweep that it shows."""
        return self._cells.sweep

    @property
    def by(self) -> list[str]:
        """The axes of the figure."""
        return list(self._cells.by)

    @property
    def score(self) -> str:
        """The score that it shows."""
        return self._cells.score

    @score.setter
    def score(self, name: str) -> None:
        self._cells.show(name)
        self._draw()

    @property
    def rows(self) -> pd.DataFrame | None:
        """The rows that are listed; None where no cell is chosen."""
        return None if self._listed is None else self._listed.reset_index(drop=True)

    def refresh(self) -> None:
        """Read what has come since; answers that have no score yet are scored."""
        self._cells.look()
        self._draw()

    def show_run(self, row_id: str) -> None:
        """Show the run of a row; where it is not listed, its cell is chosen, with all its rows.

        Raise CheckError where there is no such row.
        """
        if self._place_of(row_id) is None:
            cell = self._cells.cell_of(row_id)
            if cell is None:
                raise CheckError(
                    f"{row_id!r} is no row of this sweep: sweep.rows() has the row_id of each.",
                    field="row_id",
                    value=row_id,
                )
            self._list(cell, "all", None, 0)
        self._show_listed(row_id)

    def close(self) -> None:
        """Take it out of the page, with the inspector in it."""
        self._leave_run()
        super().close()

    def stand_in_html(self) -> str:
        """Give the figure, the page of rows and the run that are shown as static HTML."""
        return "".join(self.stand_in_parts())

    def stand_in_parts(self) -> list[str]:
        """Give the figure, the rows and the run each as a part."""
        return [
            picture_of_figure(self._figure, self._rows),
            picture_of_rows(self._rows),
            picture_of_run(self._run),
        ]

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> dict[str, Any] | None:
        wanted = proposal["value"]
        points = self._cells.points
        return None if wanted is None else points[cell_at(points, wanted)]

    @traitlets.observe("selected")
    def _show_selected(self, change: Any) -> None:
        if change["new"] is None:
            self._rows = None
        else:
            cell = cell_at(self._cells.points, change["new"])
            if self._rows is None or self._rows["cell"] != cell:
                self._open(cell, "all", None, 0)

    @traitlets.observe("_rows")
    def _take_rows(self, change: Any) -> None:
        if change["new"] is None:  # the reader went back
            self._listed = None
            self._run = None
            self.selected = None
        self.refresh_stand_in()

    @traitlets.observe("_run")
    def _take_run(self, change: Any) -> None:
        if change["new"] is None:
            self._leave_run()
        self.refresh_stand_in()

    def _draw(self) -> None:
        """Draw the figure anew, and the page of rows that is listed."""
        self._figure = figure_of(self._cells)
        if self._rows is not None:
            shown = self._rows
            is_none = shown["which"] == "wrong" and not self._cells.is_of_right
            which: Which = "all" if is_none else shown["which"]
            self._list(shown["cell"], which, shown["other"], shown["start"])
        self.refresh_stand_in()
        if self._rows is not None:
            self._cells.check_folder()

    def _open(self, cell: int, which: Which, other: int | None, start: int) -> None:
        """List rows. Raise CheckError where their texts are gone; what is known is listed then."""
        self._list(cell, which, other, start)
        self._cells.check_folder()

    def _list(self, cell: int, which: Which, other: int | None, start: int) -> None:
        rows = self._cells.rows(cell, which, other)
        page = rows_of(self._cells, rows, cell, which, other, start)
        self._listed = rows
        self._run = None
        self._rows = page
        self.selected = self._cells.points[cell]

    def _place_of(self, row_id: str) -> int | None:
        """Give the place of a row among those that are listed, None where it is none of them."""
        ids = [] if self._listed is None else self._listed["row_id"].to_list()
        return ids.index(row_id) if row_id in ids else None

    def _show_listed(self, row_id: str) -> None:
        """Show the run of one of the rows that are listed: a page asks for no other one."""
        place = self._place_of(row_id)
        if place is None:
            raise CheckError(
                f"{row_id!r} is none of the rows that are listed.", field="row_id", value=row_id
            )
        self._show_row(place)

    def _show_row(self, place: int) -> None:
        """Show the run of the row at this place of those that are listed."""
        listed: Any = self._listed
        row = listed.iloc[place]
        (one,) = self._cells.listed(listed.iloc[place : place + 1])
        score = number(one.score) if one.score == one.score else "none"
        facts, messages, answers = [(in_a_line(self.score, 40), score)], [], []
        note = "There is no run: the row was not sent."
        run = inspector = None
        if isinstance(row["run_id"], str):
            run = self._cells.run(row["run_id"])
            facts += facts_of(run)
            messages, answers = messages_of(run), answers_of(run)
            note = "" if has_probabilities(run) else note_of(run)
            inspector = Inspector([run]) if has_probabilities(run) else None
        self._leave_run()
        self.run, self.inspector = run, inspector
        if inspector is not None:
            inspector.show_inside()
        page = place // SIZE * SIZE
        if page != self._rows["start"]:  # the way back leads to the page that has the row
            shown = self._rows
            self._rows = rows_of(
                self._cells, listed, shown["cell"], shown["which"], shown["other"], page
            )
        self._run = {
            "row": one.row_id,
            "cell": self._rows["name"],
            "name": _named(one, self.sweep.design.repeats),
            "place": f"row {place + 1:,} of {len(listed):,}",
            "status": status_words(one.status),
            "facts": facts,
            "messages": messages,
            "answers": answers,
            "inspector": None if inspector is None else inspector.model_id,
            "note": note,
            "previous": _row_id(listed, place - 1),
            "next": _row_id(listed, place + 1),
        }

    def _leave_run(self) -> None:
        inspector, self.inspector, self.run = self.inspector, None, None
        if inspector is not None:
            inspector.close()

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        match content:
            case {"type": "look"}:
                self._try(self.refresh)
            case {"type": "score", "name": name}:
                self._try(lambda: setattr(self, "score", name))
            case {"type": "rows", "cell": cell, "which": which, "other": other, "start": start}:
                if cell in range(len(self._cells.points)):
                    self._try(lambda: self._open(cell, which, other, start))
            case {"type": "run", "row": row}:
                self._try(lambda: self._show_listed(row))

    def _try(self, does: Callable[[], object]) -> None:
        """Do what the page asks for. What goes wrong with it is said there, and nowhere else."""
        self._work = {"busy": True, "sentence": ""}
        try:
            does()
        except Exception as error:  # noqa: BLE001 - a handler's error would be seen by nobody
            self._work = {"busy": False, "sentence": type_and_sentence(error)}
        else:
            self._work = _AT_REST


def _named(row: Any, repeats: int) -> str:
    sample = f", sample {row.sample:,}" if repeats > 1 else ""
    variables = variables_of(row.variables)
    return f"item {row.item:,}{sample}" + (f": {variables}" if variables else "")


def _row_id(listed: Any, place: int) -> str | None:
    return str(listed["row_id"].iloc[place]) if place in range(len(listed)) else None
