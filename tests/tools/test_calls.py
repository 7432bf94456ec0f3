from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from nbchat.tools import Call, tool
from nbchat.tools.calls import run_calls


@dataclass
class Point:
    x: int


def ran(function: Any, arguments: str = "{}") -> Call:
    made = tool(function, name="f")
    call = Call("id", "f", arguments)
    run_calls([call], {"f": made})
    return call


def test_arguments_are_converted_before_the_call() -> None:
    def f(point: Point, label: str = "none", /, *, times: int = 2) -> str:
        return f"{type(point).__name__} {point.x} {label} {times}"

    assert ran(f, '{"point": {"x": 3}}').result == "Point 3 none 2"
    assert ran(f, '{"point": {"x": 3}, "label": "a", "times": 1}').result == "Point 3 a 1"
    assert "`$.point.x`" in (ran(f, '{"point": {"x": "3"}}').error or "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"a": float("nan")}, '{"a":null}'),
        (Point(1), '{"x":1}'),
        (pd.Series([1, 2]).to_numpy(), "[1,2]"),
        (pd.Series([1, 2]).sum(), "3"),
        (pd.DataFrame({"a": [1]}), '",a\\n0,1\\n"'),
        (1j, "1j"),
        ("\ud800", "?"),
    ],
)
def test_results_become_text(value: Any, text: str) -> None:
    assert ran(lambda: value).result == text


def test_an_exception_that_cannot_speak_is_told_by_its_name() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    def mute() -> None:
        raise MuteError

    assert ran(mute).error == "MuteError"


def test_a_function_that_yields_has_no_result() -> None:
    def counting() -> Iterator[int]:
        yield 1

    assert (ran(counting).error or "").startswith("TypeError: the function yields")


def test_an_exception_says_where_in_the_users_code() -> None:
    def f() -> None:
        raise KeyError("lost")

    call = ran(f)
    assert (call.result, call.error) == (None, "KeyError: 'lost'")
    assert "test_calls.py" in call.where
    assert call.elapsed_s is not None


def test_a_tool_that_exits_ends_nothing() -> None:
    assert ran(lambda: sys.exit(3)).error == "SystemExit: 3"
    calls = [Call(str(n), "f", "{}") for n in range(2)]
    run_calls(calls, {"f": tool(lambda: sys.exit(3), name="f")})
    assert [call.error for call in calls] == ["SystemExit: 3"] * 2


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


def test_coroutines_are_awaited() -> None:
    assert ran(double, '{"n": 2}').result == "4"

    async def notebook() -> Call:
        return ran(double, '{"n": 3}')

    assert asyncio.run(notebook()).result == "6"


def test_a_single_call_runs_in_the_thread_that_asks() -> None:
    assert ran(lambda: threading.current_thread().name).result == threading.current_thread().name


def test_cancelling_leaves_calls_behind() -> None:
    def f() -> None:
        end = time.perf_counter() + 20
        while time.perf_counter() < end:
            time.sleep(0.01)

    calls = [Call(str(n), "f", "{}") for n in range(2)]
    started = time.perf_counter()
    run_calls(calls, {"f": tool(f)}, is_cancelled=lambda: True)
    assert time.perf_counter() - started < 5
    assert [call.error for call in calls] == ["It was interrupted."] * 2


@pytest.mark.parametrize("begins_late", [False, True])
def test_an_interrupt_while_calls_are_started_stops_them_all(
    monkeypatch: pytest.MonkeyPatch, begins_late: bool
) -> None:
    start = threading.Thread.start
    held: list[threading.Thread] = []

    def f() -> None:
        while True:
            time.sleep(0.01)

    def interrupted(thread: threading.Thread) -> None:
        held.append(thread)
        if len(held) < 2 or not begins_late:
            start(thread)
        if len(held) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_calls([Call(str(n), "f", "{}") for n in range(2)], {"f": tool(f)})
    if begins_late:
        held[1].start()
    for thread in held:
        thread.join(5)
        assert not thread.is_alive()
