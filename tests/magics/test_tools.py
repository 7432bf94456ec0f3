from __future__ import annotations

import pytest

from nbchat import errors, session
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer, speaking
from tests.session.test_rounds import calling

FUNCTIONS = '''
def add(a: int, b: int) -> int:
    """Add two numbers."""
    print("adding")
    return a + b

def boom():
    raise ValueError("<b>no</b>")

schemas = [{"type": "function", "function": {"name": "mine"}}]
'''


@pytest.fixture
def ready(shell: Shell) -> Shell:
    shell.ask(FUNCTIONS)
    return shell


def test_functions_of_the_notebook_are_named_and_run(ready: Shell, server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2}), ("boom", {})), speaking("It is **3**."))
    ready.ask("%%chat --tools add,boom -o run\n1+2?")
    sent = server.requests[0].body["tools"]
    assert [tool["function"]["name"] for tool in sent] == ["add", "boom"]
    assert ready["run"].rounds[0].calls[0].result == "3"
    assert ready.cell.markdown == ["It is **3**."]
    calls = ready.cell.outputs[0]["text/html"]
    assert calls.count("<details") == 2
    assert "add" in calls
    assert "&lt;b&gt;no&lt;/b&gt;" in calls
    assert "<b>no" not in calls
    assert "2 calls" in ready.cell.outputs[-1]["text/plain"]


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        ("add", ["add"]),
        ("schemas", ["mine"]),
        ("add,schemas", ["add", "mine"]),
        ("'add, boom'", ["add", "boom"]),
        ('[{"type":"custom","custom":{"name":"free"}}]', ["free"]),
    ],
)
def test_functions_and_schemas_can_be_named(
    ready: Shell, server: ScriptedServer, names: str, sent: list[str]
) -> None:
    ready.ask(f"%%chat --tools {names}\nHi")
    tools = server.requests[0].body["tools"]
    assert [tool[tool["type"]]["name"] for tool in tools] == sent


def test_a_name_that_is_none_is_refused(ready: Shell, server: ScriptedServer) -> None:
    error = ready.error("%%chat --tools add,ad\nHi")
    assert isinstance(error, errors.MagicUsageError)
    assert "no variable ad. Did you mean add?" in str(error)
    assert server.requests == []


def test_confirm_declines_where_the_front_end_cannot_ask(
    ready: Shell, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", cannot)
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("ok"))
    ready.ask("%%chat --tools add --confirm\n1+2?")
    call = session.runs[-1].rounds[0].calls[0]
    assert call.error == "The call was declined: nobody could be asked."
    assert "nobody could be asked" in ready.cell.outputs[0]["text/html"]


def test_max_rounds_is_a_flag(ready: Shell, server: ScriptedServer) -> None:
    server.default = calling(("add", {"a": 1, "b": 2}))
    ready.ask("%%chat --tools add --max-rounds 1\nGo")
    assert len(server.requests) == 2
    assert isinstance(ready.error("%%chat --max-rounds many\nGo"), errors.MagicUsageError)


def test_a_dry_run_shows_the_schema(ready: Shell, server: ScriptedServer) -> None:
    ready.ask("%%chat --tools add --dry-run\nGo")
    assert '"additionalProperties": false' in ready.cell.outputs[0]["text/plain"]
    assert server.requests == []


def test_the_deprecated_flag_warns_of_its_successor(ready: Shell, server: ScriptedServer) -> None:
    with pytest.warns(DeprecationWarning, match="functions is deprecated: use tools"):
        ready.ask("%%chat --functions add\nGo")
    assert server.requests[0].body["functions"][0]["name"] == "add"
