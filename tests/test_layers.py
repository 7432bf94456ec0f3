"""Arrows point down: what each room of nbchat may import, where each library lives; and names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sources import nodes_of, tree_of

PACKAGE = Path(__file__).parents[1] / "nbchat"

LOW = {"errors", "api", "version", "redact", "regular_file", "nearest", "options"}
NUMBERS = LOW | {"measures", "frames", "plots", "media"}
SHOWN = NUMBERS | {"display"}  # display never sees a Run but as an argument: a Run shows itself
WITH_RUN = SHOWN | {"client", "structured", "stored_run", "run"}
JOINED = WITH_RUN | {"local", "history", "prices", "tools", "request", "cell_turn"}

# room: the rooms it may import, besides itself
STANDS_ON: dict[str, set[str]] = {
    "redact": set(),
    "regular_file": set(),
    "above": set(),
    "nearest": {"errors"},
    "errors": {"redact"},
    "version": set(),
    "options": set(),
    "api": {"errors", "redact"},
    "media": LOW,
    "measures": LOW,
    "statistics": LOW | {"measures"},
    "frames": LOW | {"measures"},
    "plots": LOW | {"measures", "statistics", "frames"},
    "client": LOW,
    "local": LOW | {"client"},
    "display": NUMBERS,
    "structured": LOW,
    "stored_error": LOW,
    "cell_turn": set(),
    "stored_run": LOW | {"structured", "tools", "stored_error", "cell_turn"},
    "run": SHOWN | {"above", "client", "structured", "stored_run", "tools", "cell_turn"},
    "prices": LOW,
    "request": WITH_RUN | {"tools"},
    "tools": LOW | {"structured"},  # what types are to a model is known there
    "history": WITH_RUN | {"stored_error", "above"},
    "session": JOINED,
    "code": JOINED | {"session"},
    "analysis": JOINED | {"session"},
    "evaluators": JOINED | {"session", "code"},
    "sweep": JOINED | {"session", "code", "evaluators", "statistics", "stored_error"},
    "widgets": JOINED | {"session", "code", "analysis", "sweep"},
    "magics": JOINED | {"session", "code", "analysis", "sweep", "widgets"},
}
STANDS_ON["nbchat"] = set(STANDS_ON)

# a library that is not of Python itself (or is heavy): the rooms that may import it
LIVES_IN: dict[str, set[str]] = {
    "msgspec": set(STANDS_ON)
    - {"errors", "version", "redact", "regular_file", "nearest", "nbchat"},
    "requests": {"client", "local"},
    "urllib3": {"client"},
    "dotenv": {"client"},
    "numpy": {"measures", "statistics", "frames", "plots", "sweep"},
    "pandas": {"frames", "plots", "sweep"},
    "matplotlib": {"plots"},
    "rich": {"plots"},
    "IPython": {"display", "magics"},
    "ipykernel": {"display", "magics"},
    "traitlets": {"magics", "widgets"},
    "jinja2": {"code"},
    "markdown_it": {"display"},
    "pygments": {"display"},
    "PIL": {"display"},
    "platformdirs": {"local", "history"},
    "tqdm": {"local", "sweep", "analysis"},
    "xllamacpp": {"local"},
    "genai_prices": {"prices"},
    "sqlite3": {"history"},
    "pyarrow": {"history", "sweep"},  # Parquet: text and a few facts, no frame is needed for it
    "distributed": {"sweep"},
    "fsspec": {"sweep"},  # folders at an object store
    "cloudpickle": {"sweep"},  # functions of a notebook on their way to workers
    "tiktoken": {"request"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
}


#: files that import another's private name, and why they still may; the list only shrinks
PENDING: dict[str, str] = {}


class Import(NamedTuple):
    place: str  # "nbchat/run.py:12"
    room: str
    target: str  # dotted
    names: tuple[str, ...]
    is_for_types: bool


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "nbchat" if first == "__init__" else first


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def with_purpose(tree: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is for the type checker alone."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        parent, is_for_types = waiting.pop()
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.If) and is_type_checking(child.test):
                waiting.append((ast.Module(child.body, []), True))
                waiting.append((ast.Module(child.orelse, []), is_for_types))
            else:
                yield child, is_for_types
                waiting.append((child, is_for_types))


def called(function: ast.expr) -> str | None:
    """The last name of what is called: of `a.b.c(...)` it is c."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


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
    elif isinstance(node, ast.Call) and called(node.func) in {"import_module", "__import__"}:
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def names_of(node: ast.AST) -> tuple[str, ...]:
    is_from = isinstance(node, ast.ImportFrom)
    return tuple(alias.name for alias in node.names) if is_from else ()


def imports_of(source: str, path: Path) -> list[Import]:
    package = ".".join(path.relative_to(PACKAGE.parent).parts[:-1])
    shown = path.relative_to(PACKAGE.parent).as_posix()
    return [
        Import(f"{shown}:{node.lineno}", room_of(path), target, names_of(node), is_for_types)
        for node, is_for_types in with_purpose(tree_of(source))
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call))
        for target in targets(node, package)
    ]


@cache
def all_imports() -> list[Import]:
    found = [i for path in PACKAGE.rglob("*.py") for i in imports_of(path.read_text(), path)]
    assert len(found) > 50
    return found


def wrong_arrows(imports: list[Import]) -> list[str]:
    wrong = []
    for place, room, target, _, _ in imports:
        top, *rest = target.split(".")
        to = rest[0] if rest and rest[0] in STANDS_ON else "nbchat"
        if top == "nbchat" and to != room and to not in STANDS_ON.get(room, set()):
            wrong.append(f"{place}: {room} imports {to}, which stands above it or beside it")
    return wrong


def misplaced_libraries(imports: list[Import]) -> list[str]:
    wrong = []
    for place, room, target, _, is_for_types in imports:
        library = target.split(".")[0]
        is_of_python = library in sys.stdlib_module_names and library not in LIVES_IN
        if is_for_types or library == "nbchat" or is_of_python:
            continue
        if room not in LIVES_IN.get(library, set()):
            homes = ", ".join(sorted(LIVES_IN.get(library, set()))) or "no room yet"
            wrong.append(f"{place}: {room} imports {library}, which lives in {homes}")
    return wrong


def private_imports(imports: list[Import]) -> list[str]:
    """Names with a leading underscore that a module takes from another one of nbchat."""
    return [
        f"{place}: {name} of {target} is private: give it a name without the underscore there, "
        "or move it to where both may have it"
        for place, _, target, names, _ in imports
        if target.split(".")[0] == "nbchat"
        for name in dict.fromkeys([*target.split(".")[1:], *names])
        if name.startswith("_") and not (name.startswith("__") and name.endswith("__"))
    ]


def private_attributes(source: str, path: Path) -> list[str]:
    """Uses of ``module._name`` where the module is one of nbchat's."""
    shown = path.relative_to(PACKAGE.parent).as_posix()
    modules = {
        alias.asname or alias.name
        for node in nodes_of(source)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if is_module(f"{node.module}.{alias.name}")
    }
    return [
        f"{shown}:{node.lineno}: {node.value.id}.{node.attr} is private"
        for node in nodes_of(source)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    ]


def is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def without_pending(wrong: list[str], pending: dict[str, str]) -> list[str]:
    """What is wrong elsewhere than in the files that are known, and files that are so no more."""
    files = {place.split(":")[0] for place in wrong}
    return [place for place in wrong if place.split(":")[0] not in pending] + [
        f"{name} is right now: take it from the list" for name in pending if name not in files
    ]


def test_every_module_belongs_to_a_room() -> None:
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")}
    assert rooms - set(STANDS_ON) == set()


def test_no_arrow_points_up() -> None:
    assert wrong_arrows(all_imports()) == []


def test_heavy_libraries_stay_in_their_rooms() -> None:
    assert misplaced_libraries(all_imports()) == []


def test_no_module_takes_a_private_name_from_another() -> None:
    wrong = private_imports(all_imports())
    for path in PACKAGE.rglob("*.py"):
        wrong += private_attributes(path.read_text(), path)
    assert without_pending(wrong, PENDING) == []


@pytest.mark.parametrize(
    "source",
    [
        "from nbchat.session.chat import _asked",
        "from nbchat.session.chat import Chat, _asked",
        "from ..measures._sums import total",
        "from nbchat.session import chat\nchat._asked()",
        "def f():\n    from nbchat.session.chat import _asked",
        "if TYPE_CHECKING:\n    from nbchat.session.chat import _Asked",
    ],
)
def test_a_private_name_of_another_module_is_found(source: str) -> None:
    path = PACKAGE / "frames" / "tokens.py"
    assert private_imports(imports_of(source, path)) + private_attributes(source, path)


@pytest.mark.parametrize(
    "source",
    [
        "from nbchat.session.chat import asked as _asked",
        "from nbchat.version import __version__",
        "from nbchat.session import chat\nchat.__name__\nself._asked",
        "import threading\nthreading._x",
    ],
)
def test_names_of_ones_own_and_those_of_python_pass(source: str) -> None:
    path = PACKAGE / "frames" / "tokens.py"
    assert private_imports(imports_of(source, path)) + private_attributes(source, path) == []


def test_a_file_that_is_right_now_has_to_leave_the_list() -> None:
    assert without_pending(["a.py:1: x"], {"a.py": "", "b.py": ""}) == [
        "b.py is right now: take it from the list"
    ]


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
        "if TYPE_CHECKING:\n    from nbchat.client import Client",
        "if typing.TYPE_CHECKING:\n    if True:\n        from nbchat.run import Run",
        "def f():\n    if TYPE_CHECKING:\n        import nbchat.run",
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
        "if TYPE_CHECKING:\n    from nbchat.measures import surprisal\n    import matplotlib",
        "if typing.TYPE_CHECKING:\n    from datetime import datetime",
    ],
)
def test_an_arrow_that_points_down_and_a_library_for_types_alone_pass(source: str) -> None:
    found = imports_of(source, PACKAGE / "frames" / "tokens.py")
    assert wrong_arrows(found) + misplaced_libraries(found) == []


@pytest.mark.parametrize(
    "source", ["import matplotlib.pyplot as plt", "def f():\n    import sqlite3", "import attrs"]
)
def test_a_library_outside_its_room_is_found(source: str) -> None:
    assert len(misplaced_libraries(imports_of(source, PACKAGE / "frames" / "tokens.py"))) == 1


# names inside the package are nouns of the field: what a thing is, not how it came about

#: what such a name hides, and what a reader looks for in its place
INSTEAD = {
    "asked": "messages, params, options, a round",
    "own": "the token, the stretch, the default, the option, the rows of this run",
    "said": "the message, the sentence, the reason, the lines",
    "found": "match, rows, offences, the profile",
    "given": "fields, values, arguments",
}

#: file and name: why it stands
STANDS = {
    ("api/params.py", "given"): "a method of ChatParams, which is public",
    ("measures/top_k.py", "own"): "an argument of nbchat.measures.rank, which is public",
    ("session/threads.py", "asked"): "a field of the turns that a Thread gives, which are public",
}


def _bound(source: str) -> Iterator[tuple[int, str]]:
    """Give the line and the name of all that a module gives a name to."""
    for node in nodes_of(source):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def _sentences(path: str, source: str) -> list[str]:
    return [
        f"nbchat/{path}:{line} calls something {name!r}: call it what it is "
        f"({INSTEAD[word]}, ...), or put it into STANDS of tests/test_layers.py with a reason"
        for line, name in _bound(source)
        if (word := name.strip("_").lower()) in INSTEAD and (path, name) not in STANDS
    ]


def test_a_name_says_what_a_thing_is_and_not_how_it_came_about() -> None:
    sentences = [
        sentence
        for path in sorted(PACKAGE.rglob("*.py"))
        for sentence in _sentences(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8"))
    ]
    assert not sentences, "\n".join(sentences)


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "self._said: str = ''",
        "for own in rows: pass",
        "def asked(): pass",
        "class Given: pass",
        "lambda found: found",
        "def f(*, given): pass",
        "from a import b as found",
        "if found := f(): pass",
        "with f() as (found, _): pass",
        "try: pass\nexcept OSError as found: pass",
        "match x:\n    case [found, *_]: pass",
        "OWN = 1",
    ],
)
def test_a_name_that_hides_what_a_thing_is_is_seen(source: str) -> None:
    (sentence,) = _sentences("a.py", source)
    assert "call it what it is" in sentence


@pytest.mark.parametrize("source", ["is_own = 1", "params.given()", "own_prices = 1", "f(found=1)"])
def test_a_predicate_and_a_name_of_another_pass(source: str) -> None:
    assert _sentences("a.py", source) == []


@pytest.mark.parametrize(("path", "name"), STANDS)
def test_an_exception_is_still_there(path: str, name: str) -> None:
    tree = ast.parse((PACKAGE / path).read_text("utf-8"))
    assert name in {bound for _, bound in _bound(tree)}, "take it out of STANDS"
