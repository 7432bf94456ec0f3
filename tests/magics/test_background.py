"""``%%chat --background``: the cell is given back, and the reply goes on in it."""

from __future__ import annotations

import asyncio

import pytest

import nbchat
from nbchat import errors
from tests.magics.conftest import Shell
from tests.scripted import HANG, Gate, Reply, ScriptedServer, chunk, error, sse


@pytest.fixture
def gate(server: ScriptedServer) -> Gate:
    """What the rest of the next reply waits for."""
    made = Gate()
    rest = sse(chunk(" and whole."), chunk(finish_reason="stop"))
    server.reply(Reply([sse(chunk("Half"), done=False), made, rest]))
    return made


def test_the_cell_ends_while_its_reply_goes_on(
    shell: Shell, server: ScriptedServer, gate: Gate
) -> None:
    shell.ask("%%chat --background -o run\nHi")
    run, cell = shell["run"], shell.cell
    assert run.status == "running"
    assert nbchat.runs()["status"].tolist() == ["running"]
    shell.ask("other = %chat Hello")
    assert shell["other"].status == "complete"
    gate.open()
    assert run.wait(10) is run
    assert run.text == "Half and whole."
    assert cell.markdown == ["Half and whole."]
    assert "main" in cell.outputs[-1]["text/plain"]
    assert nbchat.runs()["status"].tolist() == ["complete", "complete"]
    assert run in nbchat.Thread("main").runs


def test_the_line_gives_the_run_to_be_awaited(
    shell: Shell, server: ScriptedServer, gate: Gate
) -> None:
    shell.ask("run = %chat --background Hi")
    run = shell["run"]

    async def main() -> nbchat.Run:
        waiting = asyncio.ensure_future(run)
        gate.open()
        return await waiting

    assert asyncio.run(main()) is run
    assert run.text == "Half and whole."


def test_a_run_that_is_stopped_keeps_what_came(shell: Shell, server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk("Half"), done=False), HANG]))
    shell.ask("%%chat --background -o run\nHi", "cell")
    run, cell = shell["run"], shell.cell
    assert run.wait(0.01).status == "running"
    while not run.text:
        run.wait(0.01)
    run.stop()
    assert run.wait(10).status == "interrupted"
    assert cell.markdown == ["Half"]
    assert cell.outputs[-1]["text/plain"].endswith("interrupted")
    assert server.requests[0].wait_over(10).disconnected_at is not None


def test_a_cell_that_runs_again_stops_what_it_began(shell: Shell, server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk("Half"), done=False), HANG]))
    shell.ask("%%chat --background -o first\nHi", "cell")
    while not shell["first"].text:
        shell["first"].wait(0.01)
    shell.ask("%%chat --background -o second\nHi", "cell")
    assert shell["first"].wait(10).status == "interrupted"
    assert shell["second"].wait(10).status == "complete"
    assert nbchat.Thread("main").runs == [shell["second"]]


def test_an_error_is_said_in_the_cell_and_raised_where_it_is_waited_for(
    shell: Shell, server: ScriptedServer
) -> None:
    server.reply(error(400, "no such thing"))
    shell.ask("%%chat --background -o run\nHi")
    with pytest.raises(errors.BadRequestError):
        shell["run"].wait(10)
    assert "BadRequestError: no such thing" in shell.cell.outputs[-1]["text/plain"]


def test_what_has_to_be_asked_does_not_go_on_in_the_background(
    shell: Shell, server: ScriptedServer
) -> None:
    shell.ask("def now() -> str:\n    return 'noon'")
    raised = shell.error("%%chat --background --tools now --confirm\nHi")
    assert isinstance(raised, errors.MagicUsageError)
    assert server.requests == []
