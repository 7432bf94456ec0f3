"""Two replies with their differences marked, and what changed, in numbers: static HTML.

Styles are inline and scripts are none, as in the heat map.
"""

from __future__ import annotations

from html import escape
from math import isnan, log
from typing import TYPE_CHECKING, Any

from nbchat.plots.heatmap import ink

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

# From blue (less surprising in b) to orange, told apart with the common colour deficiencies;
# the lightness falls on both sides.
_SCALE = (
    (4.0, "#a0521a"),
    (1.0, "#e0a060"),
    (0.25, "#f3d9bd"),
    (-0.25, ""),
    (-1.0, "#c9d9ea"),
    (-4.0, "#7ba3c9"),
    (float("-inf"), "#2b5c8a"),
)
_MOST = 5_000
_MOST_LISTED = 6
_TOKEN = "border-radius:3px;padding:1px 2px;margin:0 1px"  # noqa: S105 - a style
_ALONE = (
    f"{_TOKEN};background-color:rgba(127,127,127,0.25);text-decoration:underline;"
    "text-decoration-thickness:2px;text-underline-offset:3px"
)
_GREY = "color:#7f7f7f;font-size:smaller"
_GRID = (
    "display:grid;gap:0.8em;margin:6px 0;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,18em),1fr))"
)
_COLUMN = (
    "min-width:0;overflow-wrap:anywhere;border:1px solid #7f7f7f;border-radius:4px;"
    "padding:0.3em 0.8em"
)


def summary(frame: pd.DataFrame) -> str:
    """Say in a line what two replies share and where they part."""
    shared = frame[frame["op"] == "same"]
    known = shared["delta_bits"].dropna()
    parts = [f"{len(shared):,} shared token{'' if len(shared) == 1 else 's'}"]
    if len(known):
        parts[0] += f", {_signed(float(known.sum()))} bits in b"
    for op, words in (("only_a", "only in a"), ("only_b", "only in b")):
        parts.append(f"{int((frame['op'] == op).sum()):,} {words}")
    parting = frame[frame["has_same_prefix"] & (frame["op"] != "same")]
    if not len(parting):
        same = len(shared) == len(frame)
        return " · ".join([*parts, "the same text" if same else "cut at other places"])
    first = parting.iloc[0]
    place = first["position_a"] if first["op"] == "only_a" else first["position_b"]
    bound = float(first["jsd_lo"])
    at_least = "" if isnan(bound) else f" (JSD at least {bound / log(2):.3f} bits)"
    return " · ".join([*parts, f"they part at position {int(place)}{at_least}"])


def changes(frame: pd.DataFrame, name_a: str, name_b: str) -> str:
    """Give both replies as HTML: a comparison frame, and what a and b are called.

    Shared tokens are coloured by the change of their surprisal, what one has alone is
    underlined on a grey ground. The numbers stand where the mouse rests, in the labels for
    screen readers, and for the greatest changes in a table. Of more than 5,000 rows the first
    are shown.
    """
    shown = frame.head(_MOST)
    rows = shown.astype(object).where(shown.notna(), None).to_dict("records")
    more = "" if len(shown) == len(frame) else f" · the first {len(shown):,} rows are shown"
    columns = "".join(
        f'<div style="{_COLUMN}"><div style="{_GREY}">{side}: {escape(name)}</div>'
        '<div class="mathjax_ignore" dir="ltr" style="font-family:monospace;line-height:1.9">'
        f"{''.join(_tokens(rows, side))}</div></div>"
        for side, name in (("a", name_a), ("b", name_b))
    )
    return (
        f'<div><div style="{_GREY}">{escape(summary(frame) + more)}</div>{_legend()}'
        f'<div style="{_GRID}">{columns}</div>{_table(rows)}</div>'
    )


def _tokens(rows: list[dict[Any, Any]], side: str) -> Iterator[str]:
    for row in rows:
        display = row[f"display_{side}"]
        if display is None:
            continue
        figures = _figures(row)
        breaks = "<br>" * min(2, display.count("⏎"))
        yield (
            f'<span role="img" aria-label="{escape(f"{display}, {figures}")}" '
            f'title="{escape(f"“{display}” · {figures}")}" style="{_style(row)}">'
            f"<bdi>{escape(display)}</bdi></span>{breaks}<wbr>"
        )


def _figures(row: dict[Any, Any]) -> str:
    if row["op"] != "same":
        side = row["op"][-1]
        return f"only in {side} · {_bits(row[f'surprisal_bits_{side}'])} bits"
    a, b = _bits(row["surprisal_bits_a"]), _bits(row["surprisal_bits_b"])
    change = "not known" if row["delta_bits"] is None else f"{_signed(row['delta_bits'])} bits"
    return f"{a} bits in a, {b} in b · change {change}"


def _style(row: dict[Any, Any]) -> str:
    if row["op"] != "same":
        return _ALONE
    delta = row["delta_bits"]
    return f"{_TOKEN};border-bottom:2px dotted" if delta is None else f"{_TOKEN};{_swatch(delta)}"


def _swatch(delta: float) -> str:
    colour = next(colour for least, colour in _SCALE if delta >= least)
    # a small change has no colour of the scale, and the page's own for the text
    return f"background-color:{colour};color:{ink(colour)}" if colour else "background:none"


def _legend() -> str:
    words = ("4 or more", "1 to 4", "0.25 to 1", "less", "−0.25 to −1", "−1 to −4", "below −4")
    middles = (5.0, 2.0, 0.5, 0.0, -0.5, -2.0, -5.0)
    swatches = [
        f'<span style="{_TOKEN};{_swatch(middle)}">{word}</span>'
        for middle, word in zip(middles, words, strict=True)
    ]
    return (
        '<div style="font-size:smaller;margin:4px 0">Change in surprisal, b − a, in bits: '
        f'{"<wbr>".join(swatches)} · <span style="{_ALONE}">only here</span></div>'
    )


def _table(rows: list[dict[Any, Any]]) -> str:
    """Give the shared tokens that changed most; nothing where none did."""
    changed = [row for row in rows if row["delta_bits"]]
    changed.sort(key=lambda row: -abs(row["delta_bits"]))
    if not changed:
        return ""
    head = "".join(
        f'<th style="text-align:left">{name}</th>'
        for name in ("token", "position in a, b", "bits in a", "bits in b", "change")
    )
    body = "".join(
        f"<tr><td><bdi>{escape(row['display_a'])}</bdi></td>"
        f"<td>{row['position_a']}, {row['position_b']}</td>"
        f"<td>{_bits(row['surprisal_bits_a'])}</td><td>{_bits(row['surprisal_bits_b'])}</td>"
        f"<td>{_signed(row['delta_bits'])}</td></tr>"
        for row in changed[:_MOST_LISTED]
    )
    return (
        f'<table><caption style="{_GREY};text-align:left">greatest changes</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _bits(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{abs(value):.2f}"
