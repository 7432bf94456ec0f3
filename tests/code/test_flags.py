from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.check import check
from nbchat.api.fields import FIELDS
from nbchat.api.messages import check_messages
from nbchat.code.flags import read_line
from nbchat.errors import CheckError, MagicUsageError

NAMESPACE = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "bias": {50256: -100},
    "config": SimpleNamespace(schema={"type": "json_object"}),
    "colour": "blue",
    "said": [{"role": "user", "content": "Hi"}],
}
VOICE = '{"voice": "alloy", "format": "wav"}'
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def fill(text: str) -> str:
    return text.replace("{{ colour }}", "blue")


def sent(line: str) -> dict[str, Any]:
    """The fields of the request that a line of %%chat asks for."""
    flags = read_line(line, takes_text=False)
    params = check(flags.fields(NAMESPACE, fill), strict=False, extra=flags.unchecked(fill))
    return {**params.given(), **params.extra}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("", {}),
        ("--temperature 0.2", {"temperature": 0.2}),
        ("--temperature=0.2", {"temperature": 0.2}),
        ("--top-logprobs 5 --logprobs", {"top_logprobs": 5, "logprobs": True}),
        ("--top_logprobs 5 --logprobs", {"top_logprobs": 5, "logprobs": True}),
        ("--no-logprobs", {"logprobs": False}),
        ("--logprobs=false", {"logprobs": False}),
        ("--logprobs=null", {"logprobs": None}),
        ("--frequency-penalty -1.5", {"frequency_penalty": -1.5}),
        ("--seed -7", {"seed": -7}),
        ("--n 2", {"n": 2}),
        ("--model gpt-4o", {"model": "gpt-4o"}),
        ("--model C:\\models\\x.gguf", {"model": "C:\\models\\x.gguf"}),
        ('--user "two words"', {"user": "two words"}),
        ("--user 'it is \"so\"'", {"user": 'it is "so"'}),
        ('--user "a \\"quote\\""', {"user": 'a "quote"'}),
        ("--user=", {"user": ""}),
        ("--user=--dashes", {"user": "--dashes"}),
        ("--user $HOME/{x}", {"user": "$HOME/{x}"}),
        ("--user {{ colour }}", {"user": "blue"}),
        ('--user "so {{ colour }}!"', {"user": "so blue!"}),
        ("--reasoning-effort low", {"reasoning_effort": "low"}),
        ("--temperature null", {"temperature": None}),
        (r'--stop "\n"', {"stop": "\n"}),
        (r'--stop "\n" --stop END', {"stop": ["\n", "END"]}),
        ("--modalities text", {"modalities": ["text"]}),
        (f"--modalities text,audio --audio {VOICE}", SPOKEN),
        (f"--modalities text --modalities audio --audio {VOICE}", SPOKEN),
        ("--metadata a=b --metadata c=d", {"metadata": {"a": "b", "c": "d"}}),
        ("--metadata a=b", {"metadata": {"a": "b"}}),
        ('--metadata {"a": "b c"}', {"metadata": {"a": "b c"}}),
        ("--logit-bias bias", {"logit_bias": {"50256": -100}}),
        ('--logit-bias {"50256": -100} --n 2', {"logit_bias": {"50256": -100}, "n": 2}),
        ("""--logit-bias '{"50256": -100}'""", {"logit_bias": {"50256": -100}}),
        ("--tools tools", {"tools": NAMESPACE["tools"]}),
        ("--response-format config.schema", {"response_format": {"type": "json_object"}}),
        ("-p min_p=0.05", {"min_p": 0.05}),
        ('-p a={"b": [1, 2]} -p c="text d"', {"a": {"b": [1, 2]}, "c": "text d"}),
        ("-p 'a=\"b\"'", {"a": "b"}),
        ("-p a=null", {"a": None}),
        ('-p a="{{ colour }}"', {"a": "blue"}),
        ("-o r -t other --system 'Be brief.' --timeout 5 --raw", {}),
    ],
)
def test_a_flag_is_a_field_of_the_request(line: str, fields: dict[str, Any]) -> None:
    assert sent(line) == fields


def test_a_choice_among_words_or_objects_takes_both() -> None:
    base = "--tools tools --tool-choice {}"
    assert sent(base.replace("{}", "auto"))["tool_choice"] == "auto"
    chosen = {"type": "function", "function": {"name": "f"}}
    text = '{"type": "function", "function": {"name": "f"}}'
    assert sent(base.replace("{}", text))["tool_choice"] == chosen


def test_every_declared_field_is_a_flag() -> None:
    for name, field in FIELDS().items():
        dashed = f"--{name.replace('_', '-')}"
        line = dashed if field.kind == "boolean" else f"{dashed} x"
        assert name in read_line(line, takes_text=False).field_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--temprature 0.2", ["--temprature", "Did you mean --temperature"]),
        ("--temp 0.2", ["There is no flag --temp", "--temperature"]),
        ("-temperature 0.2", ["-temperature", "Did you mean --temperature"]),
        ("--no-temperature", ["There is no flag"]),
        ("--help", ["stands alone", "%%chat? shows"]),
        ("-h", ["stands alone", "%%chat? shows"]),
        ("-x 1", ["There is no flag -x"]),
        ("--temperature 1 --temperature 2", ["--temperature", "twice"]),
        ("--logprobs --no-logprobs", ["twice"]),
        ("-o a --out b", ["twice"]),
        ("-p a=1 -p a=2", ["-p a", "twice"]),
        ("--temperature", ["--temperature needs a value (number from 0 to 2)"]),
        ("--user --n 2", ["--user needs a value", "--user=…"]),
        ("--system -o r", ["--system needs a value"]),
        ("-o", ["-o needs a value"]),
        ("--raw=1", ["--raw takes no value"]),
        ("--no-logprobs=true", ["takes no value"]),
        ("--logprobs true", ["--logprobs=false"]),
        ("hello there", ["'hello there'", "below it"]),
        ("--n 2 hello", ["'hello'"]),
        ("-- hello", ["'hello'"]),
        ('--user "open', ["not closed"]),
        ("-o 2fast", ["'2fast'", "variable"]),
        ("-o class", ["'class'"]),
        ("--timeout soon", ["--timeout", "'soon'"]),
        ("--timeout 0", ["--timeout"]),
        ("-p a", ["key=json"]),
        ("-p a=b", ["-p a", "no JSON"]),
        ("--tools toosl", ["no variable toosl", "Did you mean tools"]),
        ("--response-format config.nothing", ["no attribute nothing"]),
        ("--response-format config.__class__", ["no attribute"]),
        ("--messages", ["--messages needs a value (JSON, or the name of a variable)"]),
        ("--messages sadi", ["--messages takes a list of messages", "Did you mean said?"]),
        ("--messages [1", ["--messages: this is no JSON"]),
        ("--messages colour", ["a list of messages, not a str"]),
        ('--messages {"role": "user"}', ["a list of messages, not a dict"]),
        ("--params nothing", ["--params takes a mapping of fields", "no variable nothing"]),
        ("--params said", ["a mapping of fields, not a list"]),
        ('--params {"extra": [1]}', ["a mapping of fields in extra, not a list"]),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_a_reason(line: str, words: list[str]) -> None:
    with pytest.raises(MagicUsageError) as caught:
        flags = read_line(line, takes_text=False)
        flags.name()
        flags.seconds("timeout", str)
        flags.fields(NAMESPACE, str)
        flags.unchecked(str)
        flags.messages(NAMESPACE, str)
        flags.params(NAMESPACE, str)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    "line", ["--temperature 3", "--n two", "--logprobs=maybe", "--tool-choice maybe"]
)
def test_values_are_checked_at_the_only_door(line: str) -> None:
    with pytest.raises(CheckError):
        sent(line)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("What's up, d'oh?", "What's up, d'oh?"),
        ('--n 1 Say "hi\\n"  twice', 'Say "hi\\n"  twice'),
        ("--logprobs true or false?", "true or false?"),
        ("-5 + 3 = ?", "-5 + 3 = ?"),
        ("- a list", "- a list"),
        ("--- a rule", "--- a rule"),
        ("-- --n is a flag", "--n is a flag"),
        ("--n 1 -- -o", "-o"),
        ("hello --n 2", "hello --n 2"),
        ('{"json": [1]} {{ x }}', '{"json": [1]} {{ x }}'),
    ],
)
def test_behind_the_flags_the_text_is_kept_as_it_was_typed(line: str, text: str) -> None:
    assert read_line(line, takes_text=True).text == text


@given(st.text())
def test_any_text_behind_two_dashes_is_the_prompt(text: str) -> None:
    assert read_line(f"-- {text}", takes_text=True).text == text.lstrip()


@given(st.lists(st.sampled_from(["--n", "-o", "-p", "a=1", "'", '"', "{{", "}}", "=", "{", "\\"])))
def test_a_line_is_read_or_refused(parts: list[str]) -> None:
    try:
        flags = read_line(" ".join(parts), takes_text=True)
        check_messages(flags.text or "x")
    except MagicUsageError:
        pass
