"""What a model would have said: branching, scoring, classifying.

These ask a server more than a question, each in the way that it can answer exactly, and say
so where it cannot. They stand on the session, so that what they send are runs.
"""

from nbchat.analysis.branch import Branch, branch
from nbchat.analysis.classify import classify
from nbchat.analysis.score import Scores, score

__all__ = ["Branch", "Scores", "branch", "classify", "score"]
