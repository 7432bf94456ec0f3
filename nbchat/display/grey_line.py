"""The grey line below a reply: the facts of a run in a few words, and its sources."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbchat.api.model_names import is_requested_model
from nbchat.display.characters import visible
from nbchat.display.fragments import escaped, grey_html
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.object_reply import no_object
from nbchat.display.reasoning_and_sources import sources_html, sources_plain
from nbchat.display.reply import has_something

if TYPE_CHECKING:
    from nbchat.display.shown_run import ShownRun

#: the time and the number of an id
_ID_CHARACTERS = 16
_ID = "color: inherit; background: none; user-select: all; cursor: copy"


def grey_line(run: ShownRun) -> str:
    """Say in one line what a reader may want to know of a run. Unknown facts are left out."""
    return " · ".join(words for words, _ in _facts(run))


def _facts(run: ShownRun) -> list[tuple[str, str]]:
    """Give what the line says, and for each part what it means."""
    usage = run.usage
    turn = f"{run.thread} {run.turn}" if run.thread is not None and run.turn is not None else ""
    facts = [
        (_model(run), "the model that answered, as the server calls it"),
        (turn, "the conversation, and the turn in it"),
        (_clock(run), "when it was asked, by this machine's clock"),
        (
            _token_counts(usage),
            "tokens of the prompt → tokens of the reply, as the server counts them",
        ),
        (
            f"{seconds_text(run.ttft_s)} to first" if run.ttft_s is not None else "",
            "the time from sending to the first content",
        ),
        (_rate(run), "tokens a second, from the first one to the end"),
        (cost_text(run.cost_usd), "what it cost in US dollars, by list prices or by the server"),
        (
            f"try {run.tries}" if run.tries > 1 else "",
            "the request was sent so many times, since it failed before",
        ),
        (_call_count(run), "calls of tools that the reply asked for"),
        (_ending(run), "how the reply ended, where it is not simply whole"),
        (no_object(run), "why the reply is not what response_format asks for"),
        *((note, "what was changed in the request, or is to be known of it") for note in run.notes),
    ]
    return [(visible(words).replace("\n", " "), meaning) for words, meaning in facts if words]


def _model(run: ShownRun) -> str:
    """Name who answered, and who was asked where that is another."""
    requested, answered = getattr(run, "model_asked", None), run.model
    if not (requested and answered) or is_requested_model(requested, answered):
        return answered or run.profile
    return f"{answered} (asked: {requested})"


def _clock(run: ShownRun) -> str:
    """Say when it was asked, so that a cell that ran again is seen to have run."""
    created_at = getattr(run, "created_at", None)
    if created_at is None:
        return ""
    local = created_at.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"


def _facts_html(run: ShownRun) -> str:
    parts = [
        f'<span title="{escaped(meaning)}">{escaped(words)}</span>'
        for words, meaning in _facts(run)
    ]
    return " · ".join([*parts, *_id_html(run)])


def _id_html(run: ShownRun) -> list[str]:
    """Give the beginning of the run's id, which one click selects and no other run has."""
    run_id = str(getattr(run, "id", ""))[:_ID_CHARACTERS]
    meaning = f"the run's id: %chat show {run_id}, or nbchat.history.get({run_id!r})"
    return [f'<code style="{_ID}" title="{escaped(meaning)}">{escaped(run_id)}</code>'] * bool(
        run_id
    )


def facts_bundle(run: ShownRun) -> dict[str, str]:
    """Give what stands grey below a reply as one output: its sources and the line of facts."""
    completion, line = run.completion, grey_line(run)
    choices = sorted(completion.choices, key=lambda c: c.index) if completion else []
    return {
        "text/html": grey_html("", sources_html(choices) + _facts_html(run)),
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


def seconds_text(value: float) -> str:
    """Say a time: ms under a second."""
    if value < 0.9995:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:,.1f} s"


def _rate(run: ShownRun) -> str:
    rate = run.tokens_per_s
    if rate is None:
        return ""
    return f"{rate:,.0f}/s" if rate >= 9.95 else f"{rate:.1f}/s"


def cost_text(cost_usd: float | None) -> str:
    """Say a cost in dollars; empty where it is not known."""
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
    count = sum(len(tool_round.calls) for tool_round in run.rounds)
    return f"{count} call{'s' if count > 1 else ''}" if count else ""


def _ending(run: ShownRun) -> str:
    if run.status in ("interrupted", "error"):
        return run.status
    completion = run.completion
    choices = without_inline_reasoning(completion.choices if completion else [])
    reasons = dict.fromkeys(choice.finish_reason for choice in choices)
    endings = [reason for reason in reasons if reason and reason != "stop"]
    if run.status == "complete" and not any(has_something(c.message) for c in choices):
        endings.append("empty reply")
    elif any(c.message.refusal and not c.message.text for c in choices):
        endings.append("refusal")
    return " · ".join(endings)
