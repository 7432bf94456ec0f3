"""How a reply is shown while it comes, and when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbchat.display.live import LiveReply
    from nbchat.display.terminal import PlainReply


def watch(*, owns_cell: bool = False) -> LiveReply | PlainReply:
    """Give the watcher that fits where this runs: displays in a notebook, else plain text.

    `owns_cell`: nothing else shows in the running cell, so its output may be cleared.
    """
    from nbchat.display.publisher import notebook_publisher

    publisher = notebook_publisher()
    if publisher is None:
        from nbchat.display.terminal import PlainReply

        return PlainReply()
    from nbchat.display.live import LiveReply

    return LiveReply(publisher, owns_cell=owns_cell)
