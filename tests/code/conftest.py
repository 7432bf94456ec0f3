from __future__ import annotations

from tests.magics.conftest import bare_shell, shell, where

__all__ = ["bare_shell", "shell", "where"]
