"""The sweep inspector: a figure of a sweep, from each cell to its rows, from a row to its run."""

from __future__ import annotations

from nbchat.widgets.sweep_inspector.panel import SweepInspector

__all__ = ["SweepInspector"]
