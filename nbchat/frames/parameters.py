"""The parameter table: the declaration of the request as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from nbchat.api.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas.api.extensions import ExtensionArray

    from nbchat.api.fields import Field


def parameters() -> pd.DataFrame:
    """Give one row for each request field, in the order of the reference.

    The index is `name`. Columns: `type` and `group` (category); `range` (string: bounds,
    choices or shape of a value, NA where any is taken), `default` (string: what the API
    does without the field, NA where nothing), `nullable` and `deprecated` (bool),
    `successor` (string, NA where none), `description` (string). Source:
    `nbchat.api.ChatParams`.
    """
    fields = list(FIELDS().values())
    columns = {
        "type": _category([" or ".join(field.kinds) for field in fields]),
        "range": _strings([_range(field) for field in fields]),
        "default": _strings([field.default_text for field in fields]),
        "nullable": [field.nullable for field in fields],
        "group": _category([field.group for field in fields]),
        "deprecated": [field.deprecated for field in fields],
        "successor": _strings([field.successor for field in fields]),
        "description": _strings([field.description for field in fields]),
    }
    return pd.DataFrame(columns, index=pd.Index([field.name for field in fields], name="name"))


def _range(field: Field) -> str | None:
    if field.kind in ("boolean", "string") and " (" not in field.type_text:
        return None
    if field.kind in ("number", "integer"):
        return (
            field.type_text.removeprefix(field.kind)
            .lstrip()
            .removeprefix("from ")
            .removeprefix("of ")
        )
    if field.kind == "choice":
        return ", ".join(field.choices)
    return field.type_text


def _strings(texts: Sequence[str | None]) -> ExtensionArray:
    return pd.array([text or None for text in texts], dtype="string")


def _category(texts: list[str]) -> ExtensionArray:
    return pd.Categorical(texts, categories=list(dict.fromkeys(texts)))
