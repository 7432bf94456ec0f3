from __future__ import annotations

import copy
import gc
import json
import pickle

import msgspec
import pytest

from nbchat.api.encoded import Encoded, _known, encoded, plain_text, shortened, size_of, size_text
from nbchat.api.json_values import NotJsonError, plain, shown

DATA = bytes(range(256)) * 40


def one(**facts: str) -> Encoded:
    return encoded(DATA, mime="image/png", is_uri=True, name="a.png", **facts)  # type: ignore[arg-type]


def test_it_is_whole_as_a_text_and_short_to_look_at() -> None:
    assert one().startswith("data:image/png;base64,AAEC")
    assert len(one()) > 13_000
    assert repr([one()]) == "[<base64 of a.png: image/png, 10 kB>]"
    assert json.loads(json.dumps([one()])) == [str(one())]
    assert msgspec.json.encode([one()], enc_hook=plain_text) == f'["{one()}"]'.encode()


def test_the_same_bytes_are_one_object_while_somebody_holds_them() -> None:
    held = one()
    assert one() is held
    assert plain({"a": [held]}, "")["a"][0] is held
    assert one(path="/b.png") is not held
    n_known = len(_known)
    del held
    gc.collect()
    assert len(_known) == n_known - 1


def test_copies_and_pickles_keep_what_it_knows() -> None:
    for copied in (copy.deepcopy(one()), pickle.loads(pickle.dumps(one()))):
        assert copied == one()
        assert (copied.name, copied.mime, copied.n_bytes) == ("a.png", "image/png", len(DATA))


@pytest.mark.parametrize("count", range(5))
def test_sizes_are_known_without_decoding(count: int) -> None:
    whole = encoded(bytes(count), mime="image/png", is_uri=True)
    assert size_of(str(whole)) == count


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(1, "1 byte"), (812, "812 bytes"), (24 * 1024, "24 kB"), (2_202_010, "2.1 MB")],
)
def test_sizes_in_words(n_bytes: int, text: str) -> None:
    assert size_text(n_bytes) == text


def test_what_is_left_out_of_a_display_is_said_and_all_else_stays() -> None:
    long_text = "data is not base64 " * 50
    body = {
        "messages": [
            {"content": [{"text": long_text}, {"image_url": {"url": one(), "detail": "low"}}]},
            {"content": [{"input_audio": {"data": "QUFB" * 100, "format": "wav"}}]},
            {"content": "data " + "A" * 500},
        ]
    }
    short = shortened(body)
    url = short["messages"][0]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,AAEC")
    assert "characters of base64 are left out of this display]" in url
    assert len(json.dumps(short)) < 2500
    assert short["messages"][0]["content"][0]["text"] == long_text
    assert "left out" in short["messages"][1]["content"][0]["input_audio"]["data"]
    assert short["messages"][2] == body["messages"][2]


def test_errors_show_little_of_it() -> None:
    assert len(shown({"url": one()})) < 120
    with pytest.raises(NotJsonError):
        plain({"url": object()}, "")
