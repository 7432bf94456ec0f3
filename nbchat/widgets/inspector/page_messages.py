"""What the browser is told of some runs: once, in columns of bytes, and then only what is new."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from nbchat.frames.integrity import integrity
from nbchat.frames.packed import Table, entries_of, tables_of
from nbchat.frames.page_columns import declared
from nbchat.plots.heatmap import why_none
from nbchat.widgets.inspector.branch_tree import Tree
from nbchat.widgets.inspector.run_names import labels_of
from nbchat.widgets.inspector.scales import scales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.analysis.tree import Tree as GrownTree
    from nbchat.run import Run
    from nbchat.widgets.inspector.branch_tree import Parted

#: up to so many rows the alternatives of a run go with its tokens; more are asked for
AT_ONCE = 50_000
#: how many positions are answered with when the alternatives of one are asked for
BLOCK = 128
#: of one position so many alternatives are shown
MOST = 200
#: marks the place of the bytes in a message; the browser has the same word
BUFFERS = "buffers"


class Message(NamedTuple):
    """A message to the browser: plain JSON, and bytes."""

    content: dict[str, Any]
    buffers: list[bytes]


class Page:
    """The runs as the browser has them. A run that goes on is looked at again by `changes`.

    `runs` grows at its end by `branch_out`; `sections[i]` is the number of the run below which run
    i is shown, which for the given ones is their own.
    """

    def __init__(self, runs: Sequence[Run], labels: Sequence[str] | None = None):
        self.runs = list(runs)
        self.labels = labels_of(self.runs) if labels is None else list(labels)
        self.sections = list(range(len(self.runs)))
        self.tree = Tree()
        self._tables: list[dict[str, Table]] = [{} for _ in self.runs]
        self._signatures: list[Any] = [None] * len(self.runs)
        self._notes = [""] * len(self.runs)
        self._covered: dict[int, str] = {}
        self._codes: set[int] = set()
        self._lock = threading.RLock()
        for number in range(len(self.runs)):
            self._look(number)

    def branch_out(
        self, branch: Parted, number: int, table: Table, *, opens: bool = True
    ) -> list[Message]:
        """Add the runs of a branch that parts from run `number`; give what is to be told.

        `opens`: the first of them is shown at once.
        """
        with self._lock:
            messages = []
            first = len(self.runs)
            for run in branch.runs:
                node = self.tree.grow(branch, run, len(self.runs), number, table)
                self.runs.append(run)
                self.labels.append(f"branch {node.branch_id} · {node.label}")
                self.sections.append(self.sections[number])
                self._tables.append({})
                self._signatures.append(None)
                self._notes.append("")
                messages.append(self._news(node.number))
            shown = first if opens else None
            told = {"type": "branches", "branches": self.tree.plain, "open": shown}
            return [*messages, Message(told, [])]

    def relabelled(self, branch: Any) -> Message:
        """Take the label of a branch as it is when it is whole; give what is to be told."""
        with self._lock:
            for node in self.tree.nodes:
                if node.run in branch.runs:
                    node.label = branch.label
                    self.labels[node.number] = f"branch {node.branch_id} · {node.label}"
            return Message({"type": "branches", "branches": self.tree.plain, "open": None}, [])

    def put_in_place(self, run: Run, number: int) -> Message:
        """Show another run of the same reply in the place of one; give what is to be told."""
        with self._lock:
            self.runs[number] = run
            self._tables[number] = {}  # so that all of it is told anew
            return self._news(number)

    def number_of(self, run: Run) -> int:
        """Give the number of a run of the page."""
        return next(number for number, shown_run in enumerate(self.runs) if shown_run is run)

    def plant(self, tree: GrownTree) -> list[Message]:
        """Take what a tree says of its runs, and add those that are not here yet."""
        with self._lock:
            for branch in tree.branches:
                if not any(run is branch.run for run in self.runs):
                    number = self.number_of(branch.parent)
                    _, table = self.numbered(f"{number}:{branch.choice}:content")
                    self.branch_out(branch, number, table)
            masses = zip(tree.branches, tree.masses[1:], strict=True)
            by_run = {branch.run.id: mass for branch, mass in masses}
            for node in self.tree.nodes:
                node.mass = by_run.get(node.run.id, node.mass)
            number = self.number_of(tree.run)
            self._covered[number] = f"tree: {tree.label}"
            told = {"type": "branches", "branches": self.tree.plain, "open": None}
            return [self._news(number), Message(told, [])]

    def numbered(self, key: str) -> tuple[int, Table]:
        """Give the table of this key and its run's number. Raise ValueError of none."""
        with self._lock:
            for number, of_table, table in self._numbered():
                if of_table == key:
                    return number, table
        raise ValueError(f"there are no tokens {key}")

    def alternative_of(self, key: str, position: int, row: int) -> int:
        """Give the place among all alternatives of one that the browser shows in this row."""
        numbered = self.table(key)
        if numbered is None or row < MOST:
            return row
        is_sampled = numbered[1].alternatives_frame(position)["is_sampled"]
        return int(is_sampled.argmax())  # the only one beyond those that are shown

    def merged(self, number: int) -> dict[int, int]:
        """Count for each choice of a run the characters of several tokens in one row, if any."""
        content = [t for t in self._tables[number].values() if t.channel == "content"]
        counts = {table.choice: int(table.frame["is_merged"].sum()) for table in content}
        return {choice: count for choice, count in counts.items() if count}

    @property
    def is_running(self) -> bool:
        return any(run.status == "running" for run in self.runs)

    def tables(self) -> Iterator[tuple[str, str, Table]]:
        """Give key, run id and table of each list of tokens, in the order of the page."""
        with self._lock:
            there = [
                (key, run.id, table)
                for run, tables in zip(self.runs, self._tables, strict=True)
                for key, table in tables.items()
            ]
        return iter(there)

    def table(self, key: str) -> tuple[str, Table] | None:
        """Give the run id and the table of this key; None where there is none."""
        return next(((run_id, table) for k, run_id, table in self.tables() if k == key), None)

    def whole(self, *, has_all: bool = False) -> dict[str, Any]:
        """Give all of it, with bytes inside: the state of a page that is opened.

        `has_all`: with the alternatives, however many there are, for a page that cannot ask.
        """
        with self._lock:
            tables, codes = [], set(self._codes)
            for number, key, table in self._numbered():
                tokens = table.tokens()
                codes.update(tokens.codes)
                shown = {**self._described(number, key, table), "columns": tokens.columns}
                if has_all or table.n_alternatives <= AT_ONCE:
                    stretch = table.alternatives(0, len(table), MOST)
                    codes.update(stretch.codes)
                    shown["alternatives"] = {"start": 0, "stop": len(table), **stretch.columns}
                tables.append(shown)
            self._codes = codes
            return {
                **declared(),
                "scales": scales(),
                "runs": [self._run(number) for number in range(len(self.runs))],
                "tables": tables,
                "entries": entries_of(sorted(codes)),
                "branches": self.tree.plain,
            }

    def changes(self) -> list[Message]:
        """Look at the runs again; give what is new to the browser."""
        with self._lock:
            changed = [
                n for n, run in enumerate(self.runs) if _signature(run) != self._signatures[n]
            ]
            return [self._news(number) for number in changed]

    def alternatives(self, key: str, position: int) -> Message | None:
        """Give the alternatives of this position and of those about it; None of none."""
        numbered = self.table(key)
        if numbered is None or not 0 <= position < len(numbered[1]):
            return None
        table = numbered[1]
        start = position - position % BLOCK
        stop = min(start + BLOCK, len(table))
        stretch = table.alternatives(start, stop, MOST)
        with self._lock:
            content = {
                "type": "alternatives",
                "key": key,
                "start": start,
                "stop": stop,
                "entries": self._new_entries(stretch.codes),
                BUFFERS: list(stretch.columns),
            }
        return Message(content, list(stretch.columns.values()))

    def _news(self, number: int) -> Message:
        before = dict(self._tables[number])
        self._look(number)
        tables: list[dict[str, Any]] = []
        buffers: list[bytes] = []
        codes: set[int] = set()
        for key, table in self._tables[number].items():
            start = table.first_change(before[key]) if key in before else 0
            if key in before and start == len(table) == len(before[key]):
                continue
            tokens = table.tokens(start)
            codes.update(tokens.codes)
            tables.append(
                {
                    **self._described(number, key, table),
                    "start": start,
                    BUFFERS: list(tokens.columns),
                }
            )
            buffers.extend(tokens.columns.values())
        content = {
            "type": "changes",
            "run": self._run(number),
            "tables": tables,
            "entries": self._new_entries(sorted(codes)),
        }
        return Message(content, buffers)

    def _look(self, number: int) -> None:
        run = self.runs[number]
        self._signatures[number] = _signature(run)
        self._tables[number] = {
            f"{number}:{table.choice}:{table.channel}": table for table in tables_of(run)
        }
        if run.status != "running" and self._tables[number]:
            self._notes[number] = integrity(run).note

    def _numbered(self) -> Iterator[tuple[int, str, Table]]:
        for number, tables in enumerate(self._tables):
            for key, table in tables.items():
                yield number, key, table

    def _run(self, number: int) -> dict[str, Any]:
        run = self.runs[number]
        return {
            "number": number,
            "section": self.sections[number],
            "label": self.labels[number],
            "status": run.status,
            "sentence": "" if self._tables[number] else sentence_of(run),
            "note": " · ".join(filter(None, (self._notes[number], self._covered.get(number)))),
            "merged": 0 if run.status == "running" else sum(self.merged(number).values()),
        }

    def _described(self, number: int, key: str, table: Table) -> dict[str, Any]:
        return {
            "key": key,
            "run": number,
            "choice": table.choice,
            "channel": table.channel,
            "texts": {str(at): text for at, text in table.texts.items()},
        }

    def _new_entries(self, codes: list[int]) -> dict[str, list[Any]]:
        new = [code for code in codes if code not in self._codes]
        self._codes.update(new)
        return entries_of(new)


def _signature(run: Run) -> Any:
    """Give what is different when there is something new to see in a run; cheap."""
    completion = run.completion
    if completion is None:
        return run.status, ()
    return run.status, tuple(
        (
            choice.index,
            choice.finish_reason,
            len(choice.logprobs.content or ()) if choice.logprobs else 0,
            len(choice.logprobs.refusal or ()) if choice.logprobs else 0,
        )
        for choice in completion.choices
    )


def sentence_of(run: Run) -> str:
    """Say why a run has no tokens to show."""
    if run.status == "running" and run.params.given().get("logprobs"):
        return "Nothing has come yet."
    return why_none(run)
