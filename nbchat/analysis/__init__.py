"""What takes more requests than one: probing, repeating, branching, scoring, classifying.

These ask a server more than a question, each in the way that it can answer exactly, and say
so where it cannot. They stand on the session, so that what they send are runs.
"""

from nbchat.analysis.branch import Branch, branch
from nbchat.analysis.classify import classify
from nbchat.analysis.compare import Comparison, compare
from nbchat.analysis.minimal_pairs import MinimalPairs, minimal_pairs
from nbchat.analysis.probe import Probe, probe
from nbchat.analysis.repeat import repeat
from nbchat.analysis.rescore import rescore
from nbchat.analysis.rescored import Rescored
from nbchat.analysis.score import Scores, score
from nbchat.analysis.tree import Tree, tree
from nbchat.analysis.uncertainty import Uncertainty, uncertainty

__all__ = [
    "Branch",
    "Comparison",
    "MinimalPairs",
    "Probe",
    "Rescored",
    "Scores",
    "Tree",
    "Uncertainty",
    "branch",
    "classify",
    "compare",
    "minimal_pairs",
    "probe",
    "repeat",
    "rescore",
    "score",
    "tree",
    "uncertainty",
]
