"""A reply as Markdown, and as the outputs that show it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from nbchat.display.characters import visible
from nbchat.display.object_reply import json_of
from nbchat.display.reasoning_and_sources import reasoning_bundle
from nbchat.display.sanitise import json_bundle, whole_bundle

if TYPE_CHECKING:
    from nbchat.api.response import Choice, ResponseMessage
    from nbchat.display.shown_run import ShownRun


def has_something(message: ResponseMessage) -> bool:
    """Tell whether there is something of this message to show."""
    return bool(shown_text(message) or message.audio)


def shown_text(message: ResponseMessage) -> str:
    """Give the text of a message, or its transcript; else its refusal or the calls it asks for."""
    return message.text or message.refusal or _calls(message)


def reply_bundle(run: ShownRun, choice: Choice) -> dict[str, str]:
    """Give a reply as one output: its text byte for byte, and as JSON where it was to be JSON."""
    message = choice.message
    value = json_of(run, choice.index)
    markdown = reply_markdown(message)
    return {
        **(whole_bundle(markdown) if value is None else json_bundle(markdown, value)),
        "text/plain": visible(shown_text(message)),
    }


def choice_bundles(run: ShownRun, choice: Choice) -> list[dict[str, str]]:
    """Give all outputs of a choice: what was thought, what was said, and how it sounds."""
    message = choice.message
    player = player_bundle(run, message)
    return [
        *([reasoning_bundle(message)] if message.reasoning else []),
        *([reply_bundle(run, choice)] if shown_text(message) else []),
        *([player] if player else []),
    ]


def player_bundle(run: ShownRun, message: ResponseMessage) -> dict[str, str] | None:
    """Give the sound of a reply as one output, a player; None where there is none."""
    if not message.audio:
        return None
    from nbchat.media.sound import sound_of

    sound = sound_of(message, run.params)
    return None if sound is None else {"text/html": sound.player, "text/plain": sound.plain}


def caption(index: int) -> str:
    """Name one of several choices."""
    return f"choice {index}"


def reply_markdown(message: ResponseMessage) -> str:
    """Give the text of a message, else its refusal or its calls, as Markdown."""
    if message.text or message.refusal:
        return shown_text(message)
    calls = _calls(message)
    return fenced(calls) if calls else ""


def fenced(text: str, language: str = "") -> str:
    """Give text as a fenced code block that the text cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _calls(message: ResponseMessage) -> str:
    lines = []
    for call in message.tool_calls:
        body = call.get("function") or call.get("custom") or {}
        argument = body.get("arguments", body.get("input", ""))
        text = argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False)
        lines.append(f"{body.get('name', '')}({text})")
    if message.function_call:
        call = message.function_call
        lines.append(f"{call.get('name', '')}({call.get('arguments', '')})")
    return "\n".join(lines)
