"""Deltas: what is sent, put together, is the reply; and it grows with it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.code import Draft
from nbchat.display.sanitise import as_html
from nbchat.run import Run
from nbchat.widgets.explorer.entries import Entry
from nbchat.widgets.explorer.feed import LaneFeed
from tests.widgets.explorer.conftest import take

PIECES = st.lists(
    st.sampled_from(
        ["a", "word ", "\n", "\n\n", "**", "`", "```\n", "- ", "é", "😀", "[x][y]", "<b>"]
    ),
    max_size=40,
)


def entry_of(text: str, state: Any = "running", **message: Any) -> Entry:
    choice = Choice(index=0, message=ResponseMessage(content=text, **message))
    run = Run.from_completion(Completion(choices=[choice]))
    run.status = state
    entry = Entry(Draft(), 1, run=run)
    entry.state = state
    return entry


def say(entry: Entry, text: str) -> None:
    assert entry.run is not None
    choice = Choice(index=0, message=ResponseMessage(content=text))
    entry.run.completion = Completion(choices=[choice])


def inner(html: str) -> str:
    return html.removeprefix("<div>").removesuffix("</div>")


@given(PIECES)
def test_the_deltas_put_together_are_the_reply_rendered_whole(pieces: list[str]) -> None:
    entry = entry_of("")
    feed, blocks, text = LaneFeed(entry), [], ""  # type: ignore[var-annotated]
    for piece in pieces:
        text += piece
        say(entry, text)
        for choice in (feed.delta() or {}).get("choices", []):
            if "html" in choice:
                take(blocks, choice)
    entry.state = "complete"
    for choice in (feed.delta() or {}).get("choices", []):
        if "html" in choice:
            take(blocks, choice)
    assert "".join(map(inner, blocks)) == inner(as_html(text)) or not text.strip()
    # a page that comes late is told the same
    whole = feed.whole()["choices"]
    assert not whole or blocks == [] or whole[0]["html"] == blocks


def test_one_long_block_of_code_is_sent_once_and_not_again_with_each_frame() -> None:
    entry = entry_of("")
    feed, text, sent = LaneFeed(entry), "```python\n", 0
    for n in range(400):
        text += f"value_{n} = compute({n})\n"
        say(entry, text)
        sent += len(json.dumps(feed.delta()))
    assert sent < 8 * len(text)  # again with each frame it would be 200 times


def test_nothing_new_is_no_message() -> None:
    entry = entry_of("Hello")
    feed = LaneFeed(entry)
    assert feed.delta() is not None
    assert feed.delta() is None


def test_what_a_model_writes_stays_text() -> None:
    entry = entry_of("<img src=x onerror=alert(1)> [a](javascript:alert(1)) <script>")
    delta = LaneFeed(entry).delta()
    assert delta is not None
    html = "".join(delta["choices"][0]["html"])
    assert "<img" not in html
    assert "<script" not in html
    assert "href" not in html


def test_reasoning_and_calls_are_told_too() -> None:
    call = {"type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    entry = entry_of("Wait.", reasoning="hmm", tool_calls=[call])
    delta = LaneFeed(entry).delta()
    assert delta is not None
    (choice,) = delta["choices"]
    assert choice["thought"] == {"keep": 0, "tail": "hmm"}
    assert "look({&quot;at&quot;: 1})" in "".join(choice["html"])
