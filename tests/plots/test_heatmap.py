import itertools
import math
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import frames, plots
from nbchat.plots.heatmap import SCALE, Heatmap, heatmap, luminance
from tests.frames.made import choice, entry, run_of


class Reader(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("br", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    @property
    def tokens(self):
        return [attrs for tag, attrs in self.elements if "title" in attrs]


def read(*args, **kwargs):
    return Reader(heatmap(*args, **kwargs).html)


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_each_token_has_its_figures_on_hover_and_in_its_label():
    run = run_of(choice(entry(" the", math.log(0.25), (" a", -0.5), (" the", math.log(0.25)))))
    (token,) = read(run).tokens
    assert token["title"] == (
        "“␣the” · probability 0.25 · logprob -1.386 nats · surprisal 2.00 bits · rank 2 of 2"
    )
    assert token["aria-label"] == "the, probability 0.25"
    assert token["role"] == "img"


def test_a_likely_and_an_unlikely_token_differ_in_colour():
    run = run_of(choice(*(entry("x", math.log(p)) for p in (0.001, 0.5, 0.999))))
    colours = [re.search(r"background-color:(#\w+)", t["style"])[1] for t in read(run).tokens]
    assert luminance(colours[0]) < luminance(colours[1]) < luminance(colours[2])


@pytest.mark.long
@given(st.floats(-40, 0.01))
def test_text_stands_out_from_its_colour(logprob):
    (token,) = read(run_of(choice(entry("x", logprob)))).tokens
    colours = re.findall(r"color:(#\w{6})", token["style"])
    assert len(colours) == 2
    assert contrast(*colours) >= 4.5


def test_the_scale_is_sequential_in_lightness():
    lights = [luminance(colour) for _, colour in SCALE]
    assert lights == sorted(lights)
    # steps that can be told apart without any colour
    assert all(b > 1.3 * a for a, b in itertools.pairwise(lights))


def test_the_legend_has_numbers():
    text = read(run_of(choice(entry("x", -1.0)))).text
    for words in ("below 0.01", "0.01–0.05", "0.95–1", "1 token"):
        assert words in text
    assert "not known" not in text


def test_unknown_probabilities_have_no_colour_of_the_scale():
    reader = read(run_of(choice(entry("x", -9999.0, ("y", -1.0)))))
    (token,) = reader.tokens
    assert "color" not in token["style"]
    assert token["title"] == "“x” · probability not known · not among the 1 listed"
    assert "not known" in reader.text


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</span></div>",
    "&amp;",
    "$x$",
    "\u202eright to left",
]


def test_nothing_that_a_model_writes_becomes_markup():
    run = run_of(choice(*(entry(text, -1.0) for text in HOSTILE)))
    reader = read(run)
    assert {tag for tag, _ in reader.elements} == {"div", "span", "bdi", "wbr"}
    assert len(reader.tokens) == len(HOSTILE)
    for text in HOSTILE[:-1]:
        assert text.replace(" ", "␣") in reader.text
    assert "\u202e" not in heatmap(run).html


@pytest.mark.long
@given(st.lists(st.text(min_size=1), min_size=1))
def test_only_what_a_notebook_lets_through_is_used(texts):
    reader = read(run_of(choice(*(entry(text, -1.0) for text in texts))))
    for tag, attrs in reader.elements:
        assert tag in {"div", "span", "bdi", "wbr", "br"}
        # the first three pass JupyterLab's sanitiser; what it drops is said in the title too
        assert set(attrs) <= {"class", "dir", "style", "title", "role", "aria-label"}
        assert "url" not in attrs.get("style", "")


def test_blanks_are_visible_and_newlines_break():
    run = run_of(choice(entry("a\n\n\n", -1.0), entry("\n", -1.0), entry("\t", -1.0)))
    reader = read(run)
    assert "a⏎⏎⏎⏎⇥" in reader.text
    assert [tag for tag, _ in reader.elements].count("br") == 3
    assert [t["aria-label"].split(",")[0] for t in reader.tokens] == ["a", "newline", "tab"]


def test_text_in_either_direction_stays_in_its_token():
    html = heatmap(run_of(choice(entry("שלום", -1.0), entry(" abc", -1.0)))).html
    assert "<bdi>שלום</bdi>" in html
    assert 'dir="ltr"' in html


def test_parts_of_characters_and_the_end_are_named():
    half = entry("?", -1.0, data=b"\xf0\x9f")
    run = run_of(choice(half, entry("?", -1.0, data=b"\x98\x80"), entry("", -1.0, data=b"")))
    labels = [token["aria-label"] for token in read(run).tokens]
    assert labels[0].startswith("part of a character \\xf0\\x9f")
    assert labels[2].startswith("end token")


def test_a_run_without_logprobs_says_how_to_ask():
    shown = heatmap(run_of(choice(text="Hello")))
    assert "logprobs=True" in shown.html
    assert "--logprobs" in shown.html
    with pytest.warns(frames.MissingLogprobsWarning):
        shown = heatmap(run_of(choice(text="Hello"), params={"logprobs": True}))
    assert "the server sent none" in shown.html


def test_refusals_are_shown_and_named():
    reader = read(run_of(choice(entry("a", -1.0), refusal=[entry("No", -1.0)])))
    assert "refusal:" in reader.text
    assert len(reader.tokens) == 2


def test_a_frame_or_another_choice_can_be_given():
    run = run_of(choice(entry("a", -1.0)), choice(entry("b", -1.0), entry("c", -1.0), index=1))
    assert len(read(frames.tokens(run), choice=1).tokens) == 2
    assert heatmap(frames.tokens(run)).html == heatmap(run).html == run.heatmap().html
    with pytest.raises(ValueError, match="no choice 2"):
        heatmap(run, choice=2)
    with pytest.raises(ValueError, match="here are 2"):
        heatmap([run, run_of(choice(entry("a", -1.0)))])


def test_the_object_is_html_in_a_notebook_and_short_in_a_terminal():
    shown = heatmap(run_of(choice(entry("a", -1.0), entry("b", -1.0))))
    assert isinstance(shown, Heatmap)
    assert shown._repr_html_() == str(shown) == shown.html
    assert repr(shown) == "<Heatmap: 2 tokens>"


@pytest.mark.long
def test_a_very_long_reply_is_cut_and_says_so():
    run = run_of(choice(*[entry("a", -1.0)] * 10_001, text="a" * 10_001))
    reader = read(run)
    assert len(reader.tokens) == 10_000
    assert "10,001 tokens, of which the first 10,000 are shown" in reader.text


def test_importing_the_room_imports_no_heavy_library():
    code = (
        "import nbchat.plots, sys; nbchat.plots.heatmap, nbchat.plots.surprisal;"
        "print([m for m in ('matplotlib', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_heatmap_is_a_function_whichever_way_it_is_imported():
    assert plots.heatmap is heatmap
    assert set(dir(plots)) == set(plots.__all__)


def test_the_legend_is_read_out_as_separate_words_and_keeps_its_colours() -> None:
    html = heatmap(run_of(choice(entry("a", -0.5, ("a", -0.5))))).html
    legend = html.split("Probability of each token: ")[1].split(" · ")[0]
    entries = re.findall(r'<span role="listitem" style="([^"]*)">([^<]*)</span>', legend)
    assert len(entries) >= 4
    spoken = re.sub(r"<[^>]*>", "", legend)
    assert " ".join(words for _, words in entries) == spoken
    assert all("forced-color-adjust:none" in style for style, _ in entries)
