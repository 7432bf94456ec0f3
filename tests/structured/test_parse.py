"""What is read of a reply: the object, or why there is none."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd
import pydantic
import pytest

from nbchat import Run, structured
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.errors import NoObjectError
from tests.structured.test_strict import Book, Cat, Dog, Everything, Movie, Place, Point


class Visit(msgspec.Struct):
    place: Place
    at: dt.datetime
    rating: int | None = None
    price: float = 1.0


def run_of(content: str | None, model: Any, reason: str = "stop", **message: Any) -> Run:
    choice = Choice(0, ResponseMessage(content=content, **message), reason)
    structure = structured.structure_of(model)
    run = Run.from_completion(Completion(choices=[choice]), structure=structure)
    if structure is None:
        run.params.extra["response_format"] = model
    return run


def test_the_object_is_of_the_type_that_was_asked_for() -> None:
    text = '{"place": {"city": "Oslo"}, "at": "2024-05-01T10:00:00Z", "price": 2}'
    run = run_of(text, Visit)
    assert run.parsed == Visit(Place("Oslo"), dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC), price=2.0)
    assert run.parse_error is None
    assert run.parsed is run.parsed


def test_a_dataclass_a_typed_dict_and_a_pydantic_model_are_read() -> None:
    assert run_of('{"x": 1, "name": "q"}', Point).parsed == Point(1, "q")
    assert run_of('{"title": "M", "year": 1931}', Movie).parsed == {"title": "M", "year": 1931}
    book = run_of('{"page": {"number": 1, "parent": null}, "kind": "book", "other": null}', Book)
    assert isinstance(book.parsed, Book)
    assert book.parsed.page.number == 1
    books = run_of('{"items": [{"page": {"number": 2}, "other": {"number": 3}}]}', list[Book])
    assert [b.other and b.other.number for b in books.parsed] == [3]


def test_a_null_that_the_strict_schema_invited_is_the_default() -> None:
    assert run_of('{"x": 1, "name": null}', Point).parsed == Point(1)
    assert run_of('{"title": "M", "year": null}', Movie).parsed == {"title": "M"}
    pets = run_of('{"value": {"type": "dog", "tricks": []}}', Cat | Dog)
    assert pets.parsed == Dog([])
    inside = json.dumps({"items": [{"city": "Oslo", "country": None}]})
    assert run_of(inside, list[Place]).parsed == [Place("Oslo")]


def test_a_null_that_was_meant_stays() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    assert run_of('{"a": null}', schema).parsed == {"a": None}


def test_a_json_schema_gives_builtins_and_json_object_too() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert run_of('{"items": [1, 2]}', schema).parsed == [1, 2]
    assert run_of('{"any": [1]}', {"type": "json_object"}).parsed == {"any": [1]}


def test_json_in_a_code_block_is_read() -> None:
    assert run_of('```json\n{"x": 1, "name": "`"}\n```', Point).parsed == Point(1, "`")


@pytest.mark.parametrize(
    ("content", "reason", "message", "sentence"),
    [
        ('{"x": 1', "length", {}, "token limit"),
        ('{"x": 1, "name": "p"}', "length", {}, "token limit"),
        ('{"x": 1', "content_filter", {}, "content filter"),
        (None, "stop", {"refusal": "I will not."}, "The model refused: I will not."),
        ("Sure! Here it is.", "stop", {}, "The reply is no JSON"),
        ('{"x": "one"}', "stop", {}, "Expected `int`, got `str`"),
        ("[1]", "stop", {}, "its root is no object"),
        ("", "stop", {}, "The reply is empty."),
        (None, "tool_calls", {"tool_calls": [{"id": "1"}]}, "asked for a tool"),
        ("[" * 100_000, "stop", {}, "nested too deeply|no JSON"),
    ],
)
def test_where_there_is_no_object_a_sentence_says_why(
    content: str | None, reason: str, message: dict[str, Any], sentence: str
) -> None:
    run = run_of(content, Point, reason, **message)
    assert run.parsed is None
    assert run.text == (content or "")
    assert run.parse_error is not None
    assert "\n" not in run.parse_error
    with pytest.raises(NoObjectError, match=sentence):
        run.frame()


def test_a_pydantic_validator_that_refuses_or_breaks_raises_nothing() -> None:
    class Odd(pydantic.BaseModel):
        n: int

        @pydantic.field_validator("n")
        @classmethod
        def check(cls, n: int) -> int:
            if n == 1:
                raise ValueError("n is odd")
            raise ZeroDivisionError

    for n, sentence in ((1, "n is odd"), (2, "The reply does not fit")):
        run = run_of(json.dumps({"n": n}), Odd)
        assert run.parsed is None
        assert sentence in str(run.parse_error)
        assert "http" not in str(run.parse_error)


def test_a_list_of_objects_is_a_frame_with_a_row_for_each() -> None:
    places = [
        {"place": {"city": "Oslo", "country": None}, "at": "2024-05-01T10:00:00", "rating": 3},
        {"place": {"city": "Rome", "country": "IT"}, "at": "2024-05-02T10:00:00", "rating": None},
    ]
    frame = run_of(json.dumps({"items": places}), list[Visit]).frame()
    assert list(frame.columns) == ["place.city", "place.country", "at", "rating", "price"]
    assert frame["rating"].dtype == "Int64"
    assert frame["rating"].isna().tolist() == [False, True]
    assert frame["place.country"].tolist() == ["unknown", "IT"]
    assert pd.api.types.is_datetime64_any_dtype(frame["at"])
    assert frame["price"].dtype == "float64"


def test_one_object_is_one_row_and_no_object_still_has_the_columns() -> None:
    assert run_of('{"x": 1, "name": "q"}', Point).frame().to_dict("records") == [
        {"x": 1, "name": "q"}
    ]
    empty = run_of('{"items": []}', list[Point]).frame()
    assert (list(empty.columns), len(empty)) == (["x", "name"], 0)
    words = run_of('{"items": ["a", "b"]}', list[str]).frame()
    assert words["value"].tolist() == ["a", "b"]
    books = run_of('{"items": [{"page": {"number": 2}, "other": null}]}', list[Book]).frame()
    assert books["page.number"].tolist() == [2]


@dataclass
class Big:
    n: int
    tags: list[str]


def test_large_numbers_and_lists_stay_what_they_are() -> None:
    frame = run_of(json.dumps({"n": 2**70, "tags": ["a"]}), {"type": "json_object"}).frame()
    assert frame["n"].iloc[0] == 2**70
    assert frame["tags"].iloc[0] == ["a"]
    assert run_of('{"n": 1, "tags": []}', Big).frame()["tags"].iloc[0] == []


def test_each_choice_has_its_object() -> None:
    choices = [Choice(i, ResponseMessage(content=f'{{"x": {i}}}'), "stop") for i in (0, 1)]
    run = Run.from_completion(
        Completion(choices=choices), structure=structured.response_format(Point)
    )
    assert [run.parse(i).value for i in (0, 1)] == [Point(0), Point(1)]
    assert run.frame(1)["x"].tolist() == [1]
    assert "no such reply" in str(run.parse(2).error)


def test_a_run_that_asked_for_no_json_has_no_object() -> None:
    run = Run.from_completion(
        Completion(choices=[Choice(0, ResponseMessage(content="{}"), "stop")])
    )
    assert (run.parsed, run.parse_error) == (None, "No JSON was asked for (response_format).")


def test_a_structure_can_be_pickled() -> None:
    structure = structured.response_format(list[Everything])
    assert pickle.loads(pickle.dumps(structure)) == structure
