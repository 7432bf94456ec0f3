"""Executes a notebook on the embedded model, and writes it as a page under build/."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any


def end(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Say in a sentence that somebody stopped it, during the imports too."""
    if issubclass(kind, KeyboardInterrupt):
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    sys.excepthook = end

import bleach  # noqa: E402
import nbformat  # noqa: E402
from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402
from nbconvert import HTMLExporter  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

RUNS = """
import json, nbchat.session
print(json.dumps([
    [run.text, run.model, run.usage.completion_tokens] for run in nbchat.session.runs
]))
"""

# nbconvert's own list knows neither paragraphs nor headings
TAGS = {
    *bleach.ALLOWED_TAGS,
    *("p", "div", "span", "pre", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "del", "sup"),
    *("bdi", "bdo", "wbr", "mark", "kbd", "samp", "u", "s", "ins", "q", "cite"),
    *(
        "sub",
        "small",
        "img",
        "audio",
        "figure",
        "figcaption",
        "details",
        "summary",
        "dl",
        "dt",
        "dd",
    ),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th"),
}
ATTRIBUTES = {
    *("class", "id", "style", "title", "role", "alt", "colspan", "rowspan", "scope", "lang"),
    *("tabindex", "dir"),
}
KINDS = {"img": "image", "audio": "audio"}
SIDES = ("top", "right", "bottom", "left")
STYLES = {
    *ALLOWED_CSS_PROPERTIES,
    *(f"{box}-{side}" for box in ("margin", "padding") for side in SIDES),
    *(f"border-{side}" for side in SIDES),
    *("margin", "padding", "border", "border-radius", "max-width", "opacity", "outline"),
    *("overflow-x", "overflow-wrap", "box-shadow", "flex-wrap", "gap", "color-scheme"),
}


def main(path: Path) -> None:
    # the promise is the embedded model, whatever the shell that calls this is set up for
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        os.environ.pop(name, None)
    os.environ["NBCHAT_HISTORY"] = "off"  # what a demo asks is no part of the user's own history
    # a kernel called python3 in the user's own folder must not be taken for this one
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="nbchat-demo-") as scratch:
        # a home that cannot be written will do, and what is set up in it has no say here
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
            os.environ[name] = str(Path(scratch) / name.lower())
        runs = execute(notebook, path.parent)
    if not runs:
        sys.exit(f"{path.name} made no request.")
    text, model, tokens = runs[0]
    leave_out_asides(notebook)
    page = write_page(notebook, path.stem)
    print(f"{text}\n\n{tokens} tokens from {model}. The whole notebook: {page}")


def execute(notebook: Any, folder: Path) -> list[tuple[str, str, int]]:
    """Runs all cells in place, and returns text, model and token count of each request."""
    asking = nbformat.v4.new_code_cell(RUNS)
    notebook.cells.append(asking)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # or it warns of its own transport
    )
    with tempfile.TemporaryFile("w+") as lines:  # a kernel that is stopped has much to say
        try:
            client.execute(stderr=lines)
        except CellExecutionError as error:
            sys.exit(str(error))
        except DeadKernelError as error:
            lines.seek(0)
            sys.exit(f"{lines.read()}{error}")
    notebook.cells.remove(asking)
    runs: list[tuple[str, str, int]] = json.loads(asking.outputs[0]["text"])
    return runs


def leave_out_asides(notebook: Any) -> None:
    """Takes out what is said on stderr: it is for who runs the cells, not for who reads them."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]


def write_page(notebook: Any, name: str) -> Path:
    exporter = HTMLExporter(sanitize_html=True)
    exporter.register_filter("clean_html", clean)
    body, _ = exporter.from_notebook_node(notebook)
    # nbconvert sets code blocks in Markdown outputs in the font of the text
    font = "<style>.highlight pre { font-family: var(--jp-code-font-family) }</style>"
    body = body.replace("</head>", f"{font}</head>", 1)
    body = with_alternative_texts(body, notebook)
    page = ROOT / "build" / f"{name}.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(body, encoding="utf-8")
    return page


def with_alternative_texts(body: str, notebook: Any) -> str:
    """Give the pictures the texts that nbchat's figures bring; nbconvert's page leaves them out."""
    for output in (o for cell in notebook.cells for o in cell.get("outputs", ())):
        text = output.get("metadata", {}).get("image/png", {}).get("alt")
        if text:
            beginning = re.escape("".join(output["data"]["image/png"]).strip()[:200])
            picture = re.compile(
                rf'<img alt="[^"]*"(?=[^>]*?src="data:image/png;base64,{beginning})'
            )
            body = picture.sub(lambda _, text=text: f'<img alt="{escape(text)}"', body)
    return body


def clean(html: str) -> str:
    # the cleaner drops the tags of these two and would keep what stands between them as text
    html = re.sub(r"(?is)<(style|script)\b.*?</\1\s*>", "", str(html))
    return bleach.clean(
        html,
        tags=TAGS,
        attributes=is_allowed,
        protocols=["http", "https", "mailto", "data"],
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
    )


def is_allowed(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    if name == "src":  # a picture from elsewhere would tell its server who reads the page
        return tag in ("img", "audio") and value.startswith(f"data:{KINDS[tag]}/")
    if name == "controls":
        return tag == "audio"
    return name in ATTRIBUTES or name.startswith("aria-")


def is_interrupt(error: BaseException | None) -> bool:
    """Tell whether an interrupt is at the bottom of it; nbclient's clean-up may fail on top."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            return True
        error = error.__context__
    return False


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except BaseException as error:
        if not is_interrupt(error):
            raise
        print("Interrupted; the same command begins the notebook anew.", file=sys.stderr)
        sys.exit(130)
