"""A reply as a part of the conversation: what goes on below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.reply_messages import call_ids, input_text, request_message
from nbchat.errors import CheckError
from nbchat.widgets.explorer.feed import text_of

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.request.draft import Draft
    from nbchat.run import Run
    from nbchat.tools import Call, Tool

_BLANK = {"role": "user", "content": ""}


def continued(run: Run, choice: int) -> list[dict[str, Any]]:
    """Give the messages of a run with the reply of one choice, and an empty one to go on with.

    A reply that asks for calls is followed by a message for the result of each, which is empty;
    what has no id gets one. Raise CheckError where there is no such reply.
    """
    from nbchat.tools.calls import calls_of

    reply = _choice(run, choice)
    messages = [dict(message) for message in run.messages]
    rounds = [
        message
        for tool_round in run.rounds
        if tool_round.is_answered
        for message in tool_round.messages
    ]
    if rounds and messages[-len(rounds) :] != rounds:
        messages += rounds
    calls = calls_of(reply.message, call_ids(messages))
    ids = [call.id for call in calls] if reply.message.tool_calls else None
    messages.append(request_message(reply.message, ids=ids))
    if not calls:
        return [*messages, dict(_BLANK)]
    return [*messages, *(_empty_result(call) for call in calls)]


def texts_of(messages: list[dict[str, Any]]) -> set[str]:
    """Give the texts that were sent or received, and so are no templates."""
    contents = [message.get("content") for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return {text for text in (*contents, *texts) if isinstance(text, str)}


def call_at(messages: list[Any], place: int) -> Call | None:
    """Give the call whose result belongs into a message; None where there is none."""
    from nbchat.tools import Call

    message = messages[place] if 0 <= place < len(messages) else None
    if not isinstance(message, dict) or message.get("role") not in ("tool", "function"):
        return None
    for other in reversed(messages[:place]):
        for call in (other.get("tool_calls") or ()) if isinstance(other, dict) else ():
            if isinstance(call, Mapping) and call.get("id") == message.get("tool_call_id"):
                kind = "custom" if call.get("type") == "custom" else "function"
                body = call.get(kind) or {}
                arguments = body.get("input" if kind == "custom" else "arguments")
                name = str(body.get("name") or "")
                return Call(str(call["id"]), name, input_text(arguments), kind)  # type: ignore[arg-type]
    return None


def with_result(draft: Draft, place: int, call: Call) -> Draft:
    """Give the draft with what came of a call in its message."""
    messages = [*draft.messages]
    messages[place] = {**messages[place], "content": call.message["content"]}
    return msgspec.structs.replace(draft, messages=messages)


def called(call: Call, tools: Mapping[str, Tool]) -> Call:
    """Run a call, and give it with what came of it."""
    from nbchat.tools.calls import run_calls

    run_calls([call], tools)
    return call


def choice_json(run: Run, choice: int) -> str:
    """Give a choice as JSON, indented, in the words of the API."""
    completion = run.completion
    choices = [] if completion is None else completion.to_dict()["choices"]
    entry = next((one for one in choices if one.get("index", 0) == choice), None)
    if entry is None:
        raise _no_reply(choice)
    encoded = msgspec.json.encode({n: v for n, v in entry.items() if n != "logprobs"})
    return msgspec.json.format(encoded, indent=2).decode()


def choice_markdown(run: Run, choice: int) -> str:
    """Give what a choice says, as it came."""
    return text_of(_choice(run, choice).message)


def _empty_result(call: Call) -> dict[str, Any]:
    return {**call.message, "content": ""}


def _choice(run: Run, choice: int) -> Choice:
    completion = run.completion
    for reply in completion.choices if completion is not None else ():
        if reply.index == choice:
            return reply
    raise _no_reply(choice)


def _no_reply(choice: int) -> CheckError:
    return CheckError(f"There is no reply {choice} to go on from.", field="messages")
