"""Schemas that are made strict, and the sentences where they cannot be."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from openai.lib._pydantic import to_strict_json_schema
from openai.types.shared_params import ResponseFormatJSONSchema
from openai.types.shared_params.response_format_json_schema import JSONSchema

from nbchat.api import check
from nbchat.errors import CheckError
from nbchat.structured import columns, response_format, strict_schema
from nbchat.structured.strict import MAX_DEPTH, MAX_ENUM_VALUES, MAX_PROPERTIES


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(msgspec.Struct):
    """Where something is."""

    city: str
    country: str = "unknown"


class Node(msgspec.Struct):
    value: int
    next: Node | None = None


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    tricks: list[str]


class Everything(msgspec.Struct):
    mood: Literal["good", "bad", None]  # noqa: PYI061 - a list of values with null in it
    colour: Colour
    place: Annotated[Place, msgspec.Meta(description="where it was")]
    places: list[Place]
    pet: Cat | Dog
    chain: Node
    score: Annotated[int, msgspec.Meta(ge=0, le=10)] = 5
    code: Annotated[str, msgspec.Meta(max_length=3)] = "x"
    tags: set[str] = set()


@dataclass
class Point:
    x: int
    name: str = "p"


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Page(pydantic.BaseModel):
    number: int
    parent: Page | None = None


class Book(pydantic.BaseModel):
    page: Annotated[Page, pydantic.Field(description="the first")]
    kind: Literal["book"] = "book"
    other: Annotated[Page | None, pydantic.Field(description="another")]


TYPES: list[Any] = [
    Everything, Place, Node, Point, Movie, Page, Book, Cat | Dog, Colour, int, list[Place],
    list[Book], list[Node], Literal["yes", "no"], frozenset[int],
]  # fmt: skip


def schema_of(model: Any, **how: Any) -> dict[str, Any]:
    schema: dict[str, Any] = response_format(model, **how).wire["json_schema"]["schema"]
    return schema


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema inside a schema, by a walk of the test's own."""
    found = [schema]
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    for node in inner:
        found += nodes(node)
    return found


@pytest.mark.parametrize("model", TYPES, ids=str)
def test_every_rule_holds_for_the_schema_of_a_type(model: Any) -> None:
    schema = schema_of(model)
    assert (schema["type"], "anyOf" in schema) == ("object", False)
    defined = {f"#/$defs/{name}" for name in schema.get("$defs", {})} | {"#"}
    known = {
        "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items",
        "maximum", "minimum", "properties", "required", "title", "type",
    }  # fmt: skip
    for node in nodes(schema):
        assert set(node) <= known
        if "$ref" in node:
            assert set(node) == {"$ref"}
            assert node["$ref"] in defined
        else:
            assert "type" in node or "anyOf" in node
        if "object" in node.get("type", ""):
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False


@pytest.mark.parametrize("model", TYPES, ids=str)
def test_what_is_sent_is_of_the_shape_that_openai_declares(model: Any) -> None:
    wire = response_format(model, description="d").wire
    pydantic.TypeAdapter(ResponseFormatJSONSchema).validate_python(wire)
    assert wire.keys() == ResponseFormatJSONSchema.__annotations__.keys()
    assert wire["json_schema"].keys() == JSONSchema.__annotations__.keys()
    assert check({"response_format": wire}).given()["response_format"] == wire


def test_a_pydantic_schema_is_that_of_the_official_package() -> None:
    ours, theirs = schema_of(Page), to_strict_json_schema(Page)
    assert ours["properties"] == theirs["properties"]
    assert ours["$defs"] == theirs["$defs"]
    book = to_strict_json_schema(Book)
    del book["properties"]["kind"]["default"]  # the one annotation that we leave out
    assert schema_of(Book) == book


def test_an_optional_property_becomes_one_that_may_be_null() -> None:
    schema = schema_of(Place)
    assert schema["properties"]["city"] == {"type": "string"}
    assert schema["properties"]["country"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}


def test_a_list_stands_inside_of_an_object() -> None:
    structure = response_format(list[Point])
    schema = structure.wire["json_schema"]["schema"]
    assert schema["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Point"}}
    assert (structure.wrapped, structure.wire["json_schema"]["name"]) == ("items", "list_Point")


def test_a_schema_that_refers_to_its_root_keeps_its_meaning_inside_of_an_object() -> None:
    tree = {"type": "array", "items": {"$ref": "#"}}
    schema = schema_of(tree)
    assert schema["properties"]["items"] == {"$ref": "#/$defs/root"}
    assert schema["$defs"]["root"] == {"type": "array", "items": {"$ref": "#/$defs/root"}}


def test_a_recursion_with_a_description_ends() -> None:
    schema = {
        "type": "object",
        "properties": {"next": {"$ref": "#/definitions/N", "description": "the next"}},
        "definitions": {
            "N": {"properties": {"next": {"$ref": "#/definitions/N", "description": "again"}}}
        },
    }
    made = schema_of(schema)
    assert made["$defs"]["N"]["required"] == ["next"]
    assert "definitions" not in made


def test_the_name_is_one_that_the_api_takes() -> None:
    assert response_format({"type": "object", "properties": {}, "title": "A bill, paid!"}).wire[
        "json_schema"
    ]["name"] == ("A_bill_paid")
    for model, name in (
        (Annotated[list[Point], msgspec.Meta(max_length=3)], "list_Point"),
        (list[list[Point]], "list_list_Point"),
        (Literal["yes", "no"], "Literal_yes_no"),
    ):
        assert response_format(model).wire["json_schema"]["name"] == name
    assert response_format(Point, name="dot").wire["json_schema"]["name"] == "dot"


def test_a_schema_is_sent_as_it_is_where_strict_is_switched_off() -> None:
    free = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}
    wire = response_format(free, strict=False).wire["json_schema"]
    assert (wire["schema"], wire["strict"]) == (free, False)
    assert response_format(dict[str, int], strict=False).wire["json_schema"]["strict"] is False


def test_the_schema_that_was_given_is_left_alone() -> None:
    given = {"type": "object", "properties": {"a": {"enum": ["x"], "default": "x"}}}
    before = msgspec.json.encode(given)
    schema_of(given)
    assert msgspec.json.encode(given) == before


WRONG: list[tuple[Any, str]] = [
    ({"properties": {"a": {"allOf": [{}, {}]}}}, "reply.a has allOf"),
    ({"properties": {"a": {"not": {"type": "null"}}}}, "reply.a has not"),
    ({"properties": {"a": {"type": "string", "minLength": 1}}}, "reply.a has minLength"),
    (
        {"properties": {"a": {"type": "array", "items": {"type": "object"}}}},
        r"reply.a\[\] has free keys",
    ),
    ({"properties": {"a": {}}}, "reply.a takes any value"),
    ({"properties": {"a": True}}, "reply.a is true"),
    ({"properties": {"a": {"type": "array"}}}, "reply.a is a list of anything"),
    ({"properties": {"a": {"$ref": "other.json"}}}, 'reply.a refers to "other.json"'),
    ({"type": "object", "properties": {}, "additionalProperties": True}, "reply has free keys"),
    (dict[str, int], "free keys"),
    (
        {"properties": {f"p{i}": {"type": "null"} for i in range(MAX_PROPERTIES + 1)}},
        "reply has 5,001 properties, but a strict schema has at most 5,000",
    ),
    ({"properties": {"x" * 120_001: {"type": "null"}}}, "120,001 characters"),
    ({"properties": {"a": {"enum": list(range(MAX_ENUM_VALUES + 1))}}}, "1,001 listed values"),
    ({"properties": {"a": {"enum": [f"{i:0100}" for i in range(251)]}}}, "lists 251 values"),
    (object, "object has no JSON schema"),
]


@pytest.mark.parametrize(("model", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_rule_that_cannot_be_met_is_named_with_its_place(model: Any, sentence: str) -> None:
    with pytest.raises(CheckError, match=sentence) as caught:
        response_format(model)
    assert caught.value.field == "response_format"


def test_ten_levels_are_taken_and_eleven_are_not() -> None:
    def nested(levels: int) -> dict[str, Any]:
        inner: dict[str, Any] = {"type": "string"}
        for _ in range(levels):
            inner = {"type": "object", "properties": {"a": inner}}
        return inner

    strict_schema(nested(MAX_DEPTH))
    with pytest.raises(CheckError, match="11 levels of nesting"):
        strict_schema(nested(MAX_DEPTH + 1))


def test_the_columns_are_those_of_the_objects() -> None:
    assert columns(response_format(list[Book])) == [
        "page.number", "page.parent", "kind", "other.number", "other.parent",
    ]  # fmt: skip
    assert columns(response_format(Node)) == ["value", "next"]
