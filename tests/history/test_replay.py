"""Replay's pure half: what is the same, which record is whose, how an answer comes again."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.client import read_stream
from nbchat.errors import ApiError, TransportError
from nbchat.history import played_answer
from nbchat.history.canonical import request_sha256, server_name
from nbchat.history.places import PROCESS, Claims, Place, Places, Recorded
from nbchat.history.played_answer import PlayedAnswer
from tests.fuzzing import examples
from tests.history.made import run_of
from tests.random_runs import completions, picture

DATA = Path(__file__).parents[1] / "data"
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 1,
}


def sha(server: str = "s", **changes: Any) -> str:
    return request_sha256({**BODY, **changes}, server)


@pytest.mark.parametrize(
    "same",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"temperature": 1.0},
        {"api_key": "sk-secret"},
        {"Authorization": "Bearer x"},
    ],
)
def test_how_an_answer_comes_and_who_pays_is_no_part_of_a_request(same: dict[str, Any]) -> None:
    assert sha(**same) == sha()


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.5},
        {"seed": 1},
        {"messages": [{"role": "user", "content": "ho"}]},
        {"messages": [{"role": "system", "content": "hi"}]},
        {"model": "n"},
        {"n": None},
        {"server": "t"},
    ],
)
def test_what_is_asked_and_of_whom_is(other: dict[str, Any]) -> None:
    assert sha(**other) != sha()


def test_the_order_of_fields_does_not_matter_that_of_a_schema_does() -> None:
    turned = dict(reversed(BODY.items()))
    assert request_sha256(turned, "s") == sha()
    first = {"response_format": {"a": 1, "b": 2}}
    second = {"response_format": {"b": 2, "a": 1}}
    assert sha(**first) != sha(**second)


def test_media_count_by_what_they_are() -> None:
    dot = picture()
    plain = json.loads(json.dumps({"type": "image_url", "image_url": {"detail": "low"}}))
    plain["image_url"] = {"url": str.__str__(dot["image_url"]["url"]), "detail": "low"}
    one, other = ([{"role": "user", "content": [part]}] for part in (dot, plain))
    assert sha(messages=one) == sha(messages=other)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://a.org/v1", "https://a.org/v1/", True),
        ("https://A.org/v1", "https://user:key@a.org/v1?api-key=x", True),
        ("https://a.org/v1", "http://a.org/v1", False),
        ("https://a.org/v1", "https://a.org:8443/v1", False),
        ("https://a.org/v1", "https://a.org/v2", False),
    ],
)
def test_a_server_is_its_address(one: str, other: str, is_same: bool) -> None:
    assert (server_name(one) == server_name(other)) is is_same
    assert "key" not in server_name(other)


def test_the_embedded_server_is_its_engine_and_its_weights() -> None:
    ports = [f"http://127.0.0.1:{port}/v1" for port in (1, 2)]
    names = {server_name(port, engine="b1", weights_sha256="w") for port in ports}
    assert len(names) == 1
    assert server_name("", engine="b1", weights_sha256="v") not in names


def test_equal_requests_of_a_cell_are_numbered_and_begin_anew_when_it_runs_again() -> None:
    places = Places()
    assert [places.take("a", "c1", 1).number for _ in range(3)] == [0, 1, 2]
    assert places.take("b", "c1", 1) == Place("c1", 0)
    assert places.take("a", "c2", 1) == Place("c2", 0)
    assert places.take("a", "c1", 1).number == 3
    assert places.take("a", "c1", 2).number == 0
    assert [places.take("a").number for _ in range(2)] == [0, 1]
    assert places.take("a").cell == PROCESS


def test_threads_never_get_the_same_number() -> None:
    places, got = Places(), []
    threads = [
        threading.Thread(target=lambda: got.extend(places.take("a").number for _ in range(200)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(800))


def recorded(*entries: str) -> list[Recorded]:
    """ "1 c 0": id, cell and number; "1 c -": without a number."""
    parts = [entry.split() for entry in entries]
    return [Recorded(i, c, None if n == "-" else int(n)) for i, c, n in parts]


@given(st.integers(1, 30), st.randoms())
def test_samples_come_back_as_the_same_samples_in_order(n: int, rng: random.Random) -> None:
    records = recorded(*(f"{k:03} cell {k}" for k in range(n)))
    for _ in range(2):  # and again when the cell runs again
        claims, order = Claims(), list(range(n))
        rng.shuffle(records)
        rng.shuffle(order)  # in whatever order they are asked
        found = {k: claims.claim(Place("cell", k), records) for k in order}
        assert [found[k].id for k in range(n)] == [f"{k:03}" for k in range(n)]  # type: ignore[union-attr]
        assert all(claim is not None and claim.is_own for claim in found.values())


def test_of_a_place_that_was_asked_again_the_last_answer_counts() -> None:
    claim = Claims().claim(Place("c", 0), recorded("1 c 0", "3 c 0", "2 c 0"))
    assert claim is not None
    assert (claim.id, claim.is_own) == ("3", True)


def test_a_place_without_a_record_takes_an_unclaimed_one_in_order() -> None:
    claims, records = Claims(), recorded("2 a 1", "1 a 0", "3 - -")
    taken = [claims.claim(Place("new", k), records) for k in range(4)]
    assert [claim and (claim.id, claim.is_own) for claim in taken] == [
        ("1", False),
        ("2", False),
        ("3", False),
        None,
    ]


def test_a_place_gets_again_what_it_took_and_leaves_others_theirs() -> None:
    claims, records = Claims(), recorded("1 a 0", "2 a 1")
    assert claims.claim(Place("b", 0), records).id == "1"  # type: ignore[union-attr]
    assert claims.claim(Place("c", 0), records).id == "2"  # type: ignore[union-attr]
    assert claims.claim(Place("b", 0), records).id == "1"  # type: ignore[union-attr]
    assert claims.claim(Place("d", 0), records) is None
    own = claims.claim(Place("a", 1), records)
    assert own is not None
    assert (own.id, own.is_own) == ("2", True)
    claims.forget()
    assert claims.claim(Place("d", 0), records).id == "1"  # type: ignore[union-attr]


def played(completion: Completion, **facts: Any) -> Completion:
    answer = PlayedAnswer(completion, **facts)
    with answer:
        for _ in answer:
            pass
    return answer.completion


def exactly(completion: Completion) -> str:
    return repr(completion.to_dict())


def read(data: bytes) -> Completion | None:
    try:
        return read_stream([data])
    except (ApiError, TransportError) as error:
        return error.completion


@pytest.mark.parametrize("path", sorted(DATA.glob("*.sse")), ids=lambda path: path.stem)
def test_every_servers_answer_comes_again_as_it_was(path: Path) -> None:
    completion = read(path.read_bytes()) or Completion()
    assert exactly(played(completion)) == exactly(completion)


@pytest.mark.fuzz
@examples(40)
@given(completions())
def test_any_answer_that_has_passed_the_fold_comes_again_as_it_was(completion: Completion) -> None:
    once = played(completion)
    assert exactly(played(once, ttft_s=0.5, elapsed_s=2.0)) == exactly(once)
    if completion.choices:
        texts = [choice.message.text or "" for choice in completion.choices]
        assert [choice.message.text or "" for choice in once.choices] == texts


def test_it_comes_in_pieces_and_each_choice_in_its_order() -> None:
    run = run_of("Paris")
    assert run.completion is not None
    answer = PlayedAnswer(run.completion)
    said = [chunk.text for chunk in answer if chunk.text]
    assert said == ["Par", "is"]
    assert (answer.tries, answer.completion) == (0, run.completion)


def test_it_comes_as_fast_as_it_came_times_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    said = Completion(choices=[Choice(0, ResponseMessage(content="x" * 240))])
    answer = PlayedAnswer(said, ttft_s=10.0, elapsed_s=20.0, speed=2.0)
    monkeypatch.setattr(played_answer, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    monkeypatch.setattr(answer._cancelled, "wait", lambda s: waited.append(s) or False)
    assert len(list(answer)) > 10
    # no time passes in this test, so each waits for its whole time from the beginning
    assert (waited[0], waited[-1]) == (5.0, 10.0)
    assert waited == sorted(waited)


def test_cancelled_it_ends_with_what_has_come() -> None:
    run = run_of("Paris")
    assert run.completion is not None
    answer = PlayedAnswer(run.completion)
    for chunk in answer:
        if chunk.text:
            answer.cancel()
    assert answer.was_cancelled
    assert answer.completion.choices[0].message.text == "Par"
