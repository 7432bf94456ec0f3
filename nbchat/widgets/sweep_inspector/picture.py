"""The sweep inspector as static HTML, for where there is no kernel."""

from __future__ import annotations

from html import escape
from typing import Any

from nbchat.display.fragments import grey_html
from nbchat.plots.glyphs import shortened
from nbchat.widgets.stand_in import IS_A_PICTURE

#: of a longer message so many characters are written
MOST_TEXT = 1_500
_CELL = "padding:4px 8px;text-align:center;border:1px solid rgb(128 128 128/45%)"
_HEAD = "padding:4px 8px;text-align:center;font-weight:600"
_NO_SCORE = "repeating-linear-gradient(135deg,rgb(128 128 128/35%) 0 2px,transparent 2px 7px)"
_LEFT = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
_PRE = "margin:0 0 6px;white-space:pre-wrap;overflow-wrap:anywhere"
_GREY = "color:#7f7f7f"


def picture_of_figure(figure: dict[str, Any], rows: dict[str, Any] | None) -> str:
    """Give the figure as HTML; the cell whose rows are listed has a frame."""
    chosen = None if rows is None else rows["cell"]
    where = f"nbchat sweep inspector · {IS_A_PICTURE}; else run its cells again"
    title = f"{figure['name']}: {figure['score']} ({figure['unit']}) · {figure['status']}"
    notes = "".join(f"<div>{escape(figure[name])}</div>" for name in ("lacking", "cut"))
    tables = "".join(_multiple(figure, one, chosen) for one in figure["multiples"])
    return (
        f'<div class="mathjax_ignore" style="max-width:70em">{grey_html(where)}'
        f'<div style="margin:4px 0;font-weight:600">{escape(title)}</div>{notes}'
        f'<div style="overflow-x:auto">{tables}</div></div>'
    )


def picture_of_rows(rows: dict[str, Any] | None) -> str:
    """Give the page of rows that is listed as HTML."""
    if rows is None:
        return ""
    lines = rows["lines"]
    what = "" if rows["which"] == "all" else f", {rows['which']}"
    shown = f"{rows['start'] + 1:,} to {rows['start'] + len(lines):,} of {rows['total']:,}"
    title = f"{rows['name']}{what}: rows {shown if lines else 'none'}"
    names = ["item", "sample", "variables", "answer", "status", "score"]
    names = [name for name in names if name != "sample" or rows["has_samples"]]
    head = "".join(f'<th style="{_LEFT}">{name}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_LEFT}{";" + _GREY if name == "answer" and line["is_reason"] else ""}">'
            f"<bdi>{escape(line[name])}</bdi></td>"
            for name in names
        )
        + "</tr>"
        for line in lines
    )
    return (
        f'<div class="mathjax_ignore" style="margin:8px 0"><div style="font-weight:600">'
        f'{escape(title)}</div><div style="overflow-x:auto">'
        f'<table style="border-collapse:collapse"><tr>{head}</tr>{body}</table></div></div>'
    )


def picture_of_run(run: dict[str, Any] | None) -> str:
    """Give the run that is shown as HTML, without its tokens."""
    if run is None:
        return ""
    facts = " · ".join([run["status"], *(f"{name} {value}" for name, value in run["facts"])])
    texts = "".join(_passage(one) for one in [*run["messages"], *run["answers"]])
    title = f"{run['place']}: {run['name']}"
    return (
        f'<div class="mathjax_ignore" style="margin:8px 0;max-width:70em">'
        f'<div style="font-weight:600">{escape(title)}</div>{grey_html(facts)}{texts}</div>'
    )


def _multiple(figure: dict[str, Any], multiple: dict[str, Any], chosen: int | None) -> str:
    columns = "".join(
        f'<th style="{_HEAD}"><bdi>{escape(each["text"])}</bdi></th>' for each in figure["columns"]
    )
    corner = escape(" \\ ".join(filter(None, (figure["down"]["text"], figure["across"]["text"]))))
    lines = "".join(
        f'<tr><th style="{_HEAD};text-align:right"><bdi>{escape(line["label"]["text"])}</bdi></th>'
        + "".join(_cell(cell, chosen) for cell in line["cells"])
        + "</tr>"
        for line in multiple["lines"]
    )
    title = escape(multiple["title"]["text"])
    return (
        (f'<div style="margin:8px 0 2px"><bdi>{title}</bdi></div>' if title else "")
        + f'<table style="border-collapse:collapse"><tr><th style="{_HEAD};text-align:right">'
        f"{corner}</th>{columns}</tr>{lines}</table>"
    )


def _cell(cell: dict[str, Any] | None, chosen: int | None) -> str:
    if cell is None:
        return f'<td style="{_CELL};{_GREY}">–</td>'
    colours = f"background:{cell['colour']};color:{cell['ink']};forced-color-adjust:none"
    style = colours if cell["colour"] else f"background:{_NO_SCORE}"
    frame = (
        ";outline:3px solid currentColor;outline-offset:-4px" if cell["number"] == chosen else ""
    )
    words = [cell["interval"], cell["items"], cell["lacking"]]
    small = "".join(f'<div style="font-size:85%">{escape(each)}</div>' for each in words if each)
    return (
        f'<td style="{_CELL};{style}{frame}"><div style="font-weight:600">{escape(cell["mean"])}'
        f"</div>{small}</td>"
    )


def _passage(one: dict[str, str]) -> str:
    text = shortened(one["text"], MOST_TEXT)
    return (
        f'<div style="{_GREY};font-size:85%">{escape(one["role"])}</div>'
        f'<pre dir="auto" style="{_PRE}">{escape(text)}</pre>'
    )
