"""A whole answer that was kept by some other program, to a completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbchat.api.deviations import read_chunk
from nbchat.api.response import Completion
from nbchat.client.fold import Fold
from nbchat.errors import UnreadableRunError


def is_answer(value: Any) -> bool:
    """Tell whether a mapping has the shape of a Chat Completions answer."""
    return isinstance(value, Mapping) and isinstance(value.get("choices"), list)


def read_answer(answer: Any) -> Completion:
    """Read an answer: a mapping as a server sends it or `Completion.to_dict` gives it.

    An object that gives such a mapping by ``model_dump()``, as those of the package openai
    do, is taken too, and so is a `Completion`. Raise `UnreadableRunError` for anything else.
    """
    if isinstance(answer, Completion):
        return answer
    mapping = as_mapping(answer)
    if not is_answer(mapping):
        raise UnreadableRunError(
            f"Expected a Chat Completions answer, an object with choices; got {_shown(answer)}."
        )
    if _is_own(mapping):
        return Completion.from_dict(mapping)
    fold = Fold()
    fold.add(read_chunk(mapping))
    return fold.completion()


def as_mapping(value: Any) -> Any:
    """Give what an object of pydantic's kind holds; anything else as it is."""
    dump = getattr(value, "model_dump", None)
    if isinstance(value, (Mapping, type)) or not callable(dump):
        return value
    return dump(mode="json", exclude_unset=True)


def _is_own(answer: Mapping[str, Any]) -> bool:
    """Tell whether this is `Completion.to_dict`'s, which alone writes `extra` on each level."""
    parts = [answer, *answer["choices"]]
    return all(isinstance(p, Mapping) and isinstance(p.get("extra"), dict) for p in parts)


def _shown(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"something of type {type(value).__name__}"
    keys = ", ".join(map(str, list(value)[:8]))
    return f"an object with the keys {keys}" if keys else "an empty object"
