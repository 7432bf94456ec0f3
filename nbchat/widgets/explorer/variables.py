"""The variables of the messages: ``{{ name }}``, and what stands for it in each lane."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

import msgspec

from nbchat.api.json_values import shown
from nbchat.code import template
from nbchat.errors import CheckError, NbchatError, TemplateError
from nbchat.request.draft import Draft

#: lanes that stand side by side at most
MOST_LANES = 24
_SHORT = 40
_HINT = "Give it a value under Variables, or send {{ }} as text."


class Several(NamedTuple):
    """Values of one variable, a lane for each."""

    values: list[Any]


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """What the names in the messages stand for.

    - `values`: name -> its value, or `Several`; a name that is not there is the notebook's
    - `data`: the name of a DataFrame of the notebook, whose rows are lanes; "" for none
    - `is_raw`: send ``{{`` and ``{%`` as they stand
    """

    values: Mapping[str, Any] = {}
    data: str = ""
    is_raw: bool = False


class Lane(NamedTuple):
    """What one lane has in the place of the names, and what sets it apart from the others."""

    values: dict[str, Any]
    label: str = ""


class Lanes(NamedTuple):
    """The first lanes, `MOST_LANES` at most, and how many there are in all."""

    first: list[Lane]
    n_all: int


def names_in(messages: Any, literal: Iterable[str] = ()) -> list[str]:
    """Give the names that messages ask for, in order; `literal` are texts that are no templates.

    A template that is none has no names here: filling it in says what is wrong.
    """
    names: dict[str, None] = {}
    for text in _texts(messages):
        if text not in literal:
            names.update(dict.fromkeys(template.names_in(text)))
    return [*names]


def lanes_of(variables: Variables, names: Sequence[str], notebook: Mapping[str, Any]) -> Lanes:
    """Give the lanes: for each row of the data, each combination of values.

    Raise CheckError where the data is no DataFrame of the notebook or lacks all names.
    """
    single, several = values_of(variables, names)
    rows, n_rows = _rows(variables.data, names, notebook)
    count = n_rows
    for values in several.values():
        count *= len(values)
    made: list[Lane] = []
    for row, *combined in islice(product(rows, *several.values()), MOST_LANES):
        varied = {**row.values, **dict(zip(several, combined, strict=True))}
        parts = [row.label, *(f"{name} {_short(varied[name])}" for name in several)]
        made.append(Lane({**single, **varied}, " · ".join(filter(None, parts))))
    return Lanes(made, count)


def values_of(
    variables: Variables, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Give the values that are set: those of which there is one, and those with several."""
    known = {name: value for name, value in variables.values.items() if name in names}
    several = {n: v.values for n, v in known.items() if isinstance(v, Several)}
    return {n: v for n, v in known.items() if not isinstance(v, Several)}, several


def columns_of(variables: Variables, notebook: Mapping[str, Any]) -> list[str]:
    """Name the columns of the data; none where there is none."""
    return _columns(variables.data, notebook)


def rows_of(variables: Variables, names: Sequence[str]) -> list[dict[str, Any]]:
    """Give all combinations of the values that are set, as rows of data."""
    known = {name: value for name, value in variables.values.items() if name in names}
    columns = [v.values if isinstance(v, Several) else [v] for v in known.values()]
    return [dict(zip(known, row, strict=True)) for row in product(*columns)] if known else []


def filled(draft: Draft, values: Mapping[str, Any], literal: Iterable[str] = ()) -> Draft:
    """Give the draft with its texts filled in. Raise TemplateError with the reason."""
    literal = frozenset(literal)

    def fill(value: Any, *, is_text: bool = False) -> Any:
        if isinstance(value, str):
            return _filled(value, values) if is_text and value not in literal else value
        if isinstance(value, dict):
            return {key: fill(entry, is_text=key in _TEXTS) for key, entry in value.items()}
        return [fill(one) for one in value] if isinstance(value, list) else value

    return msgspec.structs.replace(draft, messages=[fill(one) for one in draft.messages])


def _filled(text: str, values: Mapping[str, Any]) -> str:
    try:
        return template.fill(text, values)
    except TemplateError as error:
        raise TemplateError(str(error).replace(template.HINT, _HINT)) from None


def facts(
    variables: Variables, names: Sequence[str], notebook: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Give of each name what the page shows: name, text, several, note."""
    rows = []
    columns = _columns(variables.data, notebook)
    for name in names:
        value = variables.values.get(name, msgspec.UNSET)
        is_several = isinstance(value, Several)
        rows.append(
            {
                "name": name,
                "text": "" if value is msgspec.UNSET else _written(value),
                "several": is_several,
                "note": _note(name, value, columns, notebook),
            }
        )
    return rows


def read(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Read what the page says of each name: ``{"text": …, "several": …}``; blank is not set."""
    values_read: dict[str, Any] = {}
    for name, typed in values.items():
        text = typed["text"]
        if not typed["several"]:
            if text != "":
                values_read[name] = text
            continue
        values_read[name] = Several(_listed(text))
    return values_read


def as_variables(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Read what Python gives for names: a list is `Several`, all else one value.

    Raise CheckError where it is no mapping of names.
    """
    if not isinstance(variables, Mapping) or not all(isinstance(name, str) for name in variables):
        raise CheckError(
            f"variables is {shown(variables)}, but it must be a mapping of names to values.",
            field="variables",
        )
    return {
        name: Several([*value]) if isinstance(value, (list, tuple)) else value
        for name, value in variables.items()
    }


def frames_of(notebook: Mapping[str, Any]) -> list[str]:
    """Name the DataFrames of the notebook."""
    return sorted(n for n, v in notebook.items() if not n.startswith("_") and _is_frame(v))


def name_of(data: Any, notebook: Mapping[str, Any]) -> str:
    """Give the name of a DataFrame of the notebook: itself, or its name; "" for none.

    Raise CheckError where it is none, and where no variable holds it.
    """
    if data is None:
        return ""
    if isinstance(data, str):
        if data:
            frame_of(data, notebook)
        return data
    names = [name for name, value in notebook.items() if value is data and name[:1] != "_"]
    if not _is_frame(data) or not names:
        what = "this DataFrame" if _is_frame(data) else f"a {type(data).__name__}"
        raise CheckError(
            f"data is {what}, but it must be a DataFrame that a variable of the notebook holds, "
            "or its name.",
            field="data",
        )
    return names[0]


def frame_of(name: str, notebook: Mapping[str, Any]) -> Any:
    """Give the DataFrame of a name. Raise CheckError where it is none."""
    value = notebook.get(name)
    if not _is_frame(value):
        frames = frames_of(notebook)
        known = f"the notebook has {', '.join(frames[:6])}" if frames else "the notebook has none"
        raise CheckError(f"{name} is no DataFrame of the notebook: {known}.", field="messages")
    return value


_TEXTS = ("content", "text")


def _texts(messages: Any) -> Iterable[str]:
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield content
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def _rows(data: str, names: Sequence[str], notebook: Mapping[str, Any]) -> tuple[list[Lane], int]:
    if not data:
        return [Lane({})], 1
    frame = frame_of(data, notebook)
    columns = [name for name in names if name in frame.columns]
    if not columns:
        raise CheckError(
            f"{data} has no column that the messages name: it has "
            f"{', '.join(map(str, frame.columns[:8]))}.",
            field="messages",
        )
    head = frame.head(MOST_LANES)
    rows = []
    for place, (_, row) in enumerate(head.iterrows()):
        values = {name: row[name] for name in columns}
        label = f"row {place}: {', '.join(_short(value) for value in values.values())}"
        rows.append(Lane(values, label))
    return rows, len(frame)


def _columns(data: str, notebook: Mapping[str, Any]) -> list[str]:
    try:
        return [str(name) for name in frame_of(data, notebook).columns] if data else []
    except NbchatError:
        return []


def _note(name: str, value: Any, columns: Sequence[str], notebook: Mapping[str, Any]) -> str:
    if name in columns:
        return "a column of the data"
    if isinstance(value, Several):
        return f"{len(value.values)} values, a lane for each"
    if value is not msgspec.UNSET:
        return ""
    if name in notebook:
        return f"the notebook's own: {_short(notebook[name])}"
    return "no value yet"


def _listed(text: str) -> list[Any]:
    if text.strip().startswith("["):
        try:
            decoded = json.loads(text)
        except ValueError:
            decoded = None
        if isinstance(decoded, list):
            return decoded
    return [line for line in text.splitlines() if line.strip()]


def _written(value: Any) -> str:
    if not isinstance(value, Several):
        return value if isinstance(value, str) else shown(value)
    values = value.values
    if all(isinstance(one, str) and one.strip() and len(one.splitlines()) == 1 for one in values):
        return "\n".join(values)
    return json.dumps(values, ensure_ascii=False, default=str)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _is_frame(value: Any) -> bool:
    return type(value).__name__ == "DataFrame" and hasattr(value, "iterrows")
