"""What answers a request is an argument: a record can stand in the server's place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import pytest

import nbchat
from nbchat import session
from nbchat.api import Chunk, Completion
from nbchat.client import read_stream
from nbchat.errors import StreamCutError
from nbchat.session.sources import Order, ReadyAnswer
from tests.scripted import chunk, sse


class Recorded:
    """Answers with a stream that came some other time; nothing is sent."""

    needs_server = False
    tries = 0
    request_id = "req-1"
    ttft_s = 0.5
    elapsed_s = 1.0

    def __init__(self, body: bytes, cut: bool = False):
        self.completion = Completion()
        self.orders: list[Order] = []
        self._body = body
        self._cut = cut

    def open(self, order: Order) -> Self:
        self.orders.append(order)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        self.completion = read_stream([self._body])
        yield Chunk()
        if self._cut:
            raise StreamCutError("It was cut off.")

    def cancel(self) -> None: ...


HI = nbchat.Draft(
    messages=[{"role": "user", "content": "Hi"}],
    fields={"temperature": 0.5},
    profile="http://127.0.0.1:1/v1",
    timeout=3,
)
BODY = sse(chunk("Good "), chunk("day."), chunk(finish_reason="stop"))


def test_a_recorded_answer_makes_a_run_with_no_server() -> None:
    source = Recorded(BODY)
    run = session.execute(session.prepare(HI), source=source)
    assert (run.text, run.status, run.request_id) == ("Good day.", "complete", "req-1")
    assert (run.ttft_s, run.elapsed_s, run.tries) == (0.5, 1.0, 0)
    assert session.runs == [run]
    (order,) = source.orders
    assert order.fields == {"temperature": 0.5}
    assert order.manners["timeout"].first_byte_s == 3


def test_what_came_before_it_was_cut_off_is_kept() -> None:
    with pytest.raises(StreamCutError) as caught:
        session.execute(session.prepare(HI), source=Recorded(BODY, cut=True))
    assert (caught.value.run.text, caught.value.run.status) == ("Good day.", "error")


def test_the_turn_of_a_recorded_answer_is_in_its_thread() -> None:
    thread = nbchat.Thread("recorded")
    session.execute(
        session.prepare(nbchat.Draft(messages=HI.messages, profile=HI.profile, thread=thread)),
        source=Recorded(BODY),
    )
    assert [message["content"] for message in thread.messages] == ["Hi", "Good day."]


def test_an_answer_that_is_there_already_needs_no_chunks() -> None:
    class There:
        needs_server = False

        def open(self, order: Order) -> ReadyAnswer:
            return ReadyAnswer(read_stream([BODY]))

    run = session.execute(session.prepare(HI), source=There())
    assert (run.text, run.tries, run.elapsed_s) == ("Good day.", 0, None)
