"""Defaults of every kind: no default stops a request, and each is what the function gets."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import pathlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import nbchat
from nbchat.api import check
from nbchat.structured import response_format
from nbchat.tools import Call, tool
from nbchat.tools.calls import run_calls
from tests.scripted import ScriptedServer, speaking

INF, NAN = float("inf"), float("nan")
MISSING = object()


class Colour(enum.Enum):
    RED = "red"


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("never shown")

    __iter__ = __len__ = __eq__ = __hash__ = None  # type: ignore[assignment]


class Item(msgspec.Struct):
    price: float = INF


@dataclass
class Box:
    low: float
    high: float = INF
    where: Any = MISSING
    extras: list[float] = field(default_factory=lambda: [NAN])


holds_itself: list[Any] = []
holds_itself.append(holds_itself)

#: a default, and how it is told to the model; ... where it is not
DEFAULTS: list[Any] = [
    pytest.param(INF, ..., id="inf"),
    pytest.param(-INF, ..., id="-inf"),
    pytest.param(NAN, ..., id="nan"),
    pytest.param([1.0, INF], ..., id="inf in a list"),
    pytest.param({"a": (NAN,)}, ..., id="nan in a dict"),
    pytest.param(Item(), ..., id="inf in a Struct"),
    pytest.param(np.float64("nan"), ..., id="nan of numpy"),
    pytest.param(MISSING, ..., id="a sentinel"),
    pytest.param(Loud(), ..., id="an object that breaks"),
    pytest.param(print, ..., id="a function"),
    pytest.param(int, ..., id="a class"),
    pytest.param(holds_itself, ..., id="a list that holds itself"),
    pytest.param("\ud800", ..., id="half a character"),
    pytest.param(pathlib.Path("a"), ..., id="a path"),
    pytest.param(pd.DataFrame({"a": [1]}), ..., id="a frame"),
    pytest.param(10**400, 10**400, id="a huge number"),
    pytest.param(None, None, id="None"),
    pytest.param((1, 2), [1, 2], id="a tuple"),
    pytest.param({3}, [3], id="a set"),
    pytest.param({1: "a"}, {"1": "a"}, id="keys that are numbers"),
    pytest.param(Colour.RED, "red", id="an enum"),
    pytest.param(dt.date(2024, 5, 1), "2024-05-01", id="a date"),
    pytest.param(b"ab", "YWI=", id="bytes"),
    pytest.param(1.5, 1.5, id="a float"),
]


@pytest.mark.parametrize(("default", "told"), DEFAULTS)
def test_a_default_is_told_where_json_has_it_and_used_in_any_case(default: Any, told: Any) -> None:
    def look(limit=default) -> str:  # type: ignore[no-untyped-def]
        """Look around."""
        seen.append(limit)
        return "ok"

    seen: list[Any] = []
    made = tool(look)
    schema = made.schema["function"]["parameters"]
    assert schema["properties"]["limit"].get("default", ...) == told
    check({"tools": [made.schema]})
    json.loads(json.dumps(made.schema, allow_nan=False))
    call = Call("c", "look", "{}")
    run_calls([call], {"look": made})
    assert (call.error, len(seen)) == (None, 1)
    assert seen[0] is default


def test_defaults_of_fields_stop_nothing_either() -> None:
    def keep(box: Box) -> float:
        """Keep."""
        return box.high

    made = tool(keep)
    check({"tools": [made.schema]})
    fields = made.schema["function"]["parameters"]["$defs"]["Box"]["properties"]
    assert [name for name, node in fields.items() if "default" in node] == []
    call = Call("c", "keep", '{"box": {"low": 1}}')
    run_calls([call], {"keep": made})
    assert call.result == "null"
    structure = response_format(Box, strict=False)
    json.dumps(structure.wire, allow_nan=False)


@pytest.mark.parametrize("default", [INF, [1.0, INF], NAN], ids=str)
def test_a_request_with_such_a_default_is_sent(default: Any) -> None:
    def near(limit: float | list[float] = default) -> str:
        """Look around."""
        return str(limit)

    with ScriptedServer() as server:
        server.reply(speaking("Hello."))
        run = nbchat.chat("hi", profile=server.url, tools=[near])
        assert run.text == "Hello."
        sent = server.requests[0].body["tools"][0]["function"]["parameters"]
    assert "default" not in sent["properties"]["limit"]
    assert not any(math.isinf(value) for value in sent.values() if isinstance(value, float))
