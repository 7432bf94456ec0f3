"""Messages: who said what, as text or in parts.

A message goes out as it came in. Keys that the reference does not have pass, because
servers have their own, unless one looks like a slip of a known key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nbchat.api.explain import Offence, error_of, missing, nearest, unknown_key, wrong_value
from nbchat.api.json_values import NotJsonError, plain
from nbchat.api.reply_messages import without_reply_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TEXT = "a string"
_SLIP = 0.8  # how alike an unknown key and a known one are when it is a slip


class Role(Struct, frozen=True, kw_only=True):
    """What a role's message has: its keys, and the types of its content's parts."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("text",)
    is_null_taken: bool = False


ROLES = {
    "system": Role(required=("content",), optional=("name",)),
    "developer": Role(required=("content",), optional=("name",)),
    "user": Role(
        required=("content",),
        optional=("name",),
        parts=("text", "image_url", "input_audio", "file"),
    ),
    "assistant": Role(
        required=(),
        optional=("content", "refusal", "name", "audio", "tool_calls", "function_call"),
        parts=("text", "refusal"),
        is_null_taken=True,
    ),
    # image_url is not in the schema, but the live server's own error text names it
    "tool": Role(required=("content", "tool_call_id"), parts=("text", "image_url")),
    "function": Role(required=("content", "name"), parts=(), is_null_taken=True),
}

# type of a part -> its payload: the required keys, the optional ones, the words of the first
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text": ((), ()),
    "refusal": ((), ()),
    "image_url": (("url",), ("detail",)),
    "input_audio": (("data", "format"), ()),
    "file": ((), ("file_id", "file_data", "filename")),
}
LITERALS = {
    "detail": ("auto", "low", "high", "original"),
    "format": ("wav", "mp3"),
}
# parts that compatible servers take; what is in them is theirs
OTHER_PARTS = frozenset(
    {"video_url", "audio_url", "input_video", "video", "document_url", "thinking", "image_embeds"}
)


def check_messages(messages: str | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the messages as plain dicts, their keys as they were; a string is one user message.

    A reply (`run.message`, or a dict of one) becomes what a request has in its place.

    Raises CheckError (UnknownFieldError for a slip of a key's name) whose `field` is a path
    like ``messages[2].content[0].type``. Rules: Chat Completions reference, messages and
    content parts.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if _are_texts(messages):
        return [{**message} for message in messages]
    try:
        checked: list[dict[str, Any]] = plain(without_reply_keys(messages), "messages")
    except NotJsonError as error:
        raise error_of(wrong_value(error.path, error.value, error.rule)) from None
    for offence in _offences(checked):
        raise error_of(offence)
    return checked


def _are_texts(messages: Any) -> bool:
    """Tell, cheaply, whether these are texts of a user or system alone: all is right with them."""
    if type(messages) is not list or not messages:
        return False
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return False
        content, role = message.get("content"), message.get("role")
        if type(content) is not str or not content.isascii():
            return False
        if type(role) is not str or role not in _OF_TEXT:
            return False
    return True


def message_offences(messages: Sequence[Mapping[str, Any]]) -> list[Offence]:
    """Give every rule that the messages break, each in a sentence of its own.

    Empty where `check_messages` takes them.
    """
    try:
        return [*_offences(plain(without_reply_keys(messages), "messages"))]
    except NotJsonError as error:
        return [wrong_value(error.path, error.value, error.rule)]


def _offences(messages: Any) -> Iterator[Offence]:
    if not isinstance(messages, list) or not messages:
        yield wrong_value("messages", messages, "a string or a list of one or more messages")
        return
    are_sound = True
    for place, message in enumerate(messages):
        for offence in _in_message(message, f"messages[{place}]"):
            are_sound = False
            yield offence
    if are_sound:
        yield from _unanswered(messages)


def _in_message(message: Any, path: str) -> Iterator[Offence]:
    if not isinstance(message, dict):
        yield wrong_value(path, message, "an object {role, content}")
        return
    if "role" not in message:
        yield from _slips(message, ("role", "content"), path)
        yield missing(f"{path}.role", f"one of {', '.join(ROLES)}")
        return
    role = ROLES.get(message["role"]) if isinstance(message["role"], str) else None
    if role is None:
        yield wrong_value(f"{path}.role", message["role"], f"one of {', '.join(ROLES)}")
        return
    yield from _slips(message, ("role", *role.required, *role.optional), path)
    for key in role.required:
        if key not in message:
            yield missing(f"{path}.{key}", TEXT)
        elif key != "content":
            yield from _text(message[key], f"{path}.{key}")
    if "name" in role.optional and "name" in message:
        yield from _text(message["name"], f"{path}.name")
    if "content" in message:
        yield from _content(message["content"], role, f"{path}.content")
    if message["role"] == "assistant":
        yield from _assistant(message, path)


def _slips(message: Mapping[str, Any], known: tuple[str, ...], path: str) -> Iterator[Offence]:
    absent = [key for key in known if key not in message]
    for key in message:
        if key in known or key in _KEYS:
            continue
        transposed = [name for name in absent if sorted(name) == sorted(str(key))]
        if transposed or nearest(key, absent, cutoff=_SLIP):
            yield unknown_key(f"{path}.{key}", message[key], transposed or absent)


def _text(value: Any, path: str) -> Iterator[Offence]:
    if not isinstance(value, str):
        yield wrong_value(path, value, TEXT)


def _content(content: Any, role: Role, path: str) -> Iterator[Offence]:
    if isinstance(content, str) or (content is None and role.is_null_taken):
        return
    rule = f"{TEXT} or a list of one or more parts" if role.parts else TEXT
    if not isinstance(content, list) or not content or not role.parts:
        yield wrong_value(path, content, rule)
        return
    for place, part in enumerate(content):
        yield from _in_part(part, role, f"{path}[{place}]")
    kinds = [part.get("type") for part in content if isinstance(part, dict)]
    if "refusal" in kinds and len(kinds) > 1:
        yield wrong_value(path, content, "text parts, or exactly one refusal part")


def _in_part(part: Any, role: Role, path: str) -> Iterator[Offence]:
    accepted = f"one of {', '.join(role.parts)}"
    if not isinstance(part, dict):
        yield wrong_value(path, part, "an object {type, …}")
        return
    if "type" not in part:
        yield missing(f"{path}.type", accepted)
        return
    kind = part["type"]
    if isinstance(kind, str) and kind in OTHER_PARTS:
        return
    if kind not in role.parts:
        yield wrong_value(f"{path}.type", kind, accepted)
        return
    yield from _slips(part, ("type", kind), path)
    if kind not in part:
        yield missing(f"{path}.{kind}", TEXT if kind in ("text", "refusal") else "an object")
    elif kind in ("text", "refusal"):
        yield from _text(part[kind], f"{path}.{kind}")
    else:
        yield from _payload(part[kind], kind, f"{path}.{kind}")


def _payload(payload: Any, kind: str, path: str) -> Iterator[Offence]:
    required, optional = PARTS[kind]
    if not isinstance(payload, dict):
        keys = ", ".join([*required, *(f"{key}?" for key in optional)])
        yield wrong_value(path, payload, f"an object {{{keys}}}")
        return
    yield from _slips(payload, (*required, *optional), path)
    for key in required:
        if key not in payload:
            yield missing(f"{path}.{key}", _words(key))
    for key in (*required, *optional):
        if key in payload and key in LITERALS and payload[key] not in LITERALS[key]:
            yield wrong_value(f"{path}.{key}", payload[key], _words(key))
        elif key in payload:
            yield from _text(payload[key], f"{path}.{key}")
    if kind == "file" and "file_id" not in payload and "file_data" not in payload:
        yield wrong_value(path, payload, "an object with file_id or file_data")


def _words(key: str) -> str:
    return f"one of {', '.join(LITERALS[key])}" if key in LITERALS else TEXT


def _assistant(message: Mapping[str, Any], path: str) -> Iterator[Offence]:
    stands_in = ("tool_calls", "function_call", "audio", "refusal")
    if "content" not in message and all(message.get(key) is None for key in stands_in):
        yield missing(f"{path}.content", f"{TEXT}, unless there are tool_calls")
    if message.get("refusal") is not None:
        yield from _text(message["refusal"], f"{path}.refusal")
    if message.get("audio") is not None:
        yield from _named(message["audio"], ("id",), f"{path}.audio")
    if message.get("function_call") is not None:
        yield from _named(message["function_call"], ("name", "arguments"), f"{path}.function_call")
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list) or not calls:
        yield wrong_value(f"{path}.tool_calls", calls, "a list of one or more tool calls")
        return
    for place, call in enumerate(calls):
        yield from _tool_call(call, f"{path}.tool_calls[{place}]")


def _tool_call(call: Any, path: str) -> Iterator[Offence]:
    payloads = {"function": ("name", "arguments"), "custom": ("name", "input")}
    yield from _named(call, ("id", "type"), path)
    if not isinstance(call, dict) or not isinstance(call.get("type"), str):
        return
    kind = call["type"]
    if kind not in payloads:
        yield wrong_value(f"{path}.type", kind, "one of function, custom")
    elif kind not in call:
        yield missing(f"{path}.{kind}", f"an object {{{', '.join(payloads[kind])}}}")
    else:
        yield from _named(call[kind], payloads[kind], f"{path}.{kind}")


def _named(value: Any, keys: tuple[str, ...], path: str) -> Iterator[Offence]:
    if not isinstance(value, dict):
        yield wrong_value(path, value, f"an object {{{', '.join(keys)}}}")
        return
    yield from _slips(value, keys, path)
    for key in keys:
        if key not in value:
            yield missing(f"{path}.{key}", TEXT)
        else:
            yield from _text(value[key], f"{path}.{key}")


def _unanswered(messages: list[dict[str, Any]]) -> Iterator[Offence]:
    waiting: list[str] = []
    path = ""
    for place, message in enumerate([*messages, {"role": "end"}]):
        if message["role"] == "tool":
            waiting = [name for name in waiting if name != message["tool_call_id"]]
            continue
        if waiting:
            rule = (
                f"must be followed by a tool message for each call; missing: {', '.join(waiting)}"
            )
            sentence = f"{path} {rule}."
            yield Offence(path=path, value=waiting, rule=rule, sentence=sentence)
            return
        path = f"messages[{place}].tool_calls"
        calls = message.get("tool_calls") if message["role"] == "assistant" else None
        waiting = [call["id"] for call in calls or ()]


#: roles whose message is whole with a text alone
_OF_TEXT = frozenset({"system", "developer", "user"})
_KEYS = frozenset().union(*({*role.required, *role.optional} for role in ROLES.values()))
