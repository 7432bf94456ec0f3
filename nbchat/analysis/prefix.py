"""What a branch begins with, and the whole reply that it becomes."""

from __future__ import annotations

import msgspec

from nbchat.analysis.position import Option, Position, data_of
from nbchat.api.logprobs import VOCABULARY, ChoiceLogprobs, TokenTable
from nbchat.api.response import Choice, Completion, ResponseMessage


class Beginning(msgspec.Struct):
    """The part of a reply that is given: its bytes and its tokens' log probabilities.

    - `data`: the bytes, which may end inside a character
    - `table`: the parent's positions before the branch, and the alternative's
    - `repeats`: whether the server's reply repeats it before it goes on
    """

    data: bytes
    table: TokenTable
    repeats: bool = False

    @property
    def text(self) -> str:
        """The text; U+FFFD where the bytes are not whole characters."""
        return self.data.decode("utf-8", "replace")

    def completion(self, came: Completion) -> Completion:
        """Give the whole reply: this beginning, and what has come of the rest."""
        choice = came.choices[0] if came.choices else Choice(0, ResponseMessage())
        new = (choice.logprobs and choice.logprobs.content) or TokenTable()
        content = choice.message.content or ""
        if self.repeats:
            content, new = self._without_repeat(content, new)
        message = msgspec.structs.replace(choice.message, content=self._text(content, new))
        whole = msgspec.structs.replace(
            choice,
            message=message,
            logprobs=ChoiceLogprobs(self.table.followed_by(new)),
        )
        return msgspec.structs.replace(came, choices=[whole])

    def ended(self, reason: str) -> Completion:
        """Give the reply that ends here."""
        empty = Choice(0, ResponseMessage(content=""), finish_reason=reason)
        return self.completion(Completion(choices=[empty]))

    def _text(self, content: str, new: TokenTable) -> str:
        written = b"".join(map(data_of, new.codes))
        joined = (self.data + written).decode("utf-8", "replace")
        # the server decodes what it wrote alone: at the border, and for an unfinished character
        # at the end, the bytes know more; at a stop string the text does
        if content.rstrip("\ufffd") == written.decode("utf-8", "replace").rstrip("\ufffd"):
            return joined
        return self.text + content

    def _without_repeat(self, content: str, new: TokenTable) -> tuple[str, TokenTable]:
        if not content.startswith(self.text):
            return ("" if self.text.startswith(content) else content), new
        rest = content[len(self.text) :]
        # some servers repeat the tokens too
        sizes = [len(data_of(code)) for code in new.codes]
        if sum(sizes) != len(content.encode()):
            return rest, new
        first, n_bytes = 0, 0
        while n_bytes < len(self.data):
            n_bytes += sizes[first]
            first += 1
        return rest, new.part(first, len(new))


def beginning_of(place: Position, option: Option, lead: bytes = b"") -> Beginning:
    """Give what a branch begins with that takes this option at this place.

    `lead` are the bytes of tokens that stand between the position before and the option:
    where a character is split over tokens, only its last token has a position.
    """
    data = lead + option.data
    row = place.row
    token = option.token if not lead else data.decode("utf-8", "replace")
    row.codes[0] = VOCABULARY.code(token, list(data), option.id)
    row.logprobs[0] = option.logprob
    before = place.table.part(0, place.position)
    return Beginning(place.data + data, before.followed_by(row))
