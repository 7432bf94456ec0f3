"""Arrows point down: what each room of nbchat may import, and where each library lives."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "nbchat"

LOW = {"errors", "api", "version", "redact"}
NUMBERS = LOW | {"measures", "frames", "plots", "media"}
SHOWN = NUMBERS | {"display"}  # display never sees a Run but as an argument: a Run shows itself
WITH_RUN = SHOWN | {"client", "structured", "stored_run", "run"}
JOINED = WITH_RUN | {"local", "history", "prices", "tools"}

# room: the rooms it may import, besides itself
STANDS_ON: dict[str, set[str]] = {
    "redact": set(),
    "errors": {"redact"},
    "version": set(),
    "api": {"errors", "redact"},
    "media": LOW,
    "measures": LOW,
    "frames": LOW | {"measures"},
    "plots": LOW | {"measures", "frames"},
    "client": LOW,
    "local": LOW | {"client"},
    "display": NUMBERS,
    "structured": LOW,
    "stored_error": LOW,
    "stored_run": LOW | {"structured", "tools", "stored_error"},
    "run": SHOWN | {"client", "structured", "stored_run"},
    "prices": LOW,
    "tools": LOW,
    "history": WITH_RUN,
    "session": JOINED,
    "code": JOINED | {"session"},
    "analysis": JOINED | {"session"},
    "sweep": JOINED | {"session"},
    "widgets": JOINED | {"session", "code", "analysis", "sweep"},
    "magics": JOINED | {"session", "code", "analysis", "sweep", "widgets"},
}
STANDS_ON["nbchat"] = set(STANDS_ON)

# a library that is not of Python itself (or is heavy): the rooms that may import it
LIVES_IN: dict[str, set[str]] = {
    "msgspec": set(STANDS_ON) - {"errors", "version", "redact", "nbchat"},
    "requests": {"client", "local"},
    "urllib3": {"client"},
    "dotenv": {"client"},
    "numpy": {"measures", "frames", "plots"},
    "pandas": {"frames", "plots"},
    "matplotlib": {"plots"},
    "IPython": {"display", "magics"},
    "ipykernel": {"display", "magics"},
    "traitlets": {"magics", "widgets"},
    "jinja2": {"code"},
    "markdown_it": {"display"},
    "PIL": {"display"},
    "platformdirs": {"local", "history"},
    "tqdm": {"local", "sweep", "analysis"},
    "xllamacpp": {"local"},
    "genai_prices": {"prices"},
    "sqlite3": {"history"},
    "pyarrow": {"history"},  # runs as Parquet: text and a few facts, no frame is needed for it
    "distributed": {"sweep"},
    "tiktoken": {"session"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
}


class Import(NamedTuple):
    place: str  # "nbchat/run.py:12"
    room: str
    target: str  # dotted


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "nbchat" if first == "__init__" else first


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those for the type checker alone."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and is_type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from nodes_that_run(other)
            continue
        yield child
        yield from nodes_that_run(child)


def targets(node: ast.AST, package: str) -> Iterator[str]:
    """The dotted names that a node imports; `package` is the importing module's own package."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
        if base == "nbchat":
            yield from (f"nbchat.{alias.name}" for alias in node.names)
        else:
            yield base
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
        ("import_module", "__import__")
    ):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def imports_of(source: str, path: Path) -> list[Import]:
    package = ".".join(path.relative_to(PACKAGE.parent).parts[:-1])
    shown = path.relative_to(PACKAGE.parent).as_posix()
    return [
        Import(f"{shown}:{node.lineno}", room_of(path), target)
        for node in nodes_that_run(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call))
        for target in targets(node, package)
    ]


def all_imports() -> list[Import]:
    found = [i for path in PACKAGE.rglob("*.py") for i in imports_of(path.read_text(), path)]
    assert len(found) > 50
    return found


def wrong_arrows(imports: list[Import]) -> list[str]:
    wrong = []
    for place, room, target in imports:
        top, *rest = target.split(".")
        to = rest[0] if rest and rest[0] in STANDS_ON else "nbchat"
        if top == "nbchat" and to != room and to not in STANDS_ON.get(room, set()):
            wrong.append(f"{place}: {room} imports {to}, which stands above it or beside it")
    return wrong


def misplaced_libraries(imports: list[Import]) -> list[str]:
    wrong = []
    for place, room, target in imports:
        library = target.split(".")[0]
        if library == "nbchat" or (library in sys.stdlib_module_names and library not in LIVES_IN):
            continue
        if room not in LIVES_IN.get(library, set()):
            homes = ", ".join(sorted(LIVES_IN.get(library, set()))) or "no room yet"
            wrong.append(f"{place}: {room} imports {library}, which lives in {homes}")
    return wrong


def test_every_module_belongs_to_a_room() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")}
    assert rooms - set(STANDS_ON) == set()


def test_no_arrow_points_up() -> None:
    assert wrong_arrows(all_imports()) == []


def test_heavy_libraries_stay_in_their_rooms() -> None:
    assert misplaced_libraries(all_imports()) == []


def test_the_order_of_rooms_has_no_circle() -> None:
    pairs = {
        frozenset({room, other})
        for room, below in STANDS_ON.items()
        for other in below
        if room in STANDS_ON[other]
    }
    assert pairs == set()


@pytest.mark.parametrize(
    "source",
    [
        "import nbchat.client",
        "from nbchat.client import Client",
        "from nbchat import client",
        "from nbchat import run",
        "from ..client.sse import Decoder",
        "from .. import client",
        "def f():\n    from nbchat.client.sse import Decoder",
        "importlib.import_module('nbchat.client')",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import nbchat.client",
        "from nbchat import chat",
    ],
)
def test_an_arrow_that_points_up_is_found(source: str) -> None:
    assert len(wrong_arrows(imports_of(source, PACKAGE / "frames" / "tokens.py"))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from nbchat.measures import surprisal",
        "from ..measures import surprisal",
        "from . import columns",
        "from .columns import COLUMNS",
        "if TYPE_CHECKING:\n    from nbchat.client import Client\n    import matplotlib",
        "if typing.TYPE_CHECKING:\n    from nbchat.run import Run",
    ],
)
def test_an_arrow_that_points_down_or_is_for_types_alone_passes(source: str) -> None:
    found = imports_of(source, PACKAGE / "frames" / "tokens.py")
    assert wrong_arrows(found) + misplaced_libraries(found) == []


@pytest.mark.parametrize(
    "source", ["import matplotlib.pyplot as plt", "def f():\n    import sqlite3", "import attrs"]
)
def test_a_library_outside_its_room_is_found(source: str) -> None:
    assert len(misplaced_libraries(imports_of(source, PACKAGE / "frames" / "tokens.py"))) == 1
