"""Replies that are objects: a type or JSON schema goes out, an object of it comes back.

`nbchat.chat(prompt, response_format=Model)` is the short way; `response_format` here is the
one with a choice of name, description and strictness.
"""

from __future__ import annotations

from nbchat.structured.parse import Parsed
from nbchat.structured.parse import parsed as parsed
from nbchat.structured.strict import strict_schema
from nbchat.structured.structure import Structure, response_format
from nbchat.structured.structure import describes as describes
from nbchat.structured.structure import structure_of as structure_of
from nbchat.structured.tabulate import columns as columns
from nbchat.structured.tabulate import rows as rows

# the others are for the rooms above
__all__ = ["Parsed", "Structure", "response_format", "strict_schema"]


def __dir__() -> list[str]:
    return list(__all__)
