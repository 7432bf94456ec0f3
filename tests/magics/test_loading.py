from __future__ import annotations

import os
import subprocess
import sys

import pytest

import nbchat
from nbchat import magics
from nbchat.version import __version__
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer


def test_loading_prints_one_line_with_the_profile_and_the_model(
    bare_shell: Shell, server: ScriptedServer, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OPENAI_MODEL", "small")
    bare_shell.ask("%load_ext nbchat")
    assert (
        capsys.readouterr().out
        == f"nbchat {__version__} · profile openai at 127.0.0.1:{server.port} · small\n"
    )


def test_without_a_key_the_embedded_model_is_in_force(
    bare_shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    bare_shell.ask("%load_ext nbchat")
    assert capsys.readouterr().out.startswith(f"nbchat {__version__} · profile local · smollm2")


def test_a_profile_that_cannot_be_used_does_not_stop_the_loading(
    bare_shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCHAT_PROFILE", "nowhere")
    bare_shell.ask("%load_ext nbchat")
    out = capsys.readouterr().out
    assert "nowhere" in out
    assert out.count("\n") == 1


def test_the_magic_of_another_extension_is_left_alone(
    bare_shell: Shell, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs: list[str] = []
    bare_shell.ip.register_magic_function(lambda line, cell: theirs.append(cell), "cell", "chat")
    bare_shell.ask("%load_ext nbchat")
    assert "use %%nbchat" in capsys.readouterr().out
    bare_shell.ask("%%chat\nfor them")
    bare_shell.ask("%%nbchat\nWhy {# x #}?")
    assert theirs == ["for them\n"]
    assert len(server.requests) == 1
    bare_shell.ask("%unload_ext nbchat")
    bare_shell.ask("%%chat\nfor them")
    assert len(theirs) == 2


def test_unloading_takes_everything_back(bare_shell: Shell) -> None:
    ip = bare_shell.ip

    def state() -> list[object]:
        manager = ip.input_transformer_manager
        callbacks = {name: list(found) for name, found in ip.events.callbacks.items()}
        return [
            {kind: set(found) for kind, found in ip.magics_manager.magics.items()},
            list(manager.cleanup_transforms),
            list(manager.token_transformers),
            list(ip.configurables),
            list(ip.Completer.custom_matchers),
            callbacks,
        ]

    ip.run_cell("1")
    before = state()
    magics.load_ipython_extension(ip)
    assert state() != before
    magics.unload_ipython_extension(ip)
    assert state() == before


def test_loading_again_leaves_one_of_everything(shell: Shell, server: ScriptedServer) -> None:
    magics.load_ipython_extension(shell.ip)
    magics.load_ipython_extension(shell.ip)
    shell.ask("%config NbChat.temperature = 0.5")
    shell.ask("%%chat\nHi")
    assert server.requests[0].body["temperature"] == 0.5
    assert [type(c).__name__ for c in shell.ip.configurables].count("NbChat") == 1


def test_loading_needs_no_utf_8() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'nbchat')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.splitlines()[-1].startswith("nbchat ")


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'nbchat')\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "nbchat" in loaded
    heavy = {"pandas", "numpy", "matplotlib", "ipywidgets", "jinja2", "anywidget", "xllamacpp"}
    assert loaded & heavy == set()


def test_config_and_configure_are_one_setting_and_the_banner_says_it(
    bare_shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer() as server:
        nbchat.configure(profile=server.url, model="small")
        bare_shell.ask("%load_ext nbchat")
        assert capsys.readouterr().out.endswith(f"profile 127.0.0.1:{server.port} · small\n")
        bare_shell.ask("%%chat\nHi")
        assert server.requests[0].body["model"] == "small"
        bare_shell.ask("%config NbChat.model = 'large'")
        bare_shell.ask("%config NbChat.profile = 'ollama'")
        assert nbchat.session.current_profile().name == "ollama"
        assert nbchat.session.current_profile().model is None
        nbchat.configure(profile=server.url)
        bare_shell.ask("here = get_ipython().run_line_magic('config', 'NbChat.profile')")
        assert bare_shell["here"] == server.url
        capsys.readouterr()
        bare_shell.ask("%reload_ext nbchat")
        assert f"profile 127.0.0.1:{server.port}" in capsys.readouterr().out
        bare_shell.ask("%config NbChat.profile = None")
        assert nbchat.session.settings.profile is None


def test_a_profile_or_model_that_is_none_is_refused_by_config(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    shell.ask("%config NbChat.profile = 'opneai'")  # IPython logs what a setting refuses
    assert "Did you mean openai?" in caplog.text
    shell.ask("%config NbChat.model = 'gpt-4o'")
    assert "has no model 'gpt-4o'" in caplog.text
    assert nbchat.session.settings.profile is None
    assert nbchat.session.settings.model is None


def test_a_wrong_profile_in_the_configuration_does_not_stop_the_loading(
    bare_shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    bare_shell.ip.config.NbChat.profile = "opneai"
    bare_shell.ask("%load_ext nbchat")
    written = capsys.readouterr()
    assert "opneai" in written.err
    assert written.out.startswith(f"nbchat {__version__} · profile local")
