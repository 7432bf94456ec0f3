"""The pages of the reference that are made from declarations: fields, flags, options, columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import pandas as pd

from nbchat.api.fields import FIELDS
from nbchat.client.presets import PRESETS
from nbchat.code.flags import OPTION_FLAGS
from nbchat.frames.columns import Column, Figure, FrameName, columns_of, columns_of_requests
from nbchat.frames.parameters import parameters
from nbchat.magics.usage import usage
from nbchat.options import OPTIONS


def pages() -> Iterator[tuple[str, str]]:
    """Give the name and the Markdown of each page."""
    yield "fields", fields()
    yield "flags", flags()
    yield "columns", columns()


def fields() -> str:
    """Give the page of the fields of a request, from their declaration."""
    parts = [
        "# The fields of a request",
        (
            "Each is a flag of `%%chat`, an argument of `nbchat.chat`, a control of the "
            "explorer, an axis of a sweep and a column of the `runs` frame. As a DataFrame: "
            "`nbchat.parameters()`. Declared in `nbchat.ChatParams`; the source is the "
            "reference of the Chat Completions API."
        ),
    ]
    table = parameters()
    for group, rows in table.groupby("group", sort=False, observed=True):
        parts.append(f"## {group}")
        for name, row in rows.iterrows():
            parts.append(_field(str(name), row))
    return "\n\n".join(parts) + "\n"


def _field(name: str, row: pd.Series) -> str:
    dashed = name.replace("_", "-")
    is_boolean = FIELDS()[name].kind == "boolean"
    facts = [
        ("flag", f"`--{dashed}`" + (f", `--no-{dashed}`" if is_boolean else "")),
        ("type", row["type"] + (", or null" if row["nullable"] else "")),
        ("takes", row["range"]),
        ("without it", row["default"]),
    ]
    if row["deprecated"]:
        successor = f": use `{row['successor']}`" if isinstance(row["successor"], str) else ""
        facts.append(("deprecated", f"yes{successor}"))
    listed = "\n".join(
        f"- {what}: {as_text(told)}" for what, told in facts if isinstance(told, str)
    )
    return f"({name})=\n### `{name}`\n\n{as_text(row['description'])}\n\n{listed}"


def flags() -> str:
    """Give the page of the flags of the magics and of nbchat's own options."""
    own_flags = [
        (
            ", ".join(f"`{s}`" for s in _spellings(flag.short, flag.name, flag.takes)),
            f"`{flag.shown}`" if flag.shown else "",
            flag.description,
        )
        for flag in OPTION_FLAGS.values()
    ]
    options = [
        (
            f"`{name}`",
            option.no_flag or f"`--{option.flag}`",
            option.no_argument or "yes",
            option.no_control or "yes",
            option.dtype or "",
            _sentence(option.about) or option.help,
        )
        for name, option in OPTIONS().items()
    ]
    servers = [
        ("`local`", "the embedded model, on 127.0.0.1", ""),
        *(
            (
                f"`{name}`",
                preset.base_url or "`AZURE_OPENAI_ENDPOINT`",
                f"`{preset.key_variable}`" if preset.key_variable else "",
            )
            for name, preset in PRESETS.items()
        ),
        ("any base URL", "itself", "`NBCHAT_API_KEY`"),
    ]
    return "\n\n".join(
        [
            "# Flags, options, profiles",
            (
                "Every [field of a request](fields.md) is a flag under its own name, with "
                "dashes. The flags below are nbchat's own."
            ),
            "## Flags of nbchat's own",
            _table(("flag", "takes", "what it does"), own_flags),
            "## Options",
            (
                "What a request takes beside its fields, whatever it is made with: flag, argument, "
                "control of the explorer, column of the `runs` frame."
            ),
            _table(("option", "flag", "argument", "control", "column", "what it is"), options),
            "## Profiles",
            _table(("profile", "address", "key from"), servers),
            "## The help of `%%chat`",
            "As `%%chat?` shows it.",
            f"```text\n{usage()}```",
        ]
    )


def _spellings(short: str, name: str, takes: str) -> Iterator[str]:
    if short:
        yield f"-{short}"
    if takes != "pair":
        yield f"--{name}"


def columns() -> str:
    """Give the page of the columns of all frames, from their declaration."""
    parts = [
        "# The columns of the frames",
        (
            "Missing is NA in every dtype, never a number that stands for it. A formula is what "
            "the panels show beside a figure: l is the logprob, p = exp(l), K the number of "
            "alternatives listed, V the size of the vocabulary."
        ),
    ]
    for frame in get_args(FrameName):
        last = columns_of_requests() if frame == "runs" else frozenset()
        columns_here = [column for column in columns_of(frame) if column.name not in last]
        parts += [f"## {frame}", _columns(columns_here)]
        if frame == "runs":
            requested = [column for column in columns_of(frame) if column.name in last]
            parts += [
                (
                    "And what was asked for: a column for each option that is kept and for each "
                    "[field](fields.md), where one of the runs has set it, or with "
                    "`nbchat.runs(all_columns=True)`."
                ),
                _columns(requested),
            ]
    return "\n\n".join(parts) + "\n"


def _columns(declared: Iterable[Column]) -> str:
    rows = [
        (
            f"`{column.name}`",
            f"`{column.dtype}`",
            column.unit,
            column.meaning,
            column.page.formula if isinstance(column.page, Figure) else "",
        )
        for column in declared
    ]
    if any(row[-1] for row in rows):
        return _table(("column", "dtype", "unit", "meaning", "formula"), rows)
    return _table(("column", "dtype", "unit", "meaning"), [row[:-1] for row in rows])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(as_text(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def as_text(text: str) -> str:
    """Give a text so that Markdown shows it as it is, code in backticks aside."""
    parts = text.replace("``", "`").split("`")
    for n in range(0, len(parts), 2):
        for sign in "\\<*_[$":
            parts[n] = parts[n].replace(sign, f"\\{sign}")
    return "`".join(parts).replace("|", "\\|")


def _sentence(text: str) -> str:
    return text + ("." if text else "")
