from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.client.sse import Decoder, Event


def events(*pieces: bytes) -> list[Event]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def data(*pieces: bytes) -> list[bytes]:
    return [event.data for event in events(*pieces)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_ends_a_line(end: bytes) -> None:
    assert data(b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end) == [
        b"a\nb",
        b"c",
    ]


def test_line_ends_may_be_mixed() -> None:
    assert data(b"data: a\r\rdata: b\r\n\ndata: c\n\r\n") == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"data: \n\n", [b""]),
        (b"data:  two\n\n", [b" two"]),
        (b"data:none\n\n", [b"none"]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b": comment\ndata: x\n\n", [b"x"]),
        (b":\n\n:\n\n", []),
        (b"event: ping\n\n", []),
        (b"id: 1\n\n\n\n", []),
        (b"foo: bar\ndata: x\n\n", [b"x"]),
        (b"datax: no\n\n", []),
        (b"Data: no\n\n", []),
        (b"data: \xff\xfe\n\n", [b"\xff\xfe"]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_fields_follow_the_standard(text: bytes, expected: list[bytes]) -> None:
    assert data(text) == expected


def test_one_leading_bom_is_dropped_however_it_is_cut() -> None:
    assert data(b"\xef\xbb\xbfdata: x\n\n") == [b"x"]
    assert data(b"\xef", b"\xbb", b"\xbf", b"data: x\n\n") == [b"x"]
    assert data(b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n") == []


def test_type_and_id_belong_to_the_event() -> None:
    text = b"event: error\nid: 7\ndata: x\n\ndata: y\n\nid: a\0b\ndata: z\n\n"
    assert events(text) == [
        Event(b"x", "error", "7"),
        Event(b"y", "message", "7"),
        Event(b"z", "message", "7"),
    ]


def test_retry_takes_digits_only() -> None:
    decoder = Decoder()
    decoder.feed(b"retry: 12s\n")
    assert decoder.retry_ms is None
    decoder.feed(b"retry: 1500\n")
    assert decoder.retry_ms == 1500


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event(b"a")]
    assert decoder.feed(b"data: b\r") == []
    assert decoder.feed(b"\r") == [Event(b"b")]
    assert decoder.feed(b"\ndata: c\r\n\r") == [Event(b"c")]
    assert decoder.feed(b"\n") == []


def test_an_event_without_its_blank_line_is_given_at_the_end() -> None:
    assert data(b"data: a\n\ndata: [DONE]") == [b"a", b"[DONE]"]


def test_the_older_error_field_of_llama_cpp_is_an_error_event() -> None:
    assert events(b'error: {"code": 500}\n\ndata: [DONE]\n\n') == [
        Event(b'{"code": 500}', "error"),
        Event(b"[DONE]"),
    ]


LINES = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"data",
        "data: é🙂".encode(),
        b": c",
        b"event: e",
        b"id: 3",
        b"",
        b"",
        b"x: y",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=20), st.booleans(), st.data())
def test_any_cut_gives_the_same_events(
    lines: list[tuple[bytes, bytes]], has_bom: bool, draw: st.DataObject
) -> None:
    text = b"\xef\xbb\xbf" * has_bom + b"".join(line + end for line, end in lines)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert events(*pieces) == events(text)
    assert events(*(text[i : i + 1] for i in range(len(text)))) == events(text)


def test_a_long_line_in_small_pieces_is_joined_once() -> None:
    piece = b"x" * 1000
    decoder = Decoder()
    decoder.feed(b"data: ")
    for _ in range(20_000):  # quadratic joining would take minutes here
        decoder.feed(piece)
    (event,) = decoder.feed(b"\n\n")
    assert len(event.data) == 20_000_000


@pytest.mark.parametrize(
    ("begun", "event"),
    [
        (b"event: error\n", Event(b'{"a": 1}', "error")),
        (b"data: [\n", Event(b'[\n{"a": 1}')),
        (b": a comment that goes on ", None),
    ],
)
def test_a_piece_that_looks_like_an_event_can_be_the_rest_of_one(
    begun: bytes, event: Event | None
) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: x\n\n") == [Event(b"x")]
    assert decoder.feed(begun) == []
    assert decoder.feed(b'data: {"a": 1}\n\n') == ([] if event is None else [event])
    assert decoder.feed(b'data: {"b": 2}\n\n') == [Event(b'{"b": 2}')]
