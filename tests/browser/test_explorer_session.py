"""The panel meets its user: three tasks, and that it never pretends and never loses."""

# mypy: allow-untyped-calls

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any, get_args

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, Theme
from tests.browser.test_explorer import CLIPPED, SKY, Panel, bodies, body_of, panel_of
from tests.browser.test_explorer_tools import FUNCTION
from tests.media.made import picture
from tests.scripted import HANG, Reply, Request, ScriptedServer, chunk, speaking, sse

pytestmark = pytest.mark.browser

FORMULA = "It is $E = mc^2$, **truly**.\n\nשלום: it rains."
KERNEL = """name => [...jupyterapp.shell.widgets('main')].find(
    widget => widget.context?.path === name).context.sessionContext"""
SPY = """() => { window.copied = [];
    navigator.clipboard.writeText = async (text) => { window.copied.push(text); }; }"""
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def a_call_then_words(request: Request) -> Any:
    """A call of `weather`; with its result in the conversation, words with a formula."""
    if any(message["role"] == "tool" for message in request.body["messages"]):
        return speaking(FORMULA)(request)
    function = {"name": "weather", "arguments": json.dumps({"city": "Ulm"})}
    delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
    return Reply(sse(chunk(delta=delta), chunk(finish_reason="tool_calls")))


def test_a_conversation_goes_on_and_a_call_is_answered(lab: Lab, server: ScriptedServer) -> None:
    """The first task; with it copies, the reply as it came, formulas, marks and notes."""
    server.default = a_call_then_words
    arguments = f"'A coat in Ulm?', tools=[{WEATHER}]"
    with panel_of(lab, "goes-on", server, arguments, before=FUNCTION) as panel:
        panel.page.evaluate(SPY)
        panel.run()
        expect(panel.reply).to_contain_text("weather(")
        panel.wait_over()
        panel.button("Add to the conversation").click()
        expect(panel.root.locator(".nbx-beside").last).to_contain_text("result of weather")
        # what nobody named for the tool is typed by hand; a function that is named can be run
        panel.prompt(3).fill("Snow.")
        panel.box("tools, JSON").fill('["weather"]')
        panel.root.get_by_role("button", name="call weather").click()
        expect(panel.prompt(3)).to_have_value(re.compile('"rain":true'))
        panel.button("Undo").click()
        expect(panel.prompt(3)).to_have_value("Snow.")
        panel.notebook.screenshot("explorer-answers-a-call")
        panel.run()
        expect(panel.root.locator(".nbx-text mjx-container")).to_have_count(1)
        panel.wait_over()
        assert body_of(server, 1)["messages"][2]["content"] == "Snow."
        # right to left where the text is
        last = panel.root.locator(".nbx-block").last
        assert last.evaluate("el => getComputedStyle(el).direction") == "rtl"
        for count, form in enumerate(("Text", "Markdown", "JSON"), start=1):
            panel.root.locator(".nbx-menu summary").click()
            panel.root.get_by_role("menuitem", name=form).click()
            panel.page.wait_for_function("count => window.copied.length === count", arg=count)
            expect(panel.status).to_have_text("Copied.")
        text, markdown, whole = panel.page.evaluate("window.copied")
        assert "truly." in text
        assert "**" not in text
        assert markdown == FORMULA
        assert json.loads(whole)["message"]["content"] == FORMULA
        panel.box("show replies as they came").check()
        expect(panel.root.locator(".nbx-source")).to_have_text(FORMULA)
        panel.button("mark this reply as good").click()
        panel.button("write a note on this reply").click()
        panel.box("note on this reply").fill("the better one")
        panel.page.keyboard.press("Tab")
        panel.button("Add to the conversation").click()
        expect(panel.prompt(5)).to_have_value("")
        panel.prompt(5).fill("And tomorrow?")
        panel.run()
        panel.wait_over()
        roles = [message["role"] for message in body_of(server, 2)["messages"]]
        assert roles == ["user", "assistant", "tool", "assistant", "user"]
        panel.tab("History").click()
        expect(panel.root.locator(".nbx-history tbody tr").nth(1)).to_contain_text("the better")
        panel.notebook.screenshot("explorer-goes-on")
        panel.notebook.write_cell(1, "ex.runs[['mark', 'note']].iloc[1].tolist()")
        panel.notebook.run(1)
        panel.notebook.wait_text(1, "['good', 'the better one']")


def test_a_prompt_is_tried_with_five_values_on_two_models(lab: Lab, server: ScriptedServer) -> None:
    """The second task; then the same as a sweep."""
    server.default = lambda request: speaking(request.body["messages"][0]["content"])(request)
    with panel_of(lab, "values", server, "''", size=(1600, 900)) as panel:
        panel.prompt().fill("Is {{ thing }} a fruit?")
        panel.box("thing has several values").check()
        panel.box("value of thing").fill("an apple\na car\na plum\na pea\n7")
        panel.button("Vary…").click()
        panel.box("parameter to vary").select_option("model")
        panel.box("values, with commas between them").fill("m, n")
        panel.notebook.screenshot("explorer-vary")
        panel.root.get_by_role("button", name="Run 10").click()
        lanes = panel.root.locator(".nbx-reply .nbx-lane")
        expect(lanes).to_have_count(10)
        panel.wait_over()
        expect(lanes.nth(3)).to_contain_text("thing a car · model n")
        expect(lanes.nth(3)).to_contain_text("Is a car a fruit?")
        boxes = [lanes.nth(k).bounding_box() for k in (0, 1, 2)]
        assert boxes[0]
        assert boxes[1]
        assert boxes[2]
        assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"]  # a row for each value
        asked = {(body["model"], body["messages"][0]["content"]) for body in bodies(server)}
        assert len(asked) == 10
        panel.notebook.screenshot("explorer-grid")
        panel.button("Vary…").click()
        panel.button("Sweep this").click()
        expect(panel.notebook.cells).to_have_count(3)
        code = panel.notebook.cell(1).locator(".cm-content")
        expect(code).to_contain_text("nbchat.sweep(")
        expect(code).to_contain_text("'thing': 'a plum'")
        # what the variables make alone, in the place of the code that nobody has touched
        panel.button("Sweep all").click()
        expect(code).not_to_contain_text("grid")
        expect(code).to_contain_text("'thing': 'a plum'")
        expect(panel.notebook.cells).to_have_count(3)


def test_a_panel_is_left_the_kernel_restarted_and_it_goes_on(
    lab: Lab, server: ScriptedServer
) -> None:
    """The third task: what a panel was left at is what its cell opens with."""
    with panel_of(lab, "left", server, "'Hi'") as panel:
        notebook = panel.notebook
        panel.prompt().fill("Why is it blue?")
        panel.box("temperature").fill("0.3")
        panel.run_button.dblclick()  # the second of two clicks is no request
        expect(panel.reply).to_contain_text("Hello")
        panel.wait_over()
        server.reply(Reply([sse(chunk("Half of"), done=False), HANG]))
        panel.run()
        expect(panel.reply).to_contain_text("Half of")
        assert len(server.requests) == 2
        panel.page.evaluate(
            f"async name => {{ await ({KERNEL})(name).restartKernel(); }}", "left.ipynb"
        )
        expect(panel.status).to_contain_text("The kernel was restarted: run the cell again.")
        expect(panel.run_button).to_be_disabled()
        # what has come stays, and does not look as if it went on
        expect(panel.reply).to_contain_text("Half of")
        expect(panel.root.locator(".nbx-lane[aria-busy=true]")).to_have_count(0)
        expect(panel.root.locator(".nbx-foot")).to_contain_text("cut off: the kernel was restart")
        panel.prompt().fill("Why is it so blue?")  # and what is typed now is not lost either
        notebook.screenshot("explorer-restarted")
        panel.button("Open this state in a new cell").click()
        expect(notebook.cells).to_have_count(3)
        code = notebook.cell(1).locator(".cm-content")
        for part in ("Why is it so blue?", "temperature=0.3", server.url):
            expect(code).to_contain_text(part)
        notebook.wait_idle()
        notebook.run(0)
        expect(panel.prompt()).to_have_value("Why is it so blue?")
        expect(panel.box("temperature")).to_have_value("0.3")
        expect(panel.status).to_have_text("The panel is as you left it.")
        panel.run()
        expect(panel.reply).to_contain_text("Hello")
        assert body_of(server, 2)["messages"][0]["content"] == "Why is it so blue?"
        notebook.run(1)
        notebook.cell(1).locator(".nbx").wait_for()
        # a cell that says something else is heard
        source = f"import nbchat\nex = nbchat.explore('Ho', profile={server.url!r})\nex"
        notebook.write_cell(0, source)
        notebook.run(0)
        here = notebook.cell(0).locator(".nbx")
        expect(here.get_by_label("text of message 1", exact=True)).to_have_value("Ho")
        assert "temperature" not in json.dumps(notebook.save().cells[0].source)


def test_nothing_that_was_typed_is_lost(lab: Lab, server: ScriptedServer) -> None:
    server.default = Reply(before=[HANG])
    arguments = "'First', system='Be terse.', response_format={'type': 'text'}"
    with panel_of(lab, "lost", server, arguments) as panel:
        keys = panel.page.keyboard
        area = panel.box("response_format, JSON")
        find = panel.box("find a parameter by name or meaning")
        find.fill("response_format")
        panel.button("JSON").click()
        expect(area).to_have_value(re.compile("json_object"))
        keys.press("ControlOrMeta+Z")
        expect(area).to_have_value(re.compile('"text"'))
        panel.button("reset all").click()
        expect(area).to_have_value("")
        panel.button("Undo").click()
        expect(area).to_have_value(re.compile('"text"'))
        find.fill("")
        panel.button("remove this message").first.click()
        expect(panel.status).to_have_text("Message 1 is removed.")
        keys.press("ControlOrMeta+Z")
        expect(panel.prompt(1)).to_have_value("Be terse.")
        # stopped before the first token: the pane says so, and the line tells of the run
        panel.run()
        server.wait_for_requests()
        panel.button("Stop").click()
        panel.wait_over()
        expect(panel.root.locator(".nbx-blank")).to_have_text("Stopped before the first token.")
        panel.root.locator('[data-field="temperature"]').hover()
        expect(panel.status).to_have_text("Run 1: interrupted.")
        expect(panel.root.locator(".nbx-help")).to_contain_text("temperature:")
        # of a long text the browser is not asked which way each line runs: that takes it seconds
        panel.prompt(2).fill("some words " * 2_000)
        expect(panel.prompt(2)).to_have_attribute("dir", "ltr")
        panel.prompt(2).fill("שלום " * 5_000)
        expect(panel.prompt(2)).to_have_attribute("dir", "rtl")
        # what was not sent is a row, and comes back
        panel.prompt(2).fill("Never sent")
        expect(panel.prompt(2)).to_have_attribute("dir", "auto")
        panel.tab("History").click()
        rows = panel.root.locator(".nbx-history tbody tr")
        rows.first.click()
        expect(panel.prompt(2)).to_have_value("First")
        expect(rows).to_have_count(2)
        rows.first.click()
        expect(panel.prompt(2)).to_have_value("Never sent")
        panel.notebook.screenshot("explorer-unsent")


def test_requests_are_pasted_dropped_built_and_written_large(
    lab: Lab, server: ScriptedServer
) -> None:
    with panel_of(lab, "made", server, "'Hi'") as panel:
        panel.button("paste…").click()
        box = panel.box("a request that was copied from elsewhere")
        box.fill("curl https://x.test/v1/chat/completions")
        panel.button("Read it").click()
        expect(panel.root.locator(".nbx-paste .nbx-fault")).to_contain_text("sends no data")
        said = "[{'role': 'user', 'content': 'Yo'}]"
        box.fill(f"client.chat.completions.create(model='m', messages={said}, seed=3)")
        panel.button("Read it").click()
        expect(panel.prompt()).to_have_value("Yo")
        expect(panel.box("seed")).to_have_value("3")
        # a schema from a form
        find = panel.box("find a parameter by name or meaning")
        find.fill("response_format")
        row = panel.root.locator('[data-field="response_format"]')
        row.get_by_role("button", name="build…").click()
        panel.box("name of the schema").fill("fruit")
        panel.box("property name").fill("colour")
        panel.box("property description").fill("of the skin")
        panel.notebook.screenshot("explorer-build")
        panel.button("Use this schema").click()
        area = panel.box("response_format, JSON")
        expect(area).to_have_value(re.compile('"colour"'))
        # large, with lines and colours
        row.get_by_role("button", name="large").click()
        large = panel.root.get_by_role("dialog", name="response_format")
        expect(large.locator(".json-key").first).to_be_visible()
        expect(large.locator(".nbx-gutter")).to_contain_text("20")
        panel.notebook.screenshot("explorer-large")
        # it opens at its first line, Enter and Tab indent, and the focus stays in it
        keys, typed = panel.page.keyboard, panel.box("response_format, large")
        for key in ("ArrowRight", "Enter", "Tab"):
            keys.press(key)
        keys.insert_text('"שלום": 1,')
        expect(typed).to_have_value(re.compile('^{\\n    "שלום": 1,\\n'))
        assert typed.evaluate("el => getComputedStyle(el).direction") == "ltr"
        keys.press("Shift+Tab")
        keys.press("Shift+Tab")
        expect(typed).to_be_focused()
        whole = json.loads(area.input_value())
        assert whole.pop("שלום") == 1
        whole["json_schema"]["name"] = "plum"
        panel.box("response_format, large").fill(json.dumps(whole, indent=2))
        panel.page.keyboard.press("Escape")
        expect(large).to_be_hidden()
        find.fill("")
        # a picture that is dropped
        data = base64.b64encode(picture()).decode()
        transfer = panel.page.evaluate_handle(
            """data => { const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            transfer.items.add(new File([bytes], 'dropped.png', { type: 'image/png' }));
            return transfer; }""",
            data,
        )
        panel.root.locator(".nbx-message").dispatch_event("drop", {"dataTransfer": transfer})
        expect(panel.root.locator(".nbx-attachments li")).to_contain_text("dropped.png")
        panel.run()
        panel.wait_over()
        body = body_of(server, 0)
        assert body["response_format"]["json_schema"]["name"] == "plum"
        assert body["seed"] == 3
        assert body["messages"][0]["content"][1]["type"] == "image_url"
        # what OpenAI calls deprecated this server still wants
        find.fill("max_tokens")
        expect(panel.root.locator('[data-field="max_tokens"] .nbx-range')).to_be_visible()
        expect(panel.root.locator('[data-field="max_tokens"] .nbx-tag')).to_be_hidden()
        # what only one kind of server takes has controls there
        panel.notebook.write_cell(
            1,
            f"from nbchat.client import Profile\n"
            f"nbchat.explore('Hi', profile=Profile(name='vllm', base_url={server.url!r}))",
        )
        panel.notebook.run(1)
        other = panel.notebook.cell(1).locator(".nbx")
        other.get_by_text("Of vllm alone").click()
        other.get_by_label("top_k", exact=True).fill("40")
        panel.notebook.screenshot("explorer-server-fields", cell=1)
        other.locator(".nbx-bar-top .primary").click()
        assert body_of(server, 1)["top_k"] == 40


SHUT_VIEW = """() => [...jupyterapp.shell.widgets('main')].find(
    widget => widget.node.querySelector('.jp-LinkedOutputView')).close()"""
LOSE = f"""name => {{ const kernel = ({KERNEL})(name).session.kernel;
    window.before = kernel.serverSettings.WebSocket;
    kernel.serverSettings.WebSocket = class {{
        constructor() {{ setTimeout(() => this.onclose?.({{}}), 20); }} close() {{}} }};
    kernel._ws.close(); }}"""
FIND = f"""async name => {{ const kernel = ({KERNEL})(name).session.kernel;
    kernel.serverSettings.WebSocket = window.before; await kernel.reconnect(); }}"""


def test_a_lost_link_and_a_closed_panel_are_what_they_are(lab: Lab, server: ScriptedServer) -> None:
    with panel_of(lab, "lost-link", server, "'Hi'") as panel:
        panel.page.evaluate(LOSE, "lost-link.ipynb")
        expect(panel.status).to_contain_text("The link to the kernel is lost")
        expect(panel.run_button).to_be_disabled()
        panel.page.evaluate(FIND, "lost-link.ipynb")
        expect(panel.run_button).to_be_enabled()
        panel.run()
        expect(panel.reply).to_contain_text("Hello")
        panel.wait_over()
        # closed where it was opened: its picture stays, and nothing goes wrong in the page
        panel.notebook.write_cell(
            1,
            "from IPython.display import display\nother = nbchat.explore('Closed')\n"
            "display(other)\nother.close()",
        )
        panel.notebook.run(1)
        panel.notebook.wait_text(1, "Closed")
        panel.notebook.wait_idle()
        expect(panel.notebook.cell(1).locator(".nbx")).to_have_count(0, timeout=20_000)
        expect(panel.notebook.cell(1).locator("[data-nbchat-stand-in]")).to_be_visible()
        expect(panel.notebook.cell(1)).not_to_contain_text("Error")
        panel.notebook.write_cell(
            2, "ex.close(); len(__import__('ipywidgets').widgets.widget._instances)"
        )
        panel.notebook.run(2)
        expect(panel.notebook.outputs(2)).to_have_text("0")


def test_the_first_look_at_three_widths(lab: Lab, server: ScriptedServer) -> None:
    server.default = speaking(SKY, tokens_per_s=600)
    arguments = "'Why is the sky blue?', temperature=0.7, logprobs=True, n=1"
    with panel_of(lab, "look", server, arguments, size=(1600, 1000)) as panel:
        panel.run()
        panel.wait_over()
        for theme, width in itertools.product(get_args(Theme), (1600, 1100, 700)):
            panel.notebook.show(theme=theme, width=width)
            panel.root.scroll_into_view_if_needed()
            check_the_first_look(panel)
            panel.notebook.screenshot(f"explorer-look-{theme}-{width}")
        # an orphan is as wide as a row
        panel.notebook.show(theme="light", width=1100)
        panel.notebook.write_cell(1, "ex.vary('seed', [1, 2, 3, 4]); ex.wait()")
        panel.notebook.run(1)
        lanes = panel.root.locator(".nbx-reply .nbx-lane")
        expect(lanes).to_have_count(4)
        panel.wait_over()
        ends = [
            box["x"] + box["width"]
            for box in (lanes.nth(k).bounding_box() for k in range(4))
            if box
        ]
        assert max(ends) - ends[-1] < 2
        # drawn to another width
        divider = panel.root.get_by_role("separator")
        before = panel.root.locator(".nbx-left").bounding_box()
        divider.focus()
        for _ in range(5):
            panel.page.keyboard.press("ArrowRight")
        after = panel.root.locator(".nbx-left").bounding_box()
        assert before
        assert after
        assert after["width"] > before["width"] + 50
        # high contrast: what is pressed, chosen or changed is seen without its colour
        panel.page.emulate_media(forced_colors="active")
        panel.button("mark seed 1 as good").click()
        expect(panel.button("mark seed 1 as good")).to_have_attribute("aria-pressed", "true")
        style = "el => getComputedStyle(el).outlineStyle"
        assert panel.button("mark seed 1 as good").evaluate(style) == "solid"
        panel.notebook.screenshot("explorer-forced-colours")
        panel.tab("Tokens").click()
        panel.page.wait_for_timeout(200)
        panel.notebook.screenshot("explorer-forced-colours-tokens")
        panel.page.emulate_media(forced_colors="none")
        # a view of its own is filled
        panel.root.locator(".nbx-tabs").click(button="right")
        panel.page.locator(".lm-Menu-itemLabel", has_text="Create New View for Cell Output").click()
        view = panel.page.locator(".jp-LinkedOutputView")
        view.locator(".nbx-columns").wait_for()
        panel.page.wait_for_timeout(300)
        inner, outer = view.locator(".nbx").bounding_box(), view.bounding_box()
        panel.notebook.screenshot("explorer-own-view")
        assert inner
        assert outer
        assert abs(inner["height"] - outer["height"]) < 24
        panel.page.evaluate(SHUT_VIEW)


def check_the_first_look(panel: Panel) -> None:
    root, run = panel.root.bounding_box(), panel.run_button.bounding_box()
    assert root
    assert run
    assert run["x"] + run["width"] > root["x"] + root["width"] - 24
    assert run["y"] < root["y"] + 24
    assert panel.root.evaluate(CLIPPED) == []
    names = panel.root.locator(".nbx-name").all()
    cut = "el => el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== 'inline'"
    assert not [name.inner_text() for name in names if name.is_visible() and name.evaluate(cut)]
    facts = panel.root.locator(".nbx-foottools").bounding_box()
    assert facts
    assert facts["height"] < 44  # the footer is one line
