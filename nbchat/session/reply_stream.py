"""`ReplyStream`: the text of a reply as it comes, piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Self

from nbchat.api.response import transcript_of

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.session.execution import Execution


class Piece(str):
    """A piece of a reply's text. `run` is the run so far, `choice` the index of its choice."""

    __slots__ = ("choice", "run")
    run: Run
    choice: int


class ReplyStream(Iterator[Piece]):
    """The pieces of a reply: iterate for them. `run` is the run so far, `text` its text.

    Nothing is sent before the first piece is asked for. ``with nbchat.stream(…) as reply:``
    closes the connection where the block is left, and so does ``.close()``; the run of a reply
    that was not read to its end counts as interrupted.
    """

    def __init__(self, execution: Execution):
        self._execution = execution
        self._pieces = _pieces(execution)

    @property
    def run(self) -> Run:
        """The run so far; whole once the loop has ended."""
        return self._execution.run

    @property
    def text(self) -> str:
        """The text that has come so far."""
        return self.run.text

    def close(self) -> None:
        """Close the connection."""
        self._pieces.close()

    def __next__(self) -> Piece:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ReplyStream of {self.run!r}>"


def _pieces(execution: Execution) -> Generator[Piece]:
    for chunk in execution:
        yield from pieces_of(chunk, execution.run)


def pieces_of(chunk: Any, run: Run) -> Iterator[Piece]:
    """Give the texts of a chunk."""
    for position, part in enumerate(chunk.choices or ()):
        delta = part.delta or part.message
        text = None if delta is None else delta.content or transcript_of(delta.audio)
        if text:
            piece = Piece(text)
            piece.run = run
            piece.choice = position if part.index is None else part.index
            yield piece
