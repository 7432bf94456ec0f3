"""What a process remembers can be forgotten at once, and nothing is remembered elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec

import nbchat
from nbchat import session
from nbchat.session.state import STATE, State
from tests.scripted import ScriptedServer
from tests.sources import tree_of

PACKAGE = Path(nbchat.__file__).parent
#: module globals that change, and why they are no state of a session
OF_THE_PROCESS = {
    "above.py": "functions of rooms, put there when the package is imported",
    "client/secret.py": "keys in use, held weakly, so that none is taken from a line",
    "api/encoded.py": "what is encoded is shared while it is in use",
    "display/attachments.py": "thumbnails of pictures that are in use",
    "frames/source.py": "warnings that were given are given once a process",
    "history": "the writer of a file belongs to the process",
    "local": "the embedded server belongs to the process, and ends with it",
    "magics/__init__.py": "what %unload_ext takes back, by shell",
}


def test_everything_is_forgotten_in_place(server: ScriptedServer) -> None:
    runs, settings = session.runs, session.settings
    nbchat.Thread("t").ask("Hi")
    session.configure(timeout=3, max_retries=1)
    assert (len(runs), STATE.threads.keys()) == (1, {"t"})
    assert STATE.clients
    STATE.reset()
    fresh = State()
    for name, value in vars(STATE).items():
        if isinstance(value, (dict, list)):
            assert value == getattr(fresh, name), name
    assert msgspec.structs.asdict(settings) == msgspec.structs.asdict(fresh.settings)
    assert (runs, session.runs is runs, session.settings is settings) == ([], True, True)


def changing_globals(source: str) -> list[str]:
    """Module names that are bound to an empty or growing container."""
    found = []
    for node in tree_of(source).body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        is_empty = isinstance(value, (ast.Dict, ast.List)) and not ast.unparse(value).strip("{}[]")
        is_made = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in (
            "set", "dict", "list", "defaultdict", "deque", "WeakKeyDictionary",
            "WeakValueDictionary",
        )  # fmt: skip
        is_fixed = isinstance(value, ast.Call) and bool(value.args)
        if is_empty or (is_made and not is_fixed):
            found.append(f"line {node.lineno}")
    return found


def test_what_is_remembered_stands_in_the_state() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if not any(place == known or place.startswith(f"{known}/") for known in OF_THE_PROCESS):
            wrong += [f"{place}, {line}" for line in changing_globals(path.read_text())]
    assert wrong == [], "put it into nbchat.session.state.State, so that reset() forgets it"


def test_a_global_that_grows_is_found() -> None:
    assert changing_globals("_known: dict[str, int] = {}")
    assert changing_globals("seen = set()")
    assert not changing_globals("WORDS = {'a': 1}\nNAMES = frozenset()\nX = set('ab')")
