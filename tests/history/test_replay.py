"""Replay's pure half: what is the same, which record is whose, how an answer comes again."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.client import read_stream
from nbchat.errors import ApiError, HistoryError, RunNotFoundError, TransportError
from nbchat.history import cassette as cassettes
from nbchat.history import played_answer
from nbchat.history.canonical import request_sha256, server_name
from nbchat.history.cassette import Cassette
from nbchat.history.places import PROCESS, Claims, Place, Places, Recorded
from nbchat.history.played_answer import PlayedAnswer
from nbchat.run import Run
from tests.fuzzing import examples
from tests.history.made import run_of
from tests.random_runs import assert_says_the_same, completions, picture, runs

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


def placed(answer: str, number: int = 0, **facts: Any) -> Run:
    return run_of(answer, request_sha256="a", cell="c", number_in_cell=number, **facts)


SUFFIXES = [".jsonl", ".jsonl.gz"]


@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(examples(4), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(runs(), max_size=3))
def test_a_cassette_gives_back_what_was_recorded(
    found: list[Run], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"study{suffix}"
    path.unlink(missing_ok=True)
    for run in found:
        run.is_replayed, run.request_sha256 = False, None
        Cassette(path).add(run)
    assert len(Cassette(path)) == len(found)
    for run in found:
        assert_says_the_same(Cassette(path).run(run.id), run)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cassette_is_the_same_bytes_in_whatever_order_it_was_recorded(
    suffix: str, tmp_path: Path
) -> None:
    made = [placed(str(k), k) for k in range(4)]
    contents = set()
    for n, order in enumerate(itertools.permutations(made)):
        cassette = Cassette(tmp_path / f"{n}{suffix}")
        for run in order:
            cassette.add(run)
        contents.add(cassette.path.read_bytes())
    assert len(contents) == 1


def test_a_new_run_is_a_new_line_and_no_other_changes(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("one", 0))
    before = cassette.path.read_text()
    cassette.add(placed("two", 1))
    assert cassette.path.read_text().startswith(before)
    assert cassette.path.read_text().count("\n") == 2


def test_a_place_that_is_asked_again_has_its_new_answer(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    for run in (placed("old"), placed("other", 1), placed("new")):
        cassette.add(run)
    texts = {cassette.run(found.id).text for found in cassette.of_request("a")}
    assert texts == {"new", "other"}


def test_what_failed_or_was_replayed_is_never_replayed(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("cut", 0, status="interrupted"))
    cassette.add(placed("failed", 1, status="error"))
    cassette.add(placed("again", 2, is_replayed=True))
    assert cassette.of_request("a") == []
    assert len(cassette) == 2


def test_two_that_write_one_cassette_lose_nothing(tmp_path: Path) -> None:
    one, other = (Cassette(tmp_path / "study.jsonl") for _ in range(2))
    one.add(placed("a", 0))
    other.add(placed("b", 1))
    one.add(placed("c", 2))
    assert len(other) == len(one) == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}\n", "line 1 is no run"),
        (b'{"object": "nbchat.run", "id": 3}\n', "line 1 is no run"),
        (b"\x80\x04N.", "line 1 is no run"),  # a pickle
        (b"[" * 100_000, "line 1 is no run"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused_by_its_line(
    data: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.jsonl"
    path.write_bytes(data)
    with pytest.raises(HistoryError, match=words):
        Cassette(path).of_request("a")
    assert path.read_bytes() == data


def test_a_cassette_from_elsewhere_cannot_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cassettes, "MOST_BYTES_OF_A_LINE", 10_000)
    monkeypatch.setattr(cassettes, "MOST_BYTES", 50_000)
    for name, data in (
        ("line", b"x" * 20_000),
        ("lines", (b'{"object": "nbchat.run", "id": "1"}' + b" " * 5_000 + b"\n") * 20),
    ):
        path = tmp_path / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(data))
        with pytest.raises(HistoryError, match="larger than a cassette may be"):
            len(Cassette(path))


def test_half_a_zipped_cassette_is_refused(tmp_path: Path) -> None:
    cassette = Cassette(tmp_path / "study.jsonl.gz")
    cassette.add(placed("a"))
    data = cassette.path.read_bytes()
    cassette.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(HistoryError, match="no whole gzip"):
        len(Cassette(cassette.path))


def test_a_cassette_names_what_it_lacks_and_how_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'x'"):
        Cassette(tmp_path / "study.jsonl").run("x")
    with pytest.raises(ValueError, match=r"ends in \.jsonl"):
        Cassette(tmp_path / "study.pickle")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_in_no_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "canary0123456789")
    cassette = Cassette(tmp_path / "study.jsonl")
    cassette.add(placed("keys: canary0123456789 sk-canary0123456789ABCDEF"))
    assert b"canary" not in cassette.path.read_bytes()
    assert b"keys: " in cassette.path.read_bytes()
