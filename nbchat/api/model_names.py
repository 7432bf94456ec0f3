"""Whether the model that answered is the one that was asked for, by their names."""

from __future__ import annotations

import re

# gpt-4o-2024-08-06, gpt-4-0613, claude-3-5-sonnet@20240620, mistral-large-2411, name:latest
_VERSION = re.compile(
    r"[-@:](?:\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{4}|\d{6}|\d{8}|latest)"
)


def is_requested_model(requested: str, answered: str) -> bool:
    """Tell whether an answer's model is the one asked for, or a dated version of it.

    A publisher before the name (``openai/gpt-4o``) may be left out by whoever answers. Any other
    difference is another model: ``gpt-4o-mini`` is no version of ``gpt-4o``.
    """
    return any(_is_version(each, answered) for each in (requested, requested.rpartition("/")[2]))


def _is_version(requested: str, answered: str) -> bool:
    requested, answered = requested.casefold(), answered.casefold()
    if requested == answered:
        return True
    alias = re.sub(r"[-:]latest$", "", requested)
    return answered.startswith(alias) and bool(_VERSION.fullmatch(answered[len(alias) :]))
