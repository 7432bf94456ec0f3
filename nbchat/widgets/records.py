"""What a message between a panel's page and the kernel is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a message, or a message: these fields, of these types, and no others."""


class Protocol(NamedTuple):
    """The messages of a panel: what its page sends, what the kernel sends, what both share."""

    page: tuple[type[Question], ...]
    kernel: tuple[type[Record], ...]
    #: the synchronised traits of the widget: name -> the types that it can have
    shared: Mapping[str, tuple[Any, ...]]


class Question(Record):
    """What a page sends. `answers`: what the kernel sends where all is well, the first always."""

    answers: ClassVar[tuple[type[Record], ...]] = ()
