"""The tokens of a reply in a terminal, coloured by their probability; rich knows its colours.

A terminal with few colours has steps of its own, and one without any has the numbers.
"""

from __future__ import annotations

import importlib.util
import sys
from math import isnan
from typing import TYPE_CHECKING, Any

from nbchat.version import install_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.text import Text

#: of 16 colours these are told apart in dark and in light terminals; from the least likely on
FEW = ((0.0, "white on blue"), (0.05, "black on cyan"), (0.5, "black on yellow"))
SURE = (0.95, "black on white")


def is_terminal() -> bool:
    """Tell whether what is printed goes to a terminal."""
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):  # none, or closed
        return False


def missing() -> str:
    """Say what is missing for colours in a terminal; nothing where it is there."""
    if importlib.util.find_spec("rich") is not None:
        return ""
    return f"colours in a terminal need rich: {install_command('terminal')}"


def coloured(
    rows: Sequence[Mapping[Any, Any]],
    scale: Sequence[tuple[float, str]],
    summary: str,
    width: int | None = None,
) -> str:
    """Give the text of tokens as a terminal shows it, with a line above that says what it means.

    `rows` are those of the tokens frame, `scale` the least probabilities and their colours
    (#rrggbb), `width` the columns (the terminal's own where it is None). Colours are those that
    standard output has, as rich finds out: none with NO_COLOR, then each token has its number.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, width=width, highlight=False)
    steps: Sequence[tuple[float, str]] = ()
    if not console.no_color and console.color_system is not None:
        few = console.color_system == "standard"
        steps = (*FEW, SURE) if few else [(least, _style(colour)) for least, colour in scale]
    text = Text()
    for row in rows:
        _append(text, row, steps)
    with console.capture() as captured:
        console.print(_legend(steps, summary), soft_wrap=False)
        console.print(text, soft_wrap=False)
    return captured.get().rstrip("\n")


def _append(text: Text, row: Mapping[Any, Any], steps: Sequence[tuple[float, str]]) -> None:
    prob = float(row["prob"])
    if steps:
        text.append(str(row["display"]), style=_of(prob, steps))
    else:
        text.append(f"{row['display']}[{'?' if isnan(prob) else f'{prob:.2g}'}] ")
    text.append("\n" * min(2, str(row["text"]).count("\n")))


def _of(prob: float, steps: Sequence[tuple[float, str]]) -> str:
    if isnan(prob):
        return "underline"
    return next(style for least, style in reversed(steps) if prob >= least)


def _legend(steps: Sequence[tuple[float, str]], summary: str) -> Text:
    from rich.text import Text

    legend = Text("Probability of each token: ")
    for least, style in steps:
        legend.append(f" {least:g}+ " if least else " 0+ ", style=style)
    if not steps:
        legend.append("in brackets")
    return legend.append(f" · {summary}")


def _style(colour: str) -> str:
    from nbchat.plots.heatmap import ink

    return f"{ink(colour)} on {colour}"
