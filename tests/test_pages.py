"""The pages of docs: each can be reached, each link leads somewhere, each name has its place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nbchat
from docs.site import tables, tree
from docs.site.docstrings import first_sentence, linked, markdown_of, named_in
from docs.site.names import entries, names_of_module, public, value_of
from docs.site.reference import text_of
from nbchat.api.fields import FIELDS
from nbchat.code.flags import OPTION_FLAGS
from nbchat.frames.columns import FrameName, columns_of
from nbchat.options import OPTIONS

ROOT = tree.ROOT
WRITTEN = [name for name in tree.sources() if name.endswith(".md")]


def test_every_page_is_in_the_navigation() -> None:
    texts = {place: (ROOT / name).read_text() for name, place in tree.sources().items()
             if name.endswith(".md")} | tree.made()  # fmt: skip
    listed = {"index.md"}
    for place, text in texts.items():
        for toctree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            folder = Path(place).parent
            for entry in toctree.split():
                if entry == "[0-9]*":
                    listed |= {p for p in tree.sources().values() if p.startswith("gallery/0")}
                elif not entry.startswith(":"):
                    listed.add((folder / f"{entry}.md").as_posix())
    pages = {*tree.sources().values(), *tree.made()}
    assert pages - listed == {p for p in pages if p == "gallery/README.md"}
    assert listed <= pages


@pytest.mark.parametrize("page", [*WRITTEN, "README.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    for target in tree.links((ROOT / page).read_text()):
        if tree.is_external(target):
            assert re.fullmatch(r"https?://[\w.-]+\.\w+(/\S*)?|mailto:\S+@\S+", target), target
            continue
        file, _, anchor = target.partition("#")
        is_made = file and tree.place_of(file, page) in tree.made()
        path = (ROOT / page).parent / file if file else ROOT / page
        assert is_made or path.exists(), f"{page}: {target}"
        if anchor and not is_made:
            assert anchor in anchors(path.read_text()), f"{page}: {target}"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and Sphinx make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*WRITTEN, "README.md"])
def test_every_name_that_a_page_tells_of_is_there(page: str) -> None:
    for name in named_in((ROOT / page).read_text()):
        if not (ROOT / name.replace(".", "/")).exists() and not is_module(name):
            value_of(name)


def is_module(name: str) -> bool:
    return (ROOT / f"{name.replace('.', '/')}.py").is_file()


def test_every_public_name_is_in_the_reference() -> None:
    shown = "".join(tree.made().values())
    for name in public():
        assert f"`{name} <" in tree.made()["reference/index.md"]
    for entry in entries():
        assert re.search(rf"{{py:\w+}} {re.escape(entry.name)}\b", shown), entry.name
    documented = {id(entry.value) for entry in entries()}
    for module in (nbchat.measures, nbchat.plots, nbchat.statistics, nbchat.evaluators,
                   nbchat.errors, nbchat.frames, nbchat.sweep):  # fmt: skip
        for name in names_of_module(module):
            assert id(getattr(module, name)) in documented, f"{module.__name__}.{name}"


def test_every_declaration_is_in_the_reference() -> None:
    fields, flags, columns = (
        tree.made()[f"reference/{n}.md"] for n in ("fields", "flags", "columns")
    )
    for name, field in FIELDS().items():
        assert f"### `{name}`" in fields
        assert f"`--{name.replace('_', '-')}`" in fields
        assert tables.as_text(field.description) in fields
    for flag in OPTION_FLAGS.values():
        assert tables.as_text(flag.description) in flags
    for name in OPTIONS():
        assert f"| `{name}` |" in flags
    for frame in FrameName.__args__:  # type: ignore[attr-defined]
        section = columns.split(f"\n## {frame}\n")[1].split("\n## ")[0]
        for column in columns_of(frame):
            assert f"| `{column.name}` | `{column.dtype}` | {column.unit} |" in section


def test_a_measure_has_its_formula_and_its_source() -> None:
    page = text_of(next(page for page in tree.reference.PAGES if page.slug == "measures"))
    assert re.search(r"`perplexity <.*\| Give exp\(-L / T\)", page)
    assert re.search(r"`semantic_entropy <.*arXiv 2302\.09664", page)


def test_docstrings_become_markdown() -> None:
    names = ["nbchat.score", "nbchat.errors.CheckError"]
    text = markdown_of("Give a < b of `nbchat.score`, `<x>`; raise CheckError.\n\nOr `CheckError`.",
                       names)  # fmt: skip
    assert "{py:obj}`nbchat.score <nbchat.score>`" in text
    assert "{py:obj}`CheckError <nbchat.errors.CheckError>`" in text
    assert "`<x>`" in text
    assert markdown_of("Like <title>.") == "Like \\<title>."
    assert linked("```python\n`nbchat.score`\n```\n", names) == "```python\n`nbchat.score`\n```\n"
    assert markdown_of("A tree:\n\nA\n└── B").endswith("```text\nA\n└── B\n```")
    assert first_sentence("Give e.g. one. Two.\n\nThree.") == "Give e.g. one."


def test_a_link_to_nowhere_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"docs/index\.md: the link to gone\.md leads nowhere"):
        tree.turned("See [this](gone.md).", "docs/index.md", "index.md")
    assert tree.turned("[a](../RELIABILITY.md#keys)", "docs/howto/../start.md", "start.md") == (
        "[a](reliability.md#keys)"
    )
    assert tree.turned("[a](tests/test_pages.py)", "RELIABILITY.md", "reliability.md") == "a"


def test_a_picture_of_a_panel_is_there_in_both_themes() -> None:
    assert tree.in_both_themes("![a panel](images/a-light.png)") == (
        "![a panel](images/a-light.png){.only-light}\n![a panel](images/a-dark.png){.only-dark}"
    )
    for page in WRITTEN:
        for light in re.findall(r"\]\((\S+-light\.png)\)", (ROOT / page).read_text()):
            dark = (ROOT / page).parent / light.replace("-light.png", "-dark.png")
            assert dark.is_file(), f"{page}: {light} has no twin"


def test_a_panel_is_its_picture_on_its_page() -> None:
    text = (ROOT / "notebooks" / "02_explore_parameters.ipynb").read_text(encoding="utf-8")
    cells = tree.shown(json.loads(text))["cells"]
    (panel,) = (cell for cell in cells if "".join(cell["source"]).endswith("\nexplorer"))
    (picture,) = panel["outputs"]
    assert "data-nbchat-stand-in" in "".join(picture["data"]["text/html"])
    (style,) = (ROOT / "docs" / "_static").glob("*.css")
    assert ":empty) { display: none" not in style.read_text()  # it took whole cells away
    printed = [o for cell in cells for o in cell.get("outputs", ()) if o["output_type"] == "stream"]
    assert printed


@pytest.mark.long
@pytest.mark.timeout(600)  # 15 s alone
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / ".ci" / "pages.py"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    html = (tmp_path / "html" / "index.html").read_text()
    assert "nbchat" in html
    for page in (tmp_path / "html").rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', text)
        assert loaded == [], f"{page.name} needs the network"
