"""Whole rows of the embedded model behind a reply's tokens, by another way than the product's."""

from __future__ import annotations

from math import exp, log
from typing import Any

from nbchat import local
from nbchat.api.logprobs import VOCABULARY
from nbchat.client import Client, Profile, Secret, native

BEGINNING = 1  # <|im_start|>, what the file names as the token that begins a text
ENDS = (0, 2, 4)  # <|endoftext|>, <|im_end|>, <repo_name>: all that end a generation here


class Rows:
    """The log probability of every token behind a chat prompt and the ids of a reply."""

    def __init__(self) -> None:
        server = local.ensure()
        self.size = server.vocab_size
        self.client = Client(
            Profile(name="local", base_url=server.base_url, key=Secret(server.key))
        )
        self._whole = native.tokenized(self.client, "a")[0].id
        self._known: dict[tuple[int, ...], dict[int, float]] = {}

    def ids(self, text: str) -> list[int]:
        return [token.id for token in native.tokenized(self.client, text)]

    def prompt(self, prompt: str) -> list[int]:
        text = native.templated(self.client, [{"role": "user", "content": prompt}], {})
        found = native.tokenized(self.client, text, parses_special=True)
        return [token.id for token in found]

    def alone(self, text: str) -> list[float]:
        """One for each token of a text without a template, behind <|im_start|>."""
        ids = self.ids(text)
        return [self.row([BEGINNING, *ids[:i]])[number] for i, number in enumerate(ids)]

    def row(self, ids: list[int]) -> dict[int, float]:
        key = tuple(ids)
        if key not in self._known:
            table = native.step(self.client, ids, forced=self._whole, top=self.size).table
            codes = table.alternative_codes
            numbers: Any = [VOCABULARY.ids[code] for code in codes]
            self._known[key] = dict(zip(numbers, table.alternative_logprobs, strict=True))
            assert len(self._known[key]) == self.size
        return self._known[key]

    def logprobs(self, prompt: str, text: str) -> list[float]:
        """One for each token of the text, and that of its end: the sum over the end tokens."""
        before, ids = self.prompt(prompt), self.ids(text)
        found = [self.row(before + ids[:i])[number] for i, number in enumerate(ids)]
        ends = self.row(before + ids)
        return [*found, log(sum(exp(ends[end]) for end in ENDS))]
