"""Pinned replies beside one another: what differed in the request, and in the words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.code import changed_fields
from nbchat.display.characters import visible
from nbchat.display.word_diff import Piece, differences
from nbchat.widgets.explorer.feed import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.widgets.explorer.entries import Entry


def comparison(pinned: Sequence[Entry], base: str | None) -> dict[str, Any]:
    """Give the pinned entries as columns; `base` is the id of the one that they are held against.

    Each column: id, number, label, facts, error, `changes` (name and value of each field in
    which not all agree), `parts` (text and mark: same, added, removed). Of more than two
    columns only the others are marked: what the base lacks differs from one to the next.
    """
    ids = [entry.id for entry in pinned]
    place = ids.index(base) if base in ids else 0
    texts = [_text(entry) for entry in pinned]
    changes = changed_fields([entry.draft for entry in pinned]) if len(pinned) > 1 else [{}]
    columns = []
    for k, entry in enumerate(pinned):
        parts: list[Piece] = [(texts[k], "same")]
        if k != place:
            parts = differences(texts[place], texts[k])[1]
        elif len(pinned) == 2:
            parts = differences(texts[k], texts[1 - k])[0]
        columns.append(
            {
                "id": entry.id,
                "number": entry.number,
                "label": entry.label or f"#{entry.number}",
                "facts": entry.facts,
                "error": entry.sentence,
                "changes": [[name, visible(value)] for name, value in changes[k].items()],
                "parts": [[text, mark] for text, mark in parts],
            }
        )
    return {"on": "compare", "base": ids[place] if ids else None, "columns": columns}


def _text(entry: Entry) -> str:
    completion = entry.run.completion if entry.run is not None else None
    choices = completion.choices if completion is not None else []
    if len(choices) == 1:
        return visible(text_of(choices[0].message))
    return "\n\n".join(f"choice {c.index}\n{visible(text_of(c.message))}" for c in choices)
