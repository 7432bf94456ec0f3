"""``%chat explore`` opens the panel; anything more is a prompt."""

from __future__ import annotations

from nbchat.widgets.explorer import Explorer
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer


def test_the_two_words_alone_open_the_panel(shell: Shell, server: ScriptedServer) -> None:
    for line in ("%chat explore", "%nbchat   explore "):
        opened = shell.ip.run_cell(f"panel = {line}")
        opened.raise_error()
        assert isinstance(shell.ip.user_ns["panel"], Explorer)
    assert server.requests == []


def test_the_notebooks_defaults_are_what_it_opens_with(shell: Shell) -> None:
    shell.ask("%config NbChat.temperature = 0.5")
    shell.ask("%config NbChat.extra = {'top_k': 3}")
    shell.ask("panel = %chat explore")
    draft = shell.ip.user_ns["panel"].draft
    assert (draft.fields, draft.extra) == ({"temperature": 0.5}, {"top_k": 3})


def test_more_words_are_a_prompt(shell: Shell, server: ScriptedServer) -> None:
    shell.ask("%chat explore this idea")
    shell.ask("%chat --stateless -- explore")
    shell.ask("%%chat --stateless\nexplore")
    prompts = [request.body["messages"][-1]["content"] for request in server.requests]
    assert prompts == ["explore this idea", "explore", "explore"]
