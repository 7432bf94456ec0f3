"""The explorer: a panel in which every parameter of a request can be tried."""

from nbchat.widgets.explorer.opening import explore
from nbchat.widgets.explorer.panel import Explorer

__all__ = ["Explorer", "explore"]
