"""Conversations with calls: ids, thoughts, arguments, and calls that nothing came of."""

from __future__ import annotations

import json
import threading
from typing import Any

import openai.types.chat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbchat
from nbchat import session
from nbchat.api.messages import check_messages
from nbchat.api.reply_messages import (
    call_ids,
    request_message,
    with_unique_ids,
    without_open_calls,
)
from nbchat.client import read_stream
from nbchat.errors import TransportError
from nbchat.request.arguments import draft_of_arguments
from nbchat.session import Thread
from nbchat.session.execution import execute
from nbchat.session.servers import prepare
from nbchat.tools.calls import round_of, stop
from tests.fuzzing import examples
from tests.scripted import CUT, Reply, ScriptedServer, chunk, completion, speaking, sse

END = chunk(finish_reason="tool_calls")


@pytest.fixture(autouse=True)
def no_retries(server: ScriptedServer) -> None:
    session.settings.max_retries = 0


def now() -> str:
    """Say the time."""
    return "12:00"


def weather(city: str = "") -> str:
    """Say what the weather is."""
    return f"sun in {city}"


TOOLS = [now, weather]


def call(name: str, arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def calling(*calls: dict[str, Any], streamed: bool = False, **message: Any) -> Reply:
    if streamed:
        pieces = [{"index": place, **one} for place, one in enumerate(calls)]
        return Reply(sse(chunk(delta={**message, "tool_calls": pieces}), END))
    body = completion()
    body["choices"] = [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": calls, **message},
            "finish_reason": "tool_calls",
        }
    ]
    return Reply(json.dumps(body).encode(), headers={"content-type": "application/json"})


def answers(server: ScriptedServer, number: int) -> list[tuple[str, str]]:
    """The id of each call in a request, and what came of it."""
    messages = server.requests[number].body["messages"]
    results = {m["tool_call_id"]: m["content"] for m in messages if m["role"] == "tool"}
    ids = call_ids(messages)
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == ids
    assert len(set(ids)) == len(ids)
    return [(call_id, results[call_id]) for call_id in ids]


BODIES = {
    "no ids (eino-ext#652)": [{}, {}],
    "null (agent-framework#6788)": [{"id": None}, {"id": None}],
    "the name of the function (brainlid/langchain#619)": [{"id": "weather"}, {"id": "weather"}],
    "one id for all": [{"id": "c"}, {"id": "c"}],
    "numbers": [{"id": 7}, {"id": 7}],
    "an id that could be made up": [{"id": "call_1"}, {}],
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", BODIES)
def test_ids_are_unique_in_a_conversation(
    server: ScriptedServer, name: str, streamed: bool
) -> None:
    heads = BODIES[name]
    calls = [call("weather", f'{{"city":"{c}"}}', **h) for c, h in zip("AB", heads, strict=True)]
    asks = calling(*calls, streamed=streamed)
    server.reply(asks, asks, speaking("Sun."), asks, speaking("Still."))
    thread = Thread("ids")
    thread.clear()
    thread.ask("Where?", tools=TOOLS)
    assert [text for _, text in answers(server, 2)] == ["sun in A", "sun in B"] * 2
    thread.ask("And now?", tools=TOOLS)
    assert [text for _, text in answers(server, -1)] == ["sun in A", "sun in B"] * 3


def test_ids_that_a_cell_which_runs_again_takes_are_given_to_nobody_else(
    server: ScriptedServer,
) -> None:
    one, two = calling(call("now")), calling(call("now"), call("now"))
    thread = Thread("again")
    thread.clear()
    server.reply(one, speaking("a"), one, speaking("b"), two, speaking("c"), speaking("d"))
    for key in ("first", "second", "first"):
        draft = draft_of_arguments("Hi", None, {"tools": TOOLS, "thread": thread})
        execute(prepare(draft, cell=key))
    thread.ask("Bye")
    assert len(answers(server, -1)) == 3


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"reasoning_content": "I need it."}, id="DeepSeek (agno#5802)"),
        pytest.param({"reasoning": "I need it."}, id="OpenRouter, Groq"),
        pytest.param({"reasoning": "a", "reasoning_content": "a"}, id="both names"),
        pytest.param(
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "QUJD", "index": 0}]},
            id="OpenRouter's details (openai-agents-python#2155)",
        ),
        pytest.param(
            {"reasoning": "x", "reasoning_details": [{"type": "reasoning.text", "text": "x"}]},
            id="reasoning and details",
        ),
    ],
)
def test_thoughts_go_back_with_calls_and_only_with_calls(
    server: ScriptedServer, message: dict[str, Any], streamed: bool
) -> None:
    server.reply(calling(call("now", id="c"), streamed=streamed, **message))
    said = sse(chunk(delta={"content": "Noon.", **message}), chunk(finish_reason="stop"))
    server.reply(Reply(said), speaking("Bye."))
    thread = Thread("thoughts")
    thread.clear()
    thread.ask("When?", tools=TOOLS)
    thread.ask("Thanks")
    asked, said = [m for m in server.requests[2].body["messages"] if m["role"] == "assistant"]
    assert {name: asked.get(name) for name in message} == message
    assert said == {"role": "assistant", "content": "Noon."}


def test_thoughts_in_pieces_go_back_joined(server: ScriptedServer) -> None:
    part = {"type": "reasoning.text", "index": 0}
    server.reply(
        Reply(
            sse(
                chunk(
                    delta={"reasoning_content": "I ", "reasoning_details": [{**part, "text": "I "}]}
                ),
                chunk(
                    delta={"reasoning_content": "do", "reasoning_details": [{**part, "text": "do"}]}
                ),
                chunk(delta={"tool_calls": [{"index": 0, **call("now", id="c")}]}),
                END,
            )
        )
    )
    nbchat.chat("When?", tools=TOOLS)
    (said,) = [m for m in server.requests[1].body["messages"] if m["role"] == "assistant"]
    assert (said["reasoning_content"], said["reasoning_details"]) == (
        "I do",
        [{**part, "text": "I do"}],
    )


def test_thoughts_among_the_parts_of_the_content_have_no_name_to_go_back_under(
    server: ScriptedServer,
) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    server.reply(calling(call("now", id="c"), content=parts))
    run = nbchat.chat("When?", tools=TOOLS)
    assert run.rounds[0].completion.choices[0].message.reasoning == "hm"
    (said,) = [m for m in server.requests[1].body["messages"] if m["role"] == "assistant"]
    assert set(said) == {"role", "content", "tool_calls"}


@pytest.mark.parametrize(
    "arguments", ["", None, "  ", "null", {}], ids=["empty", "missing", "blank", "null", "object"]
)
def test_no_arguments_are_an_empty_object(server: ScriptedServer, arguments: Any) -> None:
    server.reply(calling(call("now", arguments, id="c")))
    run = nbchat.chat("When?", tools=TOOLS)
    assert run.rounds[0].calls[0].result == "12:00"
    (said,) = [m for m in server.requests[1].body["messages"] if m["role"] == "assistant"]
    (sent,) = said["tool_calls"]
    # the source: servers parse what they are sent (DeepScientist#48, agno#6303, jcode#225)
    assert json.loads(sent["function"]["arguments"]) in ({}, None)


@pytest.mark.parametrize("arguments", ["[" * 100_000, '{"a":' * 50_000, '{"city": "A'])
def test_arguments_that_are_no_json_are_the_calls_error(
    server: ScriptedServer, arguments: str
) -> None:
    server.reply(calling(call("weather", arguments, id="c")), speaking("Sorry."))
    run = nbchat.chat("When?", tools=TOOLS)
    (asked,) = run.rounds[0].calls
    assert asked.arguments == arguments
    assert "its arguments are wrong" in (asked.error or "")
    assert run.text == "Sorry."


HALF = sse(
    chunk("Let me look."),
    chunk(delta={"tool_calls": [{"index": 0, **call("weather", '{"ci', id="c")}]}),
    done=False,
)


def test_a_connection_that_was_lost_in_half_a_call_leaves_the_thread_usable(
    server: ScriptedServer,
) -> None:
    server.reply(Reply([HALF, CUT]), speaking("Hello."))
    thread = Thread("lost")
    thread.clear()
    with pytest.raises(TransportError):
        thread.ask("Where?", tools=TOOLS)
    run = thread.ask("And?", tools=TOOLS)
    assert run.text == "Hello."
    sent = server.requests[-1].body["messages"]
    assert sent[1] == {"role": "assistant", "content": "Let me look."}
    assert run.notes == ["left out calls without a result: weather"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "asked",
    [call("unheard", id="c"), call("", id="c"), call("unheard"), call("unheard", id=3), {}],
    ids=["a name", "no name", "no id", "a number as id", "nothing at all"],
)
def test_a_call_that_nobody_asked_for_leaves_the_thread_usable(
    server: ScriptedServer, asked: dict[str, Any], streamed: bool
) -> None:
    server.reply(calling(asked, streamed=streamed), speaking("Hello."), speaking("Bye."))
    thread = Thread("unasked")
    thread.clear()
    thread.ask("Hi")
    assert thread.ask("And?").text == "Hello."
    assert [m["role"] for m in server.requests[1].body["messages"]] == ["user", "user"]
    assert thread.ask("So?", tools=TOOLS).text == "Bye."


def test_a_call_that_the_user_answers_keeps_its_place(server: ScriptedServer) -> None:
    schema = {"type": "function", "function": {"name": "mine"}}
    server.reply(calling(call("mine", id="c"), call("mine", id="d")), speaking("Thanks."))
    thread = Thread("answered")
    thread.clear()
    thread.ask("Hi", tools=[schema])
    run = nbchat.chat(
        messages=[{"role": "tool", "tool_call_id": "d", "content": "4"}], thread=thread
    )
    assert run.text == "Thanks."
    assert answers(server, -1) == [("d", "4")]
    assert run.notes == ["left out calls without a result: mine"]


# what is appended to messages by hand


def replies() -> dict[str, Any]:
    whole = completion("yo")
    said = whole["choices"][0]["message"]
    said |= {"refusal": None, "annotations": [], "reasoning_content": "hm"}
    found = read_stream([json.dumps(whole).encode()])
    kept = found.to_dict()["choices"][0]["message"]
    return {
        "the message itself": found.choices[0].message,
        "to_dict (autogen#3120)": kept,
        "to_dict as JSON": json.loads(json.dumps(kept)),
        "the server's own JSON (vllm#13978)": said,
        "the package openai": openai.types.chat.ChatCompletionMessage.model_validate(said),
        "the package openai, dumped": openai.types.chat.ChatCompletionMessage.model_validate(
            said
        ).model_dump(),
    }


@pytest.mark.parametrize("name", replies())
def test_a_reply_can_be_appended_to_messages(server: ScriptedServer, name: str) -> None:
    said = replies()[name]
    nbchat.chat(messages=[{"role": "user", "content": "a"}, said, {"role": "user", "content": "b"}])
    assert server.requests[0].body["messages"][1] == {"role": "assistant", "content": "yo"}


@pytest.mark.parametrize("is_dict", [False, True])
def test_a_reply_with_calls_can_be_appended_with_its_results(
    server: ScriptedServer, is_dict: bool
) -> None:
    schema = {"type": "function", "function": {"name": "mine"}}
    server.reply(calling(call("mine", "", id="c"), reasoning_content="hm"), speaking("Thanks."))
    run = nbchat.chat("Hi", tools=[schema])
    said = run.completion.to_dict()["choices"][0]["message"] if is_dict else run.message
    result = {"role": "tool", "tool_call_id": "c", "content": "4"}
    nbchat.chat(messages=[{"role": "user", "content": "Hi"}, said, result])
    assert server.requests[1].body["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [call("mine", id="c")],
        "reasoning_content": "hm",
    }


def test_a_message_with_keys_of_its_own_goes_out_as_it_came_in() -> None:
    said = {"role": "assistant", "content": "yo", "reasoning_content": "hm", "prefix": True}
    assert check_messages([said]) == [said]


def test_each_turn_of_a_thread_that_is_asked_from_several_threads_has_its_number(
    server: ScriptedServer,
) -> None:
    server.reply(*(speaking(str(number)) for number in range(8)))
    thread = Thread("several")
    thread.clear()
    runs: list[Any] = []
    asking = [
        threading.Thread(target=lambda: runs.append(thread.ask("Hi", timeout=30))) for _ in range(8)
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert sorted(run.turn for run in runs) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [turn.run.turn for turn in thread.turns] == [1, 2, 3, 4, 5, 6, 7, 8]


# any calls at all

_WORDS = st.text(max_size=5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    [
        "id",
        "type",
        "function",
        "custom",
        "index",
        "name",
        "arguments",
        "input",
        "idd",
        "extra_content",
    ]
)
_BODY = st.one_of(
    _JSON,
    st.fixed_dictionaries({}, optional={"name": st.sampled_from(["now", "weather"]) | _JSON,
                                        "arguments": _JSON, "input": _JSON, "argument": _JSON}),
)  # fmt: skip
_CALL = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["a", "b", ""]) | _JSON,
            "type": st.sampled_from(["function", "custom"]) | _JSON,
            "function": _BODY, "custom": _BODY, "index": st.integers(-1, 2) | _JSON, "idd": _JSON,
        },
    ),
)  # fmt: skip
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | st.text(max_size=5) | _JSON,
        "tool_calls": st.lists(_CALL, max_size=3) | _JSON,
        "function_call": _BODY,
        "refusal": _JSON, "reasoning": _JSON, "reasoning_content": _JSON,
        "reasoning_details": _JSON, "annotations": _JSON, "audio": _JSON,
    },
)  # fmt: skip


@pytest.mark.fuzz
@examples(150)
@given(message=_MESSAGE)
def test_whatever_a_server_calls_the_next_request_is_right(message: dict[str, Any]) -> None:
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    found = read_stream([json.dumps(body).encode()])
    reply = found.choices[0].message
    user = {"role": "user", "content": "and?"}
    # with results
    if reply.tool_calls or reply.function_call:
        begun = round_of(found, ["a", "call_0"])
        stop(begun.calls, "no")
        check_messages([user, *begun.messages, user])
    # and without
    messages, _ = without_open_calls(with_unique_ids([user, request_message(reply), user]))
    check_messages(messages)
    if not (reply.tool_calls or reply.function_call):
        check_messages([user, reply, user])
        check_messages([user, found.to_dict()["choices"][0]["message"], user])
