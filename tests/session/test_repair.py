from __future__ import annotations

from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.api import check
from nbchat.display.grey_line import grey_line
from nbchat.errors import ApiError, BadRequestError
from nbchat.run import Run
from nbchat.session import repair
from tests.scripted import Reply, Request, ScriptedServer, speaking


def refusal(
    message: str, param: str | None = None, code: str | None = None, status: int = 400
) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Reply.json({"error": error}, status)


def unsupported(field: str, code: str = "unsupported_parameter") -> Reply:
    return refusal(f"Unsupported: '{field}' is not supported with this model.", field, code)


def refusing(*fields: str) -> Any:
    """A server that takes a request only without these fields."""

    def answer(request: Request) -> Any:
        found = [field for field in fields if field in request.body]
        return unsupported(found[0]) if found else speaking("Fine.")(request)

    return answer


def error_of(
    message: str = "Unsupported parameter", status: int = 400, **more: Any
) -> BadRequestError:
    return BadRequestError(message, status=status, **more)


def test_a_refused_field_is_left_out_once_and_it_is_said(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.default = refusing("stop")
    run = nbchat.chat("Hi", model="m", stop="X", temperature=0.5)
    assert (run.text, run.status, run.tries) == ("Fine.", "complete", 2)
    first, second = (request.body for request in server.requests)
    assert first["stop"] == "X"
    assert second == {name: value for name, value in first.items() if name != "stop"}
    assert run.notes == ["stop left out: this server refuses it"]
    assert run.params.given() == {"model": "m", "temperature": 0.5}
    assert "stop left out" in capsys.readouterr().err
    assert "stop left out" in grey_line(run)


def test_max_tokens_goes_under_its_newer_name(server: ScriptedServer) -> None:
    server.default = refusing("max_tokens")
    run = nbchat.chat("Hi", model="gpt-5-mini", max_tokens=30)
    assert "max_tokens" not in server.requests[1].body
    assert server.requests[1].body["max_completion_tokens"] == 30
    assert run.notes == ["max_tokens sent as max_completion_tokens, which this server wants"]


def test_an_older_server_gets_max_completion_tokens_under_the_older_name(
    server: ScriptedServer,
) -> None:
    server.reply(
        Reply.json(
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "max_completion_tokens"],
                        "msg": "Extra inputs are not permitted",
                        "input": 30,
                    }
                ]
            },
            422,
        )
    )
    nbchat.chat("Hi", model="m", max_completion_tokens=30)
    assert server.requests[1].body["max_tokens"] == 30


def test_the_family_table_mends_the_other_fields_in_the_same_try(server: ScriptedServer) -> None:
    server.default = refusing("max_tokens", "temperature", "logprobs", "top_logprobs")
    run = nbchat.chat(
        "Hi", model="gpt-5-mini", max_tokens=9, temperature=0, logprobs=True, top_logprobs=2
    )
    assert run.text == "Fine."
    assert len(server.requests) == 2
    assert [note.split()[0] for note in run.notes] == [
        "max_tokens", "temperature", "logprobs", "top_logprobs",
    ]  # fmt: skip


def test_there_is_one_repaired_try_and_no_more(server: ScriptedServer) -> None:
    server.default = refusing("stop", "seed")
    with pytest.raises(BadRequestError) as caught:
        nbchat.chat("Hi", model="m", stop="X", seed=1)
    assert len(server.requests) == 2
    assert caught.value.param == "seed"
    assert caught.value.run is not None
    assert caught.value.run.tries == 2
    run = nbchat.chat("Hi", model="m", stop="X", seed=1)  # both are known by now
    assert run.text == "Fine."
    assert len(server.requests) == 3


def test_what_was_refused_is_remembered_for_the_server_and_the_model(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.default = refusing("stop")
    nbchat.chat("Hi", model="m", stop="X")
    capsys.readouterr()
    later = [nbchat.chat("Hi", model="m", stop="X") for _ in range(3)]
    assert [run.tries for run in later] == [1, 1, 1]
    assert all(run.notes == ["stop left out: this server refuses it"] for run in later)
    assert capsys.readouterr().err.count("stop left out") == 1
    nbchat.chat("Hi", model="other", stop="X")
    assert [("stop" in r.body, r.body["model"]) for r in server.requests[-2:]] == [
        (True, "other"),
        (False, "other"),
    ]


def test_another_reasoning_effort_is_asked_anew(server: ScriptedServer) -> None:
    def answer(request: Request) -> Any:
        is_off = request.body.get("reasoning_effort") == "none"
        if "temperature" in request.body and not is_off:
            return unsupported("temperature", "unsupported_value")
        return speaking("Fine.")(request)

    server.default = answer
    nbchat.chat("Hi", model="gpt-5.2", temperature=0)
    run = nbchat.chat("Hi", model="gpt-5.2", temperature=0, reasoning_effort="none")
    assert server.requests[-1].body["temperature"] == 0
    assert run.notes == []


def test_it_can_be_switched_off(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.default = refusing("stop")
    monkeypatch.setattr(session.settings, "repair", True)
    nbchat.configure(repair=False)
    with pytest.raises(BadRequestError):
        nbchat.chat("Hi", model="m", stop="X")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fields", "reply"),
    [
        ({"n": 2}, unsupported("n")),
        ({"temperature": 1.5}, refusal("Invalid temperature", "temperature", "invalid_value")),
        ({"temperature": 1.5}, refusal("The prompt is too long", None, "context_length_exceeded")),
        ({"seed": 1}, unsupported("messages[0].role", "unsupported_value")),
        ({"seed": 1}, unsupported("stop")),
        ({"reasoning_effort": "low"}, unsupported("reasoning_effort", "unsupported_value")),
        ({"seed": 1}, refusal("No such model.")),
        ({"stop": "X"}, refusal("You cannot stop now: tools are not supported.")),
    ],
)
def test_what_cannot_be_mended_is_shown_as_it_is(
    server: ScriptedServer, fields: dict[str, Any], reply: Reply
) -> None:
    server.reply(reply)
    with pytest.raises(BadRequestError):
        nbchat.chat("Hi", model="m", **fields)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("property 'top_p' is unsupported", "top_p"),
        ("`seed` is not supported with this model", "seed"),
        ("Unrecognized request argument supplied: logit_bias", "logit_bias"),
        ("seed: Extra inputs are not permitted", "seed"),
        ("Invalid JSON", None),
        ("Sampling with a seed is unsupported", None),
    ],
)
def test_without_param_and_code_the_words_name_the_field(message: str, field: str | None) -> None:
    params = check({"top_p": 0.5, "seed": 1, "logit_bias": {1: 2}})
    found = repair.repairs_of(error_of(message), params, "m")
    assert [mended.field for mended in found] == ([field] if field else [])


def test_a_value_that_is_the_only_one_taken_is_no_reason_to_leave_a_field_out() -> None:
    params = check({"temperature": 1, "top_p": 0.5})
    error = error_of(param="top_p", code="unsupported_parameter")
    assert [r.field for r in repair.repairs_of(error, params, "o3")] == ["top_p"]


def test_functions_on_the_newest_models_get_a_sentence_that_says_what_to_add(
    server: ScriptedServer,
) -> None:
    said = "Function tools with reasoning_effort are not supported for gpt-5.6-terra in /v1/chat."
    server.reply(refusal(said, "reasoning_effort"))
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    with pytest.raises(BadRequestError, match='add reasoning_effort="none"') as caught:
        nbchat.chat("Hi", model="gpt-5.6-terra", tools=[tool], reasoning_effort="low")
    assert len(server.requests) == 1
    assert said in str(caught.value)
    assert caught.value.status == 400


def test_a_server_error_is_nothing_to_mend() -> None:
    error = ApiError("'seed' is not supported", status=500, param="seed")
    assert repair.repairs_of(error, check({"seed": 1}), "m") == []


def test_a_run_that_was_not_mended_has_no_notes(server: ScriptedServer) -> None:
    run: Run = nbchat.chat("Hi", model="m", stop="X")
    assert run.notes == []
