"""The grey line below a reply: the facts of a run in a few words, and its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.display.characters import visible
from nbchat.display.fragments import grey_html
from nbchat.display.reasoning_and_sources import sources_html, sources_plain
from nbchat.display.reply import has_something

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.display.shown_run import ShownRun


def grey_line(run: ShownRun) -> str:
    """Say in one line what a reader may want to know of a run. Unknown facts are left out."""
    usage: Any = run.usage
    facts = [
        run.model or run.profile,
        f"{run.thread} {run.turn}" if run.thread is not None and run.turn is not None else "",
        _token_counts(usage),
        f"{_seconds(run.ttft_s)} to first" if run.ttft_s is not None else "",
        _rate(run),
        _cost(run.cost_usd),
        f"try {run.tries}" if run.tries > 1 else "",
        _call_count(run),
        _ending(run),
        *run.notes,
    ]
    return visible(" · ".join(fact for fact in facts if fact)).replace("\n", " ")


def facts_bundle(run: ShownRun) -> dict[str, str]:
    """Give what stands grey below a reply as one output: its sources and the line of facts."""
    completion, line = run.completion, grey_line(run)
    choices = sorted(completion.choices, key=lambda c: c.index) if completion else []
    return {
        "text/html": grey_html(line, sources_html(choices)),
        "text/plain": "\n".join(part for part in (visible(sources_plain(choices)), line) if part),
    }


def _token_counts(usage: Any) -> str:
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if completion is None:
        return f"{prompt:,} tokens in" if prompt is not None else ""
    parts = f" ({', '.join(_breakdown(usage))})" if _breakdown(usage) else ""
    before = f"{prompt:,} → " if prompt is not None else ""
    return f"{before}{completion:,} tokens{parts}"


def _breakdown(usage: Any) -> list[str]:
    """Say what the tokens were of, where they are not of text alone, and what the cache took."""
    is_mixed = usage.image_tokens or usage.audio_tokens
    counts = [
        (usage.text_tokens if is_mixed else 0, "of text"),
        (usage.image_tokens, "of pictures"),
        (usage.audio_tokens if usage.text_tokens else 0, "of sound"),
        (usage.cache_write_tokens, "written to the cache"),
    ]
    return [f"{count:,} {what}" for count, what in counts if count]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 9.995 else f"{value:,.1f} s"


def _rate(run: ShownRun) -> str:
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


def _call_count(run: ShownRun) -> str:
    count = sum(len(asked.calls) for asked in run.rounds)
    return f"{count} call{'s' if count > 1 else ''}" if count else ""


def _ending(run: ShownRun) -> str:
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
