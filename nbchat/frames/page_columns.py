"""What a page in the browser is told of the columns that it is given: types, flags, figures.

All of it is read from the declaration in `nbchat.frames.columns`, so that a page repeats none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.frames.columns import Column, Figure, Flag, columns_of

if TYPE_CHECKING:
    from nbchat.frames.columns import FrameName


class PageFigure(NamedTuple):
    """A figure of a token, and how it comes from a packed column `of`.

    It is x · `factor`, or exp of that where `is_exp`; x equal to `missing` is unknown, as NaN
    is. `name` is that of the frame's column where the unit is, too; else the unit stands behind
    it, as in entropy_lo_bits.
    """

    name: str
    label: str
    unit: str
    formula: str
    of: str
    factor: float
    is_exp: bool
    missing: float | None


def types_of(frame: FrameName) -> dict[str, str]:
    """Give numpy's names of the types of a frame's packed columns, the tokens' code first."""
    structure = {"code": "int32"} if frame == "tokens" else {"offsets": "uint32", "code": "int32"}
    figures = {c.name: c.page.type for c in columns_of(frame) if isinstance(c.page, Figure)}
    packed = {name: type_ for name, type_ in figures.items() if type_}
    return {**structure, **packed, "flags": "uint8"}


def flags_of(frame: FrameName) -> dict[str, int]:
    """Give the bit of each flag as the number that has it alone."""
    return {c.name: 1 << c.page.bit for c in columns_of(frame) if isinstance(c.page, Flag)}


def figures_of(frame: FrameName) -> list[PageFigure]:
    """Give the figures that a page shows, in the order of the frame's columns."""
    return [_figure(c, c.page) for c in columns_of(frame) if isinstance(c.page, Figure)]


def _figure(column: Column, declared: Figure) -> PageFigure:
    unit = column.unit if declared.unit is None else declared.unit
    return PageFigure(
        name=column.name if unit == column.unit else f"{column.name}_{unit}",
        label=declared.label,
        unit=unit,
        formula=declared.formula,
        of=declared.of or column.name,
        factor=declared.factor,
        is_exp=declared.is_exp,
        missing=declared.missing,
    )


def little_endian(types: dict[str, str]) -> dict[str, np.dtype[Any]]:
    """Give the types as they lie in the bytes."""
    return {name: np.dtype(type_).newbyteorder("<") for name, type_ in types.items()}


def declared() -> dict[str, Any]:
    """Give what a page is told, as plain JSON."""
    frames: tuple[FrameName, FrameName] = ("tokens", "alternatives")
    return {
        "figures": [figure._asdict() for figure in figures_of("tokens")],
        "types": {frame: types_of(frame) for frame in frames},
        "flags": {frame: flags_of(frame) for frame in frames},
    }
