"""A reply as plain text, for terminals and for Python outside a notebook."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Self

from nbchat.display.characters import visible, write
from nbchat.display.grey_line import grey_line
from nbchat.display.pace import PAINTER, Cost, Painter
from nbchat.display.reply import caption, player_bundle, shown_text
from nbchat.display.run_bundle import plain_bundle
from nbchat.display.tool_calls import rounds_plain

if TYPE_CHECKING:
    from nbchat.display.shown_run import ShownRun


class PlainReply:
    """Watches one run and writes its text to standard output as it comes.

    Of several choices the first is written live, the others follow when they are whole.
    Lines about what is waited for go to standard error.
    """

    def __init__(self, *, painter: Painter = PAINTER, above: dict[str, str] | None = None):
        self.dirty = False
        self.run: ShownRun | None = None
        self._out = sys.stdout
        self._is_terminal = self._out.isatty()
        # dim is no colour, but who wants none means that, too
        self._is_grey = self._is_terminal and not (
            os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        )
        self._painter = painter
        self._written = 0
        self._n_rounds = 0
        self._lock = threading.Lock()
        self._is_finished = False
        self._above = above

    def __enter__(self) -> Self:
        if self._above is not None:
            self._write(f"{self._above['text/plain']}\n")
        return self

    def __exit__(self, *_: object) -> None: ...

    def say(self, line: str) -> None:
        """Write a line below the whole reply."""
        self._write(f"{line}\n")

    def status(self, line: str) -> None:
        """Write a line about what is waited for."""
        if line.strip():
            write(sys.stderr, f"{line}\n")

    def update(self, run: ShownRun) -> None:
        """Take note that there is more."""
        self.run = run
        if not self.dirty:
            self._painter.want(self)

    def paint(self) -> Cost:
        """Write what has come since the last time. The painter calls it."""
        with self._lock:
            self.dirty = False
            if self._is_finished or self.run is None:
                return Cost(0, 0)
            if self._write_rounds(self.run, is_end=False):
                return Cost(1, 0)
            size = self._write_rest(self.run.text)
            return Cost(1, size)

    def finish(self, run: ShownRun) -> None:
        """Write the rest of the reply, the other choices, and a line of facts."""
        self.run = run
        with self._lock:
            self._is_finished = True
        self._painter.drop(self)
        try:
            self._write_end(run)
        except Exception as error:  # noqa: BLE001 - whatever a server sent, a reply is shown
            self._write(f"\n{plain_bundle(run, error)['text/plain']}\n")

    def _write_end(self, run: ShownRun) -> None:
        self._write_rounds(run, is_end=True)
        completion = None if run.ends_in_calls else run.completion
        choices = sorted(completion.choices, key=lambda c: c.index) if completion else []
        for choice in choices:
            if choice.index:
                self._write(f"\n\n{caption(choice.index)}\n")
                self._written = 0
            self._write_rest(shown_text(choice.message))
            player = player_bundle(run, choice.message)
            if player is not None:
                self._write(f"\n[{player['text/plain']}]")
        if choices or run.rounds or run.status == "complete":
            line = grey_line(run)
            self._write(f"\n\x1b[2m{line}\x1b[0m\n" if self._is_grey else f"\n{line}\n")

    def _write_rounds(self, run: ShownRun, *, is_end: bool) -> bool:
        """Write the rounds of tool calls that have ended; tell whether one still goes on."""
        while self._n_rounds < len(run.rounds):
            tool_round = run.rounds[self._n_rounds]
            if not is_end and not tool_round.is_answered:
                return True
            self._write_rest(tool_round.text)
            lead = "\n" if self._written else ""
            self._write(f"{lead}{rounds_plain([tool_round])}\n")
            self._written = 0
            self._n_rounds += 1
        return False

    def _write_rest(self, text: str) -> int:
        rest = text[self._written :]
        self._written = len(text)
        if rest:
            # in a terminal the text could give orders: change the title, fill the clipboard
            self._write(visible(rest) if self._is_terminal else rest)
        return len(rest)

    def _write(self, text: str) -> None:
        write(self._out, text)
