"""The explorer: a panel in which every parameter of a request can be tried."""

from nbchat.widgets.explorer.panel import Explorer, explore

__all__ = ["Explorer", "explore"]
