from __future__ import annotations

from nbchat.client.reader import Reader
from tests.wire import chunk, event


def test_an_error_event_is_one_whatever_its_object_looks_like() -> None:
    reader = Reader()
    assert [c.text for c in reader.feed(event(chunk("Hi")))] == ["Hi"]
    (broken,) = reader.feed(b'event: error\ndata: {"message": "too hot"}\n\n')
    assert broken.error == {"message": "too hot"}


def test_nothing_counts_after_done() -> None:
    reader = Reader()
    assert len([*reader.feed(event(chunk("Hi")))]) == 1
    assert [*reader.feed(event("[DONE]"))] == []
    assert reader.is_done
    assert [*reader.feed(event(chunk("more")))] == []
