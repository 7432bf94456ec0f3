"""Pinned replies beside one another: what differed in the request, and in the words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbchat.code import changed_fields
from nbchat.code.inline_data import with_short
from nbchat.display.characters import visible
from nbchat.display.word_diff import Piece, differences
from nbchat.widgets.explorer.feed import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.widgets.explorer.entries import Entry


def comparison(pinned: Sequence[Entry], base: str | None) -> dict[str, Any]:
    """Give the pinned entries as columns; `base` is the id of the one that they are held against.

    Each column: id, number, label, facts, error, `changes` (name and value of each field in
    which not all agree), `parts` (text and mark: same, added, removed), and `prompt`, the same
    of the messages where they differ. Of more than two columns only the others are marked: what
    the base lacks differs from one to the next.
    """
    ids = [entry.id for entry in pinned]
    place = ids.index(base) if base in ids else 0
    replies = _marked([_text(entry) for entry in pinned], place)
    prompts = [_prompt(entry) for entry in pinned]
    marked_prompts = _marked(prompts, place) if len({*prompts}) > 1 else [[] for _ in pinned]
    changes = changed_fields([entry.sent for entry in pinned]) if len(pinned) > 1 else [{}]
    columns = []
    for k, entry in enumerate(pinned):
        columns.append(
            {
                "id": entry.id,
                "number": entry.number,
                "label": entry.label or f"#{entry.number}",
                "facts": entry.facts,
                "error": entry.sentence,
                "changes": [
                    [name, visible(value)]
                    for name, value in changes[k].items()
                    if name != "messages"
                ],
                "prompt": [[text, mark] for text, mark in marked_prompts[k]],
                "parts": [[text, mark] for text, mark in replies[k]],
            }
        )
    return {"on": "compare", "base": ids[place] if ids else None, "columns": columns}


def _marked(texts: Sequence[str], base: int) -> list[list[Piece]]:
    """Give each text with what sets it apart from that at `base`."""
    marked: list[list[Piece]] = []
    for k, text in enumerate(texts):
        parts: list[Piece] = [(text, "same")]
        if k != base:
            parts = differences(texts[base], text)[1]
        elif len(texts) == 2:
            parts = differences(text, texts[1 - k])[0]
        marked.append(parts)
    return marked


def _prompt(entry: Entry) -> str:
    return "\n".join(
        f"{message.get('role', '')}: {visible(_text_of(message))}"
        for message in entry.sent.messages
    )


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    more = {name: held for name, held in message.items() if name not in ("role", "content")}
    short = with_short([content, more], lambda _: False)
    text = content if isinstance(content, str) else json.dumps(short[0], ensure_ascii=False)
    return f"{text} {json.dumps(short[1], ensure_ascii=False)}" if more else text


def _text(entry: Entry) -> str:
    completion = entry.run.completion if entry.run is not None else None
    choices = completion.choices if completion is not None else []
    if entry.blank:
        return entry.blank
    if len(choices) == 1:
        return visible(text_of(choices[0].message))
    return "\n\n".join(f"choice {c.index}\n{visible(text_of(c.message))}" for c in choices)
