import math
import sys
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api import FIELDS, ChatParams, check
from nbchat.api.messages import check_messages
from nbchat.errors import CheckError, NbchatError, UnknownFieldError
from tests.api.valid import valid_params


def _tool(name: str = "add", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def _refused(fields: Any, **options: Any) -> CheckError:
    with pytest.raises(CheckError) as caught:
        check(fields, **options)
    return caught.value


def _outcome(fields: Any) -> ChatParams | CheckError:
    try:
        return check(fields)
    except CheckError as error:
        return error


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def test_a_broken_rule_names_field_value_and_rule() -> None:
    error = _refused({"temperature": 3})
    assert str(error) == "temperature is 3, but it must be a number from 0 to 2."
    assert (error.field, error.value) == ("temperature", 3)
    assert error.rule == "must be a number from 0 to 2"


def test_what_holds_itself_or_is_nested_without_end_is_refused_in_words() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        error = _refused({}, extra={"a": value})
        assert error.field == "extra"
        assert "does not hold itself" in str(error)
    with pytest.raises(CheckError, match="does not hold itself"):
        check_messages([endless])


def test_a_broken_rule_is_a_value_error_of_our_own() -> None:
    error = _refused({"n": 0})
    assert isinstance(error, ValueError)
    assert isinstance(error, NbchatError)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("temprature", "temperature"),
        ("top-logprobs", "top_logprobs"),
        ("maxTokens", "max_tokens"),
        ("TOP-P", "top_p"),
        ("FrequencyPenalty", "frequency_penalty"),
        ("top_log_probs", "top_logprobs"),
        ("reasoning_efort", "reasoning_effort"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(name: str, nearest: str) -> None:
    error = _refused({name: 1})
    assert isinstance(error, UnknownFieldError)
    assert error.field == name
    assert error.nearest[0] == nearest
    assert str(error).startswith(f"{name} is not a field of the request. Did you mean {nearest}")
    assert str(error).endswith("goes into extra={...}.")


def test_an_unlikely_name_gets_no_guess() -> None:
    error = _refused({"xyzzy": 1})
    assert isinstance(error, UnknownFieldError)
    assert error.nearest == ()
    assert "Did you mean" not in str(error)


@pytest.mark.parametrize("name", ["api_key", "API-Key", "Authorization"])
def test_a_key_is_refused_and_kept_out_of_the_error(name: str) -> None:
    for error in (_refused({name: "sk-secret"}), _refused({}, extra={name: "sk-secret"})):
        assert "belongs to the profile" in str(error)
        assert "sk-secret" not in f"{error} {error!r} {error.__dict__}"


def test_messages_are_not_params() -> None:
    assert "beside the params" in str(_refused({"messages": []}))


def test_all_offenders_are_named() -> None:
    error = _refused({"temperature": 3, "n": 0, "top_p": 1, "stop": []})
    assert error.field == "temperature"
    assert str(error).endswith("(also wrong: n, stop)")


def test_a_misspelt_name_comes_before_a_wrong_value() -> None:
    error = _refused({"temperature": 3, "stp": "a"})
    assert error.field == "stp"
    assert str(error).endswith("(also wrong: temperature)")


def test_a_long_value_is_shortened() -> None:
    assert len(str(_refused({"metadata": {"a": "b" * 5000}}))) < 250


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("frequency_penalty", -2, 2),
        ("presence_penalty", -2, 2),
        ("temperature", 0, 2),
        ("top_p", 0, 1),
    ],
)
def test_a_number_has_bounds(name: str, low: float, high: float) -> None:
    for value in (low, high, (low + high) / 2):
        assert check({name: value}).given() == {name: value}
    for value in (math.nextafter(low, -9), math.nextafter(high, 9), 10**400, "1", True, [], {}):
        assert _refused({name: value}).field == name


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("n", 1, 128),
        ("top_logprobs", 0, 20),
        ("seed", -(2**63), 2**63 - 1),
        ("max_tokens", 1, None),
        ("max_completion_tokens", 1, None),
    ],
)
def test_an_integer_has_bounds(name: str, low: int, high: int | None) -> None:
    beside = {"logprobs": True} if name == "top_logprobs" else {}
    for value in (low, low + 1, high or 10**9):
        assert check({**beside, name: value}).given()[name] == value
    for value in (low - 1, high + 1 if high else 0, 1.5, 1.0, "1", True, False, []):
        assert _refused({**beside, name: value}).field == name


@pytest.mark.parametrize(
    "name", [name for name, field in FIELDS().items() if field.kind == "boolean"]
)
def test_a_boolean_is_not_a_number(name: str) -> None:
    for value in (0, 1, "true", [], {}):
        assert _refused({name: value}).field == name


@pytest.mark.parametrize(
    "name", [name for name, field in FIELDS().items() if field.kind == "choice"]
)
def test_a_choice_is_one_of_the_declared(name: str) -> None:
    for choice in FIELDS()[name].choices:
        assert check({name: choice}).given() == {name: choice}
    error = _refused({name: "sometimes"})
    assert ", ".join(FIELDS()[name].choices) in str(error)
    assert "extra={...}" in str(error)


@pytest.mark.parametrize("name", FIELDS())
def test_null_is_taken_exactly_where_the_reference_says(name: str) -> None:
    if FIELDS()[name].nullable:
        assert check({name: None}).given() == {name: None}
    else:
        assert "leave it out instead of null" in str(_refused({name: None}))


def test_an_unset_value_is_not_given() -> None:
    assert check({"temperature": msgspec.UNSET, "n": 2}).given() == {"n": 2}


def test_model_is_any_name_and_may_be_left_out() -> None:
    assert check({}).given() == {}
    assert check({"model": "nobody-heard-of:this"}).given() == {"model": "nobody-heard-of:this"}
    assert _refused({"model": 3}).field == "model"


@pytest.mark.parametrize("stop", ["a", "", ["a"], ["a", "b", "c", "d"], ("a", "b"), None])
def test_stop_is_a_string_or_up_to_four(stop: Any) -> None:
    assert check({"stop": stop}).given() == {"stop": list(stop) if type(stop) is tuple else stop}


@pytest.mark.parametrize("stop", [[], ["a"] * 5, [1], 3, {"a": "b"}, [None]])
def test_stop_is_nothing_else(stop: Any) -> None:
    assert _refused({"stop": stop}).field in ("stop", "stop[0]")


def test_logit_bias_takes_token_ids_as_numbers() -> None:
    bias = {50256: -100, np.int64(7): np.int32(5), "9": 0}
    assert check({"logit_bias": bias}).given() == {"logit_bias": {"50256": -100, "7": 5, "9": 0}}


@pytest.mark.parametrize("bias", [{"a": 1}, {"-1": 1}, {-1: 1}, {"1\n": 1}, {"1": 101}, {"1": 0.5}])
def test_logit_bias_is_refused_outside_its_rule(bias: Any) -> None:
    assert _refused({"logit_bias": bias}).field.startswith("logit_bias")


def test_metadata_has_limits() -> None:
    full = {f"{place:064}": "v" * 512 for place in range(16)}
    assert check({"metadata": full}).given() == {"metadata": full}
    assert "at most 16 pairs" in str(_refused({"metadata": {**full, "one": "more"}}))
    assert _refused({"metadata": {"k" * 65: "v"}}).value == "k" * 65
    assert _refused({"metadata": {"k": "v" * 513}}).field == "metadata.k"
    assert _refused({"metadata": {"k": 1}}).field == "metadata.k"
    assert _refused({"metadata": {1: "v"}}).field == "metadata"


@pytest.mark.parametrize(
    ("fields", "path", "nearest"),
    [
        (
            {"stream_options": {"include_usge": True}},
            "stream_options.include_usge",
            "include_usage",
        ),
        ({"audio": {"voice": "a", "fromat": "wav"}}, "audio.fromat", "format"),
        (
            {"tools": [_tool(), _tool("b", parametrs={})]},
            "tools[1].function.parametrs",
            "parameters",
        ),
        (
            {"web_search_options": {"user_location": {"type": "approximate", "aproximate": {}}}},
            "web_search_options.user_location.aproximate",
            "approximate",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schemas": {}}},
            "response_format.json_schemas",
            "json_schema",
        ),
        (
            {"tools": [_tool()], "tool_choice": {"type": "function", "funtion": {"name": "add"}}},
            "tool_choice.funtion",
            "function",
        ),
        ({"prompt_cache_options": {"tll": "30m"}}, "prompt_cache_options.tll", "ttl"),
        ({"moderation": {"model": "m", "polcy": None}}, "moderation.polcy", "policy"),
    ],
)
def test_a_misspelt_nested_key_gets_its_path(fields: Any, path: str, nearest: str) -> None:
    error = _refused(fields)
    assert isinstance(error, UnknownFieldError)
    assert error.field == path
    assert error.nearest[0] == nearest


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"audio": {"voice": "a"}}, "audio.format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
        ({"tools": [{"function": {"name": "a"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom.name"),
        ({"prediction": {"content": "a"}}, "prediction.type"),
        ({"functions": [{"description": "a"}]}, "functions[0].name"),
        ({"functions": [{"name": "a"}], "function_call": {}}, "function_call.name"),
        ({"moderation": {}}, "moderation.model"),
        (
            {"web_search_options": {"user_location": {"type": "approximate"}}},
            "web_search_options.user_location.approximate",
        ),
    ],
)
def test_a_missing_nested_key_is_named(fields: Any, path: str) -> None:
    error = _refused(fields)
    assert error.field == path
    assert f"{path} is missing" in str(error)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": ["text"]}}, "response_format.type"),
        ({"response_format": "text"}, "response_format"),
        ({"audio": {"voice": 3, "format": "wav"}}, "audio.voice"),
        ({"audio": {"voice": {"id": 3}, "format": "wav"}}, "audio.voice.id"),
        ({"audio": {"voice": "a", "format": "mid"}}, "audio.format"),
        ({"modalities": ["text", "smell"]}, "modalities[1]"),
        ({"tools": []}, "tools"),
        ({"tools": [_tool("a b")]}, "tools[0].function.name"),
        ({"tools": [_tool("a" * 65)]}, "tools[0].function.name"),
        ({"tools": [_tool("a\n")]}, "tools[0].function.name"),
        ({"tools": [_tool(strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [_tool(), 3]}, "tools[1]"),
        ({"prediction": {"type": "content", "content": []}}, "prediction.content"),
        (
            {"prediction": {"type": "content", "content": [{"type": "image", "text": "a"}]}},
            "prediction.content[0].type",
        ),
        ({"functions": [{"name": "a"}] * 129}, "functions"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"tools": [_tool()], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [_tool()], "tool_choice": 3}, "tool_choice"),
        ({"prompt_cache_options": {"ttl": "1h"}}, "prompt_cache_options.ttl"),
        ({"safety_identifier": "a" * 129}, "safety_identifier"),
    ],
)
def test_a_wrong_nested_value_gets_its_path(fields: Any, path: str) -> None:
    assert _refused(fields).field == path


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": None}}},
        {"tools": [_tool(parameters={"type": "object", "anything": [1, None]})]},
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "c",
                        "format": {
                            "type": "grammar",
                            "grammar": {"definition": "a", "syntax": "lark"},
                        },
                    },
                }
            ],
            "tool_choice": {"type": "custom", "custom": {"name": "c"}},
        },
        {
            "tools": [_tool("a"), _tool("b")],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [_tool("a")]},
            },
        },
        {"audio": {"voice": {"id": "v"}, "format": "wav"}, "modalities": ["audio"]},
        {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
    ],
)
def test_a_nested_shape_of_the_reference_is_taken(fields: dict[str, Any]) -> None:
    assert check(fields).given() == fields


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"top_logprobs": 3}, "top_logprobs", "needs logprobs: true"),
        ({"top_logprobs": 0, "logprobs": False}, "top_logprobs", "needs logprobs: true"),
        (
            {"stream_options": {"include_usage": True}, "stream": False},
            "stream_options",
            "stream is false",
        ),
        ({"tool_choice": "none"}, "tool_choice", "needs tools"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls", "needs tools"),
        (
            {"tools": [_tool()], "tool_choice": _tool("sub")},
            "tool_choice",
            "names the function sub",
        ),
        (
            {"tools": [_tool()], "tool_choice": {"type": "custom", "custom": {"name": "add"}}},
            "tool_choice",
            "names the custom add",
        ),
        (
            {
                "tools": [_tool()],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [_tool(), _tool("sub")]},
                },
            },
            "tool_choice",
            "names the function sub",
        ),
        (
            {"functions": [{"name": "f"}], "function_call": {"name": "g"}},
            "function_call",
            "names the function g",
        ),
        (
            {"max_tokens": 1, "max_completion_tokens": 1},
            "max_tokens",
            "cannot stand beside max_completion_tokens",
        ),
        ({"modalities": ["text", "audio"]}, "modalities", "needs audio"),
    ],
)
def test_a_rule_between_fields_is_kept(fields: Any, field: str, words: str) -> None:
    error = _refused(fields)
    assert error.field == field
    assert words in str(error)


@pytest.mark.parametrize(
    "beside",
    [
        {"tools": [_tool()]},
        {"functions": [{"name": "f"}]},
        {"audio": {"voice": "a", "format": "wav"}},
        {"n": 2},
        {"logprobs": True},
        {"presence_penalty": 0.1},
        {"frequency_penalty": 0.1},
        {"max_completion_tokens": 5},
    ],
)
def test_a_prediction_stands_alone(beside: dict[str, Any]) -> None:
    prediction = {"type": "content", "content": "a"}
    error = _refused({"prediction": prediction, **beside})
    assert error.field == "prediction"
    assert next(iter(beside)) in error.rule


@pytest.mark.parametrize(
    "fields",
    [
        {"stream_options": {"include_usage": True}},
        {"stream_options": None, "stream": False},
        {"top_logprobs": None},
        {"max_tokens": 1, "max_completion_tokens": None},
        {"metadata": {"a": "b"}},
        {"metadata": {"a": "b"}, "store": False},
        {
            "prediction": {"type": "content", "content": "a"},
            "n": 1,
            "logprobs": False,
            "presence_penalty": 0,
            "frequency_penalty": -1,
            "max_tokens": 3,
        },
    ],
)
def test_a_rule_between_fields_forbids_no_more_than_it_says(fields: dict[str, Any]) -> None:
    assert check(fields).given() == fields


def test_extra_carries_what_the_reference_does_not_have() -> None:
    params = check({"n": 2}, extra={"min_p": 0.1, "mirostat": {"tau": 5}})
    assert params.extra == {"min_p": 0.1, "mirostat": {"tau": 5}}
    assert params.given() == {"n": 2}


def test_extra_may_stand_in_the_mapping() -> None:
    assert check({"n": 2, "extra": {"min_p": 0.1}}) == check({"n": 2}, extra={"min_p": 0.1})


def test_extra_sends_a_declared_field_unchecked() -> None:
    assert check({}, extra={"service_tier": "economy"}).extra == {"service_tier": "economy"}


@pytest.mark.parametrize("name", ["temperature", "messages"])
def test_a_field_is_not_given_twice(name: str) -> None:
    assert _refused({"temperature": 1}, extra={name: 2}).field == f"extra.{name}"


def test_a_field_sent_through_extra_counts_for_the_rules() -> None:
    tools = {"tools": [{"type": "web"}]}
    assert check({"tool_choice": "auto"}, extra=tools).given() == {"tool_choice": "auto"}
    assert check({"top_logprobs": 5}, extra={"logprobs": 1}).given() == {"top_logprobs": 5}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, np.float64("nan")])
@pytest.mark.parametrize(
    ("build", "path"),
    [
        (lambda value: {"temperature": value}, "temperature"),
        (lambda value: {"extra": {"a": [0, value]}}, "extra.a[1]"),
        (
            lambda value: {"tools": [_tool(parameters={"x": {"default": value}})]},
            "tools[0].function.parameters.x.default",
        ),
    ],
)
def test_no_value_is_nan_or_infinite(build: Any, path: str, wrong: float) -> None:
    error = _refused(build(wrong))
    assert error.field == path
    assert "a finite number" in str(error)


@pytest.mark.parametrize("value", [{1, 2}, b"a", object(), 1j, {1.5: "a"}, np.longdouble(1)])
def test_a_value_that_json_cannot_carry_is_refused(value: Any) -> None:
    assert _refused({}, extra={"a": value}).field.startswith("extra.a")


def test_half_a_character_is_refused() -> None:
    assert "surrogates" in str(_refused({"user": "\ud83d"}))
    assert check({"user": "😀"}).given() == {"user": "😀"}


def test_numpy_values_are_taken() -> None:
    params = check(
        {
            "temperature": np.float32(0.5),
            "top_p": np.float64(0.25),
            "n": np.int64(3),
            "logprobs": np.bool_(True),
            "stop": np.array(["a", "b"]),
            "user": np.str_("me"),
        },
        extra={"weights": np.arange(3), "one": np.array(1.5)},
    )
    given_types = {name: type(value) for name, value in params.given().items()}
    assert given_types == {
        "temperature": float,
        "top_p": float,
        "n": int,
        "logprobs": bool,
        "stop": list,
        "user": str,
    }
    assert params.extra == {"weights": [0, 1, 2], "one": 1.5}
    assert _refused({"n": np.bool_(True)}).field == "n"


def test_a_string_enumeration_is_its_value() -> None:
    class Effort(StrEnum):
        LOW = "low"

    assert check({"reasoning_effort": Effort.LOW}).given() == {"reasoning_effort": "low"}


@pytest.mark.parametrize("wrong", [None, 3, "temperature=1", [("n", 1)]])
def test_params_are_a_mapping(wrong: Any) -> None:
    assert "a mapping of field names" in str(_refused(wrong))
    assert "a mapping of field names" in str(_refused({}, extra=wrong or 3))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.2", 0.2),
        ("temperature", "1", 1),
        ("temperature", "1e-1", 0.1),
        ("temperature", "null", None),
        ("n", "5", 5),
        ("max_tokens", "1_000", 1000),
        ("max_tokens", "1e3", 1000),
        ("seed", "-9223372036854775808", -(2**63)),
        ("logprobs", "true", True),
        ("logprobs", "False", False),
        ("store", "0", False),
        ("stop", "a", "a"),
        ("stop", "a,b", "a,b"),
        ("stop", r"\n", "\n"),
        ("stop", r"\d", r"\d"),
        ("stop", '["a", "b"]', ["a", "b"]),
        ("stop", "[INST]", "[INST]"),
        ("stop", '"null"', "null"),
        ("stop", "null", None),
        ("stop", "5", "5"),
        ("stop", [r"\n\n", "END"], ["\n\n", "END"]),
        ("metadata", "k=v", {"k": "v"}),
        ("metadata", "k=v=w", {"k": "v=w"}),
        ("metadata", ["k=v", "l="], {"k": "v", "l": ""}),
        ("metadata", '{"k": "a=b"}', {"k": "a=b"}),
        ("logit_bias", "50256=-100", {"50256": -100}),
        ("logit_bias", '{"50256": -100}', {"50256": -100}),
        ("modalities", "text", ["text"]),
        ("modalities", '["text"]', ["text"]),
        ("response_format", '{"type": "json_object"}', {"type": "json_object"}),
        ("reasoning_effort", "none", "none"),
        ("reasoning_effort", "null", None),
        ("model", "null", "null"),
        ("user", "12", "12"),
        ("function_call", "auto", "auto"),
        ("tools", [_tool()], [_tool()]),
    ],
)
def test_a_flag_is_read_as_its_field(name: str, text: Any, value: Any) -> None:
    assert check({name: text}, strict=False).given() == {name: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", "warm"),
        ("temperature", ""),
        ("temperature", "nan"),
        ("temperature", "1e999"),
        ("n", "1.5"),
        ("n", "true"),
        ("logprobs", "yes?"),
        ("response_format", '{"type"'),
        ("tools", "my_tools"),
        ("tools", '[{"type": "function", "function": {"name": "a", "strict": "true"}}]'),
        ("parallel_tool_calls", "null"),
    ],
)
def test_a_flag_that_cannot_be_read_is_refused_in_the_same_words(name: str, text: str) -> None:
    error = _refused({name: text}, strict=False)
    assert error.field.startswith(name)
    assert " but it must be " in str(error)


@given(valid_params())
def test_json_text_of_a_field_reads_as_the_field(fields: dict[str, Any]) -> None:
    texts = {
        name: _text_of(value)
        for name, value in fields.items()
        if not isinstance(value, str) or "string" not in FIELDS()[name].kinds
    }
    plain = {name: fields[name] for name in texts}
    expected = _outcome(plain)
    if isinstance(expected, CheckError):  # a rule between fields: not what is looked at here
        return
    assert check(texts, strict=False) == expected


@given(st.dictionaries(st.sampled_from([*FIELDS(), "foo", "extra"]), st.from_type(object)))
def test_any_mapping_is_either_checked_or_refused_in_words(fields: dict[str, Any]) -> None:
    found = _outcome(fields)
    if isinstance(found, CheckError):
        assert found.rule
        assert found.field
    else:
        assert check(found) == found


def test_msgspec_never_has_to_find_the_words() -> None:
    for name, field in FIELDS().items():
        for value in (3, "?", [], [3], {}, {"type": "?"}, True, 1.5, None, [[]], {"a": {}}):
            found = _outcome({name: value})
            if isinstance(found, CheckError):
                assert found.rule, (name, value)
                assert found.field.startswith(field.name)


def test_the_door_needs_neither_numpy_nor_difflib() -> None:
    import subprocess

    code = (
        "import sys, nbchat.api; nbchat.api.check({'n': 1}); "
        "print([m for m in ('numpy', 'difflib', 'pandas', 'hypothesis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrong_key_without_a_likely_one_shows_those_that_there_are() -> None:
    with pytest.raises(UnknownFieldError, match=r"It has type, approximate\.$"):
        check({"web_search_options": {"user_location": {"city": "Ulm"}}})
