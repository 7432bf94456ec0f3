"""Who counts the tokens of a text for a model, without asking a server."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from nbchat.api.support import encoding


def token_counter(model: str) -> Callable[[str], int] | None:
    """Give what counts the tokens of a text; None where the model's tokenizer is not here."""
    name = encoding(model)
    if name is None or importlib.util.find_spec("tiktoken") is None:
        return None
    try:
        codec = importlib.import_module("tiktoken").get_encoding(name)
    except Exception:  # noqa: BLE001 - it fetches its tables, and there may be no network
        return None
    return lambda text: len(codec.encode_ordinary(text))
