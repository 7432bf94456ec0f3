from __future__ import annotations

import base64
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.client.audio_deltas import FoldedSound


def folded(*pieces: str) -> bytes:
    sound = FoldedSound()
    for piece in pieces:
        sound.add({"data": piece})
    return base64.b64decode(sound.whole()["data"], validate=True)


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in itertools.pairwise(ends)]


@given(st.binary(min_size=1), st.lists(st.integers(0, 400)))
def test_base64_may_be_cut_anywhere(data: bytes, places: list[int]) -> None:
    assert folded(*cut(base64.b64encode(data).decode(), places)) == data


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1))
def test_pieces_may_each_be_padded(pieces: list[bytes]) -> None:
    assert folded(*(base64.b64encode(piece).decode() for piece in pieces)) == b"".join(pieces)


@given(st.binary(min_size=1), st.lists(st.integers(0, 400)), st.integers(0, 30))
def test_what_came_before_the_end_is_a_beginning(data: bytes, places: list[int], n: int) -> None:
    pieces = cut(base64.b64encode(data).decode(), places)[:n]
    sound = FoldedSound()
    for piece in pieces:
        sound.add({"data": piece})
        so_far = base64.b64decode(sound.whole()["data"])
        assert data.startswith(so_far)
    assert base64.b64decode(sound.whole().get("data", "")) == data[: len("".join(pieces)) * 3 // 4]


def test_line_ends_and_the_other_alphabet_are_read_too() -> None:
    data = b"\xfb\xef\xff" * 9
    text = base64.urlsafe_b64encode(data).decode()
    assert "_" in text
    assert folded(f"{text[:7]}\r\n", text[7:]) == data


@pytest.mark.long
def test_the_work_grows_with_the_sound_and_not_with_its_square() -> None:
    piece = base64.b64encode(bytes(6000)).decode()

    def seconds(count: int) -> float:
        sound = FoldedSound()
        started = time.perf_counter()
        for _ in range(count):
            sound.add({"data": piece})
        assert len(sound.whole()["data"]) == len(piece) * count
        return time.perf_counter() - started

    seconds(100)
    short, long = min(seconds(250) for _ in range(3)), min(seconds(2500) for _ in range(3))
    assert long < 40 * short
