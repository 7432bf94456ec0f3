"""Figures of runs and frames.

Each function takes a run or a frame and `ax=`, and returns the Axes; `heatmap` gives HTML.
matplotlib and pandas are imported by the first call.

- along the text: `surprisal`, `entropy`, `heatmap`; of two replies `comparison`, of several
  `strip`
- at one position: `alternatives`, `temperatures`, `coverage`
- of many positions: `ranks`, `coverage`
- of answers known to be right or wrong: `reliability`, `confusion`, `risk_coverage`
- of branches: `branches`; of what runs used: `usage`

Colours are those of the style in force, light or dark, and never tell anything alone.
"""

from __future__ import annotations

from nbchat.plots.confusions import confusion
from nbchat.plots.consumption import usage
from nbchat.plots.heatmap import heatmap
from nbchat.plots.judgements import reliability, risk_coverage
from nbchat.plots.lists import coverage, ranks
from nbchat.plots.pairs import comparison
from nbchat.plots.position import alternatives, temperatures
from nbchat.plots.sequence import entropy, surprisal
from nbchat.plots.strips import strip
from nbchat.plots.tree import branches

__all__ = [
    "alternatives",
    "branches",
    "comparison",
    "confusion",
    "coverage",
    "entropy",
    "heatmap",
    "ranks",
    "reliability",
    "risk_coverage",
    "strip",
    "surprisal",
    "temperatures",
    "usage",
]


def __dir__() -> list[str]:
    return list(__all__)
