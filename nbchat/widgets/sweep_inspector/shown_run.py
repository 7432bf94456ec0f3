"""The run of a row, as the page has it: its messages, its answer, what is known of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbchat.display.characters import encodable, visible
from nbchat.errors import type_and_sentence
from nbchat.plots.heatmap import why_none
from nbchat.widgets.sweep_inspector.words import in_a_line, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbchat.api.response import ResponseMessage
    from nbchat.run import Run

#: characters of a message that are shown
MOST_TEXT = 20_000
_MOST_MESSAGES = 100


def facts_of(run: Run) -> list[tuple[str, str]]:
    """Give what is known of a run beside its texts, of what is known."""
    usage = run.usage
    facts = {
        "model": run.model,
        "finish reason": run.finish_reason,
        "tokens in": usage.prompt_tokens,
        "tokens out": usage.completion_tokens,
        "seconds": None if run.elapsed_s is None else number(run.elapsed_s),
        "US dollars": None if run.cost_usd is None else number(run.cost_usd),
        "run": run.id,
    }
    return [
        (name, in_a_line(str(value), 120)) for name, value in facts.items() if value is not None
    ]


def messages_of(run: Run) -> list[dict[str, str]]:
    """Give what was asked (`Passage`), of very many messages the last."""
    shown: list[Any] = list(run.messages)[-_MOST_MESSAGES:]
    left = len(run.messages) - len(shown)
    messages = [_passage(str(one.get("role", "")), _content(one)) for one in shown]
    if left:
        messages.insert(0, _passage("", f"… {left:,} earlier messages"))
    return messages


def answers_of(run: Run) -> list[dict[str, str]]:
    """Give what was answered (`Passage`), or why nothing was."""
    answers = [_passage(name, text) for name, text in _of_rounds(run)]
    choices = [] if run.completion is None else run.completion.choices
    for choice in choices:
        role = "answer" if len(choices) == 1 else f"answer, choice {choice.index}"
        texts = [*_of_reply(choice.message)]
        answers += [_passage(f"{role}{name}", text) for name, text in texts]
    if run.error is not None:
        answers.append(_passage("error", type_and_sentence(run.error)))
    return answers or [_passage("answer", "(nothing)")]


def has_probabilities(run: Run) -> bool:
    """Tell whether there are tokens to look at."""
    return run.completion is not None and any(
        choice.logprobs and (choice.logprobs.content or choice.logprobs.refusal)
        for choice in run.completion.choices
    )


def note_of(run: Run) -> str:
    """Say why there are no tokens to look at."""
    return in_a_line(why_none(run), 400)


def _passage(role: str, text: str) -> dict[str, str]:
    left = len(text) - MOST_TEXT
    return {
        "role": in_a_line(role, 60),
        "text": visible(encodable(text[:MOST_TEXT])),
        "note": f"… {left:,} more characters: sweep.run_of() gives the run" if left > 0 else "",
    }


def _of_reply(message: ResponseMessage) -> Iterator[tuple[str, str]]:
    if message.reasoning:
        yield ": reasoning", str(message.reasoning)
    if message.text:
        yield "", message.text
    if message.refusal:
        yield ": refusal", message.refusal
    for call in message.tool_calls or ():
        yield ": call", _plain(call)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [_part(part) for part in parts if part is not None]
    texts += [_plain(call) for call in message.get("tool_calls") or ()]
    return "\n".join(texts)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type", "part") if isinstance(part, dict) else "part"
    return f"[{kind}]"  # a picture or a recording, which may be megabytes


def _of_rounds(run: Run) -> Iterator[tuple[str, str]]:
    for one in run.rounds:
        if one.text:
            yield "answer", one.text
        for call in one.calls:
            yield f"call of {call.name}", call.arguments
            yield f"result of {call.name}", call.error or call.result or ""


def _plain(call: Any) -> str:
    return json.dumps(call, ensure_ascii=False, default=str)
