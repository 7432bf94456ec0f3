"""The panel as static HTML: what stands in its place where there is no kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbchat.code.inline_data import with_short
from nbchat.display.fragments import escaped
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.reasoning_and_sources import reasoning_html, sources_html
from nbchat.display.sanitise import as_html
from nbchat.redact import redact_keys
from nbchat.widgets.explorer.feed import text_of
from nbchat.widgets.explorer.form import shown_fields
from nbchat.widgets.explorer.probabilities import has_tokens
from nbchat.widgets.stand_in import IS_A_PICTURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.api.response import Choice
    from nbchat.code import Draft
    from nbchat.widgets.explorer.entries import Entry

_MOST_TOKENS = 400
_GREY = "color:#7f7f7f;font-size:85%"
_BOX = "border:1px solid rgba(127,127,127,.35);border-radius:8px;padding:8px 12px;min-width:0"
_ROW = "display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:10px"
_MONO = "font-family:monospace;font-size:90%"


_GO_ON = "; else run the cell again to go on from here"
_ANEW = "; else run the cell again for a new one"


def picture(draft: Draft, shown: Sequence[Entry], *, is_kept: bool = False) -> str:
    """Give the request and the replies that are shown; everything of them is escaped.

    `is_kept`: whether the notebook has the state, so that the cell opens with it.
    """
    request = shown[0].sent if shown else draft
    replies = "".join(_reply(entry) for entry in shown)
    body = f'<div style="{_ROW}">{replies}</div>' if len(shown) > 1 else replies
    return (
        f'<div style="{_BOX}">'
        f'<div style="{_GREY}">nbchat explorer · {IS_A_PICTURE}{_GO_ON if is_kept else _ANEW}</div>'
        f"{_request(request)}{body}{_tokens(shown)}</div>"
    )


def _request(draft: Draft) -> str:
    messages = "".join(map(_message, with_short(draft.messages, lambda _: False)))
    fields = {**shown_fields(draft), **draft.extra}
    set_fields = " · ".join(
        f"{name} {json.dumps(v, ensure_ascii=False)}" for name, v in fields.items()
    )
    where = f"profile {draft.profile} · " if draft.profile else ""
    line = f"{where}{set_fields}" if set_fields else f"{where}no parameter set"
    return f'{messages}<div style="{_GREY};margin:4px 0 8px">{_safe(line)}</div>'


def _message(message: Any) -> str:
    role = message.get("role", "") if isinstance(message, dict) else ""
    content = message.get("content") if isinstance(message, dict) else message
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return (
        f'<div style="margin:4px 0"><b style="{_GREY}">{_safe(str(role))}</b> '
        f'<span dir="auto" style="white-space:pre-wrap">{_safe(text)}</span></div>'
    )


def _reply(entry: Entry) -> str:
    completion = entry.run.completion if entry.run is not None else None
    choices = without_inline_reasoning(completion.choices if completion is not None else [])
    head = f'<div style="{_MONO}"><b>{_safe(entry.label)}</b></div>' if entry.label else ""
    texts = "".join(_choice(choice, many=len(choices) > 1) for choice in choices)
    if len(choices) > 1:
        texts = f'<div style="{_ROW}">{texts}</div>'
    problem = f"<p><b>{_safe(entry.sentence)}</b></p>" if entry.sentence else ""
    blank = f'<p style="{_GREY}">{_safe(entry.blank)}</p>' if entry.blank else ""
    facts = f'<div style="{_GREY}">{_safe(entry.facts)}</div>'
    return f'<div style="min-width:0">{head}{texts}{blank}{problem}{facts}</div>'


def _choice(choice: Choice, *, many: bool) -> str:
    head = f'<div style="{_GREY}">choice {choice.index}</div>' if many else ""
    sources = sources_html([choice])
    below = f'<div style="{_GREY}">{sources}</div>' if sources else ""
    return (
        f'<div style="min-width:0">{head}{reasoning_html([choice.message])}'
        f'<div dir="auto">{as_html(text_of(choice.message))}</div>{below}</div>'
    )


def _tokens(shown: Sequence[Entry]) -> str:
    run = shown[0].run if shown else None
    if run is None or not shown[0].is_over or not has_tokens(run):
        return ""
    from nbchat.plots.heatmap import heatmap

    frame = run.tokens()
    first = int(frame["choice"].min())
    frame = frame[frame["choice"] == first].head(_MOST_TOKENS)
    return f'<div style="margin-top:8px">{heatmap(frame, choice=first)}</div>'


def _safe(text: str) -> str:
    return escaped(redact_keys(text))
