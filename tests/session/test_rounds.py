from __future__ import annotations

import json
import threading
import time
from typing import Any, Literal

import pytest

import nbchat
from nbchat import session
from nbchat.errors import CheckError, ServerError
from nbchat.tools import Call
from tests.scripted import Reply, ScriptedServer, chunk, completion, error, speaking, sse, usage_of


@pytest.fixture(autouse=True)
def no_retries(server: ScriptedServer) -> None:
    session.settings.max_retries = 0


def calling(
    *calls: tuple[str, Any], content: str | None = None, reason: str = "tool_calls"
) -> Reply:
    """A stream that asks for these calls, in the pieces of OpenAI's recordings."""
    pieces = [chunk(content, role="assistant")]
    for index, (name, arguments) in enumerate(calls):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        head = {"index": index, "id": f"c{index}", "type": "function"}
        pieces.append(
            chunk(delta={"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})
        )
        for place in range(0, len(text), 3):
            part = {"index": index, "function": {"arguments": text[place : place + 3]}}
            pieces.append(chunk(delta={"tool_calls": [part]}))
    return Reply(sse(*pieces, chunk(finish_reason=reason), chunk(usage=usage_of(10, 5))))


def weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
    """Say what the weather is.

    Args:
        city: where to look
    """
    return {"city": city, "temperature": 12, "unit": unit}


def add(a: int, b: int) -> int:
    return a + b


def test_a_function_is_described_called_and_its_result_sent_back(server: ScriptedServer) -> None:
    server.reply(calling(("weather", {"city": "Ulm"})), speaking("12 degrees."))
    run = nbchat.chat("Weather in Ulm?", tools=[weather])
    assert run.text == "12 degrees."
    first, second = (request.body for request in server.requests)
    assert first["tools"][0]["function"]["name"] == "weather"
    assert first["tools"] == second["tools"] == run.params.given()["tools"]
    assert second["messages"] == run.messages
    call = {
        "id": "c0",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Ulm"}'},
    }
    assert run.messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {
            "role": "tool",
            "tool_call_id": "c0",
            "content": '{"city":"Ulm","temperature":12,"unit":"C"}',
        },
    ]
    (played,) = run.rounds
    assert played.is_answered
    assert (played.calls[0].name, played.calls[0].error) == ("weather", None)
    assert played.calls[0].elapsed_s is not None


def test_usage_times_and_tries_are_those_of_all_requests(server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("three"))
    run = nbchat.chat("1+2?", tools=[add], stream_options={"include_usage": True})
    assert run.completion is not None
    assert run.completion.usage is not None
    last = run.completion.usage.completion_tokens
    assert last is not None
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (19, 5 + last)
    assert run.rounds[0].usage.completion_tokens == 5  # type: ignore[union-attr]
    assert nbchat.usage(run)["prompt_tokens"][0] == 19
    assert run.tries == 1
    assert run.tokens_per_s is not None


def test_the_history_of_a_thread_has_every_round(server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("three"))
    thread = nbchat.Thread("t")
    thread.ask("1+2?", tools=[add])
    thread.ask("Sure?")
    sent = server.requests[-1].body["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert sent[3]["content"] == "three"


def test_parallel_calls_run_side_by_side_and_keep_their_order(server: ScriptedServer) -> None:
    meeting = threading.Barrier(3, timeout=5)

    def meet(n: int) -> int:
        meeting.wait()
        time.sleep(0.02 * (3 - n))
        return n

    server.reply(calling(*[("meet", {"n": n}) for n in range(3)]), speaking("ok"))
    run = nbchat.chat("Go", tools=[meet])
    assert [call.result for call in run.rounds[0].calls] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("add", {"a": "x", "b": 2}, "Expected `int`, got `str` - at `$.a`"),
        ("add", {"a": 1}, "missing required field `b`"),
        ("add", {"a": 1, "b": 2, "c": 3}, "unknown field `c`"),
        ("add", '{"a": 1', "arguments are wrong"),
        ("add", "[1, 2]", "Expected `object`"),
        ("remove", {}, "There is no tool 'remove'. The tools are: add, fail."),
        ("fail", {}, "ValueError: no such thing"),
    ],
)
def test_what_goes_wrong_goes_back_as_text(
    server: ScriptedServer, name: str, arguments: Any, words: str
) -> None:
    def fail() -> None:
        raise ValueError("no such thing")

    server.reply(calling((name, arguments)), speaking("Sorry."))
    run = nbchat.chat("Go", tools=[add, fail])
    assert words in (run.rounds[0].calls[0].error or "")
    assert words in server.requests[1].body["messages"][-1]["content"]
    assert run.text == "Sorry."


def test_rounds_end_at_the_limit_and_the_history_stays_whole(server: ScriptedServer) -> None:
    server.default = calling(("add", {"a": 1, "b": 1}))
    thread = nbchat.Thread("t")
    run = thread.ask("Loop", tools=[add], max_rounds=2)
    assert len(server.requests) == 3
    assert [r.is_answered for r in run.rounds] == [True, True, False]
    assert run.rounds[2].calls[0].error == "It was not called: max_rounds is 2."
    assert run.status == "complete"
    server.reply(speaking("ok"))
    thread.ask("And now?")
    roles = [m["role"] for m in server.requests[-1].body["messages"]]
    assert roles == ["user", *["assistant", "tool"] * 3, "user"]


def test_a_forced_choice_forces_the_first_round_alone(server: ScriptedServer) -> None:
    forced = {"type": "function", "function": {"name": "add"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [forced]}}
    for choice, later in (
        ("required", "auto"),
        (forced, "auto"),
        (allowed, {**allowed, "allowed_tools": {"mode": "auto", "tools": [forced]}}),
        ("auto", "auto"),
    ):
        server.reply(calling(("add", {"a": 1, "b": 1}), reason="stop"), speaking("two"))
        run = nbchat.chat("1+1", tools=[add], tool_choice=choice, parallel_tool_calls=False)
        bodies = [request.body for request in server.requests[-2:]]
        assert [body["tool_choice"] for body in bodies] == [choice, later]
        assert bodies[1]["parallel_tool_calls"] is False
        assert run.params.given()["tool_choice"] == choice


def test_schemas_alone_are_sent_and_nothing_runs(server: ScriptedServer) -> None:
    mine = {"type": "function", "function": {"name": "mine"}}
    free = {"type": "custom", "custom": {"name": "free", "format": {"type": "text"}}}
    server.reply(calling(("mine", {})), calling(("mine", {}), ("add", {"a": 1, "b": 2})))
    run = nbchat.chat("Go", tools=[mine, free])
    assert server.requests[0].body["tools"] == [mine, free]
    assert (run.rounds, run.message.tool_calls[0]["function"]["name"]) == ([], "mine")
    run = nbchat.chat("Go", tools=[mine, add])  # one of the two is the user's to answer
    assert (run.rounds, len(server.requests)) == ([], 2)


def test_a_custom_tool_gets_its_text_from_streamed_pieces(server: ScriptedServer) -> None:
    pieces = [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "shout", "input": ""}}]
    pieces += [{"index": 0, "custom": {"input": text}} for text in ("he", "llo")]  # type: ignore[dict-item]
    server.reply(
        Reply(
            sse(*[chunk(delta={"tool_calls": [p]}) for p in pieces], chunk(finish_reason="stop"))
        ),
        speaking("ok"),
    )

    def shout(text: str) -> str:
        """Say it loud."""
        return text.upper()

    run = nbchat.chat("Go", tools=[nbchat.tools.custom(shout)])
    assert server.requests[0].body["tools"] == [
        {"type": "custom", "custom": {"name": "shout", "description": "Say it loud."}}
    ]
    assert (run.rounds[0].calls[0].kind, run.rounds[0].calls[0].result) == ("custom", "HELLO")
    sent = server.requests[1].body["messages"]
    assert sent[1]["tool_calls"][0]["custom"] == {"name": "shout", "input": "hello"}
    assert sent[2] == {"role": "tool", "tool_call_id": "c", "content": "HELLO"}


def test_the_deprecated_fields_work_and_warn_of_their_successors(server: ScriptedServer) -> None:
    called = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    server.reply(
        Reply.json(completion(None, message={"function_call": called}, finish_reason="stop")),
        speaking("three"),
    )
    with pytest.warns(DeprecationWarning, match="is deprecated") as caught:
        run = nbchat.chat("Go", functions=[add], function_call={"name": "add"}, stream=False)
    sentences = [str(w.message) for w in caught]
    assert sentences[0].startswith("functions is deprecated: use tools")
    assert sentences[1].startswith("function_call is deprecated: use tool_choice")
    assert caught[0].filename == __file__
    assert server.requests[1].body["function_call"] == "auto"
    assert run.messages[1:] == [
        {"role": "assistant", "content": None, "function_call": called},
        {"role": "function", "name": "add", "content": "3"},
    ]
    assert run.text == "three"


def test_each_call_can_be_confirmed(server: ScriptedServer) -> None:
    asked: list[Call] = []

    def decide(call: Call) -> bool:
        asked.append(call)
        return call.arguments != '{"a": 1, "b": 1}'

    server.reply(calling(("add", {"a": 1, "b": 1}), ("add", {"a": 2, "b": 2})), speaking("ok"))
    run = nbchat.chat("Go", tools=[add], confirm=decide)
    assert [call.result for call in asked] == [None, "4"]
    assert run.rounds[0].calls[0].error == "The user declined this call."


@pytest.mark.parametrize(("answer", "result"), [("y", "3"), ("", None), ("n", None)])
def test_confirm_asks_the_user(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, answer: str, result: str | None
) -> None:
    prompts: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: prompts.append(text) or answer)
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("ok"))
    run = nbchat.chat("Go", tools=[add], confirm=True)
    assert prompts == ['Call add({"a": 1, "b": 2})? [y/N] ']
    assert run.rounds[0].calls[0].result == result


def test_where_nobody_can_be_asked_a_call_is_declined(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cannot(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", cannot)
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("ok"))
    run = nbchat.chat("Go", tools=[add], confirm=True)
    assert "add is declined" in capsys.readouterr().err
    assert run.rounds[0].calls[0].error == "The call was declined: nobody could be asked."


@pytest.mark.parametrize("n_calls", [1, 2])
def test_an_interrupt_in_a_tool_stops_everything_and_keeps_what_came(
    server: ScriptedServer, n_calls: int
) -> None:
    import signal

    def slow(n: int) -> int:
        if n == 1:
            return n
        signal.raise_signal(signal.SIGINT) if n_calls == 1 else None
        end = time.perf_counter() + 20
        while time.perf_counter() < end:
            time.sleep(0.01)
        return n

    server.reply(calling(*[("slow", {"n": n}) for n in range(n_calls)], content="Let me see."))
    thread = nbchat.Thread("t")
    timer = threading.Timer(
        0.4, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    )
    if n_calls == 2:
        timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        thread.ask("Go", tools=[slow])
    assert time.perf_counter() - started < 5
    run = session.runs[-1]
    assert (run.status, run.text, len(server.requests)) == ("interrupted", "Let me see.", 1)
    assert [call.result for call in run.rounds[0].calls] == [None, "1"][:n_calls]
    assert run.rounds[0].calls[0].error == "It was interrupted."
    assert [m["role"] for m in thread.messages] == ["user", "assistant", *["tool"] * n_calls]
    timer.cancel()
    time.sleep(0.1)
    assert not [t for t in threading.enumerate() if t.name == "nbchat-slow"]


def test_an_error_after_a_round_keeps_the_round(server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2})), error(500, "Broken."))
    thread = nbchat.Thread("t")
    with pytest.raises(ServerError) as raised:
        thread.ask("Go", tools=[add])
    run = raised.value.run
    assert run is not None
    assert (run.status, run.rounds[0].calls[0].result) == ("error", "3")
    assert [m["role"] for m in thread.messages] == ["user", "assistant", "tool"]


def test_stream_goes_on_through_the_rounds(server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2}), content="Adding. "), speaking("It is 3."))
    pieces = list(nbchat.stream("Go", tools=[add]))
    assert "".join(pieces) == "Adding. It is 3."
    assert pieces[-1].run.rounds[0].text == "Adding. "


def test_calls_without_ids_get_some(server: ScriptedServer) -> None:
    bodies = [{"name": "add", "arguments": json.dumps({"a": n, "b": n})} for n in range(2)]
    both = [{"id": "", "function": body} for body in bodies]
    server.reply(
        Reply(sse(chunk(delta={"tool_calls": both}, finish_reason="stop"))), speaking("ok")
    )
    nbchat.chat("Go", tools=[add])
    sent = server.requests[1].body["messages"]
    assert [m["tool_call_id"] for m in sent[2:]] == ["call_0", "call_1"]
    assert [c["id"] for c in sent[1]["tool_calls"]] == ["call_0", "call_1"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_rounds": -1}, "max_rounds is -1"),
        ({"confirm": "yes"}, "confirm must be"),
        ({"n": 2}, "n is 2"),
        ({"tools": [add, add]}, "twice"),
        ({"tools": [lambda x: x]}, "name"),
    ],
)
def test_what_cannot_be_is_refused_before_any_request(
    server: ScriptedServer, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckError, match=words):
        nbchat.chat("Go", **{"tools": [add], **fields})
    assert server.requests == []


def test_the_openai_package_takes_the_messages_of_a_round(server: ScriptedServer) -> None:
    types = pytest.importorskip("openai.types.chat")
    pydantic = pytest.importorskip("pydantic")
    server.reply(calling(("add", {"a": 1, "b": 2}), ("weather", {"city": "Ulm"})), speaking("ok"))
    nbchat.chat("Go", tools=[add, weather])
    adapter = pydantic.TypeAdapter(types.ChatCompletionMessageParam)
    for message in server.requests[1].body["messages"]:
        adapter.validate_python(message)


@pytest.mark.local
@pytest.mark.usefixtures("local_server")
def test_the_embedded_model_answers_in_words_and_says_why() -> None:
    run = nbchat.chat(
        "1+2?", tools=[add], tool_choice="required", profile="local", max_completion_tokens=5
    )
    assert run.rounds == []
    assert run.text
    assert run.notes == ["this small model never sees the tools"]


def test_a_round_is_short_to_look_at(server: ScriptedServer) -> None:
    server.reply(calling(("add", {"a": 1, "b": 2})), speaking("3"))
    run = nbchat.chat("Add.", tools=[add])
    assert repr(run.rounds) == '[<Round: add({"a": 1, "b": 2}) → 3>]'
