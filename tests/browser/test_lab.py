# mypy: allow-untyped-calls
# (nbformat has no types)

from typing import get_args

import nbformat
import pytest
from PIL import Image

from tests.browser.lab import Lab, Theme

pytestmark = pytest.mark.browser


def test_a_cell_runs_and_its_output_is_read(lab: Lab) -> None:
    lab.write("plain.ipynb", ["print('hello')\n6 * 7", nbformat.v4.new_markdown_cell("# Title")])
    with lab.open("plain.ipynb") as notebook:
        assert notebook.prompt(0) == "[ ]:"
        notebook.run(0)
        notebook.wait_idle()
        assert notebook.prompt(0) == "[1]:"
        assert notebook.cell_text(0).split() == ["hello", "42"]
        assert notebook.cell(1).inner_text().strip() == "Title"
        assert notebook.script_errors == []


def test_all_cells_run_in_order_and_a_save_keeps_their_outputs(lab: Lab) -> None:
    lab.write("all.ipynb", ["x = 20", "x += 1", "from IPython.display import Markdown", "x * 2"])
    with lab.open("all.ipynb") as notebook:
        notebook.run_all()
        notebook.wait_idle()
        saved = notebook.save()
    assert saved.cells[3].outputs[0].data["text/plain"] == "42"
    assert [cell.execution_count for cell in saved.cells] == [1, 2, 3, 4]


def test_the_interrupt_button_stops_a_cell_that_streams(lab: Lab) -> None:
    lab.write(
        "long.ipynb",
        ["import time\nfor n in range(600):\n    print(n, flush=True)\n    time.sleep(0.1)"],
    )
    with lab.open("long.ipynb") as notebook:
        notebook.run(0)
        notebook.wait_text(0, "3")
        assert notebook.prompt(0) == "[*]:"
        notebook.interrupt()
        notebook.wait_idle()
        assert "KeyboardInterrupt" in notebook.cell_text(0)


def test_a_cell_can_be_written_anew(lab: Lab) -> None:
    lab.write("edit.ipynb", ["1"])
    with lab.open("edit.ipynb") as notebook:
        notebook.write_cell(0, "print('typed')")
        notebook.run(0, "Control+Enter")
        notebook.wait_idle()
        assert notebook.cells.count() == 1
        assert notebook.cell_text(0).strip() == "typed"


@pytest.mark.parametrize("theme", get_args(Theme))
def test_the_page_has_the_theme_that_was_asked_for(lab: Lab, theme: Theme) -> None:
    lab.write("theme.ipynb", ["print('seen')"])
    with lab.open("theme.ipynb", theme=theme) as notebook:
        notebook.run(0)
        notebook.wait_idle()
        assert notebook.theme == f"JupyterLab {theme.capitalize()}"
        pictures = [
            notebook.screenshot(f"lab_{theme}"),
            notebook.screenshot(f"cell_{theme}", cell=0),
        ]
    for picture in pictures:
        with Image.open(picture) as image:
            colours = image.convert("L").resize((1, 1)).getpixel((0, 0))
        assert isinstance(colours, int)
        assert (colours > 128) == (theme == "light")


def test_no_dialog_or_notification_lies_over_the_page(lab: Lab) -> None:
    lab.write("free.ipynb", ["1"])
    with lab.open("free.ipynb") as notebook:
        notebook.run(0)
        notebook.wait_idle()
        assert notebook.page.locator(".jp-Dialog:visible, .Toastify__toast:visible").count() == 0


def test_closing_a_notebook_ends_its_kernel(lab: Lab) -> None:
    lab.write("gone.ipynb", ["1"])
    lab.open("gone.ipynb").close()
    assert lab.request("GET", "kernels") == []
