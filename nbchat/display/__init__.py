"""How a reply is shown while it comes, and when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchat.display.live import LiveReply
    from nbchat.display.terminal import PlainReply


def watch(*, owns_cell: bool = False, sent: Any = None) -> LiveReply | PlainReply:
    """Give the watcher that fits where this runs: displays in a notebook, else plain text.

    Where displays cannot be updated, as in an `ipywidgets.Output`, the reply is shown at its end.

    `owns_cell`: nothing else shows in the running cell, so its output may be cleared. `sent`:
    what is asked; pictures, recordings and files in it are shown small above the reply.
    """
    from nbchat.display.publisher import notebook_publisher

    above = None
    messages = [sent] if isinstance(sent, dict) else sent if isinstance(sent, (list, tuple)) else ()
    if any(isinstance(m, dict) and isinstance(m.get("content"), list) for m in messages):
        from nbchat.display.attachments import attached_bundle

        above = attached_bundle(messages)
    publisher = notebook_publisher()
    if publisher is None:
        from nbchat.display.terminal import PlainReply

        return PlainReply(above=above)
    if not publisher.takes_updates:
        from nbchat.display.at_end import ReplyAtEnd

        return ReplyAtEnd(publisher, owns_cell=owns_cell, above=above)
    from nbchat.display.live import LiveReply

    return LiveReply(publisher, owns_cell=owns_cell, above=above)
