from __future__ import annotations

from typing import Any

import pytest

from nbchat.api.check import check
from nbchat.api.response import Completion
from nbchat.run import Run
from nbchat.structured.allowed_values import allowed_of, allowed_texts

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "grün"]},
        "ripe": {"type": "boolean"},
        "kind": {"const": 'a"b'},
        "size": {"anyOf": [{"enum": [1, 12]}, {"type": "null"}]},
        "maybe": {"type": ["boolean", "null"]},
        "name": {"type": "string"},
        "either": {"anyOf": [{"enum": ["a"]}, {"type": "string"}]},
        "ratio": {"enum": [0.5, 1]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
        "inner": {"anyOf": [{"$ref": "#/$defs/part"}, {"type": "null"}]},
        "two": {"anyOf": [{"$ref": "#/$defs/part"}, {"$ref": "#"}]},
        "all": {"allOf": [{"enum": ["a"]}]},
        "endless": {"$ref": "#/$defs/endless"},
    },
    "$defs": {
        "part": {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}},
        "endless": {"anyOf": [{"$ref": "#/$defs/endless"}, {"type": "null"}]},
    },
}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["colour"], ['"red"', '"grün"']),
        (["ripe"], ["false", "true"]),
        (["kind"], [r'"a\"b"']),
        (["size"], ["1", "12", "null"]),
        (["maybe"], ["false", "true", "null"]),
        (["parts", 3, "side"], ['"left"', '"right"']),
        (["inner", "side"], ['"left"', '"right"']),
    ],
)
def test_listed_values_are_given_as_json(steps: list[str | int], expected: list[str]) -> None:
    found = allowed_texts(SCHEMA, steps)
    assert found is not None
    assert [text.decode() for text in found] == expected


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["name"],
        ["either"],
        ["ratio"],  # 1.0 or 1: servers differ in how they write it
        ["parts"],
        ["parts", "side"],
        ["two", "side"],
        ["all"],
        ["endless"],
        ["unheard", "of"],
    ],
)
def test_what_is_endless_or_not_read_is_not_known(steps: list[str | int]) -> None:
    assert allowed_texts(SCHEMA, steps) is None


@pytest.mark.parametrize(
    ("profile", "fingerprint", "wire", "is_known"),
    [
        ("local", None, SCHEMA, True),
        ("llamacpp", None, SCHEMA, True),
        ("http://host/v1", "b6123-a1b2c3d", SCHEMA, True),
        ("http://host/v1", "fp_44709d6fcb", SCHEMA, False),
        ("openai", None, SCHEMA, False),
        ("local", None, None, False),
    ],
)
def test_only_servers_with_known_masks_are_read(
    profile: str, fingerprint: str | None, wire: Any, is_known: bool
) -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": wire}}
    run = Run.from_completion(
        Completion(system_fingerprint=fingerprint),
        params=check({"response_format": asked if wire else {"type": "json_object"}}),
        profile=profile,
    )
    allowed = allowed_of(run)
    assert (allowed is not None) == is_known
    assert allowed is None or allowed(["ripe"]) == [b"false", b"true"]
