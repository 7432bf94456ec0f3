"""Reasoning that a model writes into its reply: ``<think>…</think>`` at the beginning.

Servers that know a model's format take it out; where none does, it is folded here as reasoning
is. What came stays as it came in the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nbchat.api.inline_reasoning import parted

if TYPE_CHECKING:
    from nbchat.api.response import Choice, ResponseMessage


def without_inline_reasoning(
    choices: Iterable[Choice], *, is_growing: bool = False
) -> list[Choice]:
    """Give choices in order, with what they think at the beginning as their reasoning.

    `is_growing`: more may come, so that a beginning like ``<thi`` is not shown yet.
    """
    ordered = sorted(choices, key=lambda choice: choice.index)
    return [replace(c, message=_parted(c.message, is_growing=is_growing)) for c in ordered]


def _parted(message: ResponseMessage, *, is_growing: bool) -> ResponseMessage:
    text = message.content or ""
    thought, rest = parted(text, is_growing=is_growing)
    if rest == text:
        return message
    reasoning = "\n\n".join(part for part in (message.reasoning, thought) if part)
    return replace(message, content=rest, reasoning=reasoning or None)
