from __future__ import annotations

from tests.magics.conftest import bare_shell, server, shell

__all__ = ["bare_shell", "server", "shell"]
