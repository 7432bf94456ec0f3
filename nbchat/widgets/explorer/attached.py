"""What is attached to the messages of a panel: the page has it by an address, and sees it small.

Base64 stays in the kernel: the page would send it back with each letter that is typed.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from typing import Any

from nbchat import media
from nbchat.api.encoded import Encoded
from nbchat.display.attachments import item_of
from nbchat.errors import CheckError

_PREFIX = "nbchat-attachment:"


class Attachments:
    """The attachments of one panel, those of earlier requests included."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._known: dict[str, Encoded] = {}
        self._addresses: dict[int, str] = {}

    def for_page(self, messages: Any) -> Any:
        """Give messages with an address in the place of all base64."""
        if isinstance(messages, Encoded):
            return self._address(messages)
        if isinstance(messages, dict):
            return {key: self.for_page(value) for key, value in messages.items()}
        return [self.for_page(value) for value in messages] if _is_list(messages) else messages

    def from_page(self, messages: Any) -> Any:
        """Give messages of the page with what the addresses stand for."""
        if isinstance(messages, str):
            return self._known.get(messages, messages)
        if isinstance(messages, dict):
            return {key: self.from_page(value) for key, value in messages.items()}
        return [self.from_page(value) for value in messages] if _is_list(messages) else messages

    def facts(self, messages: Any) -> dict[str, dict[str, str]]:
        """Give of each attachment in messages, by its address: `facts`, and `thumbnail` or ""."""
        facts = {}
        for message in messages if _is_list(messages) else ():
            content = message.get("content") if isinstance(message, dict) else None
            for part in content if isinstance(content, list) else ():
                item = item_of(part)
                address = next((self._addresses.get(id(data)) for data in _data_in(part)), None)
                if item is not None and address is not None:
                    facts[address] = {"facts": item.facts, "thumbnail": item.thumbnail}
        return facts

    def part_of(self, kind: str, name: str, data: str) -> dict[str, Any]:
        """Give the content part of a file that was chosen in the page, as base64.

        `kind` is image, audio or file. Raise CheckError where it is none that the API takes.
        """
        try:
            whole = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise CheckError(f"{name} did not come whole.", field="messages") from None
        made: dict[str, Any] = _MAKERS[kind](media.Named(whole, None, name))
        for data_of_part in _data_in(made):
            data_of_part.name = name
        if kind == "file" and "file" in made:
            made["file"]["filename"] = name
        return made

    def _address(self, data: Encoded) -> str:
        address = self._addresses.get(id(data))
        if address is None:
            address = f"{_PREFIX}{next(self._numbers)}"
            self._addresses[id(data)], self._known[address] = address, data
        return address


_MAKERS = {"image": media.image, "audio": media.audio, "file": media.file}


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _data_in(part: Any) -> list[Encoded]:
    if isinstance(part, Encoded):
        return [part]
    values = part.values() if isinstance(part, dict) else ()
    return [data for value in values for data in _data_in(value)]
