"""A heat map in a terminal: colours where it has some, numbers where it has none."""

import io
import math
import re
import sys

import pytest

from nbchat.plots.heatmap import SCALE, heatmap
from nbchat.plots.terminal_heatmap import FEW, SURE, coloured
from tests.frames.made import choice, entry, run_of

CODES = re.compile(r"\x1b\[([\d;]*)m")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def reply(*probs, token=" w"):
    return run_of(choice(*(entry(f"{token}{i}", math.log(p)) for i, p in enumerate(probs))))


@pytest.fixture
def shown(monkeypatch):
    """What a terminal of that kind gets of the value of a line."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def show(run, **environment):
        for name, value in {"TERM": "xterm-256color", "COLUMNS": "78", **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", Terminal())
        return repr(heatmap(run))

    return show


def test_each_step_of_the_scale_has_its_own_colour(shown):
    middle = [
        (low + high) / 2
        for low, high in zip([s[0] for s in SCALE], [*[s[0] for s in SCALE[1:]], 1], strict=True)
    ]
    text = shown(reply(*middle), COLORTERM="truecolor")
    line = text.splitlines()[-1]
    assert len({code for code in CODES.findall(line) if code not in ("", "0")}) == len(SCALE)
    assert [word for word in CODES.sub("", line).split("␣") if word] == [f"w{i}" for i in range(7)]


def test_with_16_colours_the_steps_are_fewer_and_still_apart(shown):
    text = shown(reply(0.01, 0.2, 0.7, 0.99), TERM="xterm")
    codes = [code for code in CODES.findall(text.splitlines()[-1]) if code not in ("", "0")]
    assert len(set(codes)) == len((*FEW, SURE))
    assert all(int(part) < 108 for code in codes for part in code.split(";"))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_each_token_has_its_number(shown, environment):
    text = shown(reply(0.01, 0.25), **environment)
    assert "\x1b" not in text
    assert "␣w0[0.01] ␣w1[0.25]" in text
    assert "in brackets" in text


def test_outside_a_terminal_it_is_one_plain_line(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert repr(heatmap(reply(0.5))) == "<Heatmap: 1 token>"


def test_without_rich_it_says_what_brings_the_colours(shown, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert re.fullmatch(
        r"<Heatmap: 1 token; colours in a terminal need rich: .*>", shown(reply(0.5))
    )


def test_a_token_gives_a_terminal_no_orders(shown):
    text = shown(reply(0.5, token="\x1b]0;title\x07[bold]"), NO_COLOR="1")
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]" in text


def test_a_long_reply_is_wrapped_and_nothing_of_it_is_left_out():
    rows = [{"display": "␣word", "text": " word", "prob": 0.5}] * 100
    text = coloured(rows, SCALE, "100 tokens", width=40)
    assert text.count("word") == 100
    assert max(map(len, text.splitlines())) <= 40
