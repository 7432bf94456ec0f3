"""The tokens of a reply as text, coloured by their probability: static HTML.

Styles are inline and scripts are none, so that it looks the same in a notebook that is not
trusted, in nbconvert's pages and with no kernel.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from nbchat.plots.subject import NO_TOKENS, frame_of, of_choice
from nbchat.plots.terminal_heatmap import coloured, is_terminal, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from nbchat.frames.source import RunLike

# From dark blue to pale yellow: the lightness rises all the way, and blue against yellow is
# told apart with any of the common colour deficiencies.
# Each colour with the least probability that has it.
SCALE = (
    (0.00, "#14235a"),
    (0.01, "#2b4687"),
    (0.05, "#50709c"),
    (0.20, "#7f9199"),
    (0.50, "#acae8c"),
    (0.80, "#d8cd7c"),
    (0.95, "#fbf2c4"),
)
_MOST = 10_000
_TOKEN = "border-radius:3px;padding:1px 2px;margin:0 1px"  # noqa: S105 - a style
_BLANKS = {" ": "space", "\n": "newline", "\t": "tab", "\r": "carriage return"}


class Heatmap:
    """A piece of HTML that a notebook shows. `html` (or str) gives it as text.

    In a terminal it shows itself as coloured text (the extra ``terminal``).
    """

    def __init__(self, html: str, summary: str, rows: Sequence[Mapping[Any, Any]] = ()):
        self.html = html
        self._summary = summary
        self._rows = rows

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        if not self._rows or not is_terminal():
            return f"<Heatmap: {self._summary}>"
        if lacking := missing():
            return f"<Heatmap: {self._summary}; {lacking}>"
        return coloured(self._rows, SCALE, self._summary)


def heatmap(run_or_tokens: RunLike | pd.DataFrame, choice: int = 0) -> Heatmap:
    """Give the tokens of one choice as HTML, each coloured by its probability.

    `run_or_tokens` is a run or a tokens frame of one. Probability, log probability,
    surprisal and rank of each token are shown where the mouse rests on it and are in its
    label for screen readers; blanks are visible. Of more than 10,000 tokens the first
    are shown. Without token probabilities it is a sentence that says how to ask for them.
    Where something is off with those of a run (`Run.integrity`), a grey line says so.
    Raise ValueError where there are several runs or no such choice.
    """
    frame = frame_of("tokens", run_or_tokens)
    if not len(frame):
        return Heatmap(f"<p>{escape(why_none(run_or_tokens))}</p>", "no token probabilities")
    rows = of_choice(frame, choice)
    shown = rows.head(_MOST)
    shown = shown.assign(rank=shown["rank"].to_numpy("float64", na_value=nan))
    count = f"{len(rows):,} token{'' if len(rows) == 1 else 's'}"
    note = "" if len(shown) == len(rows) else f", of which the first {len(shown):,} are shown"
    parts = [_legend(bool(shown["prob"].isna().any()), f"{count}{note}")]
    if off := _off(run_or_tokens, choice):
        parts.append(f'<div style="color:#7f7f7f;font-size:smaller">{escape(off)}</div>')
    for channel, tokens in shown.groupby("channel", observed=True, sort=True):
        if channel != "content":
            parts.append(f'<div style="margin:4px 0">{escape(str(channel))}:</div>')
        body = "".join(_token(row) for row in tokens.to_dict("records"))
        parts.append(
            # a token such as $x$ is no formula here
            '<div class="mathjax_ignore" dir="ltr" style="font-family:monospace;line-height:1.9;'
            f'overflow-wrap:break-word">{body}</div>'
        )
    return Heatmap(f"<div>{''.join(parts)}</div>", f"{count}{note}", rows_of(shown))


def rows_of(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Give of each token what a terminal shows."""
    return frame[["display", "text", "prob"]].to_dict("records")


def why_none(source: Any) -> str:
    """Say in one sentence why a run has no token probabilities, and how to ask for them."""
    params = getattr(source, "params", None)
    if params is not None and params.given().get("logprobs"):
        from nbchat.frames.source import what_to_ask

        return f"Token probabilities were asked for, and the server sent none.{what_to_ask(source)}"
    return NO_TOKENS


def _off(source: Any, choice: int) -> str:
    """Say what is off with the log probabilities; a frame alone does not tell."""
    from nbchat.frames.integrity import integrity
    from nbchat.frames.source import runs_of

    if hasattr(source, "columns"):
        return ""
    return "; ".join(filter(None, (integrity(run, choice).note for run in runs_of(source))))


def _token(row: dict[Any, Any]) -> str:
    figures = _figures(row)
    breaks = "<br>" * min(2, row["text"].count("\n"))
    spoken = escape(f"{_spoken(row)}, {_probability(row['prob'])}")
    return (
        f'<span role="img" aria-label="{spoken}" title="{escape(figures)}" '
        f'style="{_style(row["prob"])}"><bdi>{escape(row["display"])}</bdi></span>{breaks}<wbr>'
    )


def _figures(row: dict[Any, Any]) -> str:
    facts = ["end token" if row["is_special"] else f"“{row['display']}”", _probability(row["prob"])]
    if row["is_merged"]:
        facts.append("a character of several tokens, of which the server sent the last one's")
    elif not row["censored"]:
        facts.append(f"logprob {row['logprob']:.3f} nats")
        facts.append(f"surprisal {row['surprisal_bits']:.2f} bits")
    if row["in_top"] and not isnan(row["rank"]):
        facts.append(f"rank {row['rank']:.0f} of {row['top_k']}")
    elif row["top_k"] and not row["in_top"]:
        facts.append(f"not among the {row['top_k']} listed")
    return " · ".join(facts)


def _probability(prob: float) -> str:
    return "probability not known" if isnan(prob) else f"probability {prob:.3g}"


def _spoken(row: dict[Any, Any]) -> str:
    if row["is_special"]:
        return "end token"
    if row["is_partial_utf8"]:
        return f"part of a character {row['display']}"
    from nbchat.frames.token_texts import visible

    text = visible(row["text"].strip()).replace("␣", " ")
    return text or " ".join(_BLANKS.get(char, "blank") for char in row["text"]) or "empty token"


def _style(prob: float) -> str:
    if isnan(prob):
        # no colour of the scale, and the page's own for the text
        return f"{_TOKEN};border-bottom:2px dotted"
    return f"{_TOKEN};{_swatch(prob)}"


def _swatch(prob: float) -> str:
    colour = next(colour for least, colour in reversed(SCALE) if prob >= least)
    # in forced colours too, since the colour is what is said
    return f"background-color:{colour};color:{ink(colour)};forced-color-adjust:none"


def ink(colour: str) -> str:
    """Give black or white, whichever stands out more; one of them always does, at 4.5 to 1."""
    light = luminance(colour)
    return "#000000" if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else "#ffffff"


def luminance(colour: str) -> float:
    """Give the relative luminance of a colour #rrggbb, from 0 to 1 (WCAG 2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _legend(has_unknown: bool, summary: str) -> str:  # noqa: FBT001 - private
    swatches = [(f"{_TOKEN};{_swatch(p)}", words) for p, words in _ranges()]
    if has_unknown:
        swatches.append((_style(float("nan")), "not known"))
    # read out one by one: without blanks and roles they would be one long number
    entries = " ".join(
        f'<span role="listitem" style="{style}">{words}</span>' for style, words in swatches
    )
    return (
        '<div style="margin-bottom:6px;font-size:smaller">Probability of each token: '
        f'<span role="list">{entries}</span> · {escape(summary)}</div>'
    )


def _ranges() -> Iterable[tuple[float, str]]:
    borders = [least for least, _ in SCALE] + [1.0]
    for low, high in pairwise(borders):
        yield low, f"below {high:g}" if low == 0 else f"{low:g}–{high:g}"
