"""JSON schemas that are none, go in circles or have no end: a result, or an error of nbchat's own.

Whether a schema is one at all, jsonschema says.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import Run
from nbchat.api import check
from nbchat.api.check import all_offences
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.errors import CheckError
from nbchat.structured import Structure, columns, response_format, strict_schema
from nbchat.structured.allowed_values import allowed_texts
from nbchat.tools import Tool
from tests.fuzzing import examples

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def nested(levels: int, keyword: str = "properties") -> dict[str, Any]:
    node: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        if keyword == "properties":
            node = {"type": "object", "properties": {"a": node}, "required": ["a"]}
        elif keyword == "items":
            node = {"type": "array", "items": node}
        else:
            node = {keyword: [node, {"type": "null"}]}
    return {"type": "object", "properties": {"a": node}, "required": ["a"]}


def chain(length: int, **beside: Any) -> dict[str, Any]:
    """Definitions each of which refers to the next, twice."""
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for number in range(1, length):
        ref = {"$ref": f"#/$defs/d{number - 1}", **beside}
        defs[f"d{number}"] = {"type": "object", "properties": {"l": ref, "r": ref}}
    return {**OBJECT, "properties": {"a": {"$ref": f"#/$defs/d{length - 1}"}}, "$defs": defs}


def union(of: list[Any], **defs: Any) -> dict[str, Any]:
    return {**OBJECT, "properties": {"a": {"anyOf": of}}, "$defs": defs}


SELF = {"$ref": "#/$defs/s"}
BEYOND: dict[str, Any] = {
    "hundreds of objects": nested(600),
    "hundreds of lists": nested(600, "items"),
    "hundreds of unions": nested(600, "anyOf"),
    "a hundred thousand levels": nested(100_000, "items"),
    "90 objects": nested(90),
    "90 unions": nested(90, "oneOf"),
    "thousands of definitions in a row": chain(5_000),
    "more paths than can be walked": chain(60),
    "the same, described": chain(60, description="x"),
    "thousands of them, described": chain(5_000, description="x"),
    "a union of itself": union([SELF, SELF], s={"anyOf": [SELF] * 50}),
    "a union of itself and null": union([SELF, {"type": "null"}], s={"anyOf": [SELF] * 50}),
    "unions of unions of each other": union(
        [SELF], s={"anyOf": [{"$ref": "#/$defs/t"}] * 30}, t={"oneOf": [SELF] * 30}
    ),
    "allOf itself": union([SELF], s={"allOf": [SELF]}),
    "a reference to itself": union([SELF], s=SELF),
    "references in a circle": union(
        [SELF], s={"$ref": "#/$defs/t"}, t={"$ref": "#/$defs/u"}, u=SELF
    ),
    "references in a circle, described": union(
        [SELF], s={"$ref": "#/$defs/t", "title": "t"}, t={"$ref": "#/$defs/s", "title": "s"}
    ),
    "its own root": {**OBJECT, "properties": {"a": {"$ref": "#"}}},
    "its own root beside more": {**OBJECT, "properties": {"a": {"$ref": "#", "title": "a"}}},
    "a root that is a reference to itself": {"$ref": "#"},
    "a root that is a circle": {"$ref": "#/$defs/s", "$defs": {"s": SELF}},
    "a reference to nothing": {**OBJECT, "properties": {"a": {"$ref": "#/$defs/nowhere"}}},
    "a reference to elsewhere": {"$ref": "https://example.org/schema.json"},
    "a reference that is no text": {**OBJECT, "properties": {"a": {"$ref": 3}}},
    "a huge enum": {**OBJECT, "properties": {"a": {"enum": [f"v{n}" for n in range(200_000)]}}},
    "huge values": {**OBJECT, "properties": {"a": {"enum": ["x" * 10**6, "y" * 10**6]}}},
    "thousands of properties": {
        "type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(20_000)}
    },
    "a huge number": {**OBJECT, "properties": {"a": {"type": "integer", "maximum": 10**400}}},
}  # fmt: skip
ODD = [None, True, False, 0, 1.5, "", "x", [], [None], [True], {}, {"a": None}, [[]], ["a", "a"]]
KEYWORDS = [
    "type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "allOf", "not",
    "enum", "const", "$ref", "$defs", "definitions", "additionalProperties", "patternProperties",
    "title", "description", "default", "format", "minimum", "discriminator", "$schema",
]  # fmt: skip
PLACES = {
    "at the root": lambda keyword, value: {**OBJECT, keyword: value},
    "in a property": lambda keyword, value: {
        **OBJECT, "properties": {"a": {"type": "object", keyword: value}}
    },
    "in a list": lambda keyword, value: {
        **OBJECT, "properties": {"a": {"type": "array", "items": {keyword: value}}}
    },
    "in a definition": lambda keyword, value: union([SELF, {"type": "null"}], s={keyword: value}),
    "in a union": lambda keyword, value: union([{keyword: value}, {"type": "null"}]),
    "alone": lambda keyword, value: {keyword: value},
}  # fmt: skip


def made(schema: Any, *, strict: bool) -> Structure | None:
    sentence = ""
    try:
        return response_format(schema, strict=strict)
    except CheckError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < 2_000
    return None


def tried(schema: Any) -> None:
    """All that is done with a schema gives a result, or an error of nbchat's own."""
    before = json.dumps(schema, default=str) if not is_deep(schema) else ""
    for strict in (True, False):
        structure = made(schema, strict=strict)
        if structure is None:
            continue
        json.dumps(structure.wire)
        assert len(columns(structure)) <= 5_000
        for content in ('{"a": 1.0}', '{"a": [{"a": null}]}', '{"a": {"l": {"r": 2.0}}}', "[1]"):
            answer = Completion(choices=[Choice(0, ResponseMessage(content=content), "stop")])
            run = Run.from_completion(answer, structure=structure)
            assert (run.parse_error is None) or run.parsed is None
        for steps in (["a"], ["a", 0], ["a", "l"], ["a", "l", "r"], []):
            allowed_texts(structure.schema, steps)
    with contextlib.suppress(CheckError):
        strict_schema(schema)
    function = {"name": "f", "parameters": schema}
    all_offences({"tools": [{"type": "function", "function": function}]})
    assert not before or json.dumps(schema, default=str) == before


def is_deep(value: Any) -> bool:
    for _ in range(400):
        inner = value.values() if isinstance(value, dict) else value
        if not isinstance(inner, (list, type({}.values()))) or not inner:
            return False
        value = max(inner, key=lambda one: isinstance(one, (dict, list)))
    return True


@pytest.mark.long
@pytest.mark.parametrize("name", BEYOND)
def test_schemas_beyond_reason_end_at_once(name: str) -> None:
    tried(BEYOND[name])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_no_keyword_with_a_value_of_another_kind_breaks_anything(keyword: str, place: str) -> None:
    for value in ODD:
        tried(PLACES[place](keyword, copy.deepcopy(value)))


WRONG = ["type", "properties", "required", "enum", "anyOf", "$ref"]


@pytest.mark.parametrize(("keyword", "place"), [*itertools.product(WRONG, list(PLACES)[1:5])])
def test_what_jsonschema_calls_no_schema_is_no_strict_one(keyword: str, place: str) -> None:
    for value in ODD:
        schema = PLACES[place](keyword, value)
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError:
            with pytest.raises(CheckError):
                response_format(schema)


def test_a_strict_schema_takes_what_it_was_made_of() -> None:
    """What fits the strict schema of a type's, less its added nulls, fits the first one."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"oneOf": [{"type": "string"}]}},
        "required": ["a"],
    }
    strict = response_format(schema).wire["json_schema"]["schema"]
    jsonschema.Draft202012Validator.check_schema(strict)
    assert jsonschema.Draft202012Validator(strict).is_valid({"a": 1, "b": None})
    assert not jsonschema.Draft202012Validator(strict).is_valid({"a": 1})


def test_a_call_of_a_tool_whose_schema_is_odd_is_still_checked() -> None:
    odd = Tool(schema={"type": "function", "function": {"name": "f", "parameters": {"a": None}}})
    check({"tools": [odd.schema]})
    assert odd.name == "f"


_VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1.5, "string", "object", "#", "#/$defs/a", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=4)
    ),
    max_leaves=15,
)
_SCHEMAS = st.dictionaries(st.sampled_from(KEYWORDS), _VALUES, min_size=1, max_size=5)
_ROOTS = _SCHEMAS.map(lambda schema: {**OBJECT, **schema})


@pytest.mark.fuzz
@examples(150)
@given(
    schema=_SCHEMAS | _SCHEMAS.map(lambda s: {**OBJECT, **s}) | _VALUES.map(lambda v: union([v]))
)
def test_any_schema_gives_a_result_or_an_error_of_our_own(schema: Any) -> None:
    tried(schema)
