"""What the flags and the text of a magic ask for, before it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbchat.code.flags import Flags

Fill = Callable[[str], str]


def asked_messages(
    flags: Flags, text: str, variables: Mapping[str, Any], fill: Fill
) -> list[dict[str, Any]]:
    """Give the messages of ``--messages`` and, where there is one, the prompt after them.

    What ``--image`` and the like name goes to the last of them. `text` is what stands below
    the line, or behind its flags; the line end that every cell has is no part of the prompt.
    """
    before = flags.messages(variables, fill)
    prompt = fill(text.removesuffix("\n"))
    asked = [*before, {"role": "user", "content": prompt}] if prompt.strip() else before
    if not any(flags.is_set(name) for name in ("image", "detail", "audio-in", "file")):
        return asked
    from nbchat.code.media_flags import take_media
    from nbchat.media import attach

    # a recording can be the whole question
    whole = attach(asked or "", **take_media(flags, variables, fill))
    return whole if isinstance(whole, list) else [whole]


def asked_fields(
    flags: Flags, variables: Mapping[str, Any], fill: Fill
) -> tuple[dict[str, Any], dict[str, Any], frozenset[str]]:
    """Give the declared fields that are asked for, those of `extra`, and which are values.

    The others are values or texts that `nbchat.api.check.read_text` reads. A flag goes before
    what ``--params`` has of the same name.
    """
    values, more = flags.params(variables, fill)
    texts = flags.fields(variables, fill)
    extra = {**more, **flags.unchecked(fill)}
    return {**values, **texts}, extra, frozenset(values.keys() - texts.keys())
