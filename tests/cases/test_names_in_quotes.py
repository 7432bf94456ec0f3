"""Type hints whose names stand in quotes, or are texts since the module says so."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from nbchat.errors import CheckError
from nbchat.structured import response_format
from nbchat.tools import Call, read_tools, tool
from nbchat.tools.calls import run_calls

HEAD = """
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Optional, TypedDict, Union
import msgspec
"""
CLASSES = {
    "dataclass": "@dataclass\nclass Spot:\n    x: int\n    next: Optional['Spot'] = None\n",
    "Struct": "class Spot(msgspec.Struct):\n    x: int\n    next: 'Spot | None' = None\n",
    "TypedDict": "class Spot(TypedDict, total=False):\n    x: int\n    next: Optional['Spot']\n",
    "NamedTuple": "class Spot(NamedTuple):\n    x: int\n    next: Optional['Spot'] = None\n",
    "pydantic": (
        "import pydantic\n"
        "class Spot(pydantic.BaseModel):\n    x: int\n    next: Optional['Spot'] = None\n"
    ),
}
HINTS = {
    "itself": "'Spot'",
    "Optional (semantic-kernel#14239)": "Optional['Spot']",
    "list": "list['Spot']",
    "dict": "dict[str, 'Spot']",
    "tuple": "tuple['Spot', ...]",
    "Union": "Union['Spot', None]",
    "Annotated": "Annotated['Spot', 'where']",
    "Annotated inside": "list[Annotated[Optional['Spot'], 'where']]",
    "twice in quotes": "'list[\"Spot\"]'",
    "no quotes": "Optional[Spot]",
    "a word in a Literal": "Optional[Literal['Spot']]",
}


@pytest.fixture
def space() -> Iterator[dict[str, Any]]:
    module = types.ModuleType("notebook_of_a_user")
    sys.modules[module.__name__] = module
    yield vars(module)
    del sys.modules[module.__name__]


def define(space: dict[str, Any], source: str, *, is_future: bool = False) -> None:
    first = "from __future__ import annotations\n" if is_future else ""
    exec(compile(first + HEAD + source, "<cell>", "exec", dont_inherit=True), space)


def spot_in(schema: dict[str, Any]) -> str:
    return str({**schema["properties"], "defs": schema.get("$defs")})


@pytest.mark.parametrize("is_future", [False, True], ids=["usual", "from __future__"])
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("hint", HINTS)
def test_names_in_quotes_are_looked_up_where_the_function_stands(
    space: dict[str, Any], hint: str, kind: str, is_future: bool
) -> None:
    source = f"{CLASSES[kind]}def go(spot: {HINTS[hint]}) -> 'Spot':\n    'Go.'\n    return spot\n"
    define(space, source, is_future=is_future)
    schema = tool(space["go"]).schema["function"]["parameters"]
    assert "Spot" in spot_in(schema)


CALLABLES = {
    "a method": (
        "class Here:\n    def go(self, spot: Optional['Spot']): return spot.x\ngo = Here().go"
    ),
    "a class method": (
        "class Here:\n    @classmethod\n    def go(cls, spot: Optional['Spot']): return spot.x\n"
        "go = Here.go"
    ),
    "a partial": (
        "def full(y: int, spot: Optional['Spot']): return spot.x\ngo = functools.partial(full, 1)"
    ),
    "an object": (
        "class Here:\n    def __call__(self, spot: Optional['Spot']): return spot.x\ngo = Here()"
    ),
    "a function that is wrapped": (
        "def plain(f):\n"
        "    @functools.wraps(f)\n"
        "    def inner(*args, **kwargs): return f(*args, **kwargs)\n"
        "    return inner\n"
        "@plain\ndef go(spot: Optional['Spot']): return spot.x"
    ),
    "a function in a function": (
        "def make():\n"
        "    Near = Spot\n"
        "    def go(spot: Optional['Near']): return Near is Spot and spot.x\n"
        "    return go\n"
        "go = make()"
    ),
}


@pytest.mark.parametrize("is_future", [False, True], ids=["usual", "from __future__"])
@pytest.mark.parametrize("name", CALLABLES)
def test_every_kind_of_function_has_its_names(
    space: dict[str, Any], name: str, is_future: bool
) -> None:
    define(space, f"{CLASSES['dataclass']}{CALLABLES[name]}\n", is_future=is_future)
    made = tool(space["go"], name="go")
    call = Call("c", "go", '{"spot": {"x": 3, "next": {"x": 4.0}}}')
    run_calls([call], {"go": made})
    assert (call.result, call.error) == ("3", None)


def test_a_type_asked_for_may_have_names_in_quotes(
    monkeypatch: pytest.MonkeyPatch, space: dict[str, Any]
) -> None:
    define(space, CLASSES["dataclass"])
    monkeypatch.setitem(vars(sys.modules["__main__"]), "Spot", space["Spot"])
    assert response_format(list["Spot"]).type == list[space["Spot"]]  # type: ignore[name-defined]  # noqa: F821
    with pytest.raises(CheckError, match="name 'Nowhere' is not defined"):
        response_format(list["Nowhere"])  # type: ignore[name-defined]  # noqa: F821


UNKNOWN = [
    "'Nowhere'", "Optional['Nowhere']", "list['Nowhere']", "'not a type ('", "'1 / 0'",
    "'functools.nothing'", "list['1 / 0']", "'Spot.nothing'", "Callable[['Spot'], 'Spot']",
]  # fmt: skip


@pytest.mark.parametrize("is_future", [False, True], ids=["usual", "from __future__"])
@pytest.mark.parametrize("hint", UNKNOWN)
def test_names_that_stand_for_nothing_are_one_sentence(
    space: dict[str, Any], hint: str, is_future: bool
) -> None:
    source = f"{CLASSES['dataclass']}def go(spot: {hint}): return spot\n"
    define(space, source, is_future=is_future)
    with pytest.raises(CheckError, match="go ") as raised:
        read_tools([space["go"]])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_field_whose_type_stands_for_nothing_is_one_sentence(
    space: dict[str, Any], kind: str
) -> None:
    source = CLASSES[kind].replace("'Spot", "'Nowhere")
    define(space, f"{source}def go(spot: Spot): return spot\n")
    words = "not fully defined" if kind == "pydantic" else "Nowhere"  # the first are its own
    with pytest.raises(CheckError, match=words) as raised:
        read_tools([space["go"]])
    assert "\n" not in str(raised.value)
    with pytest.raises(CheckError, match=words) as raised:
        response_format(space["Spot"])
    assert "\n" not in str(raised.value)
