"""The line of a magic, cut into words as a shell would cut them, with three exceptions.

A backslash outside quotes is only a backslash; ``{{ … }}`` is one word, blanks included; and
where JSON may stand, JSON is read as JSON.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from nbchat.errors import MagicUsageError

# a dash and a letter: -5 and --- are text
FLAG = re.compile(r"--?[A-Za-z][^\s=]*")
#: the same with a dash that an editor or a word processor made of the hyphens
OTHER_DASH = re.compile(r"-?[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]-?([A-Za-z][^\s=]*)")
_BLANKS = re.compile(r"\s*")
_PAIR = re.compile(r"[^\s='\"]+=")
_JSON = json.JSONDecoder()


class Word(NamedTuple):
    """One word. `text` is without its quotes, `raw` as typed."""

    text: str
    raw: str


class Words:
    """Reads words from the left; `rest` is what was not read yet."""

    def __init__(self, line: str):
        self.line = line
        self.place = 0
        self.skip_blanks()

    @property
    def rest(self) -> str:
        return self.line[self.place :]

    def skip_blanks(self) -> None:
        match = _BLANKS.match(self.line, self.place)
        self.place = match.end() if match else self.place

    def flag(self) -> str | None:
        """Read the name of a flag, dashes included; None where none stands here."""
        match = FLAG.match(self.line, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match[0]

    def equals(self) -> bool:
        """Read an equals sign that joins a flag to its value."""
        is_there = self.line.startswith("=", self.place)
        self.place += is_there
        return is_there

    def end_of_flags(self) -> bool:
        """Read a ``--`` that stands alone."""
        is_there = re.compile(r"--(?=\s|$)").match(self.line, self.place) is not None
        if is_there:
            self.place += 2
            self.skip_blanks()
        return is_there

    def json(self) -> Word | None:
        """Read an object or a list in JSON; None where none stands here."""
        start = self.line[self.place : self.place + 2]
        if not start.startswith(("{", "[")) or start == "{{":
            return None
        return self._decoded(self.place)

    def pair(self) -> Word:
        """Read ``key=value``, where the value is JSON or a word."""
        match = _PAIR.match(self.line, self.place)
        word = self._decoded(match.end()) if match else None
        return self.word() if word is None else word

    def _decoded(self, start: int) -> Word | None:
        try:
            _, end = _JSON.raw_decode(self.line, start)
        except ValueError:
            return None
        if self.line[end : end + 1].strip():
            return None
        word = self.line[self.place : end]
        self.place = end
        return Word(word, word)

    def word(self) -> Word:
        """Read one word."""
        start = self.place
        text: list[str] = []
        while self.place < len(self.line) and not self.line[self.place].isspace():
            character = self.line[self.place]
            if character in "'\"":
                text.append(self._quoted(character))
            elif self.line.startswith("{{", self.place):
                text.append(self._braced())
            else:
                text.append(character)
                self.place += 1
        return Word("".join(text), self.line[start : self.place])

    def _quoted(self, quote: str) -> str:
        text: list[str] = []
        start = self.place
        self.place += 1
        while self.place < len(self.line):
            pair = self.line[self.place : self.place + 2]
            if pair[0] == quote:
                self.place += 1
                return "".join(text)
            if quote == '"' and pair in ('\\"', "\\\\"):
                text.append(pair[1])
                self.place += 2
            else:
                text.append(pair[0])
                self.place += 1
        raise MagicUsageError(
            f"The quote {quote} at character {start + 1} of the line is not closed."
        )

    def _braced(self) -> str:
        start = self.place
        end = self.line.find("}}", start)
        self.place = len(self.line) if end < 0 else end + 2
        return self.line[start : self.place]
