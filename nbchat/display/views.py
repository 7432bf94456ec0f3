"""Views of a run that are asked for: choices beside one another, and what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.display.characters import visible
from nbchat.display.fragments import escaped, grey_html
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.reasoning_and_sources import reasoning_html, sources_html
from nbchat.display.reply import caption, reply_markdown
from nbchat.display.sanitise import as_html
from nbchat.display.word_diff import differences

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.display.shown_run import ShownRun

_GRID = (
    "display: grid; gap: 0.8em; "
    "grid-template-columns: repeat(auto-fit, minmax(min(100%, 18em), 1fr))"
)
_COLUMN = (
    "min-width: 0; overflow-wrap: anywhere; overflow-x: auto; "
    "border: 1px solid #7f7f7f; border-radius: 4px; padding: 0.3em 0.8em"
)
_TAKEN = (
    "text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 3px; "
    "background-color: rgba(127, 127, 127, 0.2)"
)
_TEXT = "margin: 0.3em 0; white-space: pre-wrap; overflow-wrap: anywhere"


class View:
    """A piece of static HTML that a notebook shows. `html` (or str) gives it as text."""

    def __init__(self, html: str, summary: str):
        self.html = html
        self._summary = summary

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<View: {self._summary}>"


def side_by_side(run: ShownRun) -> View:
    """Give the choices of a run as columns, which stand below one another on a narrow page."""
    completion = run.completion
    choices = without_inline_reasoning(completion.choices if completion else [])
    if not choices:
        return View("<p>This run has no reply.</p>", "no reply")
    columns = "".join(f'<div style="{_COLUMN}">{_column(choice)}</div>' for choice in choices)
    count = f"{len(choices)} choice{'' if len(choices) == 1 else 's'}"
    return View(f'<div style="{_GRID}">{columns}</div>', count)


def _column(choice: Choice) -> str:
    ending = visible(choice.finish_reason or "not finished")
    sources = sources_html([choice])
    return "".join(
        [
            grey_html(f"{caption(choice.index)} · {ending}"),
            reasoning_html([choice.message]),
            as_html(reply_markdown(choice.message)),
            grey_html("", sources) if sources else "",
        ]
    )


def taken_over(run: ShownRun, choice: int = 0) -> View:
    """Give the text of a choice with what it took over unchanged from the prediction marked.

    Words are compared (difflib); what the two have in common is underlined on a grey ground.
    Raise ValueError where no prediction was sent or there is no such choice.
    """
    predicted = _predicted(run)
    if predicted is None:
        raise ValueError("no prediction was sent with this run: chat(…, prediction=text) sends one")
    choices = run.completion.choices if run.completion else []
    reply = next((c for c in choices if c.index == choice), None)
    if reply is None:
        raise ValueError(f"this run has no choice {choice}")
    text = reply.message.content or ""
    parts, count = [], 0
    for part, mark in differences(predicted, text)[1]:
        is_taken = mark == "same"
        count += len(part) if is_taken else 0
        parts.append(f'<u style="{_TAKEN}">{escaped(part)}</u>' if is_taken else escaped(part))
    share = f" ({count / len(text):.0%})" if text else ""
    summary = f"{count:,} of {len(text):,} characters{share}"
    legend = grey_html(" · ".join([f"underlined: taken over unchanged, {summary}", *_counted(run)]))
    return View(f'<div>{legend}<pre style="{_TEXT}">{"".join(parts)}</pre></div>', summary)


def _predicted(run: ShownRun) -> str | None:
    fields = {**run.params.given(), **run.params.extra}
    prediction: Any = fields.get("prediction")
    if not isinstance(prediction, dict):
        return None
    content = prediction.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def _counted(run: ShownRun) -> list[str]:
    usage = run.usage
    counts = (usage.accepted_prediction_tokens, usage.rejected_prediction_tokens)
    words = ("accepted", "rejected")
    return [f"{n:,} tokens {word}" for n, word in zip(counts, words, strict=True) if n is not None]
