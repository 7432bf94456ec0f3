"""Replies that were to be JSON are shown in colours, or it is said why there is no object."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from nbchat.api.check import check
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.display.grey_line import grey_line
from nbchat.display.reply import reply_bundle
from nbchat.display.run_bundle import mimebundle
from nbchat.run import Run
from tests.display.inert import what_acts

JSON = {"type": "json_object"}


def run_of(*texts: str, finish: str = "stop", wanted: Any = JSON) -> Run:
    choices = [Choice(n, ResponseMessage(content=text), finish) for n, text in enumerate(texts)]
    params = check({} if wanted is None else {"response_format": wanted})
    return Run.from_completion(Completion(choices=choices), params=params)


def shown(html: str) -> str:
    inside = html.split("<code", 1)[1].split(">", 1)[1].split("</code>", maxsplit=1)[0]
    return unescape(re.sub(r"</?span[^>]*>", "", inside))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, null, true], "b": "<b> $5"}',
        '```json\n{"a": [1, null, true], "b": "<b> $5"}\n```',
        '<think>hm</think>\n{"a":[1,null,true],"b":"<b> $5"}',
    ],
)
def test_an_object_is_laid_out_in_colours_and_stays_byte_for_byte(text: str) -> None:
    run = run_of(text)
    assert run.completion is not None
    bundle = reply_bundle(run, run.completion.choices[0])
    assert bundle["text/markdown"] == text
    assert shown(bundle["text/html"]) == (
        '{\n  "a": [\n    1,\n    null,\n    true\n  ],\n  "b": "<b> $5"\n}'
    )
    assert '<span class="nt" style="color: var(--jp-mirror-editor-tag-color' in bundle["text/html"]
    assert what_acts(bundle["text/html"]) == []
    assert "no object" not in grey_line(run)
    assert shown(mimebundle(run)["text/html"]).startswith('{\n  "a"')


def test_keys_that_stand_there_twice_are_shown_twice() -> None:
    run = run_of('{"a": 1, "a": 1.50}')
    assert shown(mimebundle(run)["text/html"]) == '{\n  "a": 1,\n  "a": 1.50\n}'


@pytest.mark.parametrize(
    ("texts", "finish", "words"),
    [
        (["Sorry."], "stop", "no object: The reply is no JSON"),
        (['{"a": 1'], "length", "no object: The reply was cut off at its token limit"),
        (['{"a": 1}', "no"], "stop", "no object in choice 1: The reply is no JSON"),
    ],
)
def test_the_grey_line_says_why_there_is_no_object(
    texts: list[str], finish: str, words: str
) -> None:
    run = run_of(*texts, finish=finish)
    assert words in grey_line(run)
    assert not grey_line(run).endswith(".")


def test_a_reply_that_was_to_be_text_is_text() -> None:
    run = run_of('{"a": 1}', wanted=None)
    assert "text/html" not in mimebundle(run)
    assert "no object" not in grey_line(run)
