"""Keys that were typed where they would be saved with the notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbchat.client.profiles import environment
from nbchat.client.secret import keys_in_use
from nbchat.errors import MagicUsageError
from nbchat.redact import looks_like_key
from nbchat.session.settings import typed_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

# shorter than what is redacted elsewhere: here a false alarm costs a sentence, not a text
_KEY = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|rk)-(?!learn\b)|gsk_|hf_|xai-|csk-|pplx-|r8_|fw_|nvapi-|AIza)[\w-]{8,}"
    r"|\bBearer\s+\S"
)
_KEY_FLAG = re.compile(
    r"(?:^|\s)(?:--?[\w-]*(?:api[-_]?key|api[-_]?token|secret|authorization)"
    r"|--(?:key|token)"
    r"|-p\s+['\"]?[\w.]*(?:api_?key|authorization|secret))(?=[\s=]|$)",
    re.IGNORECASE,
)
_KEY_FIELD = re.compile(
    r"--params\b.*[\"'][\w.]*(?:api_?key|authorization|secret)[\"']\s*:\s*[\"']", re.IGNORECASE
)
_KEY_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST = 8


def names_key(line: str) -> bool:
    """Tell whether a line has a flag or a field that would be given a key."""
    return bool(_KEY_FLAG.search(line) or _KEY_FIELD.search(line))


def without_key_flags(text: str) -> str:
    """Give JSON whose texts speak of flags for keys, written so that none is taken for one.

    What looks like a key itself stays, and is refused.
    """
    return _KEY_FLAG.sub(lambda match: match[0].replace("-", r"\u002d"), text)


def refuse_keys(line: str, variables: Mapping[str, str] | None = None) -> None:
    """Raise `MagicUsageError` where a line holds a key. The error does not repeat it.

    A key is known by its shape, by the flag that it is given to, or since it is in use: in
    `variables` (None: the environment and its ``.env`` file), asked for, or a profile's.
    """
    if _KEY.search(line) or names_key(line) or looks_like_key(line):
        raise MagicUsageError(_SENTENCE)
    values = environment() if variables is None else variables
    known = {value for name, value in values.items() if _KEY_VARIABLE.search(name)}
    if any(len(key) >= _SHORTEST and key in line for key in known | keys_in_use() | typed_keys()):
        raise MagicUsageError(_SENTENCE)


_SENTENCE = (
    "Keys do not belong on this line: it is saved with the notebook. Take the key out, and put "
    "it in the environment or a .env file (OPENAI_API_KEY=…). Nothing was sent."
)
