"""What shows how far a sweep is: a bar while a call waits, a display while it runs beside."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from html import escape
from types import TracebackType
from typing import Any, Self

from nbchat.display.publisher import Publisher, notebook_publisher
from nbchat.plots.axes import counted
from nbchat.sweep.progress import Counts, duration

#: seconds between two frames of the display
_PAUSE_S = 0.5
_WIDTH, _HEIGHT = 160, 28


class Bar:
    """A bar of tqdm: a widget in a notebook, text elsewhere and where widgets are missing."""

    def __init__(self, counts: Counts):
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=counts.rows, initial=counts.done, unit="row", delay=0.5)

    def __enter__(self) -> Self:
        return self

    def show(self, counts: Counts) -> None:
        """Show how far it is."""
        self._bar.set_postfix_str(_rest(counts), refresh=False)
        self._bar.update(counts.done - self._bar.n)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()


class Display:
    """A display of the cell that began the sweep, which a thread keeps up to date."""

    def __init__(self, publisher: Publisher, markup: Callable[[], str], text: Callable[[], str]):
        self._publisher, self._markup, self._text = publisher, markup, text
        self._id = f"nbchat-{uuid.uuid4().hex[:16]}"

    @classmethod
    def of_this_cell(cls, markup: Callable[[], str], text: Callable[[], str]) -> Self | None:
        """Give a display where there is a notebook that shows updates."""
        publisher = notebook_publisher()
        if publisher is None or not publisher.takes_updates:
            return None
        return cls(publisher, markup, text)

    def follow(self, is_over: threading.Event) -> None:
        """Show how far it is until it is over, and the end."""
        threading.Thread(
            target=self._follow, args=(is_over,), name="nbchat-sweep-display", daemon=True
        ).start()

    def _follow(self, is_over: threading.Event) -> None:
        self._show(is_update=False)
        while not is_over.wait(_PAUSE_S):
            self._show(is_update=True)
        self._show(is_update=True)

    def _show(self, *, is_update: bool) -> None:
        bundle = {"text/html": self._markup(), "text/plain": self._text()}
        self._publisher.show(bundle, self._id, is_update=is_update)


def markup_of(name: str, counts: Counts, course: Sequence[tuple[float, int]]) -> str:
    """Give how far a sweep is as HTML: counts, rates, and rows over time as a small figure."""
    cells = [
        ("done", f"{counts.done:,} of {counts.rows:,}"),
        ("failed", f"{counts.error:,}"),
        ("refused", f"{counts.refused:,}"),
        ("truncated", f"{counts.truncated:,}"),
        ("not sent", f"{counts.not_sent:,}"),
        ("tokens/s", "–" if not counts.tokens_per_s else f"{counts.tokens_per_s:,.0f}"),
        ("cost", "not known" if counts.cost_usd is None else f"${counts.cost_usd:.2g}"),
        ("to go", "–" if counts.left_s is None else duration(counts.left_s)),
    ]
    if counts.unknown:
        most = (
            ", price not known"
            if counts.unknown_usd is None
            else f", up to ${counts.unknown_usd:.2g}"
        )
        cells.append(("unknown outcome", f"{counts.unknown:,}{most}"))
    heads = "".join(f'<th style="text-align: right">{head}</th>' for head, _ in cells)
    values = "".join(f'<td style="text-align: right">{escape(value)}</td>' for _, value in cells)
    table = f"<table><tr>{heads}</tr><tr>{values}</tr></table>"
    return f"<div><strong>{escape(name)}</strong> {_figure(counts.rows, course)}{table}</div>"


def _figure(rows: int, course: Sequence[tuple[float, int]]) -> str:
    """Draw the rows that were done against time; the whole height is all rows."""
    span = max(course[-1][0], 1e-9)
    points = " ".join(
        f"{_WIDTH * at / span:.1f},{_HEIGHT * (1 - done / max(rows, 1)):.1f}" for at, done in course
    )
    label = f"{course[-1][1]:,} of {counted(rows, 'row')} in {duration(course[-1][0])}"
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label}" style="vertical-align: middle; '
        'border-bottom: 1px solid currentColor">'
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/></svg>'
    )


def _rest(counts: Counts) -> str:
    """Say what a bar does not: all but the rows that are done and the time that is left."""
    words = [f"{counts.error:,} failed"] if counts.error else []
    words += [f"{counts.refused:,} refused"] if counts.refused else []
    words += [f"{counts.tokens_per_s:,.0f} tokens/s"] if counts.tokens_per_s else []
    words += [f"${counts.cost_usd:.2g}"] if counts.cost_usd else []
    return ", ".join(words)
