from __future__ import annotations

import re

import pytest

from nbchat.api.response import Choice, ResponseMessage, Usage
from nbchat.display.characters import visible
from nbchat.display.grey_line import facts_bundle, grey_line
from nbchat.display.reply import fenced
from nbchat.display.run_bundle import mimebundle
from tests.display.fakes import run_of


def test_the_grey_line_says_what_a_reader_wants_to_know() -> None:
    run = run_of("Hi", status="complete", thread="main", turn=2, ttft_s=0.21, elapsed_s=1.21)
    assert run.completion is not None
    run.completion.choices[0].finish_reason = "length"
    line = "smollm2-135m · main 2 · 36 → 87 tokens · 210 ms to first · 86/s · length"
    assert grey_line(run) == line


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"text_tokens": 9}, {"text_tokens": 3}, "9 → 3 tokens"),
        ({"cached_tokens": 4}, {"reasoning_tokens": 2}, "9 → 3 tokens"),
        ({"cache_write_tokens": 1024}, {}, "9 → 3 tokens (1,024 written to the cache)"),
        (
            {"text_tokens": 2, "image_tokens": 7},
            {"text_tokens": 3},
            "9 → 3 tokens (5 of text, 7 of pictures)",
        ),
        ({"image_tokens": 7}, {}, "9 → 3 tokens (7 of pictures)"),
        (
            {"text_tokens": 2, "audio_tokens": 7},
            {"audio_tokens": 1, "text_tokens": 2},
            "9 → 3 tokens (4 of text, 8 of sound)",
        ),
        ({"audio_tokens": 7, "image_tokens": 0, "cache_write_tokens": 0}, {}, "9 → 3 tokens"),
    ],
)
def test_tokens_that_are_not_of_text_alone_are_told_apart(
    before: dict[str, int], after: dict[str, int], said: str
) -> None:
    usage = Usage(9, 3, 12, prompt_tokens_details=before, completion_tokens_details=after)
    assert said in grey_line(run_of("Hi", usage=usage)).split(" · ")


def test_each_part_of_the_grey_line_says_what_it_means() -> None:
    run = run_of(
        "Hi", status="interrupted", thread="main", turn=2, ttft_s=0.21, elapsed_s=1.21,
        cost_usd=0.5, tries=2, notes=["sent without seed"],
    )  # fmt: skip
    html = facts_bundle(run)["text/html"]
    parts = re.findall(r'<span title="([^"]+)">([^<]+)</span>', html)
    assert " · ".join(words for _, words in parts) == grey_line(run)
    assert len({meaning for meaning, _ in parts}) == len(parts) == 9


def test_what_is_unknown_is_left_out_of_the_grey_line() -> None:
    assert grey_line(run_of("Hi", status="complete", usage=None)) == "smollm2-135m"


@pytest.mark.parametrize(
    ("cost_usd", "shown"),
    [
        (0.0, "$0"),
        (0.000012345, "$0.000012"),
        (0.0342, "$0.034"),
        (0.5, "$0.50"),
        (12.345, "$12.35"),
        (1e-26, "under $0.000000000001"),
    ],
)
def test_a_cost_has_two_digits_that_count(cost_usd: float, shown: str) -> None:
    assert shown in grey_line(run_of("Hi", cost_usd=cost_usd)).split(" · ")


@pytest.mark.parametrize("status", ["interrupted", "error"])
def test_the_grey_line_says_how_a_run_ended(status: str) -> None:
    assert grey_line(run_of("Hi", status=status)).endswith(f" · {status}")


def test_the_grey_line_says_that_a_reply_is_empty() -> None:
    assert grey_line(run_of("", status="complete")).endswith("empty reply")


def test_retries_show_in_the_grey_line() -> None:
    assert "try 3" in grey_line(run_of("Hi", tries=3))


def test_a_run_is_shown_as_its_reply_and_the_grey_line() -> None:
    bundle = mimebundle(run_of("# Hi\n", status="complete"))
    assert bundle["text/markdown"].startswith('# Hi\n\n\n<div class="mathjax_ignore" style=')
    assert bundle["text/plain"] == "# Hi\n\n\nsmollm2-135m · 36 → 87 tokens"
    assert "text/html" not in bundle, "front ends would take it before the Markdown"


def test_the_grey_line_never_stands_in_a_code_block_that_was_left_open() -> None:
    markdown = mimebundle(run_of("```py\nx = 1", status="interrupted"))["text/markdown"]
    assert markdown.startswith("```py\nx = 1\n```\n\n<div")


def test_all_choices_are_shown() -> None:
    plain = mimebundle(run_of("one", "two", status="complete"))["text/plain"]
    assert plain.startswith("choice 0\n\none\n\nchoice 1\n\ntwo\n\n")


def test_names_that_a_server_sends_are_escaped() -> None:
    run = run_of("Hi", status="complete")
    assert run.completion is not None
    run.completion.model = "<img src=x onerror=alert(1)>\n\n# *x*"
    markdown = mimebundle(run)["text/markdown"]
    assert "<img" not in markdown
    assert len(markdown.split("\n\n")) == 2, "a blank line would end the HTML that holds the name"


def test_the_calls_a_model_asks_for_are_shown_as_text() -> None:
    run = run_of("", status="complete")
    assert run.completion is not None
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "```"}'}}
    message = ResponseMessage(tool_calls=[call])
    run.completion.choices = [Choice(0, message, "tool_calls")]
    bundle = mimebundle(run)
    assert '````\nf({"a": "```"})\n````' in bundle["text/markdown"]
    assert bundle["text/plain"].endswith("tool_calls")


def test_control_characters_become_visible() -> None:
    assert visible("a\x1b[31m\tb\nc\x9b\x7f") == "a␛[31m\tb\nc\\x9b\\x7f"


@pytest.mark.parametrize("text", ["", "a", "```", "a ```` b"])
def test_a_text_cannot_close_its_fence(text: str) -> None:
    fence = fenced(text).split("\n")[0]
    assert fence not in text
    assert fenced(text).endswith(f"\n{fence}")


def test_a_run_without_any_usage_is_shown() -> None:
    assert mimebundle(run_of("Hi", status="complete", usage=Usage()))["text/plain"] == (
        "Hi\n\nsmollm2-135m"
    )
