"""The shell and the server of the magics: a cell is tried by running it."""

from tests.magics.conftest import bare_shell, server, shell

__all__ = ["bare_shell", "server", "shell"]
