"""What the benchmarks read: made by code, the same on every machine and every time."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.wire import chunk, completion, event, logprob_entry, split_tokens, usage_of

SYLLABLES = ["ka", "lo", "mi", "ren", "tas", "vu", "sel", "dor", "pi", "ne", "quo", "zan", "é", "ü"]
VOCABULARY_SIZE = 20_000
# p(rank) ~ 1 / (rank + FLATTEST)²: of the 20 most likely tokens at 1,700 positions of the embedded
# model's own replies the 200 most frequent make up 46 %, the 2,000 most frequent 90 %; here 47, 92
FLATTEST = 230


class Words:
    """Tokens drawn as a model lists them: some very often, most of them seldom."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        makes = random.Random(1)
        words = {
            ("" if makes.random() < 0.3 else " ") + "".join(makes.choices(SYLLABLES, k=length))
            for length in (1, 2, 3, 4)
            for _ in range(VOCABULARY_SIZE)
        }
        self._words = sorted(words)[:VOCABULARY_SIZE]
        makes.shuffle(self._words)

    def draw(self) -> str:
        ends = 1 / FLATTEST, 1 / (len(self._words) + FLATTEST)
        rank = 1 / (ends[0] - self._random.random() * (ends[0] - ends[1])) - FLATTEST
        return self._words[min(int(rank), len(self._words) - 1)]

    def entry(self, alternatives: int) -> dict[str, Any]:
        token, logprob = self.draw(), -3 * self._random.random()
        top = {token: logprob}  # no word twice
        while len(top) < alternatives:
            logprob -= self._random.random()
            top.setdefault(self.draw(), logprob)
        return logprob_entry(token, top[token], list(top.items())[:alternatives])


def stream_pieces(chunks: int, alternatives: int) -> list[bytes]:
    """A stream of so many content chunks, one piece of bytes for each, as a network brings them.

    Each chunk has all the keys that OpenAI sends today, the padding of varying length included.
    """
    words = Words()
    padding = random.Random(2)

    def piece(content: str | None = None, **more: Any) -> bytes:
        said = chunk(content, **more) | {"service_tier": "default"}
        said |= {"system_fingerprint": "fp_44709d6fcb", "usage": more.get("usage")}
        return event(said | {"obfuscation": "x7Kq9" * padding.randint(1, 3)})

    pieces = [piece("", role="assistant", delta={"refusal": None})]
    for _ in range(chunks):
        if alternatives:
            entry = words.entry(alternatives)
            pieces.append(piece(entry["token"], logprobs=[entry]))
        else:
            pieces.append(piece(words.draw()))
    pieces += [piece(finish_reason="stop"), piece(usage=usage_of()), event("[DONE]")]
    return pieces


def whole_body(tokens: int, alternatives: int, seed: int) -> bytes:
    """A whole completion, as JSON, with so many tokens in its logprobs."""
    words = Words(seed)
    entries = [words.entry(alternatives) for _ in range(tokens)]
    text = "".join(entry["token"] for entry in entries)
    return json.dumps(completion(text, logprobs=entries)).encode()


def markdown_reply(tokens: int) -> str:
    """A Markdown text of exactly so many tokens: headings, paragraphs, lists, tables, code."""
    words = Words()

    def sentence(length: int) -> str:
        return "".join(words.draw() for _ in range(length)).strip() + "."

    parts: list[str] = []
    number = 0
    while len(split_tokens("".join(parts))) < tokens:
        number += 1
        parts += [
            f"## {number} {sentence(4)}\n\n",
            " ".join(sentence(14) for _ in range(4)) + "\n\n",
            "".join(f"- **{sentence(2)}** {sentence(9)}\n" for _ in range(4)) + "\n",
            "```python\nfor n in range(10):\n    print(n, 'a  b')\n```\n\n",
            "| a | b |\n|---|---|\n"
            + "".join(f"| {n} | {sentence(3)} |\n" for n in range(4))
            + "\n",
        ]
    return "".join(split_tokens("".join(parts))[:tokens])
