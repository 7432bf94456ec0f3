"""Panels on a real kernel: the widget, and the picture beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbchat.widgets.stand_in import Due, Panel, joined
from tests.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEW = "application/vnd.jupyter.widget-view+json"
COUNTER = """
from nbchat.widgets.stand_in import Panel

class Counter(Panel):
    n = 0
    def stand_in_html(self):
        return f"<b>picture {self.n}</b>"

counter = Counter()
counter
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        yield kernel


@pytest.mark.kernel
def test_a_panel_is_a_widget_and_a_picture_below_it(kernel: Kernel) -> None:
    widget, picture = kernel.execute(COUNTER).final_outputs()
    assert VIEW in widget["data"]
    # what cannot show the widget shows nothing in its place, and the picture below
    assert widget["data"]["text/html"] == ""
    assert "<b>picture 0</b>" in picture["data"]["text/html"]


@pytest.mark.kernel
def test_many_refreshes_are_one_picture_and_the_last_state_is_in_it(kernel: Kernel) -> None:
    shown = kernel.execute(COUNTER)
    many = "import time\nfor counter.n in range(50): counter.refresh_stand_in()\ntime.sleep(0.8)"
    kernel.execute(many)
    pictures = [m for m in kernel.messages if m.type == "update_display_data"]
    latest = [m for m in pictures if m.parent_id == shown.id]
    assert len(latest) == 1
    assert "picture 49" in latest[0].content["data"]["text/html"]


@pytest.mark.kernel
def test_closing_sends_the_picture_that_was_due(kernel: Kernel) -> None:
    shown = kernel.execute(COUNTER)
    kernel.execute("counter.n = 7; counter.refresh_stand_in(); counter.close()")
    assert "picture 7" in shown.final_outputs()[-1]["data"]["text/html"]


@pytest.mark.kernel
def test_a_picture_can_be_sent_by_the_cell_that_runs(kernel: Kernel) -> None:
    shown = kernel.execute(COUNTER)
    later = kernel.execute("counter.n = 9; counter.send_stand_in()")
    assert len(later.of_type("update_display_data")) == 1
    assert "picture 9" in shown.final_outputs()[-1]["data"]["text/html"]


PARTS = """
class Parts(Counter):
    def stand_in_parts(self):
        return ["<b>always the same</b>" * 50, self.stand_in_html()]

counter = Parts()
counter
"""


@pytest.mark.kernel
def test_of_a_picture_of_parts_only_what_changed_is_sent(kernel: Kernel) -> None:
    kernel.execute(COUNTER)
    shown = kernel.execute(PARTS)
    later = "import time\ncounter.n = 3; counter.refresh_stand_in(); time.sleep(0.8)"
    kernel.execute(later)
    (sent,) = [
        m for m in kernel.messages if m.type == "update_display_data" and m.parent_id == shown.id
    ]
    assert "picture 3" in sent.content["data"]["text/html"]
    assert "always the same" not in str(sent.content)
    widget, first, second = shown.final_outputs()
    assert "always the same" in first["data"]["text/html"]
    assert "picture 3" in second["data"]["text/html"]
    assert VIEW in widget["data"]


def sent_at(changes: list[float], n_bytes: int) -> list[float]:
    """When pictures of this size are sent of a panel that changes at these times."""
    due, sent = Due(), []
    due.weigh(n_bytes)
    for now in [*changes, float("inf")]:
        while (at := due.at()) is not None and at <= now:
            sent.append(at)
            due.begin(at)
        if now != float("inf"):
            due.want(now)
    return sent


def test_a_picture_comes_when_the_panel_is_at_rest() -> None:
    held = [n / 30 for n in range(150)]  # an arrow key, held for five seconds
    for n_bytes in (1_000, 132_000):  # who saves a moment after a click has what was chosen
        assert sent_at(held, n_bytes) == [held[-1] + 0.3]
    assert sent_at([0.0, 5.0], 1_000) == [0.3, 5.3]
    assert sent_at([], 1_000) == []


def test_soon_after_another_a_picture_waits_for_a_longer_rest() -> None:
    taps = [n / 2 for n in range(20)]  # an arrow key, pressed twice a second
    assert sent_at([0.0, 0.4], 12_000) == [0.3, 1.4]  # at rest for a second
    assert sent_at([0.0, 0.4], 132_000) == [0.3, 3.4]
    assert len(sent_at(taps, 2_000)) == 20  # what is small comes each time
    assert len(sent_at(taps, 12_000)) == 6  # 6,000 bytes a second, and the last


@pytest.mark.parametrize("n_bytes", [1_000, 132_000, 2_000_000])
def test_pictures_of_a_panel_that_never_rests_are_six_thousand_bytes_a_second_at_most(
    n_bytes: int,
) -> None:
    held = [n / 10 for n in range(10 * 1200)]
    sent = sent_at(held, n_bytes)
    assert len(sent) >= 3
    assert len(sent) * n_bytes <= 6_000 * 1200 + n_bytes


def test_outside_a_notebook_a_panel_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Panel()._ipython_display_()
    assert capsys.readouterr().out == "<Panel>\n"


def test_files_are_joined_in_the_order_named() -> None:
    twice = joined("stand_in.js", "stand_in.js")
    assert twice.count("function live(") == 2
