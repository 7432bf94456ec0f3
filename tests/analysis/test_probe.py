from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.analysis import probe_questions
from nbchat.errors import AuthenticationError, BadRequestError
from tests.scripted import Reply, Request, ScriptedServer, chunk, logprob_entry, sse, usage_of

FEATURES = ["streaming", "stream_usage", "logprobs", "n", "tools", "schema", "seed", "continuation"]
LOGITS = [("Red", 3.0), ("Blue", 2.0), ("Green", 0.5), ("Grey", 0.0), ("Pink", -1.0)]


def refusal(field: str, message: str = "not supported", status: int = 400) -> Reply:
    return Reply.json({"error": {"message": f"{field}: {message}", "param": field}}, status)


def logprobs_at(temperature: float, top: int, *, tempered: bool) -> Any:
    """What a model with these logits sends; at a temperature of 0 only one is possible."""
    scale = temperature if tempered else 1
    if scale == 0:
        pairs = [(token, 0.0 if token == "Red" else -9999.0) for token, _ in LOGITS]
    else:
        total = math.log(sum(math.exp(logit / scale) for _, logit in LOGITS))
        pairs = [(token, logit / scale - total) for token, logit in LOGITS]
    pairs += [(f"x{number}", -30.0 - number) for number in range(20)]
    return {"content": [logprob_entry("Red", pairs[0][1], pairs[:top])]}


class Server:
    """A server that can do everything but what is listed, which it `refuses` or `ignores`."""

    def __init__(
        self,
        refuses: tuple[str, ...] = (),
        ignores: tuple[str, ...] = (),
        highest: int = 20,
        tempered: bool = False,
        limit: str = "max_tokens",
    ):
        self.refuses, self.ignores, self.highest = refuses, ignores, highest
        self.tempered, self.limit = tempered, limit
        self.draws = 0

    def __call__(self, request: Request) -> Reply:
        body = request.body
        known = {name: value for name, value in body.items() if name not in self.ignores}
        if {"max_tokens", "max_completion_tokens"} & set(body) != {self.limit}:
            return refusal("max_tokens", f"Use '{self.limit}' instead.")
        for field in self.refuses:
            if field == "continuation" and body["messages"][-1]["role"] == "assistant":
                return refusal("messages")
            if body.get(field):
                return refusal(field)
        top = known.get("top_logprobs", 0)
        if top > self.highest:
            return refusal("top_logprobs", "too high")
        delta: dict[str, Any] = {"role": "assistant", "content": self.text(known, body)}
        if "tools" in known:
            call = {"name": "get_time", "arguments": '{"city": "Paris"}'}
            delta = {"tool_calls": [{"id": "1", "type": "function", "function": call}]}
        told = logprobs_at(known.get("temperature", 1), top, tempered=self.tempered)
        logprobs = told if known.get("logprobs") else None
        indexes = range(known.get("n", 1))
        if not known.get("stream"):
            choices = [
                {"index": i, "message": delta, "finish_reason": "stop", "logprobs": logprobs}
                for i in indexes
            ]
            answer = {"object": "chat.completion", "choices": choices, "usage": usage_of()}
            return Reply.json(answer)
        events = [chunk(delta=delta, index=i, finish_reason="stop") for i in indexes]
        if known.get("stream_options"):
            events.append(chunk(usage=usage_of()))
        return Reply(sse(*events))

    def text(self, known: dict[str, Any], body: dict[str, Any]) -> str:
        if body["messages"][-1]["role"] == "assistant":
            return "Sunday, Mon" if "continuation" in self.ignores else "days"
        if "response_format" in known:
            return '{"is_fine": true}'
        if "seed" in body:
            self.draws += 1
            return f"words {known.get('seed', self.draws)}"
        return "Hello."


@pytest.fixture
def answering() -> Any:
    return Server()


@pytest.fixture(autouse=True)
def a_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBCHAT_MODEL", "some-model")


def test_a_server_that_can_everything_is_found_to(server: ScriptedServer) -> None:
    found = nbchat.probe()
    assert {name: getattr(found, name) for name in FEATURES} == dict.fromkeys(FEATURES, True)
    assert (found.top_logprobs, found.logprob_basis) == (20, "raw")
    assert found.continuation_extra == {}
    assert (found.model, found.base_url) == ("some-model", server.url)
    assert found.requests == len(server.requests) == 12
    assert session.runs == []
    assert all(request.body["max_tokens"] <= 64 for request in server.requests)


@pytest.mark.parametrize("text", ["", "\ufffd"])
def test_a_token_drawn_without_text_is_drawn_again(server: ScriptedServer, text: str) -> None:
    """llama.cpp sends no entry for a piece of a character, and none for an end token."""
    usual, empty_once = Server(), {1, 2}

    def sometimes_empty(request: Request) -> Reply:
        temperature = request.body.get("temperature")
        if request.body.get("logprobs") and temperature in empty_once:
            empty_once.remove(temperature)
            return Reply.json(
                {"choices": [{"message": {"content": text}, "finish_reason": "length"}]}
            )
        return usual(request)

    server.default = sometimes_empty
    assert nbchat.probe().logprob_basis == "raw"
    assert empty_once == set()


@pytest.mark.parametrize(
    ("feature", "fields"),
    [
        ("streaming", ("stream",)),
        ("stream_usage", ("stream_options",)),
        ("logprobs", ("logprobs",)),
        ("n", ("n",)),
        ("tools", ("tools",)),
        ("schema", ("response_format",)),
        ("seed", ("seed",)),
        ("continuation", ("continuation",)),
    ],
)
@pytest.mark.parametrize("how", ["refuses", "ignores"])
def test_what_a_server_lacks_is_found_whether_it_refuses_or_ignores_it(
    server: ScriptedServer, feature: str, fields: tuple[str, ...], how: str
) -> None:
    server.default = Server(**{how: fields})
    found = nbchat.probe()
    lacking = {name for name in FEATURES if getattr(found, name) is not True}
    assert lacking == ({feature, "stream_usage"} if feature == "streaming" else {feature})
    assert getattr(found, feature) is False
    assert found.notes[feature]


@pytest.mark.parametrize("highest", [0, 1, 5, 8, 19, 20])
def test_the_highest_number_of_alternatives_is_found(server: ScriptedServer, highest: int) -> None:
    server.default = Server(highest=highest)
    found = nbchat.probe()
    assert found.top_logprobs == highest
    assert found.requests <= 20
    assert found.logprob_basis == ("raw" if highest > 1 else "unknown")


def test_a_server_that_sends_fewer_alternatives_is_believed(server: ScriptedServer) -> None:
    class Few(Server):
        def __call__(self, request: Request) -> Reply:
            if "top_logprobs" in request.body:
                changed = {**request.body, "top_logprobs": min(request.body["top_logprobs"], 3)}
                request.raw_body = json.dumps(changed).encode()
            return super().__call__(request)

    server.default = Few()
    found = nbchat.probe()
    assert (found.top_logprobs, found.notes["top_logprobs"]) == (3, "20 asked for, 3 came")


def test_tempered_log_probabilities_are_found_and_later_runs_say_so(
    server: ScriptedServer,
) -> None:
    server.default = Server(tempered=True)
    before = nbchat.chat("Hi", max_tokens=1)
    assert nbchat.probe().logprob_basis == "tempered"
    after = nbchat.chat("Hi", max_tokens=1)
    other = nbchat.chat("Hi", max_tokens=1, model="another")
    assert [run.logprob_basis for run in (before, after, other)] == [
        "unknown", "tempered", "unknown",
    ]  # fmt: skip
    assert nbchat.usage([after])["logprob_basis"].tolist() == ["tempered"]


def test_it_is_remembered_until_it_is_asked_again(server: ScriptedServer) -> None:
    first = nbchat.probe()
    count = len(server.requests)
    assert nbchat.probe() is first
    assert len(server.requests) == count
    server.default = Server(ignores=("n",))
    assert nbchat.probe(again=True).n is False


def test_the_newer_name_of_the_limit_is_learnt(server: ScriptedServer) -> None:
    server.default = Server(limit="max_completion_tokens")
    found = nbchat.probe()
    assert found.logprobs is True
    assert found.requests == 13


def test_a_switch_that_the_server_needs_to_go_on_is_found(server: ScriptedServer) -> None:
    class Switched(Server):
        def text(self, known: dict[str, Any], body: dict[str, Any]) -> str:
            if body["messages"][-1]["role"] == "assistant":
                return "day, Thurs" if body.get("continue_final_message") else "Certainly!"
            return super().text(known, body)

    server.default = Switched()
    found = nbchat.probe()
    assert found.continuation is True
    assert found.continuation_extra == {
        "add_generation_prompt": False,
        "continue_final_message": True,
    }


def test_a_reply_that_repeats_what_was_begun_goes_on_with_it(server: ScriptedServer) -> None:
    class Repeating(Server):
        def text(self, known: dict[str, Any], body: dict[str, Any]) -> str:
            last = body["messages"][-1]
            is_begun = last["role"] == "assistant"
            return last["content"] + "day" if is_begun else super().text(known, body)

    server.default = Repeating()
    found = nbchat.probe()
    assert (found.continuation, found.continuation_repeats) == (True, True)


def test_functions_that_want_no_reasoning_are_found(server: ScriptedServer) -> None:
    class Newest(Server):
        def __call__(self, request: Request) -> Reply:
            if "tools" in request.body and request.body.get("reasoning_effort") != "none":
                return refusal(
                    "reasoning_effort", "Function tools with reasoning_effort are not supported"
                )
            return super().__call__(request)

    server.default = Newest(limit="max_completion_tokens")
    found = nbchat.probe(model="gpt-5.6-terra")
    assert (found.tools, found.notes["tools"]) == (True, 'only with reasoning_effort="none"')
    assert found.logprob_basis == "unknown"


def test_a_server_that_fails_midway_leaves_that_question_open(server: ScriptedServer) -> None:
    class Failing(Server):
        def __call__(self, request: Request) -> Reply:
            if request.body.get("n") == 2:
                return Reply.json({"error": {"message": "overloaded"}}, 501)
            return super().__call__(request)

    server.default = Failing()
    found = nbchat.probe()
    assert found.n is None
    assert "overloaded" in found.notes["n"]
    assert found.tools is True


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (400, BadRequestError)])
def test_a_server_that_answers_nothing_raises_its_error(
    server: ScriptedServer, status: int, kind: type[Exception]
) -> None:
    server.default = refusal("key", "is bad", status)
    with pytest.raises(kind):
        nbchat.probe()
    assert len(server.requests) <= 2


def test_it_is_shown_as_a_table_in_which_the_servers_words_are_text(
    server: ScriptedServer,
) -> None:
    class Hostile(Server):
        def __call__(self, request: Request) -> Reply:
            evil = "<script>alert(1)</script>\x1b[31m"
            return refusal("n", evil) if "n" in request.body else super().__call__(request)

    server.default = Hostile()
    found = nbchat.probe()
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    assert "\x1b" not in repr(found) + found._repr_html_()
    assert repr(found).splitlines()[1].split()[:2] == ["streaming", "yes"]
    frame = found.frame()
    assert list(frame.columns) == ["feature", "found", "meaning", "note"]
    assert frame.set_index("feature")["found"]["n"] == "no"


@pytest.mark.parametrize(
    ("cold", "warm", "hot", "basis"),
    [
        ({"a": -1, "b": -2}, {"a": -1, "b": -2}, {"a": -1, "b": -2}, "raw"),
        ({"a": -0.1, "b": -9999.0}, {"a": -1, "b": -2}, {"a": -0.6, "b": -1.1}, "tempered"),
        ({"a": 0.0, "b": -9999.0}, {"a": -1, "b": -2}, {"a": -1, "b": -2}, "unknown"),
        ({"a": -1, "b": -2}, {"a": -1, "b": -2}, {"a": -1, "b": -5}, "unknown"),
        ({"a": -1, "b": -2}, {"a": -1, "b": -2}, {"c": -1, "d": -2}, "unknown"),
        ({"a": -1, "b": -1}, {"a": -1, "b": -1}, {"a": -1, "b": -1}, "unknown"),
        ({}, {}, {}, "unknown"),
    ],
)
def test_the_basis_is_told_by_the_distances_between_logprobs(
    cold: dict[str, float], warm: dict[str, float], hot: dict[str, float], basis: str
) -> None:
    assert probe_questions.basis_of(cold, warm, hot)[0] == basis


def cut_off_for_the_first(times: int) -> Server:
    """Give a server whose first replies to a schema are filled with blanks."""

    class Cut(Server):
        left = times

        def __call__(self, request: Request) -> Reply:
            if "response_format" in request.body and self.left:
                self.left -= 1
                message = {"content": '{"is_fine":' + " " * 38}
                return Reply.json({"choices": [{"message": message, "finish_reason": "length"}]})
            return super().__call__(request)

    return Cut()


def test_a_schema_is_asked_for_again_where_the_reply_was_cut_off(server: ScriptedServer) -> None:
    server.default = cut_off_for_the_first(3)
    assert nbchat.probe().schema is True


def test_a_schema_whose_replies_are_all_cut_off_stays_open(server: ScriptedServer) -> None:
    server.default = cut_off_for_the_first(99)
    found = nbchat.probe()
    assert (found.schema, found.notes["schema"]) == (None, "the answer was cut off")
    assert found.requests == 15


@pytest.mark.parametrize(("alike", "expected"), [(3, True), (99, None)])
def test_seeds_that_give_the_same_by_chance_are_followed_by_others(
    server: ScriptedServer, alike: int, expected: bool | None
) -> None:
    class Alike(Server):
        left = alike

        def text(self, known: dict[str, Any], body: dict[str, Any]) -> str:
            if "seed" not in body or not self.left:
                return super().text(known, body)
            self.left -= 1
            return "one two"

    server.default = Alike()
    assert nbchat.probe().seed is expected


@pytest.mark.local
def test_the_embedded_model_is_found_to_be_what_it_is(weights: Path) -> None:
    found = nbchat.probe("local")
    assert [found.streaming, found.stream_usage, found.logprobs, found.n] == [True] * 4
    assert [found.schema, found.seed, found.continuation] == [True] * 3
    assert (found.top_logprobs, found.logprob_basis) == (20, "raw")
    run = nbchat.chat("Hi", profile="local", max_tokens=2)
    assert run.logprob_basis == "raw"
    assert nbchat.probe("local") is found
