"""A real JupyterLab in a real Chromium.

lab.write("a.ipynb", ["1 + 1", "%%chat\nHello"])
with lab.open("a.ipynb", theme="dark") as notebook:
    notebook.run(0)
    notebook.wait_idle()
    notebook.cell_text(0), notebook.screenshot("a_dark", cell=0)
"""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import nbformat
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from tests.kernel import HERMETIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, Locator, Page, Playwright, Response

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
EXTENSION = Path(__file__).parents[2] / "nbchat" / "labextension"
EXTENSION_NAME = "nbchat-jupyter"
TIMEOUT_S = 60.0
KERNEL = "Python 3 (ipykernel)"
Theme = Literal["light", "dark"]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    # the question whether to fetch news would lie over the page
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # every cell is in the page, in view or not, so that a test can read it
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}


# whether the kernel of the notebook of this name is idle, as the page has heard of it
IS_IDLE = """name => [...jupyterapp.shell.widgets('main')].some(widget =>
    widget.context?.path === name && widget.sessionContext?.isReady
    && widget.sessionContext.session?.kernel?.status === 'idle')"""
SHOW = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)"
# the page asks the server every 10 s which sessions there are, and drops its own where the answer
# was on its way while the session began; asked just now, it will not ask while this one begins
OPEN = """async path => {
    await jupyterapp.serviceManager.sessions.refreshRunning();
    await jupyterapp.commands.execute('docmanager:open', {path});
}"""
LAUNCHER = "@jupyterlab/launcher-extension:plugin"
# a page that is slow to open a notebook asks for it all the same
NO_LAUNCHER = "Command 'launcher:create' not registered"
# whether it has the focus; if not, it is asked for again
IS_CURRENT = """name => {
    const shell = jupyterapp.shell;
    if (shell.currentWidget?.context?.path === name) return true;
    const widget = [...shell.widgets('main')].find(widget => widget.context?.path === name);
    if (widget) shell.activateById(widget.id);
    return false;
}"""
CLOSE = """async name => {
    for (const widget of [...jupyterapp.shell.widgets('main')]) {
        if (widget.context?.path !== name) continue;
        await widget.sessionContext?.shutdown();
        widget.dispose();
    }
}"""


def launch_browser(playwright: Playwright) -> Browser:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return playwright.chromium.launch(executable_path=path, args=QUIET)
    try:
        return playwright.chromium.launch(args=QUIET)
    except PlaywrightError as error:
        raise RuntimeError(
            "The browser tests need Chromium: install it with the system's packages "
            "(Debian: apt-get install chromium) or with: python -m playwright install chromium"
        ) from error


class Lab:
    """One JupyterLab server on a free port of 127.0.0.1, with settings and folders of its own.

    One page shows its notebooks one after the other: loading JupyterLab anew takes 4 s of both
    cores, opening a notebook in it takes a fraction.
    """

    def __init__(self, browser: Browser, env: Mapping[str, str] | None = None) -> None:
        # one context, so that a page loaded anew finds JupyterLab's scripts in the cache
        self._browser = browser
        self._context = browser.new_context()
        self._page: Page | None = None
        self._home = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
        home = Path(self._home.name)
        self.folder = home / "notebooks"
        self.folder.mkdir()
        # the launcher, which comes when no notebook is open, would take the focus from the next one
        config = home / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"disabledExtensions": {LAUNCHER: True}}))
        overrides = home / "settings" / "overrides.json"
        overrides.parent.mkdir()
        overrides.write_text(json.dumps(SETTINGS))
        # the one that is here, whichever was copied into the environment when it was made
        shutil.copytree(EXTENSION, home / "data" / "labextensions" / EXTENSION_NAME)
        self._log = home / "lab.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        own = {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(HERMETIC)}
        inherited["NBCHAT_HISTORY"] = "off"  # no test writes into the tester's own
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    f"--port={port}",
                    "--ServerApp.port_retries=0",
                    "--ServerApp.ip=127.0.0.1",
                    "--ServerApp.token=",
                    "--ServerApp.password=",
                    "--ServerApp.disable_check_xsrf=True",
                    "--LabApp.expose_app_in_browser=True",
                    f"--LabApp.app_settings_dir={overrides.parent}",
                    f"--notebook-dir={self.folder}",
                ],
                env=inherited | own | dict(env or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, cells: Sequence[str | nbformat.NotebookNode]) -> Path:
        """A new notebook of these cells; a string is a code cell."""
        notebook = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells
            ],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    def open(
        self,
        name: str,
        *,
        theme: Theme = "light",
        size: tuple[int, int] = (1280, 900),
        fresh: bool = False,
    ) -> Notebook:
        """The notebook alone on the page, its kernel idle; `fresh` loads JupyterLab anew."""
        if fresh or self._page is None or self._page.is_closed():
            self._load()
        page = cast("Page", self._page)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        self._show(page, name, theme)
        return Notebook(self, page, name)

    def new_page(self, *, offline: bool = False) -> Page:
        """A page of the same browser, with nothing of JupyterLab's in it."""
        context = self._browser.new_context(offline=offline)
        return context.new_page()

    def reload(self, page: Page, name: str) -> None:
        """Load the page anew and open the notebook again, its kernel as it is."""
        self._fill(page)
        self._show(page, name, "light")

    def _show(self, page: Page, name: str, theme: Theme) -> None:
        page.evaluate(SHOW, f"JupyterLab {theme.capitalize()}")
        page.evaluate(OPEN, name)
        page.wait_for_function(IS_CURRENT, arg=name)

    @contextlib.contextmanager
    def open_blank(self) -> Iterator[Page]:
        """A page of its own with nothing on it, for scripts alone."""
        page = self._context.new_page()
        yield page
        page.close()

    def _load(self) -> None:
        if self._page is not None:
            self._page.close()
        self._page = self._context.new_page()
        self._page.set_default_timeout(TIMEOUT_S * 1000)
        self._fill(self._page)

    def _fill(self, page: Page) -> None:
        # without "reset" it opens by itself, some time later, what was open before
        page.goto(f"{self.url}/lab?reset")
        page.wait_for_function("window.jupyterapp?.shell")
        page.evaluate("jupyterapp.restored.then(() => jupyterapp.shell.collapseLeft())")

    def request(self, method: str, path: str) -> Any:
        """A call of Jupyter Server's REST API."""
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read() or "null")

    def close(self) -> None:
        self._context.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()  # its kernels end when they see that it is gone
        self._process.wait()
        self._home.cleanup()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self.request("GET", "status")
            except OSError as error:
                if self._process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                log = self._log.read_text()
                self.close()
                raise RuntimeError(f"JupyterLab did not come up:\n{log}") from error
            return


class Notebook:
    """An open notebook. `page` is Playwright's page, for what the methods here do not cover."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab = lab
        self.page = page
        self.name = name
        self.script_errors: list[str] = []
        page.on("pageerror", self._keep_error)
        self.panel = page.locator(".jp-NotebookPanel:visible")
        self.cells = self.panel.locator(".jp-Notebook .jp-Cell")
        self.cells.first.wait_for()
        # the page calls a notebook idle that has no kernel yet; a run would then be forgotten
        expect(self.panel.locator(".jp-KernelName")).to_have_text(KERNEL, timeout=TIMEOUT_S * 1000)
        self.wait_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cell(self, n: int) -> Locator:
        return self.cells.nth(n)

    def outputs(self, n: int) -> Locator:
        return self.cell(n).locator(".jp-OutputArea-output")

    def prompt(self, n: int) -> str:
        """ "[3]:" after a run, "[*]:" while it runs or waits, "[ ]:" before."""
        return self.cell(n).locator(".jp-InputPrompt").inner_text().strip()

    def cell_text(self, n: int) -> str:
        """The text of a cell's outputs as the reader sees it."""
        return "\n".join(self.outputs(n).all_inner_texts())

    def write_cell(self, n: int, source: str) -> None:
        """Replace a cell's source, as a user who types."""
        self._focus(n)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(source)

    def run(self, n: int, keys: Literal["Shift+Enter", "Control+Enter"] = "Shift+Enter") -> None:
        """Run a cell; returns when the kernel has taken it. Control+Enter stays in the cell (and
        adds no empty one after the last)."""
        before = self.prompt(n)
        self._focus(n)
        self.page.keyboard.press(keys)
        expect(self.cell(n).locator(".jp-InputPrompt")).not_to_have_text(before)

    def run_all(self) -> None:
        """Run all cells; returns when the kernel has taken the first."""
        first = self.panel.locator(".jp-CodeCell .jp-InputPrompt").first
        before = first.inner_text()
        self.menu("Run", "Run All Cells")
        expect(first).not_to_have_text(before)

    def menu(self, title: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-itemLabel", has_text=title).first.click()
        labels = self.page.locator(".lm-Menu-itemLabel")
        labels.get_by_text(entry, exact=True).click()

    def interrupt(self) -> None:
        """Press the toolbar's Interrupt button."""
        self.panel.locator('[data-jp-item-name="interrupt"] [data-command]').click()

    def wait_idle(self, timeout: float = TIMEOUT_S) -> None:
        """Wait until no cell runs or waits to run, and the kernel says that it is idle."""
        waiting = self.panel.locator(".jp-InputPrompt").get_by_text("[*]:", exact=True)
        expect(waiting).to_have_count(0, timeout=timeout * 1000)
        # the status bar shows the kernel of what has the focus, which may be another tab
        self.page.wait_for_function(IS_IDLE, arg=self.name, timeout=timeout * 1000)
        self.page.wait_for_function(IS_CURRENT, arg=self.name)

    def reload(self) -> None:
        """Load the page anew, the kernel as it is."""
        self.lab.reload(self.page, self.name)

    def wait_text(self, n: int, text: str, timeout: float = TIMEOUT_S) -> None:
        """Wait until a cell's outputs contain the text; the cell may go on."""
        outputs = self.cell(n).locator(".jp-OutputArea").first
        expect(outputs).to_contain_text(text, timeout=timeout * 1000)

    def save(self) -> nbformat.NotebookNode:
        """Save with the keyboard; the notebook as it now stands on disk."""
        path = self.lab.folder / self.name

        def is_the_save(response: Response) -> bool:
            return response.request.method == "PUT" and f"/api/contents/{self.name}" in response.url

        self.page.wait_for_function(IS_CURRENT, arg=self.name)
        with self.page.expect_response(is_the_save):
            self.page.keyboard.press("ControlOrMeta+S")
        return cast("nbformat.NotebookNode", nbformat.read(path, as_version=4))

    def show(self, *, theme: Theme, width: int | None = None) -> None:
        """Change how the page looks, the notebook as it is."""
        self.page.evaluate(SHOW, f"JupyterLab {theme.capitalize()}")
        expect(self.page.locator("body")).to_have_attribute(
            "data-jp-theme-name", f"JupyterLab {theme.capitalize()}"
        )
        size = self.page.viewport_size
        if width and size:
            self.page.set_viewport_size({"width": width, "height": size["height"]})
        self.page.wait_for_timeout(300)  # what follows the size is drawn a moment later

    @property
    def theme(self) -> str | None:
        return self.page.locator("body").get_attribute("data-jp-theme-name")

    def screenshot(self, name: str, cell: int | None = None) -> Path:
        """A picture of the notebook, or of one cell, under build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        shown = self.panel if cell is None else self.cell(cell)
        if cell is not None:
            shown.scroll_into_view_if_needed()
        shown.screenshot(path=path, animations="disabled")
        return path

    def close(self) -> None:
        """Close the notebook without saving it, and end its kernel."""
        self.page.remove_listener("pageerror", self._keep_error)
        self.page.evaluate(CLOSE, self.name)
        for session in self.lab.request("GET", "sessions"):
            if session["path"] == self.name:
                self.lab.request("DELETE", f"sessions/{session['id']}")

    def _keep_error(self, error: PlaywrightError) -> None:
        if NO_LAUNCHER not in str(error):
            self.script_errors.append(str(error))

    def _focus(self, n: int) -> None:
        self.page.wait_for_function(IS_CURRENT, arg=self.name)
        self.cell(n).locator(".jp-InputArea-editor").click()
