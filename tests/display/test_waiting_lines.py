"""What a call says that shows nothing of its own, on a real kernel and elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nbchat.session import PrintingWatcher
from tests.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = {"text/html": "", "text/plain": ""}
BEGIN = """
from nbchat.session import PrintingWatcher
watcher = PrintingWatcher()
watcher.status("one <b>")
watcher.status("two")
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        yield kernel


def data_of(outputs: list[dict[str, Any]]) -> list[Any]:
    return [output.get("data") for output in outputs]


@pytest.mark.kernel
def test_in_a_notebook_a_line_is_a_display_that_is_empty_when_it_is_over(kernel: Kernel) -> None:
    begun = kernel.execute(BEGIN)
    (display,) = begun.final_outputs()
    assert display["data"]["text/plain"] == "one <b>\ntwo"
    assert "one &lt;b&gt;" in display["data"]["text/html"]
    assert kernel.execute("watcher.status('')").final_outputs() == []
    (display,) = begun.final_outputs()
    assert display["data"]["text/plain"] == "one <b>"
    kernel.execute("watcher.status(''); watcher.status('')")
    assert data_of(begun.final_outputs()) == [NOTHING]


@pytest.mark.kernel
def test_what_executes_notebooks_for_others_keeps_no_line(kernel: Kernel) -> None:
    done = kernel.execute(f"{BEGIN}\nwatcher.status('')\nwatcher.status('')", None)
    assert data_of(done.final_outputs()) == [NOTHING]


@pytest.mark.kernel
@pytest.mark.local
def test_the_start_of_the_embedded_model_leaves_nothing_behind(
    kernel: Kernel, weights: object
) -> None:
    code = "import nbchat\nrun = nbchat.chat('Hello', max_completion_tokens=2, seed=1)"
    done = kernel.execute(code)
    shown = [m.content["data"]["text/plain"] for m in done.display_messages if "data" in m.content]
    assert shown[0].startswith("Starting the embedded model")
    assert data_of(done.final_outputs()) == [NOTHING]


def test_elsewhere_a_line_is_written_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = PrintingWatcher()
    for line in ("one", " ", "", "two"):
        watcher.status(line)
    assert capsys.readouterr() == ("", "one\ntwo\n")
