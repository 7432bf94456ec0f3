from __future__ import annotations

import pytest

from nbchat.analysis import progress
from nbchat.analysis.progress import Progress
from nbchat.display.publisher import Publisher
from tests.display.fakes import Cell


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A cell of a notebook, in which a line is shown at once."""
    cell = Cell()
    monkeypatch.setattr(progress, "notebook_publisher", lambda: Publisher(cell))
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 0)
    monkeypatch.setattr(progress, "PAUSE_S", 0)
    return cell


def test_a_line_says_how_far_it_is_and_leaves_nothing_behind(cell: Cell) -> None:
    with Progress(3, "scoring", "text") as line:
        for _ in range(3):
            line.step()
    texts = [data["text/plain"] for _, _, data in cell.messages]
    assert texts[0].startswith("scoring: 1 of 3 texts, about ")
    assert texts[-1] == ""
    assert len(texts) == 4


def test_what_is_over_soon_shows_nothing(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", 100)
    with Progress(3, "scoring", "text") as line:
        line.step()
    assert not cell.messages


def test_it_is_taken_away_after_an_error_too(cell: Cell) -> None:
    with pytest.raises(ZeroDivisionError), Progress(2, "scoring", "text") as line:
        line.step()
        raise ZeroDivisionError
    assert cell.messages[-1][2]["text/plain"] == ""
