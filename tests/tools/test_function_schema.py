from __future__ import annotations

import enum
import functools
import io
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import pydantic
import pytest
from msgspec import Meta

from nbchat.api import check
from nbchat.errors import CheckError
from nbchat.tools import Tool, read_tools, tool
from nbchat.tools.docstring import read_docstring


@dataclass
class Place:
    city: str
    country: str = "DE"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Options(TypedDict, total=False):
    deep: bool


def search(
    query: str,
    places: list[Place],
    mode: Literal["fast", "full"] = "fast",
    limit: Annotated[int, Meta(ge=1, le=50)] = 10,
    colour: Colour | None = None,
    options: Options | None = None,
    until: Annotated[str | None, "an ISO date"] = None,
    anything=None,  # type: ignore[no-untyped-def]
) -> list[str]:
    """Search the archive.

    It looks at titles alone.

    Args:
        query (str): what to look for,
            on one line
        places: where
    Returns:
        the titles
    """
    return []


def schema_of(function: Any) -> dict[str, Any]:
    schema: dict[str, Any] = tool(function).schema["function"]
    return schema


def test_a_signature_becomes_a_schema() -> None:
    schema = schema_of(search)
    assert schema["name"] == "search"
    assert schema["description"] == "Search the archive.\n\nIt looks at titles alone."
    parameters = schema["parameters"]
    assert parameters["required"] == ["query", "places"]
    assert parameters["additionalProperties"] is False
    properties = parameters["properties"]
    assert list(properties)[:3] == ["query", "places", "mode"]
    assert properties["query"] == {
        "type": "string",
        "description": "what to look for, on one line",
    }
    assert properties["places"]["items"] == {"$ref": "#/$defs/Place"}
    assert parameters["$defs"]["Place"]["required"] == ["city"]
    assert properties["mode"] == {"enum": ["fast", "full"], "default": "fast"}
    assert (properties["limit"]["minimum"], properties["limit"]["maximum"]) == (1, 50)
    assert properties["limit"]["default"] == 10
    assert properties["colour"]["anyOf"][1] == {"type": "null"}
    assert parameters["$defs"]["Colour"]["enum"] == ["blue", "red"]
    assert properties["until"]["description"] == "an ISO date"
    assert properties["anything"] == {"default": None}
    check({"tools": [tool(search).schema]})


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    def now() -> str:
        return ""

    assert schema_of(now) == {
        "name": "now",
        "parameters": {
            "type": "object",
            "properties": {},
            "required": [],
            "additionalProperties": False,
        },
    }


def test_methods_partials_and_callable_objects_are_functions_too() -> None:
    class Store:
        def get(self, key: str) -> str:
            return key

        def __call__(self, key: str) -> str:
            return key

    assert list(schema_of(Store().get)["parameters"]["properties"]) == ["key"]
    assert schema_of(Store())["name"] == "Store"
    half = schema_of(functools.partial(search, "x"))
    assert (half["name"], "query" in half["parameters"]["properties"]) == ("search", False)


def test_old_optional_and_parameters_called_like_methods_work() -> None:
    def odd(self: int, __init__: Optional[int] = None) -> None: ...  # noqa: UP045

    assert list(schema_of(odd)["parameters"]["properties"]) == ["self", "__init__"]


def variadic(*args: int) -> None: ...
def keyed(**kwargs: int) -> None: ...
def stream(file: io.StringIO) -> None: ...
def nested(files: list[io.StringIO]) -> None: ...
def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (variadic, r"variadic takes \*args"),
        (keyed, r"keyed takes \*\*kwargs"),
        (stream, r"stream cannot be described .* parameter file \(StringIO\)"),
        (nested, r"nested cannot be described .* parameter files \(list\[_io.StringIO\]\)"),
        (unknown, "unknown has a type hint that cannot be looked up: name 'Nowhere'"),
        (lambda x: x, "<lambda> is none: give one"),
        (print, r"print takes \*args"),
    ],
)
def test_what_cannot_be_described_is_one_sentence(function: Any, words: str) -> None:
    with pytest.raises(CheckError, match=words) as raised:
        read_tools([function])
    assert "\n" not in str(raised.value)


def test_ready_made_schemas_and_texts_pass() -> None:
    custom = {"type": "custom", "custom": {"name": "free"}}
    assert read_tools([custom]) == ([custom], {})
    assert read_tools("[]") == ("[]", {})
    made = Tool(schema={"type": "function", "function": {"name": "mine"}})
    assert read_tools(made) == ([made.schema], {})


def test_a_hundred_and_twenty_eight_functions_are_the_most() -> None:
    def function(x: int) -> int:
        return x

    many = [tool(function, name=f"f{n}") for n in range(129)]
    assert len(read_tools(many[:128])[0]) == 128
    with pytest.raises(CheckError, match="129 functions, and 128 are the most"):
        read_tools(many)


@pytest.mark.parametrize(
    "docstring",
    [
        "Do it.\n\nArgs:\n    a: first\n    b (int): second\n        and more",
        "Do it.\n\nParameters\n---\na : int\n    first\nb\n    second\n    and more\n\nRaises\n---",
        "Do it.\n\n:param a: first\n:param int b: second\n    and more\n:returns: c",
        "Do it.\n\n- `a`: first\n- `b`: second\n  and more",
    ],
)
def test_what_docstrings_say_of_parameters_is_read(docstring: str) -> None:
    summary, said = read_docstring(docstring)
    assert summary == "Do it."
    assert said == {"a": "first", "b": "second and more"}


def test_a_docstring_without_parameters_is_the_description() -> None:
    text = "Say a thing: now.\n\nIt may be long:\nvery long."
    assert read_docstring(text)[0] == text
    assert read_docstring("") == ("", {})


def test_the_openai_package_takes_the_schemas() -> None:
    types = pytest.importorskip("openai.types.chat")
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(types.ChatCompletionToolUnionParam)
    adapter.validate_python(tool(search).schema)
    with pytest.raises(pydantic.ValidationError):
        adapter.validate_python({"type": "function"})


def test_msgspec_types_are_taken_whole() -> None:
    class Item(msgspec.Struct):
        price: float

    def pay(item: Item) -> None: ...

    pay.__annotations__["item"] = Item
    assert schema_of(pay)["parameters"]["$defs"]["Item"]["required"] == ["price"]


class Spot(pydantic.BaseModel):
    name: str


def test_a_parameter_that_json_cannot_carry_is_refused() -> None:
    def other(where: threading.Lock) -> str:
        """Go."""
        return str(where)

    with pytest.raises(CheckError, match=r"its parameter where .* is nothing that JSON can carry"):
        tool(other)


def test_a_pydantic_model_as_a_parameter_is_described_by_pydantic() -> None:
    def one(place: Spot, others: list[Spot]) -> str:
        """Go."""
        return place.name

    parameters = schema_of(one)["parameters"]
    assert parameters["properties"]["others"] == {
        "items": {"$ref": "#/$defs/Spot"},
        "type": "array",
    }
    assert parameters["$defs"]["Spot"] == Spot.model_json_schema()
    assert parameters["properties"]["place"] == Spot.model_json_schema()
