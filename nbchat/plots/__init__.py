"""Figures of runs and frames.

Each function takes a run or a frame and `ax=`, and returns the Axes; `heatmap` gives HTML.
matplotlib and pandas are imported by the first call.
"""

from __future__ import annotations

from nbchat.plots.bars import alternatives, surprisal, usage
from nbchat.plots.heatmap import heatmap

__all__ = ["alternatives", "heatmap", "surprisal", "usage"]


def __dir__() -> list[str]:
    return list(__all__)
