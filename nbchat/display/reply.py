"""A run in words: the reply as Markdown, and the grey line below it."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from nbchat.display.blocks import MarkdownBlocks
from nbchat.display.sanitise import as_html, is_harmless, whole_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbchat.api.response import Choice, ResponseMessage
    from nbchat.run import Run
    from nbchat.tools import Round

# a grey that is legible on white and on the black of dark themes alike
_GREY = "color: #7f7f7f; font-size: 85%"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def mimebundle(run: Run) -> dict[str, str]:
    """Give a run as a notebook shows it: the reply and the grey line (MIME type to text)."""
    from nbchat.display.attachments import attached_bundle
    from nbchat.display.reasoning_and_sources import reasoning_plain

    completion = run.completion
    is_reply = completion is not None and not run.ends_in_calls
    choices = sorted(completion.choices, key=lambda c: c.index) if completion and is_reply else []
    messages = {
        c.index: c.message for c in choices if has_something(c.message) or c.message.reasoning
    }
    texts = {index: reply_markdown(message) for index, message in messages.items()}
    captions = {index: caption(index) if len(texts) > 1 else "" for index in texts}
    said = {place: asked.text for place, asked in enumerate(run.rounds)}
    calls = [_calls_html(asked) for asked in run.rounds]
    thoughts = {place: _reasoning(a.completion.choices) for place, a in enumerate(run.rounds)}
    thought = {c.index: _reasoning([c]) for c in choices}
    above = attached_bundle(run.messages)
    sounds = {index: player_bundle(run, message) for index, message in messages.items()}
    plain = [
        _stacked(
            captions[i],
            reasoning_plain([messages[i]]),
            visible(shown_text(messages[i])),
            _plain_of(sounds[i]),
        )
        for i in texts
    ]
    below = facts_bundle(run)
    bundle = {
        "text/markdown": "\n\n".join(
            [
                *_grey_parts(above),
                *(_stacked(thoughts[k], _sealed(said[k]), calls[k]) for k in said),
                *(
                    _stacked(
                        _caption_html(captions[i]),
                        thought[i],
                        _sealed(texts[i]),
                        *_grey_parts(sounds[i]),
                    )
                    for i in texts
                ),
                below["text/html"],
            ]
        ),
        "text/plain": _stacked(_plain_of(above), *_rounds_plain(run), *plain, below["text/plain"]),
    }
    # pictures and sound stand in the HTML alone, which front ends prefer: once is enough
    has_media = above is not None or any(sounds.values())
    if has_media or not all(is_harmless(text) for text in [*texts.values(), *said.values()]):
        bundle["text/html"] = "".join(
            [
                _html_of(above),
                *(f"{thoughts[k]}{as_html(said[k])}{calls[k]}" for k in said),
                *(
                    f"{_caption_html(captions[i])}{thought[i]}{as_html(texts[i])}"
                    f"{_html_of(sounds[i])}"
                    for i in texts
                ),
                below["text/html"],
            ]
        )
    return bundle


def _html_of(bundle: dict[str, str] | None) -> str:
    return bundle["text/html"] if bundle else ""


def _plain_of(bundle: dict[str, str] | None) -> str:
    return bundle["text/plain"] if bundle else ""


def _grey_parts(bundle: dict[str, str] | None) -> list[str]:
    """Give a bundle's words alone, as HTML that can stand in Markdown."""
    return [grey_html(line) for line in _plain_of(bundle).splitlines()]


def _calls_html(asked: Round) -> str:
    from nbchat.display.tool_calls import rounds_html

    return rounds_html([asked])


def _rounds_plain(run: Run) -> list[str]:
    from nbchat.display.tool_calls import rounds_plain

    parts = [part for asked in run.rounds for part in (visible(asked.text), rounds_plain([asked]))]
    return [part for part in parts if part]


def _caption_html(words: str) -> str:
    return grey_html(words) if words else ""


def _stacked(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _reasoning(choices: Iterable[Choice]) -> str:
    from nbchat.display.reasoning_and_sources import reasoning_html

    return reasoning_html(choice.message for choice in choices)


def grey_line(run: Run) -> str:
    """Say in one line what a reader may want to know of a run. Unknown facts are left out."""
    usage: Any = run.usage
    facts = [
        run.model or run.profile,
        f"{run.thread} {run.turn}" if run.thread is not None and run.turn is not None else "",
        _token_counts(usage.prompt_tokens, usage.completion_tokens),
        f"{_seconds(run.ttft_s)} to first" if run.ttft_s is not None else "",
        _rate(run),
        _cost(run.cost_usd),
        f"try {run.tries}" if run.tries > 1 else "",
        _call_count(run),
        _ending(run),
        *run.notes,
    ]
    return visible(" · ".join(fact for fact in facts if fact)).replace("\n", " ")


def has_something(message: ResponseMessage) -> bool:
    """Tell whether there is something of this message to show."""
    return bool(shown_text(message) or message.audio)


def shown_text(message: ResponseMessage) -> str:
    """Give the text of a message, or its transcript; else its refusal or the calls it asks for."""
    return message.text or message.refusal or _calls(message)


def reply_bundle(message: ResponseMessage) -> dict[str, str]:
    """Give a reply as one output: its text byte for byte."""
    return {**whole_bundle(reply_markdown(message)), "text/plain": visible(shown_text(message))}


def choice_bundles(run: Run, message: ResponseMessage) -> list[dict[str, str]]:
    """Give all outputs of a choice: what was thought, what was said, and how it sounds."""
    from nbchat.display.reasoning_and_sources import reasoning_bundle

    player = player_bundle(run, message)
    return [
        *([reasoning_bundle(message)] if message.reasoning else []),
        *([reply_bundle(message)] if shown_text(message) else []),
        *([player] if player else []),
    ]


def grey_bundle(line: str) -> dict[str, str]:
    """Give a line of nbchat's own as a small grey output."""
    return {"text/html": grey_html(line), "text/plain": line}


def facts_bundle(run: Run) -> dict[str, str]:
    """Give what stands grey below a reply as one output: its sources and the line of facts."""
    from nbchat.display.reasoning_and_sources import sources_html, sources_plain

    completion, line = run.completion, grey_line(run)
    choices = sorted(completion.choices, key=lambda c: c.index) if completion else []
    return {
        "text/html": grey_html(line, sources_html(choices)),
        "text/plain": "\n".join(part for part in (visible(sources_plain(choices)), line) if part),
    }


def player_bundle(run: Run, message: ResponseMessage) -> dict[str, str] | None:
    """Give the sound of a reply as one output, a player; None where there is none."""
    if not message.audio:
        return None
    from nbchat.media.sound import sound_of

    sound = sound_of(message, run.params)
    return None if sound is None else {"text/html": sound.player, "text/plain": sound.plain}


def caption(index: int) -> str:
    """Name one of several choices."""
    return f"choice {index}"


def visible(text: str) -> str:
    """Make control characters visible: a terminal would obey them. Line ends and tabs stay."""
    if text.isprintable():
        return text
    return _CONTROLS.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else f"\\x{code:02x}"


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


def _sealed(markdown: str) -> str:
    """Close a code block that the reply left open, or the grey line would stand in it."""
    blocks = MarkdownBlocks()
    blocks.feed(markdown)
    fence = blocks.closing_fence()
    return f"{markdown.rstrip()}\n{fence}" if fence else markdown


def grey_html(line: str, above: str = "") -> str:
    """Give a line in grey, with HTML above it."""
    return f'<div style="{_GREY}">{above}{html.escape(line)}</div>'


def _token_counts(prompt: int | None, completion: int | None) -> str:
    if prompt is not None and completion is not None:
        return f"{prompt:,} → {completion:,} tokens"
    if completion is not None:
        return f"{completion:,} tokens"
    return f"{prompt:,} tokens in" if prompt is not None else ""


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 9.995 else f"{value:,.1f} s"


def _rate(run: Run) -> str:
    rate = run.tokens_per_s
    if rate is None:
        return ""
    return f"{rate:,.0f}/s" if rate >= 9.95 else f"{rate:.1f}/s"


def _cost(cost_usd: float | None) -> str:
    if cost_usd is None:
        return ""
    if cost_usd == 0:
        return "$0"
    if cost_usd >= 0.995:
        return f"${cost_usd:,.2f}"
    # two digits that count, without an exponent
    text = f"{cost_usd:.12f}"
    if not text.strip("0."):
        return f"under ${10**-12:.12f}"
    first = next(place for place, digit in enumerate(text) if digit not in "0.")
    return f"${cost_usd:.{first}f}"


def _call_count(run: Run) -> str:
    count = sum(len(asked.calls) for asked in run.rounds)
    return f"{count} call{'s' if count > 1 else ''}" if count else ""


def _ending(run: Run) -> str:
    if run.status in ("interrupted", "error"):
        return run.status
    completion = run.completion
    choices: list[Choice] = completion.choices if completion else []
    reasons = dict.fromkeys(choice.finish_reason for choice in choices)
    endings = [reason for reason in reasons if reason and reason != "stop"]
    if run.status == "complete" and not any(has_something(c.message) for c in choices):
        endings.append("empty reply")
    elif any(c.message.refusal and not c.message.text for c in choices):
        endings.append("refusal")
    return " · ".join(endings)
