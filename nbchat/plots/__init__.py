"""Figures of runs and frames.

Each function takes a run or a frame and `ax=`, and returns the Axes; `heatmap` gives HTML.
matplotlib and pandas are imported by the first call.

- along the text: `surprisal`, `entropy`, `heatmap`; of two replies `comparison`, of several
  `strip`
- at one position: `alternatives`, `temperatures`, `coverage`
- of many positions: `ranks`, `coverage`
- of answers known to be right or wrong: `reliability`, `confusion`, `risk_coverage`,
  `minimal_pairs`
- of sweeps: `sweep`, `grid`, `agreement`, `differences`
- of branches: `branches`; of what runs used: `usage`, `cost`, `latency`

Colours are those of the style in force, light or dark, and never tell anything alone.
"""

from __future__ import annotations

from nbchat.plots.agreement import agreement
from nbchat.plots.branches import branches
from nbchat.plots.calibration import reliability, risk_coverage
from nbchat.plots.comparison import comparison
from nbchat.plots.confusion import confusion
from nbchat.plots.cost import cost
from nbchat.plots.differences import differences
from nbchat.plots.grid import grid
from nbchat.plots.heatmap import heatmap
from nbchat.plots.latency import latency
from nbchat.plots.minimal_pairs import minimal_pairs
from nbchat.plots.position import alternatives, temperatures
from nbchat.plots.ranks_and_coverage import coverage, ranks
from nbchat.plots.strip import strip
from nbchat.plots.surprisal_and_entropy import entropy, surprisal
from nbchat.plots.sweep import sweep
from nbchat.plots.usage import usage

__all__ = [
    "agreement",
    "alternatives",
    "branches",
    "comparison",
    "confusion",
    "cost",
    "coverage",
    "differences",
    "entropy",
    "grid",
    "heatmap",
    "latency",
    "minimal_pairs",
    "ranks",
    "reliability",
    "risk_coverage",
    "strip",
    "surprisal",
    "sweep",
    "temperatures",
    "usage",
]


def __dir__() -> list[str]:
    return list(__all__)
