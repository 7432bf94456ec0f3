"""Runs as DataFrames, one function for each frame.

Each takes a run, an iterable of runs, or anything with `.runs`. `nbchat.frames.columns`
declares what the columns are.
"""

from __future__ import annotations

from nbchat.frames.json_fields import fields
from nbchat.frames.minimal_pairs import minimal_pair_accuracy
from nbchat.frames.per_alternative import alternatives
from nbchat.frames.per_choice import choices
from nbchat.frames.per_citation import citations
from nbchat.frames.per_run import runs, usage
from nbchat.frames.per_token import tokens
from nbchat.frames.per_word import words
from nbchat.frames.read_files import read_csv, read_parquet
from nbchat.frames.scorers import scorers
from nbchat.frames.source import MissingLogprobsWarning

__all__ = [
    "MissingLogprobsWarning",
    "alternatives",
    "choices",
    "citations",
    "fields",
    "minimal_pair_accuracy",
    "read_csv",
    "read_parquet",
    "runs",
    "scorers",
    "tokens",
    "usage",
    "words",
]


def __dir__() -> list[str]:
    return list(__all__)
