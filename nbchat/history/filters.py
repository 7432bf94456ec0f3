"""What is looked for in the history, as SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from nbchat.api.explain import did_you_mean, nearest
from nbchat.errors import CheckError
from nbchat.history.record import time_text
from nbchat.run import Status

When = datetime | date | timedelta | str
Texts = str | Iterable[str]
_COLUMNS = ("model", "profile", "thread", "notebook", "status", "sweep")


def where_of(
    text: str | None = None,
    *,
    since: When | None = None,
    until: When | None = None,
    limit: int | None = None,
    **equal: Texts | None,
) -> tuple[str, list[Any]]:
    """Give the WHERE, ORDER BY and LIMIT of a search, and their values.

    Raise CheckError for a time, a status or a limit that cannot be read.
    """
    parts: list[str] = []
    values: list[Any] = []
    if text is not None and not isinstance(text, str):
        raise CheckError(
            f"text is {text!r}, but it must be words that were typed or answered.",
            field="text",
            value=text,
        )
    if text is not None and text.strip():
        sql, parameters = _text_condition(text)
        parts.append(sql)
        values += parameters
    for name, sign, when in (("since", ">=", since), ("until", "<", until)):
        if when is not None:
            parts.append(f"created_at {sign} ?")
            values.append(time_text(moment(name, when)))
    for name, wanted in equal.items():
        if wanted is None:
            continue
        texts = [wanted] if isinstance(wanted, str) else list(wanted)
        if name == "status":
            _check_status(texts)
        parts.append(f"({' OR '.join(f'{name} GLOB ?' for _ in texts) or '0'})")
        values += [_glob(one) for one in texts]
    sql = f"WHERE {' AND '.join(parts)} " if parts else ""
    sql += "ORDER BY created_at DESC, number DESC"
    if limit is not None:
        _check_limit(limit)
        sql += " LIMIT ?"
        values.append(limit)
    return sql, values


def _text_condition(text: str) -> tuple[str, list[Any]]:
    words = text.split()
    if all(any(map(_is_indexed, word)) and not any(map(_is_unspaced, word)) for word in words):
        quoted = " ".join('"{}"'.format(word.replace('"', '""')) for word in words)
        return (
            "number IN (SELECT rowid FROM texts_index WHERE texts_index MATCH ?)",
            [quoted + "*"],
        )
    # scripts without blanks, and signs alone, are no words of the index
    likes = []
    values: list[Any] = []
    for word in words:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        likes.append(
            "(text LIKE ? ESCAPE '\\' OR asked LIKE ? ESCAPE '\\' OR also_answered LIKE ? "
            "ESCAPE '\\')"
        )
        values += [f"%{escaped}%"] * 3
    condition = " AND ".join(likes)
    return f"number IN (SELECT number FROM texts WHERE {condition})", values  # noqa: S608


def _is_indexed(character: str) -> bool:
    return character.isalnum()


def _is_unspaced(character: str) -> bool:
    """Tell whether a character is of a script that puts no blanks between words."""
    code = ord(character)
    return 0x0E00 <= code <= 0x0EFF or 0x1000 <= code <= 0x109F or 0x1780 <= code <= 0x17FF or (
        0x2E80 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7AF or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    )  # fmt: skip


def _glob(text: str) -> str:
    """Let ``*`` stand for anything, and every other sign for itself."""
    return "".join(f"[{c}]" if c in "?[" else c for c in text)


def moment(name: str, when: When) -> datetime:
    """Read a time of a search. Raise CheckError for what is none."""
    if isinstance(when, timedelta):
        return datetime.now(UTC) - when
    if isinstance(when, datetime):
        return when
    if isinstance(when, date):
        return datetime(when.year, when.month, when.day).astimezone()
    try:
        return datetime.fromisoformat(when)
    except (TypeError, ValueError):
        rule = "a time: a datetime, a date, a timedelta (that long ago) or text as 2026-11-29"
        raise CheckError(
            f"{name} is {when!r}, but it must be {rule}.", field=name, value=when, rule=rule
        ) from None


def _check_status(texts: list[str]) -> None:
    known = get_args(Status)
    for text in texts:
        if text not in known:
            rule = f"must be one of {', '.join(known)}"
            raise CheckError(
                f"status is {text!r}, but it {rule}.{did_you_mean(nearest(text, known))}",
                field="status",
                value=text,
                rule=rule,
            )


def _check_limit(limit: Any) -> None:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        rule = "must be a whole number, 0 or more, or None for all"
        raise CheckError(
            f"limit is {limit!r}, but it {rule}.", field="limit", value=limit, rule=rule
        )
