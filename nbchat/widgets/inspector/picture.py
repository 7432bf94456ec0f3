"""The inspector as static HTML, for where there is no kernel."""

from __future__ import annotations

from html import escape
from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.display.characters import visible
from nbchat.display.fragments import grey_html
from nbchat.plots.glyphs import shortened
from nbchat.plots.heatmap import heatmap
from nbchat.widgets.inspector.page_messages import sentence_of
from nbchat.widgets.stand_in import IS_A_PICTURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from nbchat.frames.packed import Table
    from nbchat.widgets.inspector.branch_tree import Node
    from nbchat.widgets.inspector.page_messages import Page

#: of a longer reply only so many tokens are drawn
MOST_TOKENS = 400
#: of the text of a branch so many characters are written
MOST_TEXT = 300
#: of more alternatives the first are shown
MOST_ROWS = 20
_CELL = "padding:1px 10px 1px 0;text-align:left"
_NUMBER = "padding:1px 10px 1px 0;text-align:right;font-variant-numeric:tabular-nums"


def picture_of_tokens(page: Page, selected: Mapping[str, Any] | None) -> str:
    """Give the tokens of all runs as HTML.

    Of the branches it has the texts, and the tokens of the one that has the chosen token: all
    else of it is the same whatever is chosen.
    """
    tables = list(page.tables())
    parts = []
    for number, run in enumerate(page.runs):
        node = page.tree.node_of(number)
        has_chosen = selected is not None and selected["run_id"] == run.id
        if node is not None and not has_chosen:
            parts.append(_branch(node))
            continue
        label = escape(page.labels[number])
        parts.append(f'<div style="margin:8px 0 2px;font-weight:600">{label}</div>')
        of_run = [table for key, _, table in tables if key.startswith(f"{number}:")]
        if not of_run:
            parts.append(f"<p>{escape(sentence_of(run))}</p>")
        parts.extend(_tokens(table, several=len(of_run) > 1) for table in of_run)
    where = f"nbchat inspector · {IS_A_PICTURE}; else run its cells again"
    return f'<div style="max-width:70em">{grey_html(where)}{"".join(parts)}</div>'


def picture_of_chosen(
    page: Page, selected: Mapping[str, Any] | None, alternatives: pd.DataFrame
) -> str:
    """Give the alternatives of the chosen token as HTML, small enough for each choice."""
    if selected is None:
        return ""
    number = next(n for n, run in enumerate(page.runs) if run.id == selected["run_id"])
    where = [page.labels[number]] if len(page.runs) > 1 else []
    of_run = [table for key, _, table in page.tables() if key.startswith(f"{number}:")]
    if len(of_run) > 1:
        where.append(f"choice {selected['choice']}")
    here = (selected["choice"], selected["channel"])
    table = next(one for one in of_run if (one.choice, one.channel) == here)
    before = "".join(f"{name}, " for name in where)
    return _alternatives(selected, alternatives, before, last=len(table) - 1)


def _branch(node: Node) -> str:
    prob = "" if isnan(node.prob) else f", probability {node.prob:.3g}"
    head = f"branch {node.branch_id}, {node.method}, at {node.position}: {node.display}{prob}"
    return (
        f'<div style="margin:4px 0 0 {1.2 * node.depth:g}em"><b>{escape(shortened(head, 120))}</b> '
        f"<bdi>{escape(shortened(visible(node.run.text), MOST_TEXT))}</bdi></div>"
    )


def _tokens(table: Table, *, several: bool) -> str:
    name = f'<div style="margin-top:4px">choice {table.choice}</div>' if several else ""
    shown = heatmap(table.frame.head(MOST_TOKENS), choice=table.choice)
    left_out = len(table) - MOST_TOKENS
    note = f"<div>… and {left_out:,} more tokens</div>" if left_out > 0 else ""
    return f"{name}{shown}{note}"


def _alternatives(
    selected: Mapping[str, Any], alternatives: pd.DataFrame, where: str, last: int
) -> str:
    rows = alternatives.head(MOST_ROWS).to_dict("records")
    unseen = max(0.0, 1.0 - float(alternatives["prob"].sum()))
    body = "".join(_row(row) for row in rows)
    left_out = len(alternatives) - len(rows)
    if left_out:
        body += f'<tr><td style="{_CELL}" colspan="4">… and {left_out:,} more</td></tr>'
    elif selected["top_k"]:
        body += (
            f'<tr><td style="{_CELL}">not listed</td><td style="{_NUMBER}">{unseen:.3g}</td>'
            f"<td></td><td></td></tr>"
        )
    head = (
        f'<tr><th style="{_CELL}">token</th><th style="{_NUMBER}">probability</th>'
        f'<th style="{_NUMBER}">logprob, nats</th><th style="{_CELL}"></th></tr>'
    )
    position = f"position {selected['position']:,} (0 to {last:,})"
    place = f"{shortened(where, 120)}{position}" if where else position.capitalize()
    title = f"{place}: {shortened(selected['display'], 60)}"
    return (
        f'<div style="margin:6px 0"><div>{escape(title)}</div>'
        f'<table style="border-collapse:collapse">{head}{body}</table></div>'
    )


def _row(row: dict[Any, Any]) -> str:
    known = not isnan(row["prob"])
    prob = f"{row['prob']:.3g}" if known else "not known"
    logprob = f"{row['logprob']:.3f}" if known else ""
    return (
        f'<tr><td style="{_CELL}"><bdi style="font-family:monospace">'
        f"{escape(shortened(row['display'], 60))}</bdi></td>"
        f'<td style="{_NUMBER}">{prob}</td><td style="{_NUMBER}">{logprob}</td>'
        f'<td style="{_CELL}">{"sampled" if row["is_sampled"] else ""}</td></tr>'
    )
