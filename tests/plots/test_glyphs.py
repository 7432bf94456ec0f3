import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.font_manager import fontManager

from nbchat.plots import glyphs


def test_what_the_font_has_stays():
    texts, properties = glyphs.drawable(["␣the", "⏎", "⇥", "∅", "é", "\\x9f"])
    assert texts == ["␣the", "⏎", "⇥", "∅", "é", "\\x9f"]
    assert properties == {"parse_math": False, "usetex": False}


def test_what_no_font_has_is_numbered():
    texts, _ = glyphs.drawable(["a\ue000b", "\U000f0000"])
    assert texts == ["a\\ue000b", "\\U000f0000"]


def test_an_installed_font_that_covers_more_is_used(monkeypatch):
    # any installed family will do that has a letter which the given one lacks
    wide = next(entry.name for entry in fontManager.ttflist if entry.name == "DejaVu Sans")
    monkeypatch.setattr(glyphs, "_wide_families", lambda: (wide,))
    with plt.rc_context({"font.family": "cmr10"}):
        texts, properties = glyphs.drawable(["\u0416"])
    assert texts == ["\u0416"]
    assert properties["fontfamily"] == ["cmr10", "DejaVu Sans"]


@pytest.mark.long
@given(st.lists(st.text()))
def test_every_character_that_comes_out_can_be_drawn(some):
    texts, properties = glyphs.drawable(some)
    families = properties.get("fontfamily", plt.rcParams["font.family"])
    drawn = set().union(*(glyphs._characters_of(family) for family in families))
    assert {char for text in texts for char in text} <= drawn


def test_shortened_texts_say_so():
    assert glyphs.shortened("abc", 3) == "abc"
    assert glyphs.shortened("abcd", 3) == "ab…"
