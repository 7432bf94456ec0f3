"""A position of a reply: what stands before it, and what could have stood there."""

from __future__ import annotations

from math import nan

import msgspec

from nbchat.api.json_values import is_whole_number, shown
from nbchat.api.logprobs import VOCABULARY, ChoiceLogprobs, TokenTable
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.errors import CheckError
from nbchat.run import Run


class Option(msgspec.Struct, frozen=True):
    """A token that could stand at a position.

    `logprob` is in nats, NaN where it is not known; `id` None where the server sent none.
    """

    token: str
    data: bytes
    id: int | None = None
    logprob: float = nan
    is_sampled: bool = False
    is_listed: bool = True


class Position(msgspec.Struct):
    """A position of a choice. `options` are in the order of the alternatives frame."""

    table: TokenTable
    position: int
    options: list[Option]

    @property
    def row(self) -> TokenTable:
        """The position alone, as a table."""
        return self.table.part(self.position, self.position + 1)

    @property
    def data(self) -> bytes:
        """The bytes of all tokens before the position."""
        return b"".join(map(data_of, self.table.codes[: self.position]))

    def option(self, wanted: str | int | None) -> Option:
        """Give the option that is meant: by its text, its index or, beyond those, its id.

        None is the most likely one that was not sampled. What the list lacks is given with
        `is_listed` False. Raise CheckError where a text means several, or nothing is meant.
        """
        if wanted is None:
            likeliest = next((option for option in self.options if not option.is_sampled), None)
            if likeliest is None:
                rule = "has no other token listed: name one, or ask with top_logprobs"
                raise CheckError(
                    f"Position {self.position} {rule}.", field="alternative", rule=rule
                )
            return likeliest
        if isinstance(wanted, str):
            return self._by_text(wanted)
        if not is_whole_number(wanted) or wanted < 0:
            rule = "a token as text, an index into the alternatives from 0, or a token id"
            raise _refused(wanted, rule)
        wanted = int(wanted)
        if wanted < len(self.options):
            return self.options[wanted]
        by_id = next((option for option in self.options if option.id == wanted), None)
        return by_id or Option("", b"", wanted, is_listed=False)

    def _by_text(self, text: str) -> Option:
        if text == VOCABULARY.tokens[self.table.codes[self.position]]:
            # as the tokens frame has it: a row of a whole character lists its last part alone
            return next(option for option in self.options if option.is_sampled)
        matches = [option for option in self.options if option.token == text]
        if len(matches) > 1:
            places = ", ".join(str(self.options.index(option)) for option in matches)
            raise _refused(text, f"one token, and this is several: give an index ({places})")
        return matches[0] if matches else Option(text, text.encode(), is_listed=False)


def position_of(run: Run, position: int, choice: int) -> Position:
    """Give a position of a run's choice; a negative one counts from the end.

    Raise CheckError where the run has no log probabilities, no such choice or no such position.
    """
    completion = run.completion
    choices = completion.choices if completion is not None else []
    reply = next((c for c in choices if c.index == choice), None)
    if reply is None:
        rule = f"a choice of the run, which has {len(choices)}"
        raise CheckError(
            f"choice is {choice!r}, but must be {rule}.", field="choice", value=choice, rule=rule
        )
    table = reply.logprobs.content if reply.logprobs is not None else None
    if not table:
        rule = "needs log probabilities: ask with logprobs=True and top_logprobs=5"
        raise CheckError(f"A position of a reply {rule}.", field="position", rule=rule)
    if not is_whole_number(position):
        raise _out_of(position, len(table))
    position = int(position)
    place = position + len(table) if position < 0 else position
    if not 0 <= place < len(table):
        raise _out_of(position, len(table))
    return Position(table, place, _options(table, place))


def _options(table: TokenTable, position: int) -> list[Option]:
    # the frame decides what is a double and which comes first: a run of this position alone
    from nbchat.frames import alternatives

    logprobs = ChoiceLogprobs(table.part(position, position + 1))
    alone = Choice(index=0, message=ResponseMessage(), logprobs=logprobs)
    frame = alternatives(Run.from_completion(Completion(choices=[alone])))
    names = ["token", "bytes", "token_id", "logprob", "is_sampled", "is_listed"]
    rows = zip(*(frame[name].astype(object) for name in names), strict=True)
    return [
        Option(
            str(token),
            data if isinstance(data, bytes) else str(token).encode(),
            number if isinstance(number, int) else None,
            float(logprob),
            bool(is_sampled),
            bool(is_listed),
        )
        for token, data, number, logprob, is_sampled, is_listed in rows
    ]


def data_of(code: int) -> bytes:
    """Give the bytes of a token by its code: those sent, else those of its text."""
    sent = VOCABULARY.bytes[code]
    return VOCABULARY.tokens[code].encode("utf-8", "replace") if sent is None else sent


def _refused(value: object, rule: str) -> CheckError:
    what = shown(value)
    return CheckError(
        f"alternative is {what}, but must be {rule}.", field="alternative", value=value, rule=rule
    )


def _out_of(position: object, n: int) -> CheckError:
    rule = f"a whole number from {-n} to {n - 1}, a position of the reply"
    return CheckError(
        f"position is {position!r}, but must be {rule}.",
        field="position",
        value=position,
        rule=rule,
    )
