"""The token inspector: look at each token of a reply, and at what else could have stood there."""

from __future__ import annotations

from nbchat.widgets.inspector.panel import Inspector, inspect

__all__ = ["Inspector", "inspect"]
