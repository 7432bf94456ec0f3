"""Calls of tools as static HTML: folded, each with its name, arguments, result and time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbchat.display.characters import visible
from nbchat.display.fragments import escaped, folded, pre

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.api.response import ResponseMessage
    from nbchat.display.shown_run import ShownCall, ShownRound

_SHORT = 60
# of arguments that are still being written, frames show the end
_LONGEST_FRAME = 2_000


def round_bundle(tool_round: ShownRound) -> dict[str, str]:
    """Give the calls of a round as one output (MIME type to text)."""
    return _bundle([_call_html(call) for call in tool_round.calls], rounds_plain([tool_round]))


def asking_bundle(message: ResponseMessage) -> dict[str, str]:
    """Give calls that are still being written as one output, unfolded."""
    bodies = [call.get("function") or call.get("custom") or {} for call in message.tool_calls]
    bodies += [message.function_call] if message.function_call else []
    parts, lines = [], []
    for body in bodies:
        name, text = _text(body.get("name")), _text(body.get("arguments", body.get("input")))
        shown = text if len(text) <= _LONGEST_FRAME else f"…{text[-_LONGEST_FRAME:]}"
        parts.append(folded(f"<code>{escaped(name)}</code> …", pre(shown), is_open=True))
        lines.append(f"{name}({shown}")
    return _bundle(parts, visible("\n".join(lines)))


def is_calling(message: ResponseMessage) -> bool:
    """Tell whether a message asks for calls."""
    return bool(message.tool_calls or message.function_call)


def rounds_html(rounds: Sequence[ShownRound]) -> str:
    """Give all calls of these rounds as HTML without line ends, which can stand in Markdown."""
    return "".join(_call_html(call) for tool_round in rounds for call in tool_round.calls)


def rounds_plain(rounds: Sequence[ShownRound]) -> str:
    """Give all calls of these rounds as text, a line for each."""
    calls = [call for tool_round in rounds for call in tool_round.calls]
    lines = [f"{call.name}({call.arguments}) → {_outcome(call)}{_time(call)}" for call in calls]
    return visible("\n".join(lines))


def _bundle(parts: list[str], plain: str) -> dict[str, str]:
    return {"text/html": f"<div>{''.join(parts)}</div>", "text/plain": plain}


def _call_html(call: ShownCall) -> str:
    head = f"<code>{escaped(_short(f'{call.name}({call.arguments})'))}</code>"
    if call.is_open:
        return folded(f"{head} …", pre(_indented(call.arguments)))
    outcome = f"<code>{escaped(_short(_outcome(call)))}</code>"
    parts = ["arguments", pre(_indented(call.arguments))]
    if call.error is not None:
        reason = f"{call.error}\n{call.where}" if call.where else call.error
        parts += ["error", pre(reason)]
    else:
        parts += ["result", pre(_indented(call.result or ""))]
    return folded(f"{head} → {outcome}{escaped(_time(call))}", "".join(parts))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"


def _indented(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_nested = isinstance(value, (dict, list))
    return json.dumps(value, ensure_ascii=False, indent=2) if is_nested else text


def _outcome(call: ShownCall) -> str:
    if call.error is not None:
        return f"error: {call.error}"
    return "…" if call.result is None else call.result


def _time(call: ShownCall) -> str:
    if call.elapsed_s is None:
        return ""
    return f" · {call.elapsed_s:.2f} s" if call.elapsed_s < 9.95 else f" · {call.elapsed_s:,.0f} s"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
