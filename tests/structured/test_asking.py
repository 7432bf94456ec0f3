"""Objects asked for from Python and in cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

import nbchat
from nbchat.errors import CheckError, MagicUsageError
from tests.magics.conftest import Shell, bare_shell, shell  # noqa: F401 - fixtures
from tests.scripted import CUT, Reply, ScriptedServer, chunk, speaking, sse

DEFINE = """
from dataclasses import dataclass
@dataclass
class Point:
    x: int
    y: int = 0
"""
POINT = {
    "title": "Point",
    "type": "object",
    "properties": {
        "x": {"type": "integer"},
        "y": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["x", "y"],
    "additionalProperties": False,
}
WIRE = {
    "type": "json_schema",
    "json_schema": {"name": "Point", "schema": POINT, "strict": True},
}


@dataclass
class Point:
    x: int
    y: int = 0


@pytest.fixture
def where() -> str:
    return "environment"


@pytest.fixture
def answering() -> Any:
    return speaking('{"x": 1, "y": 2}')


def test_a_type_goes_out_as_its_schema_and_comes_back_as_an_object(server: ScriptedServer) -> None:
    run = nbchat.chat("Where?", response_format=Point)
    assert server.requests[0].body["response_format"] == WIRE
    assert run.parsed == Point(1, 2)
    assert run.text == '{"x": 1, "y": 2}'
    assert run.params.given()["response_format"] == WIRE


def test_a_stream_has_the_object_only_when_it_is_whole(server: ScriptedServer) -> None:
    pieces = []
    for piece in nbchat.stream("Where?", response_format=Point):
        pieces.append(piece)
        assert piece.run.parsed is None
        assert piece.run.parse_error == "The reply has not come whole yet."
    assert pieces[-1].run.parsed == Point(1, 2)


def test_a_thread_asks_for_an_object_too(server: ScriptedServer) -> None:
    assert nbchat.Thread("objects").ask("Where?", response_format=Point).parsed == Point(1, 2)
    nbchat.Thread("objects").clear()


def test_a_reply_that_was_cut_off_keeps_its_text_and_says_why(server: ScriptedServer) -> None:
    server.reply(Reply([sse(chunk('{"x": 1, "y": 2}'), done=False), CUT]))
    with pytest.raises(nbchat.errors.TransportError) as caught:
        nbchat.chat("Where?", response_format=Point, max_retries=0)
    run = caught.value.run
    assert run is not None
    assert (run.text, run.parsed) == ('{"x": 1, "y": 2}', None)
    assert run.parse_error == "The reply did not come whole (the run ended as error)."


def test_what_goes_over_the_wire_already_passes_unchanged(server: ScriptedServer) -> None:
    own = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    for given in (own, {"type": "json_object"}, {"type": "text"}):
        run = nbchat.chat("json", response_format=given)
        assert server.requests[-1].body["response_format"] == given
        assert run.parsed == (None if given["type"] == "text" else {"x": 1, "y": 2})


def test_a_wrong_response_format_is_refused_before_any_request(server: ScriptedServer) -> None:
    for wrong in ({"type": "jsonobject"}, "Point", dict[str, int], {"properties": {"a": {}}}):
        with pytest.raises(CheckError, match="response_format"):
            nbchat.chat("Where?", response_format=wrong)
    assert server.requests == []


@pytest.mark.parametrize(
    "line",
    [
        "--schema Point",
        "--schema=Point",
        "--response-format Point",
        "--schema structure",
    ],
)
def test_a_cell_names_the_type(shell: Shell, server: ScriptedServer, line: str) -> None:  # noqa: F811
    shell.ask(DEFINE + "import nbchat\nstructure = nbchat.structured.response_format(Point)")
    shell.ask(f"%%chat {line} -o run\nWhere?")
    assert server.requests[0].body["response_format"] == WIRE
    assert shell["run"].parsed == shell["Point"](1, 2)
    assert shell.cell.markdown == ['{"x": 1, "y": 2}']


def test_a_cell_takes_a_list_of_a_type_and_json(shell: Shell, server: ScriptedServer) -> None:  # noqa: F811
    shell.ask(DEFINE)
    server.reply(speaking('{"items": [{"x": 1, "y": null}]}'))
    shell.ask("%%chat --schema list[Point] -o run\nWhere?")
    assert shell["run"].parsed == [shell["Point"](1)]
    json = '{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}'
    for written in (json, f"'{json}'"):
        server.reply(speaking('{"x": 4}'))
        shell.ask(f"%%chat --schema {written} -o run\nWhere?")
        sent = server.requests[-1].body["response_format"]["json_schema"]
        assert (sent["name"], sent["strict"]) == ("reply", True)
        assert shell["run"].parsed == {"x": 4}
    shell.ask(f"%%chat --no-strict --schema {json}\nWhere?")
    assert server.requests[-1].body["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--schema Pint", "there is no Pint in the notebook. Did you mean Point?"),
        ("--schema seven", "seven is a int"),
        ("--schema '{broken'", "this is no JSON"),
        ("--schema", "the name of a type, or a JSON schema"),
        ("--schema Point --response-format Point", "the same field"),
        ("--no-strict", "name one"),
    ],
)
def test_a_schema_that_is_none_is_refused_before_any_request(
    shell: Shell,  # noqa: F811
    server: ScriptedServer,
    line: str,
    sentence: str,
) -> None:
    shell.ask(DEFINE + "seven = 7")
    error = shell.error(f"%%chat {line}\nWhere?")
    assert isinstance(error, MagicUsageError)
    assert sentence in str(error)
    assert server.requests == []


class Fruit(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(pattern="^[a-z]{3,10}$")]
    colour: Literal["red", "green", "yellow"]
    grams: Annotated[int, msgspec.Meta(ge=1, le=999)]


@dataclass
class Verdict:
    is_fruit: bool
    kind: Literal["fruit", "vegetable"] | None = None


@pytest.mark.local
def test_the_embedded_model_replies_with_objects(weights: Path) -> None:
    asked = {"profile": "local", "temperature": 0, "seed": 1}
    one = nbchat.chat("Describe an apple.", response_format=Fruit, **asked)
    assert isinstance(one.parsed, Fruit), one.parse_error
    verdict = nbchat.chat("Is an apple a fruit?", response_format=Verdict, **asked)
    assert isinstance(verdict.parsed, Verdict), verdict.parse_error
    three = Annotated[list[Fruit], msgspec.Meta(min_length=3, max_length=3)]
    frame = nbchat.chat("Name three fruits.", response_format=three, **asked).frame()
    assert list(frame.columns) == ["name", "colour", "grams"]
    assert (len(frame), frame["grams"].dtype) == (3, "Int64")
    label = nbchat.chat("Apple:", response_format=Literal["fruit", "tool"], **asked)
    assert label.parsed in ("fruit", "tool")


@pytest.mark.local
def test_the_embedded_model_keeps_the_text_of_an_object_that_is_cut_off(weights: Path) -> None:
    run = nbchat.chat(
        "Describe an apple.",
        response_format=Fruit,
        profile="local",
        temperature=0,
        max_completion_tokens=12,
    )
    assert run.text.startswith("{")
    assert run.parsed is None
    assert "finish_reason length" in str(run.parse_error)
