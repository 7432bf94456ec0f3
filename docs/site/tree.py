"""The folder that Sphinx reads, and the links within it.

A file of docs/ keeps its place, what stands in the root of the project is a page beside them, and
the notebooks are the gallery. Links are written as they lead in the repository; here they are
turned to where their page is, and those to a file of source are its name alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docs.site import reference, tables
from docs.site.docstrings import linked
from docs.site.names import entries

ROOT = Path(__file__).resolve().parents[2]
#: pages that stand in the root of the project
OF_ROOT = {
    "RELIABILITY.md": "reliability.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(
    r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))|(<img[^>]*? src=\")([^\"]+)(\")"
)
_FENCED = re.compile(r"(?ms)^[ ]*(`{3,}|~{3,}).*?^[ ]*\1[ ]*$")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def sources() -> dict[str, str]:
    """Give what is written by hand: path in the repository -> path in the site."""
    places = {
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix()
        for path in sorted((ROOT / "docs").rglob("*.md"))
    }
    places |= OF_ROOT
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        places[f"notebooks/{path.name}"] = f"gallery/{path.name}"
    return places


@cache
def made() -> dict[str, str]:
    """Give the pages that are made from the package: path in the site -> Markdown."""
    pages = [*tables.pages(), *reference.pages()]
    return {f"reference/{name}.md": text for name, text in pages}


def assemble(folder: Path) -> None:
    """Write everything that Sphinx reads into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    names = [entry.name for entry in entries()]
    for name, text in made().items():
        _write(folder / name, text)
    for source, place in sources().items():
        if source.endswith(".ipynb"):
            notebook = json.loads((ROOT / source).read_text(encoding="utf-8"))
            _write(folder / place, json.dumps(shown(notebook), ensure_ascii=False))
        else:
            text = (ROOT / source).read_text(encoding="utf-8")
            text = in_both_themes(turned(text, source, place))
            _write(folder / place, linked(text, names))
    for folder_of_pictures in (ROOT / "docs").rglob("images"):
        within = folder_of_pictures.relative_to(ROOT / "docs")
        shutil.copytree(folder_of_pictures, folder / within, dirs_exist_ok=True)


def links(text: str) -> Iterator[str]:
    """Give the targets of the links and pictures of a page, those in code aside."""
    for link in _LINK.finditer(_FENCED.sub("", text)):
        yield link[2] or link[5]


def is_external(target: str) -> bool:
    """Tell whether a link leads out of the project."""
    return bool(re.match(r"[a-z]+:", target))


def place_of(target: str, source: str) -> str | None:
    """Give where in the site the file is that a link of `source` leads to; None where nowhere."""
    path = os.path.relpath((ROOT / source).parent / target, ROOT)
    places = sources()
    if path in places:
        return places[path]
    if path.startswith("docs/reference/"):
        return path.removeprefix("docs/") if path.removeprefix("docs/") in made_names() else None
    if path.startswith("docs/") and (ROOT / path).is_file():
        return path.removeprefix("docs/")
    return None


def made_names() -> set[str]:
    """Give the paths of the pages that are made."""
    names = {"fields", "flags", "columns", "index"}
    names |= {page.slug for page in reference.PAGES}
    return {f"reference/{name}.md" for name in names}


def turned(text: str, source: str, place: str) -> str:
    """Give a page with its links as they lead in the site. Raise LookupError for one to nowhere."""

    def turn(link: re.Match[str]) -> str:
        before, target, after = (link[1], link[2], link[3]) if link[2] else link.groups()[3:]
        file, sign, anchor = target.partition("#")
        if is_external(target) or not file:
            return link[0]
        to = place_of(file, source)
        if to is None and (ROOT / source).parent.joinpath(file).exists():
            return before.removesuffix("](").removeprefix("[")  # source text is no page
        if to is None:
            raise LookupError(f"{source}: the link to {target} leads nowhere")
        return f"{before}{os.path.relpath(to, Path(place).parent)}{sign}{anchor}{after}"

    done, last = [], 0
    for fence in _FENCED.finditer(text):
        done += [_LINK.sub(turn, text[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*done, _LINK.sub(turn, text[last:])])


def in_both_themes(text: str) -> str:
    """Give a page with each picture NAME-light.png beside its twin, shown in one theme each."""
    return re.sub(
        r"(!\[[^\]]*\]\(\S+?)-light\.png\)",
        r"\1-light.png){.only-light}\n\1-dark.png){.only-dark}",
        text,
    )


def shown(notebook: dict[str, Any]) -> dict[str, Any]:
    """Give a notebook as a page shows it: a panel as its picture, figures with words for them."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output.get("data", {}).pop(_WIDGET, None):
                # the picture of a panel is the output after it, and this one is empty
                output["data"] = {kind: data for kind, data in output["data"].items() if data}
                output["data"].pop("text/plain", None)
        if "outputs" in cell:
            cell["outputs"] = [o for o in cell["outputs"] if o.get("data", True)]
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            last = "".join(cell["source"]).strip().splitlines()[-1].strip().rstrip(";")
            cell["metadata"]["mystnb"] = {"image": {"alt": f"The figure of {last}"}}
    return notebook


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
