"""A reply as a message of the next request: what the API has there, and what servers need back.

Whoever thinks before a call has to be given the thought with it (DeepSeek, Kimi, OpenRouter), in
the words and under the names that it came with.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nbchat.api.logprobs import jsonable
from nbchat.api.response import ResponseMessage, transcript_of

#: what goes back beside calls, where a server's own message holds it
_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details")
_MARKS = ("annotations", "refusal")
_INPUTS = {"function": "arguments", "custom": "input"}


def request_message(
    message: ResponseMessage, *, ids: Sequence[str] | None = None, sound_id: str | None = None
) -> dict[str, Any]:
    """Give a reply as the assistant's message of a request.

    `ids` are those of its calls, where others than the server's are wanted; with a `sound_id`
    the sound stands for the text.
    """
    turn: dict[str, Any] = {"role": "assistant", "content": message.text}
    if sound_id is not None:
        turn = {"role": "assistant", "audio": {"id": sound_id}}
    if message.refusal is not None:
        turn["refusal"] = message.refusal
    if message.tool_calls:
        server_ids = [_text(call.get("id")) for call in message.tool_calls]
        calls = zip(message.tool_calls, server_ids if ids is None else ids, strict=True)
        turn["tool_calls"] = [sound_call(call, call_id) for call, call_id in calls]
    elif message.function_call:
        turn["function_call"] = _body(message.function_call, "arguments")
    if message.tool_calls or message.function_call:
        turn |= dict.fromkeys(message.reasoning_names, message.reasoning)
        details = message.extra.get("reasoning_details")
        turn |= {"reasoning_details": details} if details else {}
    if turn.get("content", "") is None and len(turn) == 2:
        turn["content"] = ""
    # a server's own keys may hold NaN, which no request can carry
    sendable: dict[str, Any] = jsonable(turn)
    return sendable


def sound_call(call: Mapping[str, Any], call_id: str) -> dict[str, Any]:
    """Give a call of a reply with all that a request needs, and its server's own keys.

    No arguments at all are an empty object: servers parse what they are sent.
    """
    kind = kind_of(call)
    body = call.get(kind)
    made = _body(body if isinstance(body, Mapping) else {}, _INPUTS[kind])
    return {**call, "id": call_id, "type": kind, kind: made}


def kind_of(call: Mapping[str, Any]) -> str:
    """Tell what a call calls: a "function" or a "custom" tool."""
    is_custom = call.get("type") == "custom" or ("custom" in call and "function" not in call)
    return "custom" if is_custom else "function"


def _body(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = input_text(body.get(name))
    if name == "arguments" and not value.strip():
        value = "{}"
    return {**body, "name": _text(body.get("name")), name: value}


def input_text(value: Any) -> str:
    """Give what a call is called with as a text; servers send objects, too."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def without_reply_keys(messages: Any) -> Any:
    """Give messages with those that are replies, as they came, in the form of a request.

    A reply is a `ResponseMessage`, a dict of one (`_MARKS` are what no request has together), or
    the object of another package that can dump itself.
    """
    if not isinstance(messages, (list, tuple)):
        return messages
    return [_without_reply_keys(message) for message in messages]


def _without_reply_keys(message: Any) -> Any:
    if callable(getattr(message, "model_dump", None)):
        message = message.model_dump(exclude_none=True)
        if message.get("role") == "assistant":
            message = {**dict.fromkeys(_MARKS), **message}
    if isinstance(message, Mapping):
        is_reply = message.get("role") == "assistant" and all(n in message for n in _MARKS)
        message = _read(message) if is_reply else message
    if not isinstance(message, ResponseMessage):
        return message
    return request_message(message, sound_id=_sound_id(message.audio))


def _read(fields: Mapping[str, Any]) -> Any:
    known = {n: v for n, v in fields.items() if n in ResponseMessage.__struct_fields__ and v}
    if "reasoning_names" not in fields:  # a server's own message
        names = [name for name in _THOUGHTS[:2] if isinstance(fields.get(name), str)]
        thought = next((fields[name] for name in names), None)
        details = {n: fields[n] for n in _THOUGHTS[2:] if n in fields}
        known |= {"reasoning_names": names, "reasoning": thought, "extra": details}
    try:
        return msgspec.convert(known, ResponseMessage)
    except msgspec.ValidationError:
        return fields  # what is wrong in it is said by whoever checks it


def _sound_id(audio: Mapping[str, Any] | None) -> str | None:
    """Give the id of a sound that its server may still have; else its transcript counts."""
    if not audio or not isinstance(audio.get("id"), str):
        return None
    expires = audio.get("expires_at")
    is_over = isinstance(expires, (int, float)) and expires <= time.time()
    return None if is_over and transcript_of(dict(audio)) else audio["id"]


def call_ids(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the ids of all calls in a conversation."""
    return [call["id"] for message in messages for call in _calls(message)]


def free_ids(wanted: Sequence[str], taken: Collection[str]) -> list[str]:
    """Give ids that no other call has, one for each that is wanted: the same, where it is free.

    They follow from what is there, so that a conversation that is played again has the same.
    """
    used, free = {*taken}, []
    for call_id in wanted:
        number = len(used)
        while not call_id or call_id in used:
            call_id, number = f"call_{number}", number + 1  # noqa: PLW2901
        used.add(call_id)
        free.append(call_id)
    return free


def with_unique_ids(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give a conversation in which no two calls have the same id, their results with them."""
    taken: set[str] = set()
    renamed: dict[str, str] = {}
    made = []
    for message in messages:
        calls = _calls(message)
        if calls:
            server_ids = [call["id"] for call in calls]
            ids = free_ids(server_ids, taken)
            taken.update(ids)
            renamed = {old: new for old, new in zip(server_ids, ids, strict=True) if old != new}
            both = zip(calls, ids, strict=True)
            made.append({**message, "tool_calls": [{**call, "id": name} for call, name in both]})
        elif message.get("role") == "tool" and message.get("tool_call_id") in renamed:
            made.append({**message, "tool_call_id": renamed[message["tool_call_id"]]})
        else:
            renamed = renamed if message.get("role") == "tool" else {}
            made.append(message)
    return made


def without_open_calls(
    messages: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Give a conversation without the calls that have no result, and the names of these.

    Such calls come of lost connections, of models that call what nobody offered, and of users
    who ask on without an answer; a server would refuse every later request. A reply that held
    nothing else is left out whole.
    """
    kept, left_out = [], []
    for place, message in enumerate(messages):
        open_names = [*_open_calls(message, messages[place + 1 :])]
        if not open_names:
            kept.append(message)
            continue
        left_out += open_names
        if (rest := _without_open(message, messages[place + 1 :])) is not None:
            kept.append(rest)
    return kept, left_out


def _open_calls(message: Mapping[str, Any], after: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    answered = _answered(after)
    for call in _calls(message):
        if call["id"] not in answered:
            yield _text((call.get(kind_of(call)) or {}).get("name"))
    body = message.get("function_call")
    if isinstance(body, Mapping) and message.get("role") == "assistant":
        following = after[0].get("role") if after else None
        if following != "function":
            yield _text(body.get("name"))


def _without_open(
    message: dict[str, Any], after: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    answered = _answered(after)
    calls = [call for call in _calls(message) if call["id"] in answered]
    left = {n: v for n, v in message.items() if n not in ("tool_calls", "function_call")}
    if calls:
        return {**left, "tool_calls": calls}
    left = {name: value for name, value in left.items() if name not in _THOUGHTS}
    is_empty = not any(left.get(name) for name in ("content", "refusal", "audio"))
    return None if is_empty else left


def _answered(after: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Give the ids that the results right behind a reply are for."""
    answered = set()
    for message in after:
        if message.get("role") != "tool":
            break
        answered.add(message.get("tool_call_id"))
    return answered


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the calls of an assistant's message that have ids, as all of a checked one have."""
    calls = message.get("tool_calls") if message.get("role") == "assistant" else None
    objects = calls if isinstance(calls, list) else []
    return [call for call in objects if isinstance(call, dict) and isinstance(call.get("id"), str)]
