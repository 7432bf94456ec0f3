"""Objects that stand in replies among other things, and texts that are none at all."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import Run
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.structured import response_format, structure_of
from nbchat.tools import Call, tool
from nbchat.tools.calls import run_calls
from tests.fuzzing import examples


class Point(pydantic.BaseModel):
    x: int
    y: str


TEXT = '{"x": 1, "y": "b```\\n</think> ~~~"}'
WANTED = Point(x=1, y="b```\n</think> ~~~")

FENCES = [
    pytest.param("```json\n{}\n```", id="usual"),
    pytest.param("```JSON\n{}\n```", id="capitals (hindsight#645)"),
    pytest.param("```Json\r\n{}\r\n```\r\n", id="line ends of Windows"),
    pytest.param("```json5\n{}\n```", id="another JSON"),
    pytest.param("```javascript\n{}\n```", id="another language"),
    pytest.param("```\n{}\n```", id="no language"),
    pytest.param("``` json\n{}\n```", id="a blank before the language"),
    pytest.param("```json   \n\n{}\n\n```\n\n", id="blanks and empty lines"),
    pytest.param("```json {} ```", id="one line"),
    pytest.param("```{}```", id="one line, no language"),
    pytest.param("````json\n{}\n````", id="four of them"),
    pytest.param("~~~json\n{}\n~~~", id="waves"),
    pytest.param("\n\n  ```json\n{}\n```", id="behind empty lines"),
    pytest.param("\ufeff{}", id="a mark of the byte order"),
    pytest.param("  {}\n", id="none"),
]
THOUGHTS = [
    pytest.param("", id="no thought"),
    pytest.param('<think>\nhm {"x"\n</think>\n\n', id="think (honcho#829)"),
    pytest.param("<thinking>hm</thinking>", id="thinking"),
    pytest.param("<think></think>", id="an empty thought"),
    pytest.param("\n<think>```json\n{}\n```</think>\n", id="a fence in the thought"),
    pytest.param("hm, it is\n</think>\n", id="a template began it"),
]


def parsed(text: str, model: Any) -> Run:
    answer = Completion(choices=[Choice(0, ResponseMessage(content=text), "stop")])
    return Run.from_completion(answer, structure=structure_of(model))


@pytest.mark.parametrize("thought", THOUGHTS)
@pytest.mark.parametrize("fence", FENCES)
def test_an_object_is_read_out_of_its_fence_and_behind_a_thought(fence: str, thought: str) -> None:
    run = parsed(thought + fence.replace("{}", TEXT), Point)
    assert run.parse_error is None
    assert run.parsed == WANTED
    assert run.text.endswith(fence.replace("{}", TEXT))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<think>hm", "no JSON"),
        ("```json\n```", "no JSON"),
        ("```json\n{\n```", "no JSON"),
        ("```", "no JSON"),
        ("``````", "no JSON"),
        ('{"x": 1, "y": "</think>"', "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("```\n" + " " * 10**6, "no JSON"),
        ("```json\n" + "`" * 10**6 + "x", "no JSON"),
        ("</think>" * 10**5, "no JSON"),
    ],
    ids=range(10),
)
def test_where_there_is_none_a_sentence_says_so(text: str, words: str) -> None:
    run = parsed(text, Point)
    assert run.parsed is None
    assert words in (run.parse_error or "")


# any text at all


@dataclass
class Size:
    width: int
    height: float = 1.0


class Item(msgspec.Struct):
    at: dt.datetime
    sizes: list[Size] = []
    after: Item | None = None


class Movie(TypedDict, total=False):
    year: int


SCHEMA = {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}, "required": []}
MODELS: list[Any] = [
    Point, Size, Item, Movie, int, list[int], (Literal["a", 1] | None), int | None, list[Point],
    dt.date, SCHEMA, response_format(tuple[int, str], strict=False), set[int], bytes,
]  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["x", "y", "a", "items", "value", "width", "at", "sizes", "1"]), inner
        )
    ),
    max_leaves=8,
)
_TEXTS = st.one_of(
    st.text(),
    st.text(st.sampled_from('{}[]":,0123456789.eE-+`~ \n<>/thinkjsonull\\u')),
    _VALUES.map(json.dumps),
    _VALUES.map(lambda value: f"<think>{value}</think>\n```json\n{json.dumps(value)}\n```"),
    _VALUES.map(lambda value: json.dumps(value)[:-1]),
)


@pytest.mark.fuzz
@examples(150)
@given(text=_TEXTS, model=st.sampled_from(MODELS))
def test_any_reply_gives_an_object_or_a_sentence(text: str, model: Any) -> None:
    run = parsed(text, model)
    assert (run.parse_error is None) or run.parsed is None
    assert "\n" not in (run.parse_error or "")


def take_point(point: Point, times: int = 1) -> str:
    """Take."""
    return repr((point, times))


def take_item(item: Item | None = None, *, sizes: dict[int, Size] | None = None) -> str:
    """Take."""
    return repr((item, sizes))


def take_any(x: Any = None, y: float = 1.0) -> str:
    """Take."""
    return repr((x, y))


def take_nothing() -> str:
    """Take."""
    return "ok"


TOOLS = {t.name: t for t in map(tool, (take_point, take_item, take_any, take_nothing))}


@pytest.mark.fuzz
@examples(150)
@given(arguments=_TEXTS, name=st.sampled_from([*TOOLS, "unheard"]))
def test_any_arguments_give_a_result_or_the_calls_error(arguments: str, name: str) -> None:
    call = Call("c", name, arguments)
    run_calls([call], TOOLS)
    assert (call.result is None) != (call.error is None)
    assert call.arguments == arguments
    message = json.dumps(call.message)
    message.encode()
    assert "\n" not in (call.error or "") or "arguments" not in (call.error or "")


@pytest.mark.parametrize("text", ["", " ", "\n", "null", "{}", " {} "])
def test_a_function_that_needs_nothing_takes_nothing(text: str) -> None:
    call = Call("c", "take_nothing", text)
    run_calls([call], TOOLS)
    assert call.result == "ok"


@pytest.mark.parametrize("text", ["[]", "3", '"a"', "true", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_object_is_refused_with_what_came(text: str) -> None:
    call = Call("c", "take_nothing", text)
    run_calls([call], TOOLS)
    assert "its arguments are wrong" in (call.error or "")
    assert call.arguments == text
