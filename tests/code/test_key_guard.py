from __future__ import annotations

import pytest

from nbchat.code.key_guard import refuse_keys
from nbchat.errors import MagicUsageError


@pytest.mark.parametrize(
    "line",
    [
        "--api-key whatever",
        "--api_key=whatever",
        "--openai-api-key whatever",
        "--key whatever",
        "--token whatever",
        "-p api_key='\"whatever\"'",
        "-p Authorization=x",
        "--user sk-whatever-it-is",
        "--user=sk-proj-1234567890abcdefwhatever",
        "-o r gsk_1234567890whatever",
        "Is hf_abcdefghijwhatever a key?",
        "--user 'Bearer whatever'",
        '--params {"n": 1, "extra": {"my_api_key": "whatever"}}',
        "--user the-whatever-of-the-environment",
    ],
)
def test_a_key_on_the_line_is_refused_in_words_that_do_not_repeat_it(line: str) -> None:
    with pytest.raises(MagicUsageError) as caught:
        refuse_keys(line, {"SOME_API_KEY": "the-whatever-of-the-environment"})
    assert "whatever" not in str(caught.value)
    assert "environment" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "What is sk-learn?",
        "--max-tokens 5 --prompt-cache-key abc",
        "What does the flag -k do, and what is a key?",
        "risk-taking-behaviour",
        "--model task-1234567890",
        "the short one: abc",
        '--params {"n": 1, "prompt_cache_key": "abc"}',
    ],
)
def test_other_lines_pass(line: str) -> None:
    refuse_keys(line, {"SOME_API_KEY": "abc", "HOME": "--max-tokens 5"})
