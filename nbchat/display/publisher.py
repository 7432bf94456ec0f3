"""Display messages of the cell that was running when the publisher was made."""

from __future__ import annotations

import contextvars
import sys
from typing import TYPE_CHECKING, Any

from nbchat.display.characters import encodable
from nbchat.display.surroundings import takes_updates

if TYPE_CHECKING:
    from collections.abc import Mapping

# header, parent header and the like of one message, in bytes; measured on ipykernel 7
ENVELOPE_BYTES = 650


class Publisher:
    """Sends display messages, from whatever thread, to the cell that it was made in.

    What the cell's output goes through at that time holds for good: ``%%capture`` too.
    `takes_updates`: whether the front end shows the updates of a display there.
    """

    def __init__(self, display_pub: Any, *, takes_updates: bool = True):
        self._display_pub = display_pub
        self.takes_updates = takes_updates
        # ipykernel finds the cell of a message in the context, which other threads do not have
        self._context = contextvars.copy_context()

    def show(
        self, data: Mapping[str, Any], display_id: str = "", *, is_update: bool = False
    ) -> int:
        """Show data (MIME type to text, or to JSON), or update the display of that id.

        Give the bytes sent, envelope included; what is JSON is small and not counted.
        """
        data = {k: encodable(v) if isinstance(v, str) else v for k, v in data.items()}
        # a copy for each message: two threads may not be in one context at a time
        self._context.copy().run(
            self._display_pub.publish,
            data=data,
            metadata={},
            transient={"display_id": display_id} if display_id else {},
            update=is_update,
        )
        texts = (text for text in data.values() if isinstance(text, str))
        return ENVELOPE_BYTES + sum(len(text.encode()) for text in texts)

    def clear(self) -> None:
        """Take away all that the cell shows, as soon as something else is shown in it."""
        self._context.copy().run(self._display_pub.clear_output, wait=True)


def notebook_publisher() -> Publisher | None:
    """Give the publisher of the notebook's cell; None where nothing but text can be shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return None
    from IPython.core.displaypub import DisplayPublisher

    # the plain one, of a terminal, prints text/plain and knows no updates
    is_plain = type(shell.display_pub) is DisplayPublisher
    if is_plain:
        return None
    return Publisher(shell.display_pub, takes_updates=takes_updates(shell))
