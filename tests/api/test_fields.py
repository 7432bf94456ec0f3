import re

import pytest

from nbchat.api import FIELDS

DEPRECATED = {
    "max_tokens": "max_completion_tokens",
    "seed": None,
    "functions": "tools",
    "function_call": "tool_choice",
    "user": "safety_identifier, prompt_cache_key",
    "prompt_cache_retention": "prompt_cache_options.ttl",
}


def test_the_records_are_made_once() -> None:
    assert FIELDS() is FIELDS()


def test_choices_keep_declared_order() -> None:
    assert FIELDS()["reasoning_effort"].choices == (
        "none",
        "minimal",
        "low",
        "medium",
        "high",
        "xhigh",
        "max",
    )
    assert FIELDS()["modalities"].choices == ("text", "audio")
    assert FIELDS()["tool_choice"].choices == ("none", "auto", "required")


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("temperature", "number", "number from 0 to 2"),
        ("n", "integer", "integer from 1 to 128"),
        ("max_tokens", "integer", "integer of at least 1"),
        ("logprobs", "boolean", "true or false"),
        ("model", "string", "string"),
        ("safety_identifier", "string", "string (at most 128 characters)"),
        ("verbosity", "choice", "one of low, medium, high"),
        ("modalities", "list", "list of text or audio"),
        ("logit_bias", "mapping", "map of token id (digits only) to integer from -100 to 100"),
        ("audio", "object", "object {voice, format}"),
        (
            "response_format",
            "object",
            "object of type text, json_object or json_schema",
        ),
        ("stop", "any", "string or list of 1 to 4 strings"),
    ],
)
def test_a_type_is_said_in_words(name: str, kind: str, text: str) -> None:
    field = FIELDS()[name]
    assert (field.kind, field.type_text) == (kind, text)


def test_bounds_are_numbers() -> None:
    seed, temperature, top = (FIELDS()[name] for name in ("seed", "temperature", "top_logprobs"))
    assert (seed.minimum, seed.maximum) == (-(2**63), 2**63 - 1)
    assert (temperature.minimum, temperature.maximum) == (0, 2)
    assert (top.minimum, top.maximum) == (0, 20)
    assert FIELDS()["model"].minimum is None


def test_a_field_of_several_shapes_names_all_of_them() -> None:
    assert FIELDS()["stop"].kinds == ("string", "list")
    assert FIELDS()["tool_choice"].kinds == ("choice", "object")


def test_deprecated_fields_name_what_replaces_them() -> None:
    found = {name: field.successor for name, field in FIELDS().items() if field.deprecated}
    assert found == DEPRECATED


@pytest.mark.parametrize("field", FIELDS().values(), ids=lambda field: field.name)
def test_a_description_fits_a_tooltip(field) -> None:
    assert re.fullmatch(r"[A-Z][^\n]{10,110}\.", field.description)
    assert field.group


def test_groups_are_few() -> None:
    assert len({field.group for field in FIELDS().values()}) <= 11
