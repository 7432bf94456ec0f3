"""The token ids of a chat prompt, on llama.cpp's server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbchat.client import native

if TYPE_CHECKING:
    from nbchat.client.client import Client


def prompt_ids(
    client: Client, messages: Sequence[Any], fields: Mapping[str, Any], n_tokens: int | None
) -> list[int]:
    """Give the ids of a chat prompt; `n_tokens` is how many the server counted, if it is known.

    Templates differ in whether they write the token that begins a text themselves.
    """
    text = native.templated(client, messages, fields)
    plain = [token.id for token in native.tokenized(client, text, parses_special=True)]
    if len(plain) == n_tokens:
        return plain
    tokens = native.tokenized(client, text, parses_special=True, adds_special=True)
    special = [token.id for token in tokens]
    return plain if n_tokens is not None and len(special) != n_tokens else special
