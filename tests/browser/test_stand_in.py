"""A panel in JupyterLab: alive with a kernel, a picture without one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = pytest.mark.browser

PANEL = '''
from nbchat.widgets.stand_in import Panel, joined

class Demo(Panel):
    _esm = joined("stand_in.js") + """
    function render({ model, el }) {
      const end = live(model, el);
      el.append("alive");
      return end;
    }
    export default { render };
    """
    def stand_in_html(self):
        return "<b>a picture</b>"

Demo()
'''


def test_the_picture_stands_in_where_there_is_no_kernel(lab: Lab) -> None:
    lab.write("panel.ipynb", [PANEL])
    with lab.open("panel.ipynb") as notebook:
        notebook.run(0)
        notebook.wait_text(0, "alive")
        picture = notebook.panel.locator("[data-nbchat-stand-in]")
        assert not picture.is_visible()
        notebook.save()
    shutil.copy(lab.folder / "panel.ipynb", lab.folder / "panel-saved.ipynb")
    with lab.open("panel-saved.ipynb", fresh=True) as notebook:
        picture = notebook.panel.locator("[data-nbchat-stand-in]")
        assert picture.is_visible()
        notebook.page.wait_for_function("document.body.textContent.includes('model not found')")
        assert not notebook.outputs(0).first.is_visible()  # the error that JupyterLab writes
