from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbchat.history import store, writer


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A history of the test's own, that is in force."""
    path = tmp_path / "data" / "history.sqlite"
    monkeypatch.setenv("NBCHAT_HISTORY", str(path))
    yield path
    store.flush(30)
    found = writer._writers.pop(path, None)
    if found is not None:
        found.close()
