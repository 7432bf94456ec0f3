from __future__ import annotations

import pytest

from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer


def prompts(server: ScriptedServer) -> list[str]:
    return [request.body["messages"][-1]["content"] for request in server.requests]


BODIES = [
    "Why is the sky blue?",
    "two\nlines",
    ">>> x = 1\n... y\n>>> z",
    "In [1]: x\n",
    "    indented\n  less",
    "!ls $HOME {x} %time ?",
    "%chat inside",
    "%%chat inside",
    "'quotes' \"of\" '''all''' kinds \\ and \\n",
    '{"json": {"a": 1}}',
    "{# no comment #}",
    "é🙂\u2028\x0c",
    "ends with blanks   ",
    "\n\nbegins with blank lines",
]


@pytest.mark.parametrize("body", BODIES)
def test_the_text_of_a_cell_is_sent_as_it_was_typed(
    shell: Shell, server: ScriptedServer, body: str
) -> None:
    shell.ask(f"%%chat\n{body}")
    assert prompts(server) == [body.removesuffix("\n")]


@pytest.mark.parametrize(
    "text",
    [
        "Why is the sky blue?",
        "What's up, d'oh?",
        "Is it (really?) so??",
        "Say {x} for $5 in $HOME",
        "C:\\new and \\n",
        "-- --n is no flag here",
        'an "open quote',
        "# no comment",
    ],
)
def test_the_text_of_a_line_is_sent_as_it_was_typed(
    shell: Shell, server: ScriptedServer, text: str
) -> None:
    shell.ask(f"%chat {text}")
    shell.ask(f"if True:\n    %nbchat {text}")
    assert prompts(server) == [text.removeprefix("-- ")] * 2


@pytest.mark.parametrize("code", ["%chat?", "%%chat?", "%chat??"])
def test_a_question_mark_alone_asks_for_help(
    shell: Shell, server: ScriptedServer, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run(code)
    assert "pinfo" in shell.ip.transform_cell(code)
    assert server.requests == []


@pytest.mark.parametrize(
    "code",
    [
        'x = """\n%chat what?\n"""',
        "y = [1, 2]\nprint(y)",
        "%time 1",
        "%%time\nx = 1",
        "sum?",
        ">>> x = 1",
    ],
)
def test_the_code_of_other_cells_is_left_to_ipython(
    bare_shell: Shell, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bare_shell.ip.transform_cell(code)
    bare_shell.ask("%load_ext nbchat")
    assert bare_shell.ip.transform_cell(code) == before


def test_a_cell_without_text_below_the_flags_says_what_is_missing(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("%%chat --n 1")
    assert "cell body is empty" in capsys.readouterr().err
