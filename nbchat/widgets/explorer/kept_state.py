"""The state of a panel as JSON: kept in the notebook, and in the file of a session."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from nbchat.code.python_names import names_in
from nbchat.errors import CheckError
from nbchat.history.redaction import Redaction, known_secrets
from nbchat.options import OPTIONS
from nbchat.request.draft import Draft, is_json
from nbchat.stored_run import media_in, with_media
from nbchat.widgets.explorer.form import described_fields, shown_fields
from nbchat.widgets.explorer.variables import Several, Variables

_NAMED = ("tools", "functions", "response_format")
_OPTIONS_LEFT_OUT = ("profile", "system", "confirm")


class Situation(msgspec.Struct, frozen=True):
    """What a panel stands at: the request, and what its names stand for."""

    draft: Draft
    variables: Variables = Variables()


def as_json(situation: Situation, literal: Iterable[str] = ()) -> Any:
    """Give a situation as JSON, without keys. Functions and types are kept by name and schema."""
    draft, variables = situation.draft, situation.variables
    texts = {text for text in literal if _is_in(text, draft.messages)}
    kept = {
        "messages": draft.messages,
        "media": media_in(draft.messages),
        "fields": described_fields(draft),
        "names": {n: v for n, v in names_in(draft.fields).items() if n in _NAMED},
        "extra": draft.extra,
        "options": _options(draft),
        "profile": draft.profile,
        "values": {name: _kept(value) for name, value in variables.values.items()},
        "data": variables.data,
        "is_raw": variables.is_raw,
        "literal": sorted(texts),
    }
    whole = Redaction(known_secrets())(kept)
    return msgspec.json.decode(msgspec.json.encode(whole, enc_hook=str))


def of_json(kept: Any, notebook: Mapping[str, Any]) -> tuple[Situation, set[str]]:
    """Give the situation that was kept, and its texts that are no templates.

    Names that the notebook has not, or no more, leave the schema. Raise CheckError for
    anything else.
    """
    try:
        fields = dict(kept["fields"])
        for name, names in kept.get("names", {}).items():
            fields[name] = _named(name, names, fields.get(name), notebook)
        values = {name: _read(value) for name, value in kept.get("values", {}).items()}
        # a page, which writes it where the kernel is gone, has fields and options in one
        options = {n: v for n, v in {**kept.get("options", {}), **fields}.items() if n in OPTIONS()}
        fields = {name: value for name, value in fields.items() if name not in options}
        draft = Draft(
            messages=with_media([*kept["messages"]], kept["media"]),
            fields=fields,
            extra=dict(kept["extra"]),
            profile=kept["profile"],
            **options,
        )
        variables = Variables(
            values=values, data=kept.get("data", ""), is_raw=bool(kept.get("is_raw"))
        )
        return Situation(draft, variables), {*kept.get("literal", ())}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckError(f"This is no state of a panel: {error!r} is missing or wrong.") from None


def origin_of(situation: Situation) -> str:
    """Give what tells whether a cell's arguments are still those that a state was made from."""
    text = msgspec.json.encode(as_json(situation), order="sorted")
    return hashlib.sha256(text).hexdigest()[:24]


def _options(draft: Draft) -> dict[str, Any]:
    return {
        name: value
        for name, option in OPTIONS().items()
        if name not in _OPTIONS_LEFT_OUT
        and not option.no_control
        and (value := getattr(draft, name)) is not None
        and is_json(value)
    } | ({"confirm": True} if shown_fields(draft).get("confirm") else {})


def _named(name: str, names: list[str], described: Any, notebook: Mapping[str, Any]) -> Any:
    values = [notebook.get(one) for one in names]
    if name == "response_format":
        return described if values[0] is None else values[0]
    schemas = described if isinstance(described, list) else [None] * len(names)
    return [
        schema if function is None else function
        for function, schema in zip(values, schemas, strict=False)
    ]


def _kept(value: Any) -> Any:
    return {"several": value.values} if isinstance(value, Several) else {"one": value}


def _read(kept: Mapping[str, Any]) -> Any:
    return Several([*kept["several"]]) if "several" in kept else kept["one"]


def _is_in(text: str, value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_in(text, one) for one in value.values())
    return any(_is_in(text, one) for one in value) if isinstance(value, list) else value == text
