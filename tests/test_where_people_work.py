"""Notebooks elsewhere: as scripts, in papermill, as nbconvert's pages, in VS Code and in Colab."""

# mypy: allow-untyped-calls
# (nbformat, jupytext, papermill and nbconvert have no types)

from __future__ import annotations

import ast
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import pytest
from ipykernel.zmqshell import ZMQDisplayPublisher
from jupyter_client.session import Session
from jupytext.config import load_jupytext_configuration_file
from nbconvert import HTMLExporter

import nbchat
from nbchat.display.publisher import Publisher
from nbchat.widgets import stand_in
from tests.plots.drawn import reply
from tests.scripted import Reply, ScriptedServer, chunk, sse

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_as_a_script_is_python_and_comes_back_as_it_was(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    magics = load_jupytext_configuration_file(str(ROOT / "pyproject.toml")).custom_cell_magics
    notebook.metadata.setdefault("jupytext", {})["custom_cell_magics"] = magics
    script = jupytext.writes(notebook, fmt="py:percent")
    ast.parse(script)
    if any(cell.source.startswith("%%chat") for cell in notebook.cells):
        assert 'language="chat"' in script
    back = jupytext.reads(script, fmt="py:percent")
    assert [(c.cell_type, c.source) for c in back.cells] == [
        (c.cell_type, c.source) for c in notebook.cells
    ]


@pytest.mark.kernel
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_papermills_parameters_reach_the_flags_and_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("NBCHAT_HISTORY", "off")
    parameters = nbformat.v4.new_code_cell("t, word, server = 0, '', ''")
    parameters.metadata.tags = ["parameters"]
    made = nbformat.v4.new_notebook(
        cells=[
            parameters,
            nbformat.v4.new_code_cell("%load_ext nbchat\nimport nbchat"),
            nbformat.v4.new_code_cell("nbchat.configure(profile=server, model='m')"),
            nbformat.v4.new_code_cell("%%chat --temperature {{ t }}\nSay {{ word }}."),
        ]
    )
    nbformat.write(made, tmp_path / "a.ipynb")
    with ScriptedServer(Reply(sse(chunk("Hi."), chunk(finish_reason="stop")))) as server:
        papermill.execute_notebook(
            tmp_path / "a.ipynb",
            tmp_path / "b.ipynb",
            parameters={"t": 0.25, "word": "hello", "server": server.url},
            kernel_name="python3",
            language="python",
            progress_bar=False,
            log_output=False,
        )
        body = server.requests[-1].body
    assert body["temperature"] == 0.25
    assert body["messages"][-1]["content"] == "Say hello."


def figure_output(run: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a notebook gets of a figure, by IPython's own formatter."""
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.pylabtools import select_figure_formats

    class Shell:
        display_formatter = DisplayFormatter()

    select_figure_formats(Shell, {"png"})
    data, metadata = Shell.display_formatter.format(nbchat.plots.surprisal(run).figure)
    return data, metadata


def test_a_figure_has_a_text_in_its_place_also_on_nbconverts_classic_page() -> None:
    from matplotlib import pyplot as plt

    plt.switch_backend("agg")
    data, metadata = figure_output(reply())
    plt.close("all")
    alt = metadata["image/png"]["alt"]
    assert alt.startswith("Figure: ")
    assert "surprisal" in alt.lower()
    encoded = {"image/png": data["image/png"], "text/plain": data["text/plain"]}
    if isinstance(encoded["image/png"], bytes):
        import base64

        encoded["image/png"] = base64.b64encode(encoded["image/png"]).decode()
    output = nbformat.v4.new_output("display_data", data=encoded, metadata=metadata)
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(
        nbformat.v4.new_notebook(cells=[cell])
    )
    pictures = re.findall(r"<img[^>]*>", page)
    assert len(pictures) == 1
    assert alt in pictures[0]


class Recorder(Session):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []

    def send(self, _stream: object, message: Any, *_: object, **__: object) -> None:
        self.sent.append(message["content"])


class Outputs(ZMQDisplayPublisher):
    """ipykernel's publisher, whose messages go into a list in the place of a socket."""

    def __init__(self) -> None:
        super().__init__(session=Recorder())

    @property
    def sent(self) -> list[dict[str, Any]]:
        return self.session.sent  # type: ignore[no-any-return]


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Outputs:
    outputs = Outputs()
    monkeypatch.setattr(stand_in, "notebook_publisher", lambda: Publisher(outputs))
    return outputs


# in this order VS Code's ipynb extension sorts the types of an output, and its Jupyter extension
# falls back to the next one where a widget's model is not there any more
# (microsoft/vscode extensions/ipynb/src/deserializers.ts; microsoft/vscode-jupyter
# src/webviews/webview-side/ipywidgets/renderer/index.ts)
ORDER = (
    *("application/vnd.*", "application/vdom.*", "application/geo+json", "text/html"),
    *("application/javascript", "image/gif", "text/latex", "text/markdown", "image/svg+xml"),
    *("image/png", "image/jpeg", "application/json", "text/plain"),
)


def shown_by_vs_code(data: dict[str, Any]) -> str:
    kinds = sorted(data, key=lambda kind: next(i for i, o in enumerate(ORDER) if fnmatch(kind, o)))
    return next(kind for kind in kinds if kind != WIDGET)


def test_vs_code_shows_the_picture_of_a_saved_panel_and_nothing_above_it(outputs: Outputs) -> None:
    nbchat.inspect(reply())._ipython_display_()
    widget, picture, chosen = (content["data"] for content in outputs.sent)
    assert WIDGET in widget
    # no model is there: the next type is an empty one
    assert widget[shown_by_vs_code(widget)] == ""
    assert shown_by_vs_code(picture) == shown_by_vs_code(chosen) == "text/html"
    assert "data-nbchat-stand-in" in picture["text/html"]


def test_what_colab_adds_to_a_widget_for_its_manager_is_kept(outputs: Outputs) -> None:
    """Colab's hook (google/colab/output/_widgets.py) names the widget manager in the metadata."""

    def hook(message: dict[str, Any]) -> dict[str, Any]:
        if WIDGET in message["content"]["data"]:
            manager = {"colab": {"custom_widget_manager": {"url": "https://colab.example"}}}
            message["content"].setdefault("metadata", {}).setdefault(WIDGET, {}).update(manager)
        return message

    outputs.register_hook(hook)
    nbchat.inspect(reply())._ipython_display_()
    widget, picture, _ = outputs.sent
    assert "colab.example" in json.dumps(widget["metadata"])
    assert picture["metadata"] == {}
