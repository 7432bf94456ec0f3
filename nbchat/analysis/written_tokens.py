"""The tokens that a reply was written in, by id, on llama.cpp's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.analysis.position_tokens import NotExact, tokens_at
from nbchat.frames.token_texts import is_control

if TYPE_CHECKING:
    from nbchat.api.logprobs import TokenTable
    from nbchat.api.response import Choice
    from nbchat.client.client import Client
    from nbchat.client.native import Token
    from nbchat.run import Run


def rows_of(run: Run, choice: int) -> TokenTable | None:
    """Give the rows of a choice's content; None where there are none."""
    choices = run.completion.choices if run.completion is not None else []
    reply = next((one for one in choices if one.index == choice), None)
    return reply.logprobs.content if reply is not None and reply.logprobs is not None else None


def written_tokens(client: Client, reply: Choice) -> list[list[Token]] | None:
    """Give the tokens of each row, that of the end aside; None where not all are known."""
    table = reply.logprobs.content if reply.logprobs is not None else None
    if not table:
        return None
    try:
        each = [tokens_at(client, table, position) for position in range(len(table))]
    except NotExact:
        return None
    last = each[-1][-1].data
    if not last or is_control(last.decode("utf-8", "replace")):
        each.pop()
    written = b"".join(token.data for tokens in each for token in tokens)
    return each if (reply.message.content or "").encode("utf-8", "replace") in written else None
