"""Every kind of type, as a tool's parameter and as what a reply is to be.

The schemas are judged by jsonschema, what is read by pydantic where it knows the type.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import sys
import uuid
from dataclasses import dataclass, field
from types import ModuleType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
)

import attrs
import jsonschema
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import Run
from nbchat.api import check
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.structured import Structure, response_format
from nbchat.tools import Call, tool
from nbchat.tools.calls import run_calls
from tests.fuzzing import examples

UTC = dt.UTC
X = TypeVar("X")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    x: int
    name: str = "a"


@dataclass
class Size:
    width: int
    height: float = 1.0


@dataclass
class Tree:
    value: int
    left: Optional[Tree] = None  # noqa: UP045 - as many write it
    others: list[Tree] = field(default_factory=list)


class Movie(TypedDict, total=False):
    year: int
    sequel: Optional[Movie]  # noqa: UP045


class Link(msgspec.Struct):
    number: int
    after: Link | None = None


class Box(msgspec.Struct, Generic[X]):
    inside: X


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    lives: float


@attrs.define
class Area:
    width: int = attrs.field(validator=attrs.validators.ge(0))


class Model(pydantic.BaseModel):
    x: int
    other: Model | None = None


@pydantic.dataclasses.dataclass
class Even:
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@dataclass
class Outer:
    even: Even
    size: Size


#: a type, what a model writes for it, and what the user is to get
KINDS: list[Any] = [
    pytest.param(int, 5, 5, id="int"),
    pytest.param(int, 5.0, 5, id="int as 5.0 (opencodex#1611)"),
    pytest.param(int, 1e3, 1000, id="int as 1e3 (mlx-lm#1417)"),
    pytest.param(int | None, 5.0, 5, id="int or null as 5.0 (langchain-google#1110)"),
    pytest.param(list[int], [1.0, 2], [1, 2], id="ints as floats in a list"),
    pytest.param(dict[str, int], {"a": 1.0}, {"a": 1}, id="ints as floats in a dict"),
    pytest.param(dict[str, list[int]] | None, {"a": [1.0]}, {"a": [1]}, id="deeper inside"),
    pytest.param(tuple[int, str], [1.0, "a"], (1, "a"), id="int as a float in a tuple"),
    pytest.param(set[int], [1.0, 2.0], {1, 2}, id="ints as floats in a set"),
    pytest.param(Pair, [3.0, "b"], Pair(3, "b"), id="int as a float in a NamedTuple"),
    pytest.param(Level, 2.0, Level.HIGH, id="int as a float in an IntEnum"),
    pytest.param(Literal[1, 2], 1.0, 1, id="int as a float in a Literal"),
    pytest.param(Annotated[int, msgspec.Meta(ge=1)], 2.0, 2, id="int as a float with a bound"),
    pytest.param(UserId, 7.0, 7, id="int as a float in a NewType"),
    pytest.param(Size, {"width": 5.0, "height": 2.0}, Size(5, 2.0), id="in a dataclass"),
    pytest.param(Tree, {"value": 1.0, "left": {"value": 2.0}}, Tree(1, Tree(2)), id="recursion"),
    pytest.param(Movie, {"year": 2.0, "sequel": {"year": 3.0}}, {"year": 2, "sequel": {"year": 3}},
                 id="in a TypedDict"),
    pytest.param(Link, {"number": 1.0, "after": {"number": 2.0}}, Link(1, Link(2)), id="Struct"),
    pytest.param(Box[int], {"inside": 4.0}, Box(4), id="in a generic Struct"),
    pytest.param(Box[list[Size]], {"inside": [{"width": 1.0}]}, Box([Size(1)]), id="in two"),
    pytest.param(Cat | Dog, {"type": "cat", "lives": 9.0}, Cat(9), id="in a tagged union"),
    pytest.param(Area, {"width": 2.0}, Area(2), id="in a class of attrs"),
    pytest.param(Model, {"x": 5.0, "other": {"x": 1}}, Model(x=5, other=Model(x=1)), id="pydantic"),
    pytest.param(list[Model], [{"x": 5.0}], [Model(x=5)], id="list of pydantic models"),
    pytest.param(dict[str, Model], {"a": {"x": 1}}, {"a": Model(x=1)}, id="dict of models"),
    pytest.param(Model | None, None, None, id="a pydantic model or null"),
    pytest.param(Box[Model], {"inside": {"x": 2}}, Box(Model(x=2)), id="a model in a Struct"),
    pytest.param(Even, {"n": 2.0}, Even(2), id="pydantic dataclass (openai-python#1614)"),
    pytest.param(list[Even], [{"n": 2}], [Even(2)], id="list of pydantic dataclasses"),
    pytest.param(Outer, {"even": {"n": 2}, "size": {"width": 1.0}}, Outer(Even(2), Size(1)),
                 id="a pydantic dataclass in a dataclass"),
    pytest.param(Annotated[int, pydantic.Field(ge=1, description="how many")], 3, 3,
                 id="pydantic's Field (llama_index#17662)"),
    pytest.param(float, 5.0, 5.0, id="guard: a whole float"),
    pytest.param(float, 5, 5.0, id="guard: an int for a float"),
    pytest.param(int | float, 5.0, 5.0, id="guard: a float where both are asked for"),
    pytest.param(list[float], [5.0], [5.0], id="guard: floats in a list"),
    pytest.param(Dog, {"type": "dog", "lives": 9.0}, Dog(9.0), id="guard: a float in a Struct"),
    pytest.param(Any, [5.0], [5.0], id="guard: anything"),
    pytest.param(dt.datetime, "2024-05-01T10:00:00Z", dt.datetime(2024, 5, 1, 10, tzinfo=UTC),
                 id="datetime"),
    pytest.param(dt.date, "2024-05-01", dt.date(2024, 5, 1), id="date"),
    pytest.param(dt.time, "10:00:00Z", dt.time(10, tzinfo=UTC), id="time"),
    pytest.param(dt.timedelta, "P1DT2H", dt.timedelta(days=1, hours=2), id="timedelta"),
    pytest.param(list[dt.datetime | None], ["2024-05-01T10:00:00+00:00", None],
                 [dt.datetime(2024, 5, 1, 10, tzinfo=UTC), None], id="datetimes inside"),
    pytest.param(uuid.UUID, str(uuid.UUID(int=7)), uuid.UUID(int=7), id="UUID"),
    pytest.param(decimal.Decimal, "1.10", decimal.Decimal("1.10"), id="Decimal"),
    pytest.param(bytes, "YWI=", b"ab", id="bytes"),
    pytest.param(frozenset[str], ["a"], frozenset("a"), id="frozenset"),
    pytest.param(Colour, "blue", Colour.BLUE, id="Enum"),
    pytest.param(Literal["a", None], None, None, id="Literal with null"),  # noqa: PYI061
    pytest.param(tuple[int, ...], [1, 2], (1, 2), id="tuple of any length"),
    pytest.param(dict[int, str], {"1": "a", "20": "b"}, {1: "a", 20: "b"}, id="keys that are ints"),
    pytest.param(dict[float, int], {"1.5": 1}, {1.5: 1}, id="keys that are floats"),
    pytest.param(dict[uuid.UUID, int], {str(uuid.UUID(int=7)): 1}, {uuid.UUID(int=7): 1},
                 id="keys that are UUIDs"),
    pytest.param(dict[dt.date, int], {"2024-05-01": 1}, {dt.date(2024, 5, 1): 1}, id="date keys"),
    pytest.param(dict[Level, int], {"2": 1}, {Level.HIGH: 1}, id="keys of an IntEnum"),
    pytest.param(dict[Literal[1, 2], int], {"2": 1}, {2: 1}, id="keys of a Literal"),
    pytest.param(dict[Colour, int], {"red": 1}, {Colour.RED: 1}, id="keys of an Enum"),
    pytest.param(list[dict[int, list[int]]], [{"1": [2.0]}], [{1: [2]}], id="int keys inside"),
]  # fmt: skip

by_kind = pytest.mark.parametrize(("hint", "written", "wanted"), KINDS)


def taking(hint: Any) -> Any:
    def take(value: Any) -> str:
        """Take."""
        seen.append(value)
        return "ok"

    seen: list[Any] = []
    take.__annotations__ = {"value": hint}
    return take, seen


def called(hint: Any, written: Any) -> tuple[Any, Call]:
    function, seen = taking(hint)
    call = Call("c", "take", json.dumps({"value": written}))
    run_calls([call], {"take": tool(function)})
    return (seen or [None])[0], call


def schema_of(hint: Any) -> dict[str, Any]:
    schema: dict[str, Any] = tool(taking(hint)[0]).schema["function"]["parameters"]
    return schema


def asked(structure: Structure, written: Any) -> Run:
    value = written if structure.wrapped is None else {structure.wrapped: written}
    message = ResponseMessage(content=json.dumps(value))
    completion = Completion(choices=[Choice(0, message, "stop")])
    return Run.from_completion(completion, structure=structure)


def same(found: Any, wanted: Any) -> bool:
    return bool(found == wanted) and repr(found) == repr(wanted)


@by_kind
def test_a_tool_gets_what_its_type_says(hint: Any, written: Any, wanted: Any) -> None:
    found, call = called(hint, written)
    assert call.error is None
    assert same(found, wanted)


@by_kind
def test_a_reply_is_read_as_its_type_says(hint: Any, written: Any, wanted: Any) -> None:
    run = asked(response_format(hint, strict=False), written)
    assert run.parse_error is None
    assert same(run.parsed, wanted)


@by_kind
def test_the_schema_is_one_and_fits_what_is_written(hint: Any, written: Any, wanted: Any) -> None:
    schemas = [schema_of(hint), response_format(hint, strict=False).schema]
    values = [{"value": written}]
    structure = response_format(hint, strict=False)
    values.append(written if structure.wrapped is None else {structure.wrapped: written})
    for schema, value in zip(schemas, values, strict=True):
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(value)
        check({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})


def is_known_to_pydantic(hint: Any) -> bool:
    try:
        pydantic.TypeAdapter(hint)
    except pydantic.errors.PydanticUserError:
        return False  # a Struct, a class of attrs, the TypedDict of typing
    # it takes bytes as text, and keys of a Literal as texts
    return hint not in (bytes, dict[Literal[1, 2], int])


PYDANTICS = [kind for kind in KINDS if is_known_to_pydantic(kind.values[0])]


@pytest.mark.parametrize(("hint", "written", "wanted"), PYDANTICS)
def test_pydantic_reads_the_same(hint: Any, written: Any, wanted: Any) -> None:
    assert pydantic.TypeAdapter(hint).validate_json(json.dumps(written)) == wanted


DATES = {
    dt.datetime: "date-time",
    dt.date: "date",
    dt.time: "time",
    dt.timedelta: "duration",
    uuid.UUID: "uuid",
}


@pytest.mark.parametrize("kind", DATES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "made",
    [
        lambda kind: (kind, ()),
        lambda kind: (list[kind], ("items",)),
        lambda kind: (kind | None, ("anyOf", 0)),
        lambda kind: (dict[str, kind], ("additionalProperties",)),
        lambda kind: (tuple[kind, int], ("prefixItems", 0)),
    ],
    ids=["itself", "in a list", "or null", "in a dict", "in a tuple"],
)
def test_dates_say_what_they_are_as_pydantic_says_it(kind: Any, made: Any) -> None:
    hint, steps = made(kind)
    node: Any = schema_of(hint)["properties"]["value"]
    theirs: Any = pydantic.TypeAdapter(hint).json_schema()
    for step in steps:
        node, theirs = node[step], theirs[step]
    assert node["format"] == theirs["format"] == DATES[kind]


@pytest.mark.parametrize("decorate", [dataclass, attrs.define, "struct", "typed", "named"])
def test_dates_say_what_they_are_in_every_kind_of_class(decorate: Any) -> None:
    hints = {"at": dt.datetime, "daily": dt.time, "maybe": Optional[dt.date]}  # noqa: UP045
    if decorate == "struct":
        made: Any = msgspec.defstruct("Meeting", [*hints.items()])
    elif decorate == "typed":
        made = TypedDict("Meeting", hints)  # type: ignore[operator]
    elif decorate == "named":
        made = NamedTuple("Meeting", [*hints.items()])  # type: ignore[misc]
    else:
        made = decorate(type("Meeting", (), {"__annotations__": hints, "__module__": __name__}))
    (node,) = schema_of(made)["$defs"].values()
    fields = node.get("prefixItems") or [*node["properties"].values()]
    assert [fields[0]["format"], fields[1]["format"]] == ["date-time", "time"]
    assert fields[2]["anyOf"][0]["format"] == "date"


@pytest.mark.parametrize(
    ("hint", "written", "words"),
    [
        pytest.param(int, 5.5, "Expected `int`", id="half a number"),
        pytest.param(int, "5", "Expected `int`", id="a text"),
        pytest.param(int, True, "Expected `int`", id="a truth value"),
        pytest.param(Even, {"n": 3}, "must be even", id="pydantic dataclass (openai-python#1614)"),
        pytest.param(list[Even], [{"n": 2}, {"n": 3}], "[1].n", id="inside of a list"),
        pytest.param(Outer, {"even": {"n": 3}, "size": {"width": 1}}, "even.n", id="in another"),
        pytest.param(Area, {"width": -1}, "'width' must be >= 0", id="a validator of attrs"),
        pytest.param(Annotated[int, pydantic.Field(ge=1)], 0, "greater than or equal to 1",
                     id="a bound of pydantic's Field (agent-framework#8643)"),
        pytest.param(dict[int, int], {"a": 1}, "Expected `int`", id="a key that is no number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(hint: Any, written: Any, words: str) -> None:
    found, call = called(hint, written)
    assert found is None
    assert words in (call.error or "")
    assert "\n" not in (call.error or "")
    run = asked(response_format(hint, strict=False), written)
    assert run.parsed is None
    assert words in (run.parse_error or "")


@examples(100)
@given(number=st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False)))
def test_what_an_integer_is_jsonschema_says(number: float) -> None:
    if number in (float("inf"), float("-inf")):
        return
    is_one = jsonschema.Draft202012Validator({"type": "integer"}).is_valid(number)
    found, call = called(int, number)
    assert (call.error is None) == is_one
    assert not is_one or (type(found) is int and found == number)
    assert same(called(float, number)[0], float(number))


# descriptions and bounds of pydantic's Field, wherever it stands
_FIELD = pydantic.Field(description="how many", ge=1, le=5)


def annotated(count: Annotated[int, _FIELD]) -> str:
    """Count."""
    return repr(count)


def annotated_with_default(count: Annotated[int, _FIELD] = 2) -> str:
    """Count."""
    return repr(count)


def as_default(count: int = pydantic.Field(2, description="how many", ge=1, le=5)) -> str:
    """Count."""
    return repr(count)


def as_needed(count: int = pydantic.Field(description="how many", ge=1, le=5)) -> str:
    """Count."""
    return repr(count)


def from_a_factory(
    count: int = pydantic.Field(default_factory=lambda: 2, description="how many", ge=1, le=5),
) -> str:
    """Count."""
    return repr(count)


@pytest.mark.parametrize(
    ("function", "is_needed"),
    [(annotated, True), (annotated_with_default, False), (as_default, False), (as_needed, True),
     (from_a_factory, False)],
)  # fmt: skip
def test_pydantics_field_describes_a_parameter(function: Any, is_needed: bool) -> None:
    made = tool(function, name="f")
    schema = made.schema["function"]["parameters"]
    node = schema["properties"]["count"]
    found = (node["description"], node["minimum"], node["maximum"], node["type"])
    assert found == ("how many", 1, 5, "integer")
    assert (schema["required"] == ["count"]) == is_needed
    assert is_needed or node["default"] == 2
    call = Call("c", "f", "{}")
    run_calls([call], {"f": made})
    assert (call.error is not None) if is_needed else (call.result == "2")


def test_a_pydantic_dataclass_with_field_as_a_default_is_described() -> None:
    @pydantic.dataclasses.dataclass
    class Described:
        n: int = pydantic.Field(description="a count", ge=0)

    run = asked(response_format(Described), {"n": 3})
    assert run.parsed == Described(n=3)
    schema = response_format(Described).schema
    assert schema["properties"]["n"]["description"] == "a count"
    assert asked(response_format(Described), {"n": -3}).parsed is None


class Holder(msgspec.Struct):
    even: Even


class Bounded(msgspec.Struct):
    count: Annotated[int, pydantic.Field(ge=1)]


@attrs.define
class Kept:
    evens: list[Even]


@pytest.mark.parametrize("hint", [Holder, Bounded, Kept, list[Holder], Holder | None])
def test_where_pydantics_checks_would_not_be_heard_a_type_is_refused(hint: Any) -> None:
    with pytest.raises(ValueError, match="which is pydantic's"):
        schema_of(hint)
    with pytest.raises(ValueError, match="which is pydantic's"):
        response_format(hint)


def test_keys_that_no_json_has_are_refused() -> None:
    for key in (bool, tuple[int, int], Pair, type(None), Size):
        with pytest.raises(ValueError, match="nothing that JSON can carry"):
            schema_of(dict[key, int])  # type: ignore[valid-type]


def test_types_are_described_while_pydantic_has_loaded_no_part_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def weather(city: str, unit: str = "C") -> str:
        """Say what the weather is."""
        return f"{city}: rain, {unit}"

    monkeypatch.delitem(sys.modules, "pydantic.fields", raising=False)
    monkeypatch.setitem(sys.modules, "pydantic", ModuleType("pydantic"))
    assert tool(weather).schema["function"]["name"] == "weather"
    assert response_format(list[int]).schema
