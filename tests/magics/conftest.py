from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbchat import magics, session
from tests.display.fakes import Cell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def where() -> str:
    """Requests go to the server that the environment names."""
    return "environment"


class Shell:
    """A real IPython shell. `cell` is what the cell that ran last shows."""

    def __init__(self, shell: Any) -> None:
        self.ip = shell
        self.cell = Cell()

    def run(self, code: str, cell_id: str | None = None) -> Any:
        """Run a cell that may fail; its result."""
        self.cell = self.ip.display_pub = Cell()
        return self.ip.run_cell(code, cell_id=cell_id)

    def error(self, code: str, cell_id: str | None = None) -> BaseException:
        """The error of a cell that must fail."""
        error = self.run(code, cell_id).error_in_exec
        assert error is not None
        return error  # type: ignore[no-any-return]

    def ask(self, code: str, cell_id: str | None = None) -> None:
        """Run a cell that must not fail."""
        result = self.run(code, cell_id)
        result.raise_error()

    def __getitem__(self, name: str) -> Any:
        return self.ip.user_ns[name]


@pytest.fixture
def bare_shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell without nbchat."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    monkeypatch.setattr(shell, "system", None, raising=False)
    session.settings.max_retries = 0
    yield Shell(shell)
    magics.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()
    # at the end of the process each shell would collect the garbage of all tests: for minutes
    atexit.unregister(shell.atexit_operations)


@pytest.fixture
def shell(bare_shell: Shell, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell with ``%load_ext nbchat``."""
    bare_shell.ask("%load_ext nbchat")
    capsys.readouterr()
    return bare_shell
