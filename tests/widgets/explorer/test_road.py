"""What a panel can since it goes the road of all faces: functions, types, attachments."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

import nbchat
from tests.media.made import picture, wav
from tests.scripted import Reply, Request, ScriptedServer, chunk, speaking, sse
from tests.widgets.explorer.conftest import Page

OpenPage = Callable[..., Page]


def weather(city: str) -> str:
    """Say what the weather is."""
    return f"{city}: rain"


def calling(name: str, **arguments: Any) -> bytes:
    call = {"name": name, "arguments": json.dumps(arguments)}
    delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": call}]}
    return sse(chunk(delta=delta), chunk(finish_reason="tool_calls"))


def is_asked(page: Page) -> bool:
    """Whether a question stands in the page."""
    return any(m["on"] == "questions" and m["questions"] for m in page.heard)


@pytest.fixture
def asks_for_weather(server: ScriptedServer) -> ScriptedServer:
    def answer(request: Request) -> Any:
        is_told = request.body["messages"][-1]["role"] == "tool"
        return speaking("Take a coat.")(request) if is_told else calling("weather", city="Ulm")

    server.default = answer
    return server


def test_functions_run_and_their_calls_are_shown(
    asks_for_weather: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page(tools=[weather])
    page.ask("run")
    page.wait_over()
    run = page.panel.last
    assert (run.text, run.rounds[0].calls[0].result) == ("Take a coat.", "Ulm: rain")
    lanes = [lane for message in page.heard for lane in message.get("lanes", ())]
    rounds = [lane["rounds"] for lane in lanes if lane.get("rounds")]
    assert "weather" in rounds[-1]
    assert "Ulm: rain" in rounds[-1]
    sent = asks_for_weather.requests[0].body["tools"][0]["function"]
    assert sent["name"] == "weather"
    assert "tools=[weather]" in nbchat.code.as_call(page.panel.draft)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_call_waits_for_the_answer_of_the_page(
    asks_for_weather: ScriptedServer, open_page: OpenPage, is_wanted: bool
) -> None:
    page = open_page(tools=[weather], confirm=True)
    page.ask("run")
    page.wait(lambda: is_asked(page))
    (question,) = page.last("questions")["questions"]
    assert "weather" in question["text"]
    assert "Ulm" in question["text"]
    page.ask("answer", id=question["id"], yes=is_wanted)
    page.wait_over()
    call = page.panel.last.rounds[0].calls[0]
    assert call.result == ("Ulm: rain" if is_wanted else None)
    assert (call.error is None) == is_wanted
    assert page.last("questions")["questions"] == []


def test_a_stop_declines_what_nobody_answered(
    asks_for_weather: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page(tools=[weather], confirm=True)
    page.ask("run")
    page.wait(lambda: is_asked(page))
    page.ask("stop")
    page.wait_over()
    assert page.panel.last.status == "interrupted"
    assert page.panel.last.rounds[0].calls[0].result is None


def test_a_cell_that_waits_asks_in_the_cell(
    asks_for_weather: ScriptedServer, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or "y")
    panel = open_page(tools=[weather], confirm=True).panel
    panel.run()
    panel.wait()
    assert panel.last.text == "Take a coat."
    assert len(asked) == 1


def test_an_edit_of_other_fields_keeps_functions_and_types(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page(tools=[weather], response_format=list[int])
    shown = page.panel.opening["form"]["fields"]
    page.ask("edit", seq=1, fields={"temperature": 1}, unset=[])
    page.ask("edit", seq=2, fields={"tools": shown["tools"]}, unset=[])
    page.ask("edit", seq=3, fields={"response_format": shown["response_format"]}, unset=[])
    fields = page.panel.draft.fields
    assert (fields["tools"], fields["response_format"]) == ([weather], list[int])
    server.default = speaking('{"value": [1, 2]}')
    page.ask("run")
    page.wait_over()
    assert server.requests[0].body["response_format"]["type"] == "json_schema"


def test_functions_and_types_of_the_notebook_are_named_in_the_page(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "weather", weather, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "Numbers", list[int], raising=False)
    page = open_page()
    page.ask("edit", seq=1, fields={"tools": ["weather"], "response_format": "Numbers"}, unset=[])
    assert page.panel.draft.fields == {"tools": [weather], "response_format": list[int]}
    shown = page.last("form")["form"]
    assert shown["fields"]["tools"][0]["function"]["name"] == "weather"
    assert shown["problems"] == {}
    page.ask("edit", seq=2, fields={"tools": ["wether"]}, unset=[])
    assert "tools" in page.last("form")["form"]["problems"]


def test_texts_in_logit_bias_are_looked_up_when_it_is_sent(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    def answer(request: Request) -> Any:
        if request.path.endswith("/tokenize"):
            return Reply.json({"tokens": [{"id": 7042, "piece": " Paris"}]})
        return speaking("Rome.")(request)

    server.default = answer
    page = open_page(model="m")
    page.ask("edit", seq=1, fields={"logit_bias": {" Paris": -100}}, unset=[])
    assert page.last("form")["form"]["problems"] == {}
    assert server.requests == []
    page.ask("run")
    page.wait_over()
    assert server.requests[-1].body["logit_bias"] == {"7042": -100}
    assert page.panel.draft.fields["logit_bias"] == {" Paris": -100}


def test_all_asks_for_whole_rows(server: ScriptedServer, open_page: OpenPage) -> None:
    server.models_reply = {"data": [{"id": "m", "owned_by": "llamacpp", "meta": {"n_vocab": 321}}]}
    page = open_page(model="m", logprobs=True, max_completion_tokens=4)
    page.ask("edit", seq=1, fields={"top_logprobs": "all"}, unset=[])
    assert page.last("form")["form"]["problems"] == {}
    page.ask("run")
    page.wait_over()
    assert server.requests[-1].body["top_logprobs"] == 321


@pytest.mark.parametrize(
    ("kind", "name", "data", "key"),
    [("image", "a.png", picture(), "image_url"), ("audio", "a.wav", wav(), "input_audio")],
)
def test_a_file_of_the_page_goes_along_and_its_base64_stays_in_the_kernel(
    server: ScriptedServer, open_page: OpenPage, kind: str, name: str, data: bytes, key: str
) -> None:
    page = open_page("What is this?")
    text = base64.b64encode(data).decode()
    page.ask("attach", place=0, kind=kind, name=name, data=text)
    form = page.last("form")["form"]
    ((address, facts),) = form["attachments"].items()
    assert name in facts["facts"]
    assert text not in json.dumps(form["messages"])
    edited = form["messages"]
    edited[0]["content"][0]["text"] = "What is that?"
    page.ask("edit", seq=1, fields={}, unset=[], messages=edited)
    page.ask("run")
    page.wait_over()
    said, part = server.requests[0].body["messages"][0]["content"]
    assert said["text"] == "What is that?"
    assert text in json.dumps(part[key])
    assert address not in json.dumps(server.requests[0].body)


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(open_page: OpenPage) -> None:
    page = open_page()
    page.ask("attach", place=0, kind="image", name="a.png", data=base64.b64encode(b"no").decode())
    assert "a.png" in page.last("refused")["sentence"]
    assert page.panel.draft.messages == [{"role": "user", "content": "Hi"}]


def test_what_is_attached_from_python_and_a_system_message_stand_in_the_messages(
    open_page: OpenPage,
) -> None:
    page = open_page(images=picture(), system="Be brief.")
    roles = [message["role"] for message in page.panel.draft.messages]
    assert roles == ["system", "user"]
    assert len(page.panel.opening["form"]["attachments"]) == 1


def test_an_option_is_a_control_of_the_page(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page()
    page.ask("edit", seq=1, fields={"max_retries": 0, "timeout": 5}, unset=[])
    assert (page.panel.draft.max_retries, page.panel.draft.timeout) == (0, 5)
    assert page.last("form")["form"]["fields"] == {"max_retries": 0, "timeout": 5}
    page.ask("edit", seq=2, fields={}, unset=["timeout"])
    assert page.panel.draft.timeout is None
    server.default = Reply.json({"error": {"message": "busy"}}, 503)
    page.ask("run")
    page.wait_over()
    assert len(server.requests) == 1


def test_a_panel_with_functions_and_pictures_has_its_picture(open_page: OpenPage) -> None:
    page = open_page(tools=[weather], response_format=list[int], images=picture(size=(90, 90)))
    html = page.panel.stand_in_html()
    assert "Say what the weather is." in html
    assert len(html) < 20_000


def test_fields_beside_a_run_are_kept_and_its_reply_is_shown(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    run = nbchat.chat("Hi", model="m", temperature=0.1, seed=7)
    page = open_page(run, temperature=0.7)
    assert page.panel.draft.fields == {"model": "m", "temperature": 0.7, "seed": 7}
    assert page.panel.last is run
    page.ask("hello")
    assert page.last("form")["form"]["fields"]["temperature"] == 0.7
    page.ask("run")
    page.wait_over()
    assert server.requests[-1].body["temperature"] == 0.7
