"""Runs whose reply is given, on llama.cpp's server: the log probability of each of its tokens.

A grammar over token ids forces the reply in one chat request, and the log probabilities that
come are those of the model: the grammar is not in them. A grammar over text would force pieces
that the tokenizer never chooses. llama.cpp fails where a grammar names a part of a character;
there the parts are read out of whole rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING, Any, Self

from nbchat.analysis.prompt_ids import prompt_ids
from nbchat.api.logprobs import VOCABULARY, ChoiceLogprobs, TokenTable
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.client import native
from nbchat.client.native import Token
from nbchat.errors import ApiError
from nbchat.measures.sentinels import is_known
from nbchat.session.in_steps import client_in_steps

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.session.sources import Order


def forced_fields(tokens: Sequence[Token], top: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give fields and extra of a chat request whose reply is these tokens and the end token."""
    return {
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": top,
        "max_tokens": len(tokens) + 1,
        "stream": False,  # a stream of llama.cpp lacks the row of the end token
    }, {"grammar": grammar_of(tokens)}


def is_whole(token: Token) -> bool:
    """Tell whether a token is whole characters."""
    try:
        token.data.decode()
    except UnicodeDecodeError:
        return False
    return True


def grammar_of(tokens: Sequence[Token]) -> str:
    """Give the grammar over token ids that these tokens alone fulfil."""
    return "root ::= " + (" ".join(f"<[{token.id}]>" for token in tokens) or '""')


class FromPieces:
    """Answers with a given reply in which characters are split over tokens.

    Its stretches of whole characters are forced one by one; each part of a character is read
    out of the whole row at its position. All is asked by token ids. `size` is V; `prompt` are
    the ids before the reply, None for those of the chat; `ends`: the reply's end has a row, too.
    """

    needs_server = True

    def __init__(
        self,
        tokens: Sequence[Token],
        size: int,
        prompt: Sequence[int] | None = None,
        *,
        ends: bool = True,
    ):
        self.tokens = tokens
        self.size = size
        self.prompt = prompt
        self.ends = ends

    def open(self, order: Order) -> _PiecedAnswer:
        return _PiecedAnswer(self, order)


class _PiecedAnswer:
    request_id = None

    def __init__(self, reply: FromPieces, order: Order):
        self.completion = Completion()
        self.tries = 0
        self.ttft_s: float | None = None
        self.elapsed_s: float | None = None
        self._reply = reply
        self._order = order
        self._is_cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def cancel(self) -> None:
        self._is_cancelled = True

    def __iter__(self) -> Iterator[Any]:
        order, client, reply = self._order, client_in_steps(self._order.profile), self._reply
        fields = order.fields
        model = fields.get("model") or order.profile.model
        asking = _Pieces(client, model, fields["top_logprobs"], reply.size)
        fields.pop("grammar", None)
        started = time.perf_counter()
        ids = (
            prompt_ids(client, order.messages, fields, None)
            if reply.prompt is None
            else list(reply.prompt)
        )
        table, done = TokenTable(), 0
        for are_whole, group in groupby(reply.tokens, is_whole):
            piece = list(group)
            done += len(piece)
            goes_on = done < len(reply.tokens)
            rows = asking.stretch(ids, piece, looks_ahead=goes_on) if are_whole else None
            table = table.followed_by(rows or asking.parts(ids, piece))
            ids = [*ids, *(token.id for token in piece)]
            self.completion = _completion(reply.tokens[:done], table, None)
            self.tries = asking.n_requests
            yield None
            if self._is_cancelled:
                return
        if reply.ends:
            table = table.followed_by(asking.end(ids))
        self.completion = _completion(reply.tokens, table, "stop")
        self.completion.model = asking.answered_by or model
        self.tries = asking.n_requests
        self.ttft_s = self.elapsed_s = time.perf_counter() - started


class _Pieces:
    """Asks for the rows of pieces of a reply."""

    def __init__(self, client: Client, model: str | None, top: int, size: int):
        self._client, self._model, self._top, self._size = client, model, top, size
        self.n_requests = 0
        self.answered_by: str | None = None
        self._whole: Token | None = None
        self._ahead: tuple[int, TokenTable] = (-1, TokenTable())

    def stretch(
        self, ids: Sequence[int], piece: Sequence[Token], *, looks_ahead: bool
    ) -> TokenTable:
        """Have a stretch written; where it `looks_ahead`, with the row behind it, for `parts`."""
        forced = [*piece, self.whole] if looks_ahead else piece
        table = self._written(ids, forced, n_tokens=len(forced))
        if len(table) > len(piece):
            self._ahead = len(ids) + len(piece), table.part(len(piece), len(table))
            table = table.part(0, len(piece))
        if [VOCABULARY.ids[code] for code in table.codes] != [token.id for token in piece]:
            raise ApiError("The server did not hold to the grammar over token ids.")
        return table

    def end(self, ids: Sequence[int]) -> TokenTable:
        return self._written(ids, [], n_tokens=1)

    def parts(self, ids: Sequence[int], piece: Sequence[Token]) -> TokenTable:
        table = TokenTable()
        for number, token in enumerate(piece):
            before = [*ids, *(known.id for known in piece[:number])]
            table = table.followed_by(self._own_row(before, token) or self._in_row(before, token))
        return table

    def _own_row(self, before: Sequence[int], token: Token) -> TokenTable | None:
        """Have a part that ends a character written; None for one that begins another."""
        if not 0x80 <= token.data[0] < 0xC0:
            return None  # a beginning is held back with its row until the character is whole
        self.n_requests += 1
        row = native.step(
            self._client, before, forced=token.id, top=self._top, model=self._model
        ).table
        return row if len(row) == 1 and VOCABULARY.ids[row.codes[0]] == token.id else None

    def _in_row(self, before: Sequence[int], token: Token) -> TokenTable:
        """Read a part out of the row, which any whole token brings.

        Of one that the row does not list the odds to the whole token are asked for, else all of
        the row.
        """
        n_before, row = self._ahead
        if n_before != len(before):
            row = self._row(before, self._top)
        if token.id in (VOCABULARY.ids[code] for code in row.alternative_codes):
            return self._picked(row, token)
        self.n_requests += 1
        odds = native.odds(self._client, before, token.id, self.whole.id, self._model)
        if odds is not None and is_known(row.logprobs[0]):
            return self._picked(row, token, row.logprobs[0] + odds)
        return self._picked(self._row(before, self._size), token)

    @property
    def whole(self) -> Token:
        """A token that is a whole character: its row comes at once."""
        if self._whole is None:
            self._whole = native.tokenized(self._client, "a")[0]
        return self._whole

    def _row(self, before: Sequence[int], top: int) -> TokenTable:
        self.n_requests += 1
        return native.step(
            self._client, before, forced=self.whole.id, top=top, model=self._model
        ).table

    def _written(self, ids: Sequence[int], piece: Sequence[Token], n_tokens: int) -> TokenTable:
        self.n_requests += 1
        written = native.written(
            self._client,
            ids,
            n_tokens=n_tokens,
            top=self._top,
            model=self._model,
            grammar=grammar_of(piece),
        )
        self.answered_by = written.model
        return written.table

    def _picked(self, row: TokenTable, token: Token, logprob: float = nan) -> TokenTable:
        """Give a row with this token at its place, and of the alternatives the first ones.

        `logprob` is its own where the row does not list it.
        """
        number = token.id
        code = next((c for c in row.alternative_codes if VOCABULARY.ids[c] == number), None)
        table = row.part(0, len(row))
        if code is None:
            table.codes[0] = VOCABULARY.code("\ufffd", list(token.data), token.id)
            table.logprobs[0] = logprob
        else:
            table.codes[0] = code
            table.logprobs[0] = row.alternative_logprobs[row.alternative_codes.index(code)]
        del table.alternative_codes[self._top :], table.alternative_logprobs[self._top :]
        table.offsets[1] = len(table.alternative_codes)
        return table


def _completion(tokens: Sequence[Token], table: TokenTable, reason: str | None) -> Completion:
    text = b"".join(token.data for token in tokens).decode("utf-8", "replace")
    message = ResponseMessage(content=text)
    choice = Choice(0, message, finish_reason=reason, logprobs=ChoiceLogprobs(table))
    return Completion(choices=[choice])
