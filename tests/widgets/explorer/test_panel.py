"""The panel without a browser: what a page asks for, and what it hears."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import nbchat
from nbchat import session
from nbchat.client import Profile, Secret
from nbchat.code import Draft, draft_of
from nbchat.errors import CheckError
from tests.scripted import CUT, HANG, Gate, Reply, ScriptedServer, chunk, error, speaking, sse
from tests.widgets.explorer.conftest import Page

OpenPage = Callable[..., Page]
KEY = "sk-proj-0123456789abcdefghij"


def test_run_sends_the_draft_and_the_page_hears_the_reply(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.default = speaking("Hello **you**.")
    page = open_page(temperature=0.5)
    page.ask("run")
    page.wait_over()
    body = server.requests[0].body
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["temperature"] == 0.5
    assert list(page.texts().values()) == ["<div><p>Hello <strong>you</strong>.</p>\n</div>"]
    assert page.panel.last.text == "Hello **you**."
    assert page.panel.runs["status"].tolist() == ["complete"]


def test_an_edit_changes_the_request(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page()
    page.ask(
        "edit", seq=1, fields={"top_logprobs": 2}, messages=[{"role": "user", "content": "Yo"}]
    )
    page.ask("run")
    page.wait_over()
    body = server.requests[0].body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert body["messages"][0]["content"] == "Yo"
    assert len(page.panel.tokens())
    assert page.panel.alternatives().groupby("position").size().max() == 2
    assert len(page.panel.usage()) == 1


def test_a_wrong_value_holds_the_request_back(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page(temperature=3)
    page.ask("run")
    sentence = "temperature is 3, but it must be a number from 0 to 2."
    assert page.last("refused")["sentence"] == sentence
    with pytest.raises(CheckError, match="from 0 to 2"):
        page.panel.run()
    page.ask("edit", seq=1, fields={"temperature": 1})
    assert page.last("form")["form"]["problems"] == {}
    page.ask("run")
    page.wait_over()
    assert [request.body["temperature"] for request in server.requests] == [1]


def test_without_a_message_nothing_is_sent(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page(None)
    page.ask("run")
    assert page.last("refused")["sentence"] == "Write a message first."
    assert server.requests == []


@pytest.mark.parametrize("head", ["before", "after"])
def test_stop_closes_the_socket_and_keeps_the_text(
    server: ScriptedServer, open_page: OpenPage, head: str
) -> None:
    """Before the server has answered at all, and in the middle of the answer."""
    some = Reply([sse(chunk("Some"), done=False), HANG])
    server.default = Reply(before=[HANG]) if head == "before" else some
    page = open_page()
    page.ask("run")
    (request,) = server.wait_for_requests()
    if head == "after":
        page.wait(page.texts)
    stopped_at = time.perf_counter()
    page.ask("stop")
    page.wait_over()
    disconnected_at = request.wait_over().disconnected_at
    assert disconnected_at is not None
    assert disconnected_at - stopped_at < 0.5
    assert page.entries[0].state == "interrupted"
    assert page.panel.last.text == ("Some" if head == "after" else "")
    assert len(server.requests) == 1


def test_a_run_that_is_overtaken_is_stopped(server: ScriptedServer, open_page: OpenPage) -> None:
    server.reply(Reply([sse(chunk("old"), done=False), HANG]))
    page = open_page()
    page.ask("run")
    page.wait(page.texts)
    page.ask("edit", seq=1, fields={"temperature": 0})
    page.ask("run", auto=True)
    page.wait_over()
    assert server.requests[0].wait_over().disconnected_at is not None
    assert [entry.state for entry in page.entries] == ["interrupted", "complete"]
    assert page.panel.runs["status"].tolist() == ["interrupted", "complete"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(400, "It will not do.", param="n"), "It will not do."),
        (Reply([sse(chunk("Half"), done=False), CUT]), "The connection was lost"),
    ],
)
def test_a_failure_is_a_sentence_and_the_panel_goes_on(
    server: ScriptedServer, open_page: OpenPage, reply: Any, words: str
) -> None:
    server.reply(reply)
    page = open_page()
    page.ask("run")
    page.wait_over()
    (lane,) = page.desk.screen._lanes()
    assert words in lane["error"]
    assert page.last("rows")["rows"][-1]["state"] == "error"
    page.ask("run")
    page.wait_over()
    assert page.entries[-1].state == "complete"
    assert page.panel.runs["status"].tolist() == ["error", "complete"]


def test_vary_sends_all_values_four_at_a_time(server: ScriptedServer, open_page: OpenPage) -> None:
    gate = Gate()
    server.default = lambda _: Reply(
        [sse(chunk("x"), done=False), gate, sse(chunk("y"), chunk(finish_reason="stop"))]
    )
    page = open_page()
    page.ask("vary", axes=[{"name": "temperature", "text": "[0, 0.4, 0.8, 1.2, 1.6]"}])
    server.wait_for_requests(4)
    time.sleep(0.1)
    assert len(server.requests) == 4
    assert len(page.last("lanes")["lanes"]) == 5
    gate.open()
    page.wait_over()
    assert sorted(r.body["temperature"] for r in server.requests) == [0, 0.4, 0.8, 1.2, 1.6]
    assert page.panel.draft.fields == {}  # the draft itself is as it was
    assert [entry.label for entry in page.entries][1] == "temperature 0.4"


def test_values_that_break_a_rule_are_refused_before_any_request(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page()
    page.ask("vary", axes=[{"name": "temperature", "text": "[0, 5]"}])
    assert page.last("refused")["what"] == "vary"
    assert "from 0 to 2" in page.last("refused")["sentence"]
    assert server.requests == []


def test_a_notebook_can_vary_and_wait_too(server: ScriptedServer, open_page: OpenPage) -> None:
    panel = open_page().panel
    panel.vary("seed", [1, 2])
    panel.wait()
    assert panel.runs["seed"].tolist() == [1, 2]
    for name, values in (("seeds", [1]), ("seed", []), ("seed", ["x"])):
        with pytest.raises(CheckError, match=name):
            panel.vary(name, values)
    assert len(server.requests) == 2


def test_stop_holds_back_what_was_not_sent_yet(server: ScriptedServer, open_page: OpenPage) -> None:
    server.default = Reply([sse(chunk("x"), done=False), HANG])
    page = open_page()
    page.ask("vary", axes=[{"name": "seed", "text": "[1, 2, 3, 4, 5, 6]"}])
    server.wait_for_requests(4)
    page.ask("stop")
    page.wait_over()
    assert {entry.state for entry in page.entries} == {"interrupted"}
    assert len(server.requests) == 4
    assert len(page.panel.runs) == 4  # what was never sent is no run


def test_a_row_of_the_history_brings_its_request_back(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page(temperature=0.1)
    page.ask("run")
    page.wait_over()
    page.ask("edit", seq=1, fields={"temperature": 0.9, "seed": 3})
    page.ask("run")
    page.wait_over()
    rows = {
        row["number"]: row
        for message in page.heard
        if message["on"] == "rows"
        for row in message["rows"]
    }
    assert (
        rows[2]["changes"] == "seed 3, temperature 0.9"
        or rows[2]["changes"] == "temperature 0.9, seed 3"
    )
    page.ask("show", id=rows[1]["id"])
    assert page.panel.draft.fields == {"temperature": 0.1}
    assert page.last("form")["form"]["fields"] == {"temperature": 0.1}
    assert [lane["id"] for lane in page.last("lanes")["lanes"]] == [rows[1]["id"]]


def test_pinned_replies_are_compared_field_by_field_and_word_by_word(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.reply(speaking("The sky is blue."), speaking("The sea is blue."))
    page = open_page()
    page.ask("vary", axes=[{"name": "temperature", "text": "[0]"}])
    page.wait_over()
    page.ask("vary", axes=[{"name": "temperature", "text": "[1]"}])
    page.wait_over()
    for entry in page.entries:
        page.ask("pin", id=entry.id)
    page.ask("compare")
    first, second = page.last("compare")["columns"]
    assert (first["changes"], second["changes"]) == ([["temperature", "0"]], [["temperature", "1"]])
    assert ["sky", "removed"] in first["parts"]
    assert ["sea", "added"] in second["parts"]
    page.ask("compare", base=second["id"])
    assert ["sky", "added"] in page.last("compare")["columns"][0]["parts"]
    page.ask("pin", id=first["id"])
    page.ask("compare")
    assert len(page.last("compare")["columns"]) == 1


def test_the_tokens_and_their_alternatives_are_told(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.default = speaking("One two three.")
    page = open_page(logprobs=True, top_logprobs=3, temperature=0.5)
    page.ask("run")
    page.wait_over()
    page.ask("tokens", id=page.entries[0].id, choice=0)
    told = page.last("tokens")
    assert len(told["display"]) == len(told["prob"]) == len(told["spoken"]) == 4
    assert told["temperature"] == 0.5
    assert "Assumed" in told["basis"]
    page.ask("alternatives", id=page.entries[0].id, choice=0, start=1, count=2)
    rows = page.last("alternatives")["rows"]
    assert [len(row) for row in rows] == [3, 3]
    assert [entry[2] for entry in rows[0]].count(True) == 1


def test_a_temperature_that_was_left_to_the_server_is_not_taken_for_1(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.default = speaking("One two three.")
    page = open_page(logprobs=True, top_logprobs=3)
    page.ask("run")
    page.wait_over()
    page.ask("tokens", id=page.entries[0].id, choice=0)
    assert "before the temperature (the server's own)" in page.last("tokens")["basis"]


def test_without_logprobs_the_tokens_say_how_to_get_them(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page = open_page()
    page.ask("run")
    page.wait_over()
    page.ask("tokens", id=page.entries[0].id, choice=0)
    assert page.last("tokens")["display"] == []
    assert page.last("tokens")["can_ask"]
    assert "logprobs was not asked for" in page.last("tokens")["why"]


def test_the_code_is_the_request(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page(temperature=0.5, extra={"top_k": 2})
    page.ask("code")
    texts = page.last("code")["texts"]
    assert draft_of(texts["cell"]) == page.panel.draft
    assert json.loads(texts["json"])["top_k"] == 2
    assert "Authorization" in texts["curl"]
    assert "nbchat.chat(" in texts["call"]


def test_it_opens_in_the_state_of_a_run_params_a_mapping_or_a_cell(server: ScriptedServer) -> None:
    run = nbchat.chat("Why?", profile=server.url, temperature=0.3)
    panel = nbchat.explore(run)
    assert panel.draft == Draft(
        messages=[{"role": "user", "content": "Why?"}],
        fields={"temperature": 0.3},
        profile=server.url,
    )
    assert panel.last is run  # its reply is shown, and can be pinned
    panel.show(run)
    assert len(panel.runs) == 1
    assert nbchat.explore(nbchat.api.check({"n": 2})).draft == Draft(fields={"n": 2})
    assert nbchat.explore({"n": 2, "messages": "Hi"}).draft.messages[0]["content"] == "Hi"
    cell = nbchat.explore("%%chat --temperature 0.2\nWhy?")
    assert cell.draft.fields == {"temperature": 0.2}
    assert nbchat.explore("Why?", system="Be terse.").draft.messages[0]["role"] == "system"
    panel.draft = {"seed": 7}
    # what names no profile stays with the panel's
    assert panel.draft == Draft(fields={"seed": 7}, profile=server.url)
    panel.show("%%chat --model m\nsecret")
    assert panel.draft.profile == server.url
    panel.draft.fields["model"] = "changed"  # a copy
    assert panel.draft.fields == {"model": "m"}


def test_no_key_gets_into_the_page(server: ScriptedServer, open_page: OpenPage) -> None:
    profile = Profile(name="mine", base_url=server.url, key=Secret(KEY), model="m")
    server.reply(error(401, f"Incorrect API key provided: {KEY}"))
    page = open_page(profile=profile)
    page.ask("hello")
    page.ask("run")
    page.wait_over()
    page.ask("code")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    state = json.dumps(page.panel.get_state(), default=str)
    assert KEY not in state + json.dumps(page.heard) + page.panel.stand_in_html()
    with pytest.raises(CheckError, match="belongs to the profile"):
        nbchat.explore("Hi", api_key=KEY)
    page.ask("edit", seq=1, extra={"api_key": KEY})
    assert KEY not in json.dumps(page.heard)


def test_a_page_that_comes_late_is_told_all(server: ScriptedServer, open_page: OpenPage) -> None:
    page = open_page()
    page.ask("run")
    page.wait_over()
    texts = page.texts()
    page.heard.clear()
    page.ask("hello")
    assert page.texts() == texts
    assert page.last("rows")["whole"]
    page.wait(lambda: any(message["on"] == "models" for message in page.heard))
    assert page.last("models")["names"] == server.models


def test_models_of_a_silent_server_keep_nobody_waiting(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.models_reply = Reply(before=[HANG])
    page = open_page()
    began = time.monotonic()
    page.ask("models")
    assert time.monotonic() - began < 0.2


def test_closing_stops_what_runs(server: ScriptedServer, open_page: OpenPage) -> None:
    server.default = Reply([sse(chunk("x"), done=False), HANG])
    page = open_page()
    page.ask("run")
    page.wait(page.texts)
    page.panel.close()
    assert server.requests[0].wait_over().disconnected_at is not None
    assert page.panel.last.status == "interrupted"
    page.panel.close()  # twice is no error


def test_the_picture_has_request_reply_and_tokens_and_nothing_acts(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    server.default = speaking("<img src=x onerror=alert(1)> **bold**")
    page = open_page("<script>alert(2)</script>", logprobs=True, top_logprobs=2)
    page.ask("run")
    page.wait_over()
    html = page.panel.stand_in_html()
    assert "&lt;script&gt;" in html
    assert "<strong>bold</strong>" in html
    assert "Probability of each token" in html
    assert "<img" not in html
    assert "<script" not in html


def test_nonsense_from_a_page_is_a_sentence_or_nothing(open_page: OpenPage) -> None:
    page = open_page()
    page.panel._answers.take("nonsense")
    page.panel._answers.take({"do": "explode"})
    page.ask("show", id="entry-none")
    wrong = {"do": "edit", "view": "page", "seq": 1, "messages": "not a list"}
    page.panel._answers.take(wrong)
    page.ask("run")
    assert page.last("refused")["by"] == "page"


def test_drafts_that_json_cannot_carry_are_refused_at_the_door() -> None:
    with pytest.raises(ValueError, match="temperature"):
        nbchat.explore(temperature=float("nan"))
    assert msgspec.json.encode(nbchat.explore("Hi", seed=2**62).opening)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"temprature": 9}, "Did you mean temperature?"),
        ({"images": "a.png"}, "images names a.png: there is no such file"),
        ({"thread": "main"}, "explore() takes no thread"),
        ({"extra": 5}, "extra is 5, but it must be a mapping of fields"),
        ({"tools": [lambda *many: 1]}, "tools"),
    ],
)
def test_what_is_no_field_of_a_request_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckError) as caught:
        nbchat.explore("Hi", **fields)
    assert sentence in str(caught.value)


def test_messages_that_are_none_are_refused_and_the_panel_stays_as_it_is() -> None:
    panel = nbchat.explore("Hi")
    for wrong in ({"messages": 5}, {"messages": [None]}, [1]):
        with pytest.raises(TypeError, match="messages"):
            panel.show(wrong)
        with pytest.raises(TypeError, match="messages"):
            nbchat.explore(wrong)
    assert panel.draft == Draft(messages=[{"role": "user", "content": "Hi"}])


def test_functions_and_types_are_what_would_be_sent_for_them() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    panel = nbchat.explore("Hi", tools=[add], response_format=list[int])
    fields = panel.opening["form"]["fields"]
    assert fields["tools"][0]["function"]["name"] == "add"
    assert fields["response_format"]["type"] == "json_schema"
    assert panel.draft.fields["tools"] == [add]


def test_values_to_vary_over_can_be_numpys_and_must_be_several(server: ScriptedServer) -> None:
    server.default = speaking("Yes.")
    panel = nbchat.explore("Hi", profile=server.url)
    panel.vary("temperature", np.linspace(0, 1, 3))
    panel.wait()
    assert sorted(request.body["temperature"] for request in server.requests) == [0, 0.5, 1]
    for wrong in (5, "ab"):
        with pytest.raises(CheckError, match="list of values"):
            panel.vary("model", wrong)  # type: ignore[arg-type]


def test_sources_stand_below_the_reply_and_in_the_picture(
    server: ScriptedServer, open_page: OpenPage
) -> None:
    page_cited = {"url": "https://a.example/x", "title": "A page", "start_index": 0, "end_index": 2}
    cited = {"annotations": [{"type": "url_citation", "url_citation": page_cited}]}
    server.default = Reply(
        sse(
            chunk("Hi there."),
            chunk(delta={**cited, "reasoning_content": "Let me see."}),
            chunk(finish_reason="stop"),
        )
    )
    page = open_page()
    page.ask("run")
    page.wait_over()
    (shown,) = page.texts().values()
    assert "Hi there." in shown
    assert 'href="https://a.example/x"' in shown
    picture = page.panel.stand_in_html()
    assert 'href="https://a.example/x"' in picture
    assert "Let me see." in picture


@pytest.mark.local
def test_texts_and_the_word_all_become_what_the_embedded_model_takes(weights: Path) -> None:
    bias = {" Paris": -100}
    draft = nbchat.explore("Hi", profile="local", logit_bias=bias).draft
    prepared = session.prepare(draft, say=lambda _: None)
    ((token_id, amount),) = prepared.params.given()["logit_bias"].items()
    assert token_id.isdigit()
    assert amount == -100
    limits = {"logprobs": True, "max_completion_tokens": 2}
    panel = nbchat.explore("Hi", profile="local", top_logprobs="all", **limits)
    panel.run()
    panel.wait()
    assert panel.alternatives().groupby("position").size().tolist() == [49_152] * 2
