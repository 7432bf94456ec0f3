"""What tools give back: JSON as far as it can be, with one odd value in it or many."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import json
import pathlib
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.tools import Call, tool
from nbchat.tools.calls import run_calls
from tests.fuzzing import examples


class Point(pydantic.BaseModel):
    x: int
    at: pathlib.PurePosixPath = pathlib.PurePosixPath("/a")


class Names(pydantic.RootModel[list[str]]):
    pass


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):  # noqa: UP042 - as many still write it
    YES = "yes"


class Pair(NamedTuple):
    a: Any
    b: int = 1


@dataclass
class Spot:
    x: Any


class Item(msgspec.Struct):
    x: Any


@attrs.define
class Area:
    x: Any


class Own:
    def __str__(self) -> str:
        return "own words"


class Mute:
    def __str__(self) -> str:
        raise ZeroDivisionError


WHEN = dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)
FRAME = pd.DataFrame({"a": [1]})
#: a value, and what it is as JSON where it stands inside of something
VALUES: list[Any] = [
    pytest.param(Point(x=1), {"x": 1, "at": "/a"}, id="pydantic model (copilot-sdk#2203)"),
    pytest.param(Names(["a"]), ["a"], id="pydantic root model"),
    pytest.param([Point(x=1), {"p": Point(x=2)}],
                 [{"x": 1, "at": "/a"}, {"p": {"x": 2, "at": "/a"}}], id="models in lists"),
    pytest.param(pathlib.PurePosixPath("/a/b"), "/a/b", id="path (vercel-labs/ai-python#168)"),
    pytest.param(Own(), "own words", id="an object of the user's own"),
    pytest.param(Mute(), "<Mute>", id="an object that cannot speak"),
    pytest.param(Spot(Own()), {"x": "own words"}, id="in a dataclass"),
    pytest.param(Item(Own()), {"x": "own words"}, id="in a Struct"),
    pytest.param(Area(Own()), {"x": "own words"}, id="in a class of attrs"),
    pytest.param(Pair(Own()), ["own words", 1], id="in a NamedTuple"),
    pytest.param(1j, "1j", id="complex"),
    pytest.param(fractions.Fraction(1, 3), "1/3", id="fraction"),
    pytest.param(decimal.Decimal("1.10"), "1.10", id="decimal"),
    pytest.param(uuid.UUID(int=1), str(uuid.UUID(int=1)), id="UUID"),
    pytest.param(WHEN, "2024-05-01T10:00:00Z", id="datetime"),
    pytest.param(dt.timedelta(days=1), "P1D", id="timedelta"),
    pytest.param(Colour.RED, "red", id="enum"),
    pytest.param(Word.YES, "yes", id="enum of texts"),
    pytest.param(b"ab", "YWI=", id="bytes"),
    pytest.param({3}, [3], id="set"),
    pytest.param(range(3), [0, 1, 2], id="range"),
    pytest.param({"a": 1}.keys(), ["a"], id="keys"),
    pytest.param({"a": 1}.items(), [["a", 1]], id="items"),
    pytest.param(collections.deque([1]), [1], id="deque"),
    pytest.param(collections.Counter("aab"), {"a": 2, "b": 1}, id="counter"),
    pytest.param(types.MappingProxyType({"a": 1}), {"a": 1}, id="mapping"),
    pytest.param(array.array("d", [1.5]), [1.5], id="array"),
    pytest.param(float("nan"), None, id="nan"),
    pytest.param(np.float64(1.5), 1.5, id="numpy float"),
    pytest.param(np.int64(3), 3, id="numpy int"),
    pytest.param(np.bool_(True), True, id="numpy bool"),
    pytest.param(np.array([[1.0, np.nan]]), [[1.0, None]], id="numpy array"),
    pytest.param(np.array([Own()], dtype=object), ["own words"], id="numpy array of objects"),
    pytest.param(np.datetime64("2024-05-01"), "2024-05-01", id="numpy date"),
    pytest.param(FRAME, FRAME.to_csv(), id="frame"),
    pytest.param(FRAME["a"], FRAME["a"].to_csv(), id="series"),
    pytest.param(FRAME.index, [0], id="index of a frame"),
    pytest.param(pd.Timestamp("2024-05-01"), "2024-05-01T00:00:00", id="pandas time"),
    pytest.param(pd.NaT, "NaT", id="pandas NaT"),
    pytest.param(pd.NA, "<NA>", id="pandas NA"),
    pytest.param({(1, 2): 3}, {"(1, 2)": 3}, id="keys that are tuples"),
    pytest.param({None: 1, True: 2}, {"null": 1, "true": 2}, id="keys that are no texts"),
    pytest.param({np.int64(3): 1}, {"3": 1}, id="keys of numpy"),
    pytest.param({Own(): Point(x=1)}, {"own words": {"x": 1, "at": "/a"}}, id="keys of one's own"),
    pytest.param({dt.date(2024, 5, 1): 1}, {"2024-05-01": 1}, id="keys that are dates"),
    pytest.param({"\ud800": ["\ud800", Own()]}, {"?": ["?", "own words"]}, id="half a character"),
    pytest.param({(1,): Spot({(2,): Own()})}, {"(1,)": {"x": {"(2,)": "own words"}}}, id="both"),
    pytest.param(10**30, 10**30, id="a large number"),
    pytest.param(ValueError("no"), "no", id="an exception"),
    pytest.param(int, "<class 'int'>", id="a class"),
]  # fmt: skip


def text_of(value: Any) -> str:
    call = Call("c", "give", "{}")
    run_calls([call], {"give": tool(lambda: value, name="give")})
    assert call.error is None
    assert call.result is not None
    call.result.encode()
    return call.result


@pytest.mark.parametrize(("value", "wanted"), VALUES)
@pytest.mark.parametrize(
    "around",
    [lambda v: {"v": v, "size": 3}, lambda v: [1, v], lambda v: {"deep": [{"v": (v,)}]}],
    ids=["in a dict", "in a list", "deeper"],
)
def test_one_odd_value_leaves_the_rest_json(
    value: Any, wanted: Any, around: Callable[[Any], Any]
) -> None:
    assert json.loads(text_of(around(value))) == json.loads(json.dumps(around(wanted)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Own(), "own words"),
        (pathlib.PurePosixPath("/a"), "/a"),
        (1j, "1j"),
        (Word.YES, "yes"),
        ("a", "a"),
        (Point(x=1), '{"x":1,"at":"/a"}'),
        (WHEN, '"2024-05-01T10:00:00Z"'),
        (range(2), "[0,1]"),
        (None, "null"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_by_itself(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_what_holds_itself_is_its_repr() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert text_of(value) == "[1, [...]]"


@pytest.mark.parametrize(
    "value",
    [iter([1]), map(str, [1]), zip([1], [2], strict=True), (n for n in [1]), enumerate([1])],
    ids=lambda value: type(value).__name__,
)
def test_what_can_be_read_once_is_no_result(value: Iterator[Any]) -> None:
    call = Call("c", "give", "{}")
    run_calls([call], {"give": tool(lambda: value, name="give")})
    assert "list" in (call.error or "")
    assert call.result is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.dates() | st.decimals() | st.complex_numbers() | st.just(Own()) | st.just(Mute())
    | st.characters(categories=["Cs"]) | st.just(Point(x=1)),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.builds(Spot, inner)
    | st.builds(Item, inner) | st.dictionaries(
        st.none() | st.booleans() | st.text() | st.floats() | st.tuples(st.integers())
        | st.characters(categories=["Cs"]) | st.complex_numbers(), inner,
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.fuzz
@examples(60)
@given(value=_VALUES)
def test_any_list_is_json(value: Any) -> None:
    json.loads(text_of([value]))
