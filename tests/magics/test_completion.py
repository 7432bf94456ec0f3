from __future__ import annotations

import socket

import pytest
from IPython.core.completer import CompletionContext, provisionalcompleter

from nbchat import session
from nbchat.api.fields import FIELDS
from nbchat.session import Thread
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer


def offered(shell: Shell, code: str) -> list[str]:
    """What Tab offers at the mark | (or the end), as the notebook asks for it."""
    before, _, after = code.partition("|")
    with provisionalcompleter():
        found = list(shell.ip.Completer.completions(before + after, len(before)))
    for completion in found:
        assert before[completion.start : completion.end] == before[completion.start :]
    return [completion.text for completion in found]


def test_flags_are_offered_and_nothing_else(shell: Shell) -> None:
    assert offered(shell, "%%chat --temp") == ["--temperature"]
    assert offered(shell, "%%chat --top-") == ["--top-logprobs", "--top-p"]
    assert offered(shell, "%%chat --no-logp") == ["--no-logprobs"]
    assert offered(shell, "%nbchat --dry") == ["--dry-run"]
    assert offered(shell, "%%chat --n 2 --stat") == ["--stateless"]
    assert offered(shell, "%%chat --temp|\nbody") == ["--temperature"]
    assert offered(shell, "x = 1\n%chat --temp") == ["--temperature"]


def test_every_field_is_offered(shell: Shell) -> None:
    flags = offered(shell, "%%chat --")
    assert {f"--{name.replace('_', '-')}" for name in FIELDS()} <= set(flags)


def test_the_values_of_a_choice_are_offered(shell: Shell) -> None:
    assert offered(shell, "%%chat --reasoning-effort m") == ["minimal", "medium", "max"]
    assert offered(shell, "%%chat --reasoning-effort=m") == ["minimal", "medium", "max"]
    assert offered(shell, "%%chat --verbosity ") == ["low", "medium", "high"]
    assert offered(shell, "%%chat --logprobs --verb") == ["--verbosity"]


def test_variables_are_offered_where_a_flag_takes_one(shell: Shell) -> None:
    shell.ip.push({"my_tools": [], "my_bias": {}, "_hidden": 1})
    assert offered(shell, "%%chat --tools my") == ["my_tools", "my_bias"]
    assert offered(shell, "%%chat --logit-bias my_b") == ["my_bias"]
    assert "auto" in offered(shell, "%%chat --tool-choice ")
    assert "_hidden" not in offered(shell, "%%chat --tools ")
    assert "exit" not in offered(shell, "%%chat --tools ")


@pytest.mark.long
def test_variables_are_offered_in_a_template(shell: Shell) -> None:
    shell.ip.push({"my_frame": 1})
    assert offered(shell, "%%chat\nLook at {{ my_") == ["my_frame"]
    assert offered(shell, "%chat Look at {{ my_") == ["my_frame"]
    assert offered(shell, "%%chat\n{% for x in my_") == ["my_frame"]


def test_models_threads_and_profiles_are_offered(shell: Shell, server: ScriptedServer) -> None:
    server.models = ["small-1", "small-2", "large"]
    Thread("notes")
    assert offered(shell, "%%chat --model small") == ["small-1", "small-2"]
    assert offered(shell, "%%chat --thread no") == ["notes"]
    assert offered(shell, "%%chat -t no") == ["notes"]
    assert "local" in offered(shell, "%%chat --profile ")


def test_the_models_are_asked_for_once(shell: Shell, server: ScriptedServer) -> None:
    for _ in range(3):
        offered(shell, "%%chat --model ")
    assert len(server.model_requests) == 1


def test_a_server_that_does_not_answer_offers_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}/v1")
        (matcher,) = shell.ip.Completer.custom_matchers
        line = "%%chat --model "
        context = CompletionContext("", line, len(line), 0, None)
        assert list(matcher(context)["completions"]) == []


def test_tab_never_starts_the_embedded_model(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbchat.local.ensure", lambda *_: pytest.fail("it was started"))
    assert all(
        name == session.current_profile().model for name in offered(shell, "%%chat --model ")
    )


def test_other_lines_complete_as_ever(shell: Shell) -> None:
    shell.ip.push({"my_frame": 1})
    assert offered(shell, "my_fr") == ["my_frame"]
    assert "--temperature" not in offered(shell, "%time --temp")
    assert "--temperature" not in offered(shell, "%%chat\n--temp")
