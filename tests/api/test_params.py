from typing import Any, Literal, Required, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from openai.types import chat
from openai.types.chat import completion_create_params as openai_params
from openai.types.shared_params import ResponseFormatJSONSchema

from nbchat.api import FIELDS, ChatParams, check, request_body, shapes
from tests.api.valid import VALID, valid_params

IN_ORDER = [
    "model",
    "store",
    "metadata",
    "reasoning_effort",
    "modalities",
    "prediction",
    "audio",
    "web_search_options",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "user",
    "verbosity",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "moderation",
]


def _openai_hints() -> dict[str, Any]:
    hints = get_type_hints(openai_params.CompletionCreateParamsBase, include_extras=True)
    streaming = get_type_hints(openai_params.CompletionCreateParamsNonStreaming)
    return {**hints, "stream": streaming["stream"]}


def _leaves(hint: Any) -> set[Any]:
    if get_origin(hint) is Literal or not get_args(hint):
        return {hint}
    return set().union(*(_leaves(part) for part in get_args(hint)))


def _same(ours: set[str], theirs: set[str], what: str) -> None:
    missing, surplus = sorted(theirs - ours), sorted(ours - theirs)
    drift = (
        f"{what}: missing in ChatParams {missing}, not in the openai package {surplus}: "
        "api/params.py and api/shapes.py follow the reference, as the installed openai has it"
    )
    assert (missing, surplus) == ([], []), drift


def test_every_field_stands_in_declared_order() -> None:
    assert list(FIELDS()) == IN_ORDER, (
        f"{sorted({*FIELDS()} ^ {*IN_ORDER})}: write a new field of api/params.py into IN_ORDER "
        "here too, in the same place: this order is that of flags, arguments and columns"
    )


def test_the_names_are_those_of_the_openai_package() -> None:
    _same(set(FIELDS()) | {"messages"}, set(_openai_hints()), "names")


def test_the_same_fields_may_be_null_as_in_the_openai_package() -> None:
    theirs = {name for name, hint in _openai_hints().items() if type(None) in get_args(hint)}
    _same({name for name, field in FIELDS().items() if field.nullable}, theirs, "null")


@pytest.mark.parametrize("name", [name for name, field in FIELDS().items() if field.choices])
def test_the_choices_are_those_of_the_openai_package(name: str) -> None:
    hints = _openai_hints()
    assert name in hints, f"the openai package has no {name}: a newer one may"
    literals = [leaf for leaf in _leaves(hints[name]) if get_origin(leaf) is Literal]
    _same(set(FIELDS()[name].choices), set().union(*map(get_args, literals)), name)


@pytest.mark.parametrize(
    ("shape", "theirs"),
    [
        (shapes.Audio, chat.ChatCompletionAudioParam),
        (shapes.Prediction, chat.ChatCompletionPredictionContentParam),
        (shapes.TextPart, chat.ChatCompletionContentPartTextParam),
        (shapes.StreamOptions, chat.ChatCompletionStreamOptionsParam),
        (shapes.WebSearchOptions, openai_params.WebSearchOptions),
        (shapes.UserLocation, openai_params.WebSearchOptionsUserLocation),
        (shapes.Place, openai_params.WebSearchOptionsUserLocationApproximate),
        (shapes.JsonSchemaFormat, ResponseFormatJSONSchema),
        (shapes.FunctionTool, chat.ChatCompletionFunctionToolParam),
        (shapes.CustomTool, chat.ChatCompletionCustomToolParam),
        (shapes.FunctionChoice, chat.ChatCompletionNamedToolChoiceParam),
        (shapes.CustomChoice, chat.ChatCompletionNamedToolChoiceCustomParam),
        (shapes.AllowedToolsChoice, chat.ChatCompletionAllowedToolChoiceParam),
        (shapes.AllowedTools, chat.ChatCompletionAllowedToolsParam),
        (shapes.LegacyFunction, openai_params.Function),
        (shapes.Named, chat.ChatCompletionFunctionCallOptionParam),
        (shapes.PromptCacheOptions, openai_params.PromptCacheOptions),
        (shapes.Moderation, openai_params.Moderation),
        (shapes.ModerationPolicy, openai_params.ModerationPolicy),
    ],
)
def test_a_shape_has_the_keys_of_the_openai_package(
    shape: type[msgspec.Struct], theirs: Any
) -> None:
    keys = msgspec.structs.fields(shape)
    tag = {"type"} if shape.__struct_config__.tag else set()
    hints = get_type_hints(theirs, include_extras=True)
    _same({key.encode_name for key in keys} | tag, set(hints), "keys")
    needed = {key.encode_name for key in keys if key.required} | tag
    theirs_needed = {name for name, hint in hints.items() if get_origin(hint) is Required}
    _same(needed, theirs_needed, "required keys")


def test_the_property_tests_know_every_field() -> None:
    assert list(VALID) == list(FIELDS()), (
        f"{sorted({*FIELDS()} ^ {*VALID})}: say in VALID of tests/api/valid.py what values "
        "it takes, in the order of the fields"
    )


@given(valid_params())
def test_what_was_given_comes_back_as_it_was(fields: dict[str, Any]) -> None:
    assert check(fields).given() == fields


@given(valid_params())
def test_given_stands_in_declared_order(fields: dict[str, Any]) -> None:
    names = list(check(fields).given())
    assert names == [name for name in FIELDS() if name in fields]


@given(valid_params())
def test_checking_twice_changes_nothing(fields: dict[str, Any]) -> None:
    params = check(fields)
    assert check(params.given()) == params
    assert check(params) == params


@given(valid_params())
def test_the_body_is_json_and_holds_only_what_was_set(fields: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "hi"}]
    body = request_body(messages, check(fields, extra={"top_k": 3}))
    assert msgspec.json.decode(msgspec.json.encode(body)) == body
    assert body == {**fields, "messages": messages, "top_k": 3}


def test_the_body_begins_with_model_and_messages_and_ends_with_extra() -> None:
    params = check({"top_p": 1, "temperature": 0, "model": "m"}, extra={"a": 1, "min_p": 0.1})
    body = request_body([{"role": "user", "content": "hi"}], params)
    assert list(body) == ["model", "messages", "temperature", "top_p", "a", "min_p"]


def test_a_body_without_a_model_names_none() -> None:
    assert request_body([{"role": "user", "content": "hi"}], ChatParams()) == {
        "messages": [{"role": "user", "content": "hi"}]
    }


def test_unset_null_and_a_value_are_three_states() -> None:
    params = check({"stop": None, "seed": 0})
    assert params.given() == {"seed": 0, "stop": None}
    assert params.temperature is msgspec.UNSET


def test_the_order_of_a_json_schema_is_kept() -> None:
    schema = {"type": "object", "properties": {"z": {}, "a": {}}, "required": ["z", "a"]}
    made = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    sent = check({"response_format": made}).given()["response_format"]["json_schema"]["schema"]
    assert list(sent) == list(schema)
    assert list(sent["properties"]) == ["z", "a"]


def test_params_do_not_change_with_the_mapping_they_came_from() -> None:
    extra: dict[str, Any] = {"options": {"a": 1}}
    bias = {"1": 2}
    params = check({"logit_bias": bias}, extra=extra)
    extra["options"]["a"] = bias["1"] = 99
    assert params.extra == {"options": {"a": 1}}
    assert params.given() == {"logit_bias": {"1": 2}}


def test_the_repr_shows_only_what_was_set() -> None:
    assert repr(check({"temperature": 0.5})) == "ChatParams(temperature=0.5)"
