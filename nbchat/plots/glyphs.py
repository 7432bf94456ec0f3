"""Tokens in figures: any character can come, and no font has all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

# families that cover much and that matplotlib can draw (it cannot draw colour emoji)
_WIDE = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "PingFang SC",
    "Hiragino Sans",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Symbols",
    "Noto Sans Symbols 2",
    "Noto Emoji",
    "Segoe UI",
    "Segoe UI Symbol",
    "Segoe UI Emoji",
    "Symbola",
    "FreeSans",
    "Unifont",
)


def drawable(texts: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Give the texts as they can be drawn, and the text properties to draw them with.

    Characters that no font at hand has become \\uNNNN. Nothing in a text is taken for
    markup, neither of matplotlib ($, _) nor of TeX.
    """
    missing = {char for text in texts for char in text} - _base_characters()
    families = []
    for family in _wide_families() if missing else ():
        helped = missing & _characters_of(family)
        if helped:
            families.append(family)
            missing -= helped
    properties: dict[str, Any] = {"parse_math": False, "usetex": False}
    if families:
        properties["fontfamily"] = [*_base_families(), *families]
    return [_escaped(text, missing) for text in texts], properties


def shortened(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _escaped(text: str, missing: set[str]) -> str:
    if missing.isdisjoint(text):
        return text
    return "".join(_number(char) if char in missing else char for char in text)


def _number(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _base_families() -> list[str]:
    from matplotlib import rcParams

    families = rcParams["font.family"]
    return [families] if isinstance(families, str) else list(families)


def _base_characters() -> set[str]:
    from matplotlib.font_manager import FontProperties, findfont

    paths = [findfont(FontProperties(family=[family])) for family in _base_families()]
    return set().union(*(_characters_in(str(path)) for path in paths))


@cache
def _wide_families() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    return tuple(family for family in _WIDE if family in installed)


@cache
def _characters_of(family: str) -> frozenset[str]:
    from matplotlib.font_manager import FontProperties, findfont

    return _characters_in(str(findfont(FontProperties(family=[family]))))


@cache
def _characters_in(path: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    codes: Iterable[int] = get_font(path).get_charmap()
    return frozenset(map(chr, codes))
