"""The question before a call hides nothing of what would run."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbchat
from nbchat.session.rounds import ask_here
from nbchat.tools import Call
from nbchat.tools.call_question import MOST_SHOWN, call_question
from tests.fuzzing import examples
from tests.scripted import ScriptedServer, chunk, speaking, sse

LAST = {"target": "/etc/passwd"}


def json_with(head: str) -> str:
    return head + json.dumps(LAST)[1:]


#: arguments that hide their end, or what it says, and what has to be in the question
HIDING: list[Any] = [
    pytest.param(json_with('{"a": 1,' + " " * 1_200), id="1,200 blanks before the last argument"),
    pytest.param(json_with('{"a": 1,' + "\n" * 1_200), id="line ends before the last argument"),
    pytest.param(json_with('{"a": 1,' + "\t\r\n" * 400), id="tabs before the last argument"),
    pytest.param(json_with(json.dumps({"a": " " * 1_200})[:-1] + ","), id="a value of blanks"),
    pytest.param(json_with(json.dumps({"a": "x" * 5_000})[:-1] + ","), id="a long value"),
    pytest.param(json_with(json.dumps({"a": "\n" * 5_000})[:-1] + ","), id="a value of line ends"),
    pytest.param(json_with(json.dumps({"a": [0] * 5_000})[:-1] + ","), id="a long list"),
    pytest.param(json_with(json.dumps({"a": {"b": ["x" * 5_000] * 99}})[:-1] + ","), id="a tree"),
    pytest.param(json_with(json.dumps({"k" * 5_000: 1})[:-1] + ","), id="a long name"),
    pytest.param(json_with('{"a": "\u3000' + "\u2800" * 900 + '",'), id="blanks of other scripts"),
    pytest.param('{"target": "/safe", "target": "/etc/passwd"}', id="a name that comes twice"),
    pytest.param('{"\\u0074arget": "\\/etc\\/\\u0070asswd"}', id="letters that are escaped"),
]


@pytest.mark.parametrize("arguments", HIDING)
def test_every_name_and_the_end_of_every_value_are_in_the_question(arguments: str) -> None:
    question = call_question("run", arguments)
    assert '"target": "/etc/passwd"' in question.text
    assert '"target": "/etc/passwd"' in question.whole
    assert "/safe" not in question.whole
    assert len(question.text) < 5_000
    assert question.is_whole == (len(question.whole) <= MOST_SHOWN)


@pytest.mark.parametrize(
    "character",
    [
        "\u202e", "\u202d", "\u2066", "\u2069", "\u200f", "\u061c",  # the direction of writing
        "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\U000e0041", "\u034f", "\ufe0f",
        "\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u00a0", "\u2003", "\u3000",  # blanks
        "\n", "\r", "\t", "\x0b", "\x0c", "\x1b", "\x00", "\x07", "\x08", "\x7f", "\x85", "\x9b",
        "\u2028", "\u2029", "\ue000", "\ufdd0", "\U0010ffff",
    ],
    ids=lambda c: f"{ord(c):04x}",
)  # fmt: skip
def test_what_nobody_can_see_is_escaped(character: str) -> None:
    for value in ({"a": f"x{character}y"}, {f"x{character}y": 1}, f"no object {character}."):
        for is_ascii in (True, False):
            shown = call_question("run", json.dumps(value, ensure_ascii=is_ascii)).whole
            assert character not in shown
            assert json.loads(shown[4:-1]) == value
    assert character not in call_question("run", f"no json {character}").whole
    assert character not in call_question(f"run{character}", "{}").whole


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"a":1,"b":[true,null,2.5]}', 'run({"a": 1, "b": [true, null, 2.5]})'),
        ('{"city":"Zürich 東京 🌞"}', 'run({"city": "Zürich 東京 🌞"})'),
        ("", "run()"),
        ("  ", "run()"),
        ("{}", "run({})"),
        ("free text", 'run("free text")'),
        ("[" * 3, 'run("[[[")'),
        ('"' * 3, 'run("\\"\\"\\"")'),
    ],
)
def test_usual_arguments_are_shown_as_they_are(arguments: str, shown: str) -> None:
    question = call_question("run", arguments)
    assert (question.text, question.whole) == (shown, shown)


_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.fuzz
@examples(150)
@given(
    arguments=st.text()
    | st.dictionaries(st.text(), st.text() | st.lists(st.text())).map(json.dumps)
    | st.dictionaries(st.text(), st.text()).map(lambda v: json.dumps(v, ensure_ascii=False))
)
def test_any_text_is_a_line_that_can_be_read(arguments: str) -> None:
    question = call_question("run", arguments)
    for text in (question.text, question.whole):
        assert not {unicodedata.category(c) for c in text} & _INVISIBLE
        assert text.startswith("run(")
    try:
        read = json.loads(arguments)
    except ValueError:
        return
    if isinstance(read, dict) and arguments.isascii() and "\\ud" not in arguments:
        assert json.loads(question.whole[4:-1]) == read


@pytest.mark.parametrize(
    "arguments", ["[" * 100_000, "{" * 100_000, '{"a":' + "9" * 10_000 + "}", "x" * 10**6]
)
def test_what_cannot_be_read_is_shown_as_text_with_its_end(arguments: str) -> None:
    question = call_question("run", arguments)
    assert not question.is_whole
    assert len(question.text) < 5_000
    assert question.text.rpartition(" (")[0][-20:-2] in question.whole


# what is answered

LONG = json.dumps({"code": "x = 1\n" * 400, "last": "rm -rf /"})


@pytest.mark.parametrize(
    ("answers", "is_wanted"),
    [
        (["y"], False),
        (["yes"], False),
        (["n"], False),
        ([""], False),
        (["f", "y"], True),
        (["full", "yes"], True),
        (["f", "n"], False),
        (["f", "f"], False),
    ],
)
def test_what_is_too_long_to_show_is_declined_unless_it_was_asked_for_in_full(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[str],
    is_wanted: bool,
) -> None:
    prompts: list[str] = []
    left = [*answers]
    monkeypatch.setattr("builtins.input", lambda text: prompts.append(text) or left.pop(0))
    call = Call("c", "run", LONG)
    assert ask_here(call) is is_wanted
    assert left == []
    shown = capsys.readouterr().out
    assert '"last": "rm -rf /"' in shown
    assert (json.dumps("x = 1\n" * 400) in shown) == (answers[0] in ("f", "full"))
    assert all(len(prompt) < 200 for prompt in prompts)
    assert (call.error is not None) == (answers[0] in ("y", "yes"))


def test_a_call_that_hides_its_end_does_not_run_by_a_yes(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(code: str) -> str:
        """Run code."""
        ran.append(code)
        return "done"

    function = {"name": "run", "arguments": json.dumps({"code": "\n" * 2_000 + "steal()"})}
    asks = {"index": 0, "id": "c", "type": "function", "function": function}
    server.reply(
        sse(chunk(delta={"tool_calls": [asks]}), chunk(finish_reason="tool_calls")),
        speaking("ok"),
    )
    monkeypatch.setattr("builtins.input", lambda _: "y")
    found = nbchat.chat("Go", tools=[run], confirm=True)
    assert ran == []
    assert "too long to show" in (found.rounds[0].calls[0].error or "")
