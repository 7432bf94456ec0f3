"""What the figures share: new Axes, their size in points, hatches, counts in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.patches import Patch

# a hatch, for what is not known: it looks the same without colour
_HATCH = "///"


def new_axes(width: float, height: float) -> Axes:
    """Make a figure of so many inches, with one Axes."""
    # pyplot, so that a notebook shows the figure, once, when the cell is done
    from matplotlib import pyplot as plt

    from nbchat.plots.described_figure import DescribedFigure

    size = (width, height)
    return plt.subplots(figsize=size, layout="constrained", FigureClass=DescribedFigure)[1]


def width_of(ax: Axes) -> float:
    """Give the width of the Axes in points."""
    return float(ax.get_window_extent().width / ax.figure.dpi * 72)


def height_of(ax: Axes) -> float:
    """Give the height of the Axes in points."""
    return float(ax.get_window_extent().height / ax.figure.dpi * 72)


def points(size: float | str) -> float:
    """Give a font size, which may be a word such as "small", in points."""
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=size).get_size_in_points())


def setting(name: str) -> Any:
    """Give a setting of the style in force, as its text colour."""
    from matplotlib import rcParams

    settings: Any = rcParams  # its type names every setting one by one
    return settings[name]


def hatched(patches: Iterable[Patch]) -> None:
    """Make the patches look unknown: an outline with a hatch, in the colour of text."""
    for patch in patches:
        patch.set(facecolor="none", edgecolor=setting("text.color"), hatch=_HATCH, linewidth=0.8)


def ink(colour: Any) -> str:
    """Give black or white, whichever stands out more on the colour."""
    from matplotlib.colors import to_hex

    from nbchat.plots.heatmap import ink as ink_on

    return ink_on(to_hex(colour))


def colours() -> Colormap:
    """Give the style's own scale of colours; matplotlib's is safe for colour-blind readers."""
    import matplotlib as mpl

    return mpl.colormaps[setting("image.cmap")]


def legend_on_top(ax: Axes, ncols: int = 2) -> None:
    """Make a legend in the upper right corner, and room for it above what is drawn."""
    labels = ax.get_legend_handles_labels()[1]
    entries = len(labels)
    if not entries:
        return
    # about half a letter's height for each letter, and the line before it
    widest = points("small") * (0.55 * max(map(len, labels)) + 4)
    ncols = max(1, min(ncols, entries, int(width_of(ax) / widest)))
    ax.legend(loc="upper right", fontsize="small", ncols=ncols)
    rows = -(-entries // ncols)
    bottom, top = ax.get_ylim()
    # labels of the axis will take some of the height
    share = min(0.5, (1.4 * points("small") * rows + 14) / (0.7 * height_of(ax)))
    ax.set_ylim(bottom, top + (top - bottom) * share / (1 - share))


def in_lines(ax: Axes, text: str) -> str:
    """Give a title with line ends at its commas where it is wider than the Axes."""
    from textwrap import wrap

    most = max(12, int(width_of(ax) / (0.52 * points(setting("axes.titlesize")))))
    # what stands between two commas stays together
    joined = (line.replace(" ", "\u00a0").replace(",\u00a0", ", ") for line in text.split("\n"))
    lines = [wrap(line, most, break_long_words=False) for line in joined]
    return "\n".join(part for line in lines for part in line).replace("\u00a0", " ")


def counted(count: int, noun: str) -> str:
    if count == 1:
        return f"{count:,} {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"
