"""What a model would have said: branching, scoring, classifying.

These ask a server more than a question, each in the way that it can answer exactly, and say
so where it cannot. They stand on the session, so that what they send are runs.
"""

from nbchat.analysis.branching import Branch, branch
from nbchat.analysis.classifying import classify
from nbchat.analysis.scoring import Scores, score

__all__ = ["Branch", "Scores", "branch", "classify", "score"]
