"""The token inspector: the widget, and what it is in Python."""

from __future__ import annotations

import threading
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, overload

import traitlets

from nbchat.frames.assembly import empty
from nbchat.frames.source import runs_of
from nbchat.widgets.inspector.as_text import as_text, with_bytes
from nbchat.widgets.inspector.branch_tree import Writing
from nbchat.widgets.inspector.following import follow
from nbchat.widgets.inspector.page_messages import Page
from nbchat.widgets.inspector.picture import picture_of_chosen, picture_of_tokens
from nbchat.widgets.inspector.rereading import Rereading
from nbchat.widgets.inspector.selection import described, position_of, wanted
from nbchat.widgets.inspector.standalone import standalone
from nbchat.widgets.stand_in import Panel, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from nbchat.analysis.branch import Started
    from nbchat.analysis.tree import Growing, Tree
    from nbchat.frames.source import Source
    from nbchat.run import Run
    from nbchat.sweep.comparison import Differences
    from nbchat.sweep.sweep import Sweep
    from nbchat.widgets.sweep_inspector import SweepInspector

_SCRIPTS = (
    "elements.js",
    *(
        f"inspector/{name}.js"
        for name in ("page", "figures", "layout", "text", "alternatives", "tree", "section", "view")
    ),
)
_STYLES = ("theme.css", "inspector/inspector.css")


class Inspector(Panel):
    """The tokens of runs in the notebook, coloured, each with what else could have stood there.

    - `selected`: dict of the chosen token: run_id, choice, channel, position and its figures
      as in the tokens frame, None where missing; None where nothing is selected. It can be set:
      to a position, to a mapping with a position and perhaps run_id, choice and channel (a row
      of a tokens frame is one), or to None.
    - `selected_alternatives`: DataFrame, the alternatives of that token (`nbchat.alternatives`)

    - `to_html("page.html")` writes it as a page of its own
    - `branches`: DataFrame, one row for each run that was made to part from a shown one (`branch`)

    The first two are traits: ``inspector.observe(f, "selected")`` calls f at each change.
    """

    _esm = joined("stand_in.js", *_SCRIPTS, "inspector/inspector.js")
    _css = joined(*_STYLES)

    selected = traitlets.Any(None, allow_none=True)
    selected_alternatives = traitlets.Any()

    # written anew whenever a page asks for the state: what came since is in it
    _page = traitlets.Instance(Page).tag(sync=True, to_json=lambda page, _: as_text(page.whole()))
    #: key of the table and position of what is selected; empty where nothing is
    _at: Any = traitlets.List().tag(sync=True)
    #: whether a branch is being written, and what went wrong with one
    _work: Any = traitlets.Dict({"busy": False, "sentence": ""}).tag(sync=True)

    def __init__(self, runs: list[Run], labels: Sequence[str] | None = None):
        super().__init__(_page=Page(runs, labels), selected_alternatives=empty("alternatives"))
        self._writing = Writing(self._tell)
        self._lock = threading.Lock()
        self.on_msg(self._answer)
        follow(self)

    @property
    def runs(self) -> list[Run]:
        """The runs that it shows, and after them those of their branches."""
        return list(self._page.runs)

    @property
    def branches(self) -> pd.DataFrame:
        """The branches so far, one row for each run (columns: `nbchat.frames.columns`)."""
        return self._page.tree.frame()

    def branch(self, alternative: str | int | None = None, *, n: int = 1, **params: Any) -> None:
        """Put another token in the place of the selected one, and let the text go on from there.

        The arguments are those of `nbchat.branch`. It is written in the background; `branches`
        has it from the beginning, and what goes wrong is said in the panel. Raise ValueError
        where nothing is selected.
        """
        if not self._at:
            raise ValueError("nothing is selected: set inspector.selected to a position first")
        key, position = self._at
        self._branch(key, position, alternative, n, params)

    def tree(
        self, *, depth: int = 2, width: int = 3, min_prob: float = 0.02, **params: Any
    ) -> None:
        """Write the likeliest ways on from the selected token, each to its end.

        The arguments are those of `nbchat.tree`. They are written in the background, and
        `branches` has them with their `mass`. Raise ValueError where nothing is selected.
        """
        if not self._at:
            raise ValueError("nothing is selected: set inspector.selected to a position first")
        key, position = self._at
        self._grow(key, position, {"depth": depth, "width": width, "min_prob": min_prob, **params})

    def stop(self) -> None:
        """Stop the branches that are being written. What has come is kept."""
        self._writing.stop()

    def close(self) -> None:
        """Take it out of the page, and stop what it has begun."""
        self._writing.stop()
        super().close()

    def to_html(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Write it as one file that works offline in any browser; give the file's path.

        It has the tokens, the colours by every scale, the alternatives (the likeliest 200 of a
        position), the tree and the keyboard; only what needs a kernel, as branching, is missing.
        It loads nothing. Without a `path` the page is given as text.
        """
        scripts = (*_SCRIPTS, "inspector/standalone.js")
        page = standalone(self._page, self._at, scripts, _STYLES)
        if path is None:
            return page
        file = Path(path)
        file.write_text(page, encoding="utf-8")
        return file

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message to the page, its bytes as text: they may pass a gateway."""
        super().send(with_bytes(content, buffers))

    def update(self) -> None:
        """Show what has come since. A run that goes on is followed without it."""
        with self._lock:  # two threads must not send in another order than they looked
            news = self._page.changes()
            for message in news:
                self.send(message.content, message.buffers)
        if news:
            self.refresh_stand_in()

    @property
    def is_following(self) -> bool:
        """Whether one of the runs still goes on."""
        return self.comm is not None and self._page.is_running

    def stand_in_html(self) -> str:
        """Give the tokens and the alternatives of the chosen one as static HTML."""
        return "".join(self.stand_in_parts())

    def stand_in_parts(self) -> list[str]:
        """Give the tokens, and apart what a choice changes."""
        tokens = picture_of_tokens(self._page, self.selected)
        return [tokens, picture_of_chosen(self._page, self.selected, self.selected_alternatives)]

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> dict[str, Any] | None:
        if proposal["value"] is None:
            return None
        place = wanted(proposal["value"], self.selected)
        tables = [(run_id, table) for _, run_id, table in self._page.tables()]
        number, position = position_of(place, tables)
        return described(*tables[number], position)

    @traitlets.observe("selected")
    def _show_selected(self, change: Any) -> None:
        now = change["new"]
        if now is None:
            self._at = []
            self.selected_alternatives = empty("alternatives")
        else:
            tables = list(self._page.tables())
            number, position = position_of(now, [(run_id, table) for _, run_id, table in tables])
            key, _, table = tables[number]
            self._at = [key, position]
            self.selected_alternatives = table.alternatives_frame(position)
        self.refresh_stand_in()

    @traitlets.observe("_at")
    def _take_selected(self, change: Any) -> None:
        try:
            key, position = change["new"]
        except ValueError:
            self.selected = None
            return
        shown = self._page.table(key)
        if shown is not None and position in range(len(shown[1])):
            run_id, table = shown
            here = (run_id, table.choice, table.channel, position)
            self.selected = dict(
                zip(("run_id", "choice", "channel", "position"), here, strict=True)
            )

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        match content:
            case {"type": "alternatives", "key": key, "position": position}:
                answer = self._page.alternatives(key, position)
                if answer is not None:
                    self.send(answer.content, answer.buffers)
            case {"type": "branch", "key": key, "position": position, "row": row, "n": n}:
                self._branch(key, position, self._page.alternative_of(key, position, row), n, {})
            case {"type": "tree", "key": key, "position": position}:
                self._grow(key, position, {})
            case {"type": "rescore", "number": number}:
                self._rescore(number)
            case {"type": "stop"}:
                self.stop()

    def _branch(
        self, key: str, position: int, alternative: str | int | None, n: int, params: dict[str, Any]
    ) -> None:
        number, table = self._page.numbered(key)
        run = self._page.runs[number]
        if table.channel != "content":
            raise ValueError("only the content of a reply can be branched, and this is a refusal")

        def start() -> Started:
            from nbchat.analysis.branch import start

            started = start(run, position, alternative, choice=table.choice, n=n, **params)
            with self._lock:
                for message in self._page.branch_out(started, number, table):
                    self.send(message.content, message.buffers)
            follow(self)
            return started

        self._writing.begin(start, self._relabel)

    def _grow(self, key: str, position: int, growing: dict[str, Any]) -> None:
        number, table = self._page.numbered(key)
        run = self._page.runs[number]
        if table.channel != "content":
            raise ValueError("only the content of a reply can be branched, and this is a refusal")

        def show(started: Started) -> None:
            parent = self._page.number_of(started.parent)
            _, parent_table = self._page.numbered(f"{parent}:{started.choice}:content")
            with self._lock:
                for message in self._page.branch_out(started, parent, parent_table, opens=False):
                    self.send(message.content, message.buffers)

        def start() -> Growing:
            from nbchat.analysis.tree import Growing

            return Growing(
                run,
                position=position,
                choice=table.choice,
                on_begin=show,
                on_end=lambda _: self.update(),
                **growing,
            )

        self._writing.begin(start, self.plant)

    def plant(self, tree: Tree) -> None:
        """Show the branches of what `nbchat.tree` gave for one of the runs."""
        with self._lock:
            for message in self._page.plant(tree):
                self.send(message.content, message.buffers)
        self.refresh_stand_in()

    def _rescore(self, number: int) -> None:
        run, choices = self._page.runs[number], list(self._page.merged(number))

        def put_in_place(rescored: Run) -> None:
            chosen = self._place_of_selected(number)
            with self._lock:
                message = self._page.put_in_place(rescored, number)
                self.send(message.content, message.buffers)
            if chosen is not None:
                key, byte_end = chosen
                _, table = self._page.numbered(key)
                self._at = [key, int((table.frame["byte_end"] < byte_end).sum())]
            self.refresh_stand_in()

        self._writing.begin(lambda: Rereading(run, choices), put_in_place)

    def _place_of_selected(self, number: int) -> tuple[str, int] | None:
        """Give the table of what is selected in a run, and the byte that it ends at."""
        if not self._at:
            return None
        key, position = self._at
        number_of_run, table = self._page.numbered(key)
        return (
            (key, int(table.frame["byte_end"].iloc[position])) if number_of_run == number else None
        )

    def _relabel(self, branch: Any) -> None:
        """Take the label of a branch that is whole: it may say how many began like it."""
        self.update()  # whoever hears that it is whole can look into it
        with self._lock:
            message = self._page.relabelled(branch)
            self.send(message.content, message.buffers)
        self.refresh_stand_in()

    def _tell(self, work: dict[str, Any]) -> None:
        self._work = work


def is_tree(source: object) -> TypeGuard[Tree]:
    """Tell whether this is what `nbchat.tree` gives."""
    return hasattr(source, "masses") and hasattr(source, "branches")


def is_sweep(source: object) -> TypeGuard[Sweep]:
    """Tell whether this is what `nbchat.sweep` gives."""
    return hasattr(source, "design") and hasattr(source, "scores")


def is_comparison(source: object) -> TypeGuard[Differences]:
    """Tell whether this is what `sweep.compare` gives, with its sweep behind it."""
    return hasattr(source, "flips") and getattr(source, "sweep", None) is not None


@overload
def inspect(
    source: Sweep | Differences,
    *,
    by: str | Sequence[str] | None = ...,
    score: str | None = ...,
) -> SweepInspector: ...
@overload
def inspect(source: Source | Tree, *, by: None = ..., score: None = ...) -> Inspector: ...
def inspect(
    source: Any, *, by: str | Sequence[str] | None = None, score: str | None = None
) -> Inspector | SweepInspector:
    """Give the inspector of a run, of runs or of a sweep: the last line of a cell shows it.

    `source` is a run, an iterable of runs or anything with `.runs`, as what `nbchat.rescore` and
    `nbchat.compare` give; what `nbchat.tree` gives is shown as a tree. See `Inspector` for what
    it is in Python. A run that still goes on is followed; one without log probabilities is a
    sentence that says how to ask for them.

    Of a sweep, or what its `compare` gives, it is a figure (`SweepInspector`): a cell for each
    point, with what `sweep.table(by, score)` has there; a cell leads to its rows, a row to its run
    and the inspector of that. `by` names the axes, all if not given, of which the first goes across
    and the second down; those that are not named are taken together. `score` is the first if not
    given; every sweep also has ``answered`` and ``completion_tokens``.

    Raise TypeError where `source` has no runs to give, ValueError where they are none, and
    CheckError for an axis or a score that is not there.
    """
    if is_comparison(source):
        by = [source.axis, *source.by] if by is None else by
        score = source.scores[0] if score is None else score
        source = source.sweep
    if is_sweep(source):
        from nbchat.sweep.cells import Cells
        from nbchat.widgets.sweep_inspector import SweepInspector

        return SweepInspector(Cells(source, by, score))
    if by is not None or score is not None:
        raise TypeError(
            f"by= and score= are for a sweep, and this is a {type(source).__name__}: "
            "nbchat.inspect(sweep, by=…, score=…)"
        )
    if hasattr(source, "columns") and {"n_rows", "if_wrong"} <= set(source.columns):
        raise TypeError(
            "a table of a sweep has no rows behind it: nbchat.inspect(sweep, by=…, score=…) shows "
            "the same figures, and what is behind each"
        )
    if is_tree(source):
        inspector = Inspector([source.run])
        inspector.plant(source)
        return inspector
    runs: Any = runs_of(source)
    if not runs and hasattr(source, "columns") and not len(source):
        raise ValueError(
            "there is no run to inspect: the frame has no rows, so none matched what was asked for"
        )
    if not runs:
        raise ValueError("there is no run to inspect: expected a run, or some")
    labels = getattr(source, "names", None)
    return Inspector(runs, labels if isinstance(labels, tuple) else None)
