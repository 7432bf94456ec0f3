"""A curl command as a draft."""

from __future__ import annotations

import json
import re
import shlex

import msgspec

from nbchat.client import presets
from nbchat.errors import CheckError
from nbchat.request.draft import Draft

_BEGINS = re.compile(r"\s*(?:\$\s*)?curl(?:\.exe)?\s")
_ADDRESS = re.compile(r"https?://")
_PATH = "/chat/completions"
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
#: flags with a value that says nothing of the request
_VALUED = (
    "-H", "--header", "-X", "--request", "-u", "--user", "-o", "--output", "-m", "--max-time",
    "-x", "--proxy", "-A", "--user-agent", "-w", "--write-out", "--connect-timeout", "--retry",
    "--cacert", "-E", "--cert",
)  # fmt: skip
_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(.*?)\n\s*\2\s*$", re.DOTALL)


def is_curl(text: str) -> bool:
    """Tell whether a text is a curl command that goes somewhere."""
    return _BEGINS.match(text) is not None and _ADDRESS.search(text) is not None


def read_curl(text: str) -> Draft:
    """Give the draft of a curl command, without its key. Raise CheckError with the reason."""
    from nbchat.code.as_draft import draft_of

    here = _HERE.search(text)
    command = text if here is None else text[: here.start()]
    try:
        words = shlex.split(re.sub(r"[\\^]\r?\n", " ", command))
    except ValueError as error:
        raise _unreadable(f"{str(error).rstrip('.').lower()} in its text") from None
    data, address = _parts(words[words.index("$") + 1 if words[0] == "$" else 0 :])
    if data in ("@-", "-") and here is not None:
        data = here[3]
    if data is None:
        raise _unreadable("it sends no data (-d)")
    if data.startswith("@") or "$(" in data:
        raise _unreadable("its data is in a file, or made by the shell: put the JSON in its place")
    try:
        body = json.loads(data)
    except ValueError as error:
        raise _unreadable(f"its data is no JSON: {error}") from None
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        raise _unreadable("its data has no list of messages")
    return msgspec.structs.replace(draft_of(body), profile=_profile(address))


def profile_of_address(address: str) -> str:
    """Give what a server is asked for by: the name of its profile where nbchat has it."""
    base = address.rstrip("/")
    for name, preset in presets.PRESETS.items():
        if preset.base_url.rstrip("/") == base:
            return name
    return base


def _profile(address: str | None) -> str:
    bare = (address or "").partition("?")[0].rstrip("/")
    if not bare.endswith(_PATH):
        raise _unreadable(f"its address, {bare or 'none'}, does not end in {_PATH}")
    return profile_of_address(bare.removesuffix(_PATH))


def _parts(words: list[str]) -> tuple[str | None, str | None]:
    """Give the data and the address of a command's words."""
    data: str | None = None
    address: str | None = None
    left = iter(words[1:])
    for word in left:
        flag, is_joined, value = word.partition("=")
        if word in _DATA:
            data = data or next(left, None)
        elif is_joined and flag in _DATA[1:]:
            data = data or value
        elif word.startswith("-d") and not word.startswith("--"):
            data = data or word[2:]
        elif word == "--url":
            address = next(left, None)
        elif word in _VALUED:
            next(left, None)
        elif _ADDRESS.match(word):
            address = address or word
    return data, address


def _unreadable(reason: str) -> CheckError:
    return CheckError(f"This curl command cannot be read: {reason}.", field="messages")
