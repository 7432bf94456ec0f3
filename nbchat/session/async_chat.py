"""`achat` and `astream`: `chat` and `stream` for code that awaits, over the same threads."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

from nbchat.request.arguments import draft_of_arguments, with_fields
from nbchat.session.background import Background
from nbchat.session.execution import Execution
from nbchat.session.reply_stream import Piece, pieces_of
from nbchat.session.servers import prepare
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from nbchat.run import Run


async def achat(prompt: Any = None, *, messages: Any = None, **fields: Any) -> Run:
    """Ask a model as `nbchat.chat` does, and await the run.

    Several at once: ``await asyncio.gather(*(nbchat.achat(p) for p in prompts))``. Cancelling the
    task closes the connection, and the run counts as interrupted. Takes what `nbchat.chat` takes,
    and raises what it raises. Of nbchat's own:

    {options}
    - `extra`: mapping of fields that only this server knows
    """
    return await Background(_execution(prompt, messages, fields, by="achat")).begin()


def astream(prompt: Any = None, *, messages: Any = None, **fields: Any) -> AsyncReplyStream:
    """Ask a model as `nbchat.stream` does: ``async for piece in nbchat.astream(…)``.

    Leaving ``async with nbchat.astream(…) as reply:``, or cancelling the task, closes the
    connection. Nothing is sent before the first piece is asked for. Of nbchat's own:

    {options}
    - `extra`: mapping of fields that only this server knows
    """
    return AsyncReplyStream(_execution(prompt, messages, fields, by="astream"))


class AsyncReplyStream:
    """The pieces of a reply, to be awaited; `run` is the run so far, `text` its text."""

    def __init__(self, execution: Execution):
        self._execution = execution
        self._background: Background | None = None
        self._came: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._is_over = False

    @property
    def run(self) -> Run:
        """The run so far; whole once the loop has ended."""
        return self._execution.run

    @property
    def text(self) -> str:
        """The text that has come so far."""
        return self.run.text

    async def aclose(self) -> None:
        """Close the connection."""
        self._is_over = True
        if self._background is not None:
            self._background.cancel()
            # how it ended is the run's to say: whoever closes it has heard enough
            with contextlib.suppress(Exception):
                await self.run

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        if self._is_over:
            raise StopAsyncIteration
        if self._background is None:
            self._background = self._begun(asyncio.get_running_loop())
        try:
            piece = await self._came.get()
        except asyncio.CancelledError:
            self._background.cancel()
            raise
        if piece is not None:
            return piece
        self._is_over = True
        await self.run
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        background = getattr(self, "_background", None)
        if background is not None and not self._is_over:
            background.cancel()

    def __repr__(self) -> str:
        return f"<AsyncReplyStream of {self.run!r}>"

    def _begun(self, loop: asyncio.AbstractEventLoop) -> Background:
        came, run = self._came, self.run  # not self: a stream that nobody keeps is to end

        def put(piece: Piece | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
                loop.call_soon_threadsafe(came.put_nowait, piece)

        def take(chunk: Any) -> None:
            for piece in pieces_of(chunk, run):
                put(piece)

        background = Background(self._execution, on_chunk=take)
        background.begin()
        background.tell_at_end(lambda: put(None))
        return background


def _execution(prompt: Any, messages: Any, fields: dict[str, Any], *, by: str) -> Execution:
    draft = draft_of_arguments(prompt, messages, fields, by=by)
    return Execution(prepare(draft, say=PrintingWatcher().status))


with_fields(achat)
with_fields(astream)
