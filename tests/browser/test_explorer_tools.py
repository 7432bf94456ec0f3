"""Functions, questions, types and attachments in the panel, in a real JupyterLab."""

# mypy: allow-untyped-calls

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, Theme
from tests.browser.test_explorer import body_of, panel_of
from tests.media.made import picture
from tests.scripted import Reply, Request, ScriptedServer, chunk, speaking, sse

pytestmark = pytest.mark.browser

FUNCTION = '''
def weather(city: str, unit: str = "C") -> dict:
    """Say what the weather is."""
    return {"city": city, "rain": True, "unit": unit}
'''


def asking_for_weather(request: Request) -> Any:
    if request.body["messages"][-1]["role"] == "tool":
        return speaking("It rains in Ulm: **take a coat**.")(request)
    call = {"name": "weather", "arguments": json.dumps({"city": "Ulm"})}
    delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": call}]}
    return Reply(sse(chunk(delta=delta), chunk(finish_reason="tool_calls")))


@pytest.mark.parametrize("theme", get_args(Theme))
def test_a_function_waits_for_a_yes_runs_and_its_call_is_shown(
    lab: Lab, server: ScriptedServer, theme: Theme
) -> None:
    server.default = asking_for_weather
    arguments = "'Do I need a coat in Ulm?', tools=[weather], confirm=True"
    name = f"tools-{theme}"
    with panel_of(lab, name, server, arguments, theme=theme, before=FUNCTION) as panel:
        panel.run()
        question = panel.root.locator(".nbx-question")
        expect(question).to_contain_text("weather")
        expect(question).to_contain_text("Ulm")
        panel.notebook.screenshot(f"explorer-question-{theme}")
        question.get_by_role("button", name="Call").click()
        expect(panel.reply).to_contain_text("take a coat")
        expect(question).to_have_count(0)
        rounds = panel.root.locator(".nbx-rounds details")
        expect(rounds).to_have_count(1)
        rounds.locator("summary").click()
        expect(rounds).to_contain_text("rain")
        panel.wait_over()
        panel.notebook.screenshot(f"explorer-tools-{theme}")
    assert body_of(server, 0)["tools"][0]["function"]["name"] == "weather"
    assert body_of(server, 1)["messages"][-1]["role"] == "tool"


def test_a_call_that_is_declined_is_not_run(lab: Lab, server: ScriptedServer) -> None:
    server.default = asking_for_weather
    arguments = "'Do I need a coat in Ulm?', tools=[weather], confirm=True"
    with panel_of(lab, "declined", server, arguments, before=FUNCTION) as panel:
        panel.run()
        panel.root.locator(".nbx-question").get_by_role("button", name="Decline").click()
        panel.wait_over()
    assert "declined" in body_of(server, 1)["messages"][-1]["content"]


def test_a_picture_is_attached_seen_small_sent_and_removed(
    lab: Lab, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "noise.png"
    path.write_bytes(picture(size=(60, 40)))
    with panel_of(lab, "attached", server, "'What is this?'") as panel:
        with panel.page.expect_file_chooser() as chooser:
            panel.button("attach a picture, a recording or a PDF").click()
        chooser.value.set_files(path)
        shown = panel.root.locator(".nbx-attachments li")
        expect(shown).to_contain_text("noise.png")
        expect(shown.locator("img")).to_be_visible()
        panel.prompt().fill("What do you see?")
        panel.run()
        panel.wait_over()
        panel.notebook.screenshot("explorer-attached")
        text, image = body_of(server, 0)["messages"][0]["content"]
        assert text == {"type": "text", "text": "What do you see?"}
        assert image["image_url"]["url"].startswith("data:image/png;base64,")
        shown.get_by_role("button").click()
        expect(shown).to_have_count(0)
        panel.run()
        panel.wait_over()
    assert body_of(server, 1)["messages"] == [{"role": "user", "content": "What do you see?"}]


def test_names_of_the_notebook_stand_for_functions_and_types(
    lab: Lab, server: ScriptedServer
) -> None:
    server.default = speaking('{"value": [1]}')
    before = f"{FUNCTION}\nNumbers = list[int]"
    with panel_of(lab, "named", server, "'Hi'", before=before) as panel:
        find = panel.box("find a parameter by name or meaning")
        find.fill("tools")
        panel.box("tools, JSON").fill('["weather"]')
        find.fill("response_format")
        panel.box("response_format, JSON").fill('"Numbers"')
        find.fill("")
        panel.run()
        panel.wait_over()
        body = body_of(server, 0)
        assert body["tools"][0]["function"]["name"] == "weather"
        assert body["response_format"]["type"] == "json_schema"
        panel.tab("As code").click()
        expect(panel.root.locator(".nbx-code")).to_contain_text("--tools weather")
