from __future__ import annotations

from typing import Any

import pytest

from nbchat.api.check import check
from nbchat.api.response import Choice, ResponseMessage, Usage
from nbchat.display.grey_line import facts_bundle
from nbchat.display.run_bundle import mimebundle
from tests.display.fakes import run_of


def cited(url: str, title: str = "A page", start: int = 0, end: int = 2) -> dict[str, Any]:
    body = {"url": url, "title": title, "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": body}


def test_choices_stand_side_by_side_with_their_finish_reasons() -> None:
    run = run_of("**one**", "<img src=x onerror=alert(1)>", status="complete")
    assert run.completion is not None
    run.completion.choices[1].finish_reason = "length<b>"
    html = run.side_by_side().html
    assert "choice 0 · stop" in html
    assert "choice 1 · length&lt;b&gt;" in html
    assert "<strong>one</strong>" in html
    assert "<img" not in html
    assert "auto-fit" in html
    assert repr(run.side_by_side()) == "<View: 2 choices>"


def test_a_run_without_choices_says_so_side_by_side() -> None:
    assert "no reply" in run_of(status="complete").side_by_side().html


def test_citations_are_numbered_links_of_the_web_only() -> None:
    run = run_of("Hi there", status="complete")
    run.message.annotations = [
        cited("https://a.example/?q=1&r=\"'<", '<script>"'),
        cited("javascript:alert(1)", "bad"),
        cited("https://a.example/?q=1&r=\"'<"),
        cited("HTTP://b.example", ""),
        {"type": "url_citation", "url": "https://flat.example", "title": "flat"},
        {"type": "other"}, "odd", {"type": "url_citation", "url_citation": 5},
    ]  # fmt: skip
    html = facts_bundle(run)["text/html"]
    assert html.count("<a ") == 3
    assert 'href="https://a.example/?q=1&amp;r=&quot;&#x27;&lt;"' in html
    assert "<script" not in html
    assert "[2] bad (javascript:alert(1))" in html
    assert "[4] <a " in html
    bundle = mimebundle(run)
    assert bundle["text/markdown"].startswith("Hi there\n\n<div")
    assert "[3] HTTP://b.example" in bundle["text/plain"]


def test_reasoning_is_folded_above_a_run() -> None:
    run = run_of("42", status="complete")
    run.message.reasoning = "a\n\n</details><b>"
    bundle = mimebundle(run)
    assert bundle["text/markdown"].startswith("<details><summary>reasoning · 16 characters")
    assert "<b>" not in bundle["text/markdown"]
    assert "</pre></details>\n\n42\n\n" in bundle["text/markdown"]
    assert bundle["text/plain"].startswith("reasoning · 16 characters\n\n42\n\n")


def predicting(before: Any, after: str) -> Any:
    content = {"prediction": {"type": "content", "content": before}}
    details = {"accepted_prediction_tokens": 5, "rejected_prediction_tokens": 2}
    usage = Usage(completion_tokens=7, completion_tokens_details=details)
    return run_of(after, status="complete", params=check(content), usage=usage)


def test_what_was_taken_over_from_the_prediction_is_underlined() -> None:
    run = predicting("a = 1\nname = <old>\n", "a = 1\nname = <new>\n")
    html = run.taken_over().html
    assert "underline" in html
    assert "a = 1&#10;name = &lt;</u>new<u" in html
    assert "16 of 19 characters (84%)" in html or "characters (84%)" in html
    assert "5 tokens accepted · 2 tokens rejected" in html
    frame = run.usage()
    assert frame["accepted_prediction_tokens"].tolist() == [5]
    assert frame["rejected_prediction_tokens"].tolist() == [2]


def test_a_prediction_in_parts_is_read() -> None:
    run = predicting([{"type": "text", "text": "a b"}], "a b")
    assert "3 of 3 characters (100%)" in run.taken_over().html


def test_without_a_prediction_nothing_can_be_taken_over() -> None:
    with pytest.raises(ValueError, match="no prediction"):
        run_of("a", status="complete").taken_over()
    with pytest.raises(ValueError, match="no choice 3"):
        predicting("a", "a").taken_over(3)


def test_citations_are_a_frame() -> None:
    run = run_of("", status="complete")
    assert run.completion is not None
    message = ResponseMessage(content="Hi there", annotations=[cited("https://a", "A", 3, 8)])
    run.completion.choices = [Choice(0, message, "stop")]
    row = run.citations().iloc[0]
    assert (row["choice"], row["number"], row["url"], row["title"]) == (0, 1, "https://a", "A")
    assert (row["start_index"], row["end_index"], row["text"]) == (3, 8, "there")
    message.annotations = [cited("https://a", "A", 3, 80)]
    assert run.citations()["text"].isna().tolist() == [True]
