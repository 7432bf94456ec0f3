"""Headers are read as the standard library reads them."""

from __future__ import annotations

import http.client
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.client import incoming
from nbchat.client.incoming import headers_of

HEADS = [
    b"",
    b"\r\n",
    b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nbody",
    b"A: 1\nB:2  \n\nrest",
    b"x-empty:\r\nx-empty: \r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n",
    b"folded: one\r\n two\r\nnext: 1\r\n\r\n",
    b"name : a blank before the colon\r\nno colon at all\r\nlast: 1\r\n\r\n",
    b"x-latin: caf\xe9\r\nx-return: a\rb\r\nx-\xe9: 1\r\n\r\n",
    b"cut: off",
]


def read(parse: Any, head: bytes) -> Any:
    stream = io.BytesIO(head)
    try:
        return parse(stream).items(), stream.read()
    except http.client.HTTPException as error:
        return type(error), str(error)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_has_the_same_headers(head: bytes) -> None:
    assert read(headers_of, head) == read(http.client.parse_headers, head)


@pytest.mark.parametrize("head", [b"a: 1\r\n" * 101, b"a: " + b"b" * 70_000 + b"\r\n\r\n"])
def test_a_head_without_an_end_is_refused_as_there(head: bytes) -> None:
    assert read(headers_of, head) == read(http.client.parse_headers, head)


@given(
    st.lists(st.sampled_from([b"a", b":", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\xe9", b"\x0b"]))
)
def test_any_bytes_have_the_same_headers(pieces: list[bytes]) -> None:
    head = b"".join(pieces)
    assert read(headers_of, head) == read(http.client.parse_headers, head)


def test_answers_are_read_with_it(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbchat

    heads = []
    original = incoming.headers_of
    monkeypatch.setitem(
        incoming._begin.__globals__,
        "parse_headers",
        lambda fp: heads.append(original(fp)) or heads[-1],
    )
    nbchat.chat("Hello", model="m")
    assert heads[0].items()
