"""Which notebook asks, as its server names it."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

import IPython
import pytest

from nbchat.session.notebook import current_notebook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(kernel=object(), user_ns={})
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)


def test_a_notebook_is_named_by_the_path_of_its_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "study.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", path)
    assert current_notebook() == path


def test_a_folder_is_no_notebook_since_many_are_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path))
    assert current_notebook() is None
