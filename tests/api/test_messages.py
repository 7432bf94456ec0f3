from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api import check_messages
from nbchat.api.messages import message_offences
from nbchat.errors import CheckError, UnknownFieldError

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CUSTOM = {"name": "c", "input": "x"}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "3"}


def _refused(messages: Any) -> CheckError:
    with pytest.raises(CheckError) as caught:
        check_messages(messages)
    return caught.value


def _outcome(messages: Any) -> list[dict[str, Any]] | CheckError:
    try:
        return check_messages(messages)
    except CheckError as error:
        return error


def _part(**payload: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": next(iter(payload)), **payload}]}


def test_a_string_is_one_user_message() -> None:
    assert check_messages("hi") == [USER]


GOOD: list[list[dict[str, Any]]] = [
    [{"role": "system", "content": "a"}, USER],
    [{"role": "developer", "content": [{"type": "text", "text": "a"}], "name": "d"}],
    [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "file", "file": {"file_data": "", "filename": "a.pdf"}},
            ],
        }
    ],
    [USER, ASKS, ANSWER],
    [USER, {"role": "assistant", "content": "a", "refusal": None}],
    [USER, {"role": "assistant", "content": None, "refusal": "no"}],
    [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
    [USER, {"role": "assistant", "audio": {"id": "a"}}],
    [USER, {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}],
    [USER, {"role": "function", "name": "f", "content": None}],
    [
        USER,
        {
            "role": "assistant",
            "tool_calls": [CALL, {"id": "c2", "type": "custom", "custom": CUSTOM}],
        },
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "b"}]},
        ANSWER,
    ],
]


@pytest.mark.parametrize("messages", GOOD)
def test_messages_of_the_reference_go_out_as_they_came(messages: list[dict[str, Any]]) -> None:
    checked = check_messages(messages)
    assert msgspec.json.encode(checked) == msgspec.json.encode(messages)


def test_messages_do_not_change_with_what_they_came_from() -> None:
    message = _part(text="a")
    checked = check_messages([message])
    message["content"][0]["text"] = "b"
    assert checked == [_part(text="a")]


@given(st.permutations([("role", "user"), ("content", "hi"), ("name", "n"), ("cache", 1)]))
def test_keys_are_neither_dropped_nor_reordered(items: list[tuple[str, Any]]) -> None:
    assert [list(message.items()) for message in check_messages([dict(items)])] == [items]


@pytest.mark.parametrize("messages", [[], (), None, 3, {"role": "user"}, ["hi"], [None]])
def test_messages_are_a_list_of_objects(messages: Any) -> None:
    assert _refused(messages).field.startswith("messages")


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"content": "a"}, "role"),
        ({"role": "robot", "content": "a"}, "role"),
        ({"role": ["user"], "content": "a"}, "role"),
        ({"role": "user"}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "user", "content": []}, "content"),
        ({"role": "user", "content": 3}, "content"),
        ({"role": "user", "content": {"type": "text"}}, "content"),
        ({"role": "user", "content": ["a"]}, "content[0]"),
        ({"role": "user", "content": "a", "name": 3}, "name"),
        ({"role": "user", "content": [{"text": "a"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "txt", "text": "a"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": ["text"]}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 3}]}, "content[0].text"),
        (_part(refusal="no"), "content[0].type"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "content[0].type"),
        (_part(image_url="http://a"), "content[0].image_url"),
        (_part(image_url={}), "content[0].image_url.url"),
        (_part(image_url={"url": "a", "detail": "big"}), "content[0].image_url.detail"),
        (_part(input_audio={"data": "a"}), "content[0].input_audio.format"),
        (_part(input_audio={"data": "", "format": "flac"}), "content[0].input_audio.format"),
        (_part(file={"filename": "a"}), "content[0].file"),
        ({"role": "tool", "content": "a"}, "tool_call_id"),
        ({"role": "function", "content": "a"}, "name"),
        ({"role": "function", "name": "f", "content": [{"type": "text"}]}, "content"),
        ({"role": "assistant"}, "content"),
        ({"role": "assistant", "refusal": 3}, "refusal"),
        ({"role": "assistant", "content": "a", "audio": {}}, "audio.id"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": 3}]}, "tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "x"}]}, "tool_calls[0].type"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]},
            "tool_calls[0].function",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}],
            },
            "tool_calls[0].function.arguments",
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "a"}, {"type": "text", "text": "b"}],
            },
            "content",
        ),
    ],
)
def test_an_error_names_the_place(message: Any, path: str) -> None:
    error = _refused([USER, message])
    assert error.field == f"messages[1].{path}"
    assert error.field in str(error)
    assert error.rule


@pytest.mark.parametrize(
    ("message", "path", "nearest"),
    [
        ({"role": "user", "contnet": "a"}, "contnet", "content"),
        ({"rol": "user", "content": "a"}, "rol", "role"),
        ({"role": "user", "content": "a", "nmae": "b"}, "nmae", "name"),
        ({"role": "tool", "content": "a", "tool_callid": "b"}, "tool_callid", "tool_call_id"),
        (_part(image_url={"ulr": "a"}), "content[0].image_url.ulr", "url"),
        (_part(file={"file_idd": "a"}), "content[0].file.file_idd", "file_id"),
        ({"role": "assistant", "tool_cals": [CALL]}, "tool_cals", "tool_calls"),
    ],
)
def test_a_slip_of_a_key_gets_the_nearest_name(message: Any, path: str, nearest: str) -> None:
    error = _refused([message])
    assert isinstance(error, UnknownFieldError)
    assert error.field == f"messages[0].{path}"
    assert error.nearest[0] == nearest


@pytest.mark.parametrize(
    "more",
    [
        {"reasoning_content": "hm"},
        {"prefix": True},
        {"cache_control": {"type": "ephemeral"}},
        {"annotations": []},
        {"tool_call_id": "c"},
    ],
)
def test_keys_of_other_servers_pass(more: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": "a", **more}
    assert check_messages([message]) == [message]


@pytest.mark.parametrize("kind", ["video_url", "audio_url", "thinking"])
def test_parts_of_other_servers_pass(kind: str) -> None:
    message = {"role": "user", "content": [{"type": kind, "anything": {"url": 3}}]}
    assert check_messages([message]) == [message]


def test_every_tool_call_is_answered_before_anything_else() -> None:
    asks = {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "c2"}]}
    for rest in ([], [ANSWER], [ANSWER, USER], [USER, ANSWER, {**ANSWER, "tool_call_id": "c2"}]):
        error = _refused([USER, asks, *rest])
        assert error.field == "messages[1].tool_calls"
        assert "c2" in error.rule
        assert "c2" in str(error)
    assert "c1" not in _refused([USER, asks, ANSWER]).rule


def test_numpy_and_nan_are_handled_as_in_params() -> None:
    assert check_messages([{"role": "user", "content": np.str_("hi")}]) == [USER]
    error = _refused([{**USER, "weight": float("nan")}])
    assert error.field == "messages[0].weight"


_KEYS = st.sampled_from(["role", "content", "type", "text", "tool_calls", "image_url", "id"])
_WORDS = st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function"])
ANYTHING = st.recursive(
    st.none() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner | _WORDS, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_anything_is_either_taken_whole_or_refused_in_words(messages: Any) -> None:
    found = _outcome(messages)
    if isinstance(found, CheckError):
        assert found.rule
        assert found.field.startswith("messages")
    else:
        prompt = [{"role": "user", "content": messages}]
        assert found == (prompt if isinstance(messages, str) else messages)


def test_tool_calls_are_the_assistants_alone() -> None:
    for calls in ("text", 5, [{"id": "c"}]):
        messages = [{"role": "user", "content": "Hi", "tool_calls": calls}]
        assert check_messages(messages) == messages


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "usr", None])
@pytest.mark.parametrize("content", ["a text", "", "zwölf", "\ud800", None, 1, ["a"]])
def test_a_short_way_for_texts_takes_what_all_rules_take(role: Any, content: Any) -> None:
    messages = [{"role": role, "content": content}]
    try:
        checked = check_messages(messages)
    except CheckError:
        assert message_offences(messages)
    else:
        assert not message_offences(messages)
        assert checked == messages
        assert checked[0] is not messages[0]
