"""Where a reply begins with what the model thinks: ``<think>…</think>``."""

from __future__ import annotations

import re

_OPENINGS = ("<think>", "<thinking>")
_OPENING = re.compile(r"\s*<(think(?:ing)?)>")


def parted(text: str, *, is_growing: bool = False) -> tuple[str, str]:
    """Give what is thought at the beginning of a text, and the rest of it.

    `is_growing`: more may come, so that a beginning like ``<thi`` is not given yet.
    """
    match = _OPENING.match(text)
    if match is None:
        is_undecided = is_growing and any(word.startswith(text.lstrip()) for word in _OPENINGS)
        return "", "" if is_undecided else text
    thought, _, rest = text[match.end() :].partition(f"</{match[1]}>")
    return thought.strip(), rest.lstrip()
