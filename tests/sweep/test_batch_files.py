"""A sweep to files that batches take, and back from files that batches gave."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

import nbchat
from nbchat.errors import CheckError
from nbchat.sweep import batch_requests
from tests.scripted import Reply, Request, ScriptedServer, completion, made_up_logprobs

OPENAI = "https://api.openai.com/v1"
KEY = "sk-batch0123456789abcdef"
MODEL = "gpt-4o-mini"


@pytest.fixture
def answering() -> object:
    def echo(request: Request) -> Reply:
        return Reply.json(completion(f"direct {request.body['messages'][-1]['content']}"))

    return echo


def sweep_of(folder: Path, n: int = 6, url: str = OPENAI, **more: Any) -> nbchat.sweep.Sweep:
    data = [{"word": f"word {number}"} for number in range(n)]
    fields = {"model": MODEL, "max_completion_tokens": 5, **more}
    fields = {name: value for name, value in fields.items() if value is not None}
    profile = nbchat.Profile(name="a server", base_url=url, key=KEY)
    return nbchat.sweep("{{ word }}", data=data, folder=folder, profile=profile, **fields)


def requests_in(frame: pd.DataFrame) -> list[dict[str, Any]]:
    texts = [Path(file).read_text() for file in frame["file"]]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def answered(key: str, text: str = "from a batch", *, answer: str = "1", **body: Any) -> Any:
    whole = completion(text) | {"model": MODEL, "id": f"{key}-{answer}", **body}
    response = {"status_code": 200, "request_id": "r-1", "body": whole}
    return {"id": "batch_req", "custom_id": key, "response": response, "error": None}


def refused(key: str, status: int, code: str = "bad") -> Any:
    error = {"message": "no", "type": "x", "code": code, "param": None}
    response = {"status_code": status, "request_id": "r-2", "body": {"error": error}}
    return {"id": "batch_req", "custom_id": key, "response": response, "error": None}


def expired(key: str) -> Any:
    error = {"code": "batch_expired", "message": "This request expired."}
    return {"id": "batch_req", "custom_id": key, "response": None, "error": error}


def write(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_each_row_is_a_line_that_openai_takes(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", repeats=2, grid={"temperature": [0, 1]}, logprobs=True)
    frame = sweep.to_batch(tmp_path / "out")
    lines = requests_in(frame)
    assert [line["custom_id"] for line in lines] == sweep.runs()["row_id"].tolist()
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    types = TypeAdapter(CompletionCreateParamsNonStreaming)
    for line in lines:
        types.validate_python(line["body"], strict=False)
    assert lines[2]["body"] == {
        "model": MODEL, "messages": [{"role": "user", "content": "word 0"}],
        "max_completion_tokens": 5, "temperature": 1.0, "logprobs": True,
    }  # fmt: skip
    sizes = [Path(file).stat().st_size for file in frame["file"]]
    assert frame["bytes"].tolist() == sizes
    assert frame["requests"].sum() == 24
    assert sweep.status.not_sent == 24


def test_a_file_has_one_model_and_the_prompts_of_a_queue(tmp_path: Path) -> None:
    made = sweep_of(tmp_path / "study", 7, model=None, grid={"model": ["a", "b/c"]})
    frame = made.to_batch(tmp_path / "whole")
    assert frame["model"].tolist() == ["a", "b/c"]
    assert [Path(file).name for file in frame["file"]] == [
        "requests-0001-a.jsonl", "requests-0002-b-c.jsonl",
    ]  # fmt: skip
    of_one = int(frame["prompt_tokens"][0]) // 7
    split = made.to_batch(tmp_path / "queue", queue_tokens=of_one * 3)
    assert sorted(split["requests"]) == [1, 1, 3, 3, 3, 3]
    assert (split["prompt_tokens"] <= of_one * 3).all()
    assert len({line["custom_id"] for line in requests_in(split)}) == 14


@pytest.mark.parametrize(
    ("requests", "size"), [(3, 10**9), (10**9, 700)], ids=["requests", "bytes"]
)
def test_files_are_split_at_requests_and_at_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requests: int, size: int
) -> None:
    made = sweep_of(tmp_path / "study", 8)

    def limits(queue_tokens: int | None) -> batch_requests.Limits:
        return batch_requests.Limits(requests=requests, bytes=size, queue_tokens=queue_tokens)

    monkeypatch.setattr("nbchat.sweep.batched.Limits", limits)
    frame = made.to_batch(tmp_path / "out")
    assert (frame["requests"] <= requests).all()
    assert (frame["bytes"] <= size).all()
    assert len(frame) >= 3
    assert len({line["custom_id"] for line in requests_in(frame)}) == 8


def test_the_limits_are_those_of_openai() -> None:
    assert batch_requests.Limits() == batch_requests.Limits(50_000, 200_000_000, None)


def test_only_rows_without_an_answer_are_written(server: ScriptedServer, tmp_path: Path) -> None:
    sweep_of(tmp_path / "study", 2, server.url).run()
    more = sweep_of(tmp_path / "study", 5, server.url)
    assert more.to_batch(tmp_path / "out")["requests"].tolist() == [3]
    more.run()
    assert more.to_batch(tmp_path / "out").empty
    assert list((tmp_path / "out").iterdir()) == []  # the files of before have been asked


def test_files_of_another_sweep_are_not_replaced(tmp_path: Path) -> None:
    sweep_of(tmp_path / "one").to_batch(tmp_path / "out")
    other = sweep_of(tmp_path / "two", temperature=1)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(CheckError, match="another sweep"):
        other.to_batch(tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: one
        b: the other
    """
    return a + b


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "functions": ({"tools": [add]}, "functions that run"),
    "a stream": ({"stream": True}, "nothing streams"),
    "no model": ({"model": None}, "names its model"),
    "a key": ({"user": f"it is {KEY}"}, "holds a key"),
}


@pytest.mark.parametrize(("more", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_row_that_no_batch_can_answer_is_refused_and_nothing_is_written(
    tmp_path: Path, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        sweep_of(tmp_path / "study", **more).to_batch(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("queue_tokens", [0, -1, 2.5, "many", True])
def test_a_queue_of_no_tokens_is_refused(tmp_path: Path, queue_tokens: Any) -> None:
    with pytest.raises(CheckError, match="queue_tokens"):
        sweep_of(tmp_path / "study").to_batch(tmp_path / "out", queue_tokens=queue_tokens)


def test_a_prompt_beyond_the_queue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"Row 0 of the data.*queue takes 2"):
        sweep_of(tmp_path / "study").to_batch(tmp_path / "out", queue_tokens=2)


def test_answers_come_back_as_rows_like_any_other(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 4)
    ids = sweep.runs()["row_id"].tolist()
    length = completion("cut") | {"model": MODEL}
    length["choices"][0]["finish_reason"] = "length"
    lines = [
        answered(ids[0], "one"),
        answered(ids[1], choices=length["choices"]),
        refused(ids[2], 400),
        refused(ids[3], 400, "content_filter"),
    ]
    write(tmp_path / "output.jsonl", lines)
    taken = sweep.from_batch(tmp_path / "output.jsonl")
    assert (taken.answered, taken.truncated, taken.error, taken.refused) == (1, 1, 1, 1)
    assert str(taken) == "4 rows taken · 1 truncated · 1 refused · 1 failed"
    frame = sweep_of(tmp_path / "study", 4).runs()
    assert frame["status"].tolist() == ["answered", "truncated", "error", "refused"]
    assert frame["text"].tolist()[:2] == ["one", "cut"]
    assert frame["tries"].tolist() == [1, 1, 1, 1]
    assert frame["model"].tolist()[:1] == [MODEL]
    first = next(iter(sweep))
    assert first.notes == ["answered in a batch"]
    assert first.request_id == "r-1"
    assert first.messages == [{"role": "user", "content": "word 0"}]
    assert sweep.status.unknown == 0


def test_what_a_batch_answered_has_the_price_of_a_batch_or_none(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 3)
    ids = sweep.runs()["row_id"].tolist()
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    at = 1_793_000_000  # in October 2026
    lines = [
        answered(ids[0], usage=usage, created=at, service_tier="default"),
        answered(ids[1], usage=usage, created=at, model="nobody-knows"),
        answered(ids[2], usage=usage, created=1_700_000_000),
    ]
    write(tmp_path / "output.jsonl", lines)
    sweep.from_batch(tmp_path)
    costs = sweep.runs()["cost_usd"]
    # $0.15 for a million tokens, and half of it in a batch
    assert costs[0] == pytest.approx(0.075)
    assert costs[1:].isna().all()


def test_a_price_table_of_ones_own_has_the_price_of_a_batch(tmp_path: Path) -> None:
    row = {"model": MODEL, "input_usd_per_mtok": 4.0, "output_usd_per_mtok": 8.0}
    nbchat.configure(prices=[row, {**row, "service_tier": "batch", "input_usd_per_mtok": 1.0}])
    sweep = sweep_of(tmp_path / "study", 1, "http://localhost:1/v1")
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    write(tmp_path / "output.jsonl", [answered(sweep.runs()["row_id"][0], usage=usage)])
    sweep.from_batch(tmp_path)
    assert sweep.runs()["cost_usd"].tolist() == [1.0]


def test_probabilities_of_a_batch_are_there(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 1, logprobs=True)
    whole = completion("a b", logprobs=made_up_logprobs(["a", " b"], 2))
    line = answered(sweep.runs()["row_id"][0], choices=whole["choices"])
    write(tmp_path / "output.jsonl", [line])
    sweep.from_batch(tmp_path)
    assert sweep.tokens()["logprob"].notna().all()
    assert len(sweep.tokens()) == len(whole["choices"][0]["logprobs"]["content"])


def test_only_what_is_missing_is_asked_again(server: ScriptedServer, tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 6, server.url)
    ids = sweep.runs()["row_id"].tolist()
    write(tmp_path / "b.jsonl", [answered(ids[0]), answered(ids[1])])
    write(tmp_path / "a.jsonl", [expired(ids[2]), refused(ids[3], 429), refused(ids[4], 500)])
    taken = sweep.from_batch(tmp_path)
    assert (taken.rows, taken.again) == (2, 3)
    sweep.run()
    asked = [request.body["messages"][-1]["content"] for request in server.requests]
    assert sorted(asked) == [f"word {number}" for number in range(2, 6)]
    assert sweep.status.answered == 6


@pytest.mark.parametrize("seed", range(6))
def test_order_doubles_and_cuts_lose_no_whole_answer(
    server: ScriptedServer, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    sweep = sweep_of(tmp_path / "study", 30, server.url)
    ids = sweep.runs()["row_id"].tolist()
    kinds = {key: chance.choice(["answered", "expired", "failed", "none"]) for key in ids}
    made = {"answered": answered, "expired": expired, "failed": lambda key: refused(key, 503)}
    lines = [made[kind](key) for key, kind in kinds.items() if kind != "none"]
    lines += chance.choices(lines, k=10)  # some twice
    lines += [expired(key) for key in ids if chance.random() < 0.2]
    chance.shuffle(lines)
    folder = tmp_path / "files"
    folder.mkdir()
    complete: set[str] = set()
    for number in range(4):
        part = lines[number::4]
        data = b"".join(json.dumps(line).encode() + b"\n" for line in part)
        data = data[: chance.randrange(len(data))]
        for line, text in zip(part, data.split(b"\n"), strict=False):
            if line["response"] and line["response"]["status_code"] == 200:
                complete |= {line["custom_id"]} if text == json.dumps(line).encode() else set()
        if number % 2:
            (folder / f"{number}.jsonl").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
        else:
            with gzip.open(folder / f"{number}.jsonl.gz", "wb") as file:
                file.write(data)
    sweep.to_batch(folder)  # the requests beside them are none
    assert sweep.from_batch(folder).rows == len(complete)
    frame = sweep.runs().set_index("row_id")
    assert set(frame.index[frame["status"] == "answered"]) == complete
    assert sweep.from_batch(folder).rows == 0
    sweep.run()
    assert len(server.requests) == 30 - len(complete)


def test_a_packed_file_that_is_cut_gives_what_came_before(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 50)
    ids = sweep.runs()["row_id"].tolist()
    data = "".join(json.dumps(answered(key, str(hash(key)))) + "\n" for key in ids).encode()
    packed = gzip.compress(data)
    (tmp_path / "o.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    taken = sweep.from_batch(tmp_path / "o.jsonl.gz")
    assert 0 < taken.answered < 50
    assert taken.unreadable == 1


def test_a_row_that_was_answered_twice_has_one_answer_and_that_is_said(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 2)
    ids = sweep.runs()["row_id"].tolist()
    write(tmp_path / "1.jsonl", [answered(ids[0], "first"), answered(ids[1], "same")])
    write(tmp_path / "2.jsonl", [answered(ids[0], "second", answer="2"), answered(ids[1], "same")])
    taken = sweep.from_batch(tmp_path)
    assert (taken.answered, taken.twice) == (2, 1)
    assert sweep.runs()["text"].tolist() == ["first", "same"]
    assert len(list(sweep)) == 2


def test_an_answer_takes_the_place_of_an_error_and_not_the_other_way(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 1)
    key = sweep.runs()["row_id"][0]
    no, yes = refused(key, 400), answered(key)
    for line, status in ((no, "error"), (yes, "answered"), (no, "answered")):
        write(tmp_path / "o.jsonl", [line])
        sweep.from_batch(tmp_path)
        assert sweep.runs()["status"].tolist() == [status]
    assert sweep.runs()["attempt"].tolist() == [1]


def test_files_of_another_plan_are_refused_and_some_rows_of_one_are_counted(
    tmp_path: Path,
) -> None:
    sweep = sweep_of(tmp_path / "study", 1)
    write(tmp_path / "o.jsonl", [answered("not of it")])
    with pytest.raises(CheckError, match=r"None of the 1 answers .* is of a row of this sweep"):
        sweep.from_batch(tmp_path)
    write(tmp_path / "o.jsonl", [answered("not of it"), answered(sweep.runs()["row_id"][0])])
    taken = sweep.from_batch(tmp_path)
    assert (taken.answered, taken.foreign) == (1, 1)


def test_a_folder_without_answers_gives_none_and_no_folder_is_an_error(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study")
    (tmp_path / "empty").mkdir()
    assert str(sweep.from_batch(tmp_path / "empty")) == "0 rows taken"
    with pytest.raises(CheckError, match="no folder"):
        sweep.from_batch(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "line",
    [
        b"[]", b'"text"', b"{}", b"\xff\xfe", b'{"custom_id": 3}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": {}}}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": {"choices": []}}}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": "text"}}',
        b'{"custom_id": "KEY", "response": {"status_code": "200", "body": null}, "error": null}',
        b'{"custom_id": "KEY", "response": null, "error": null}',
        b'{"custom_id": "KEY", "response": [], "error": "no"}',
        b'{"custom_id": "KEY", "response": {"status_code": 200, "body": {"choices": [3]}}}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_answer_makes_no_row(tmp_path: Path, line: bytes) -> None:
    sweep = sweep_of(tmp_path / "study", 1)
    key = sweep.runs()["row_id"][0].encode()
    (tmp_path / "o.jsonl").write_bytes(line.replace(b"KEY", key) + b"\n")
    taken = sweep.from_batch(tmp_path)
    assert taken.rows == 0
    assert taken.unreadable + taken.again == 1
    assert sweep.runs()["status"].tolist() == ["not_sent"]


def test_no_key_is_in_any_file(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path / "study", 2)
    frame = sweep.to_batch(tmp_path / "out")
    ids = sweep.runs()["row_id"].tolist()
    write(tmp_path / "o.jsonl", [answered(ids[0], f"my key is {KEY}"), refused(ids[1], 400, KEY)])
    sweep.from_batch(tmp_path / "o.jsonl")
    files = [p for p in (tmp_path / "study").rglob("*") if p.is_file()] + [Path(frame["file"][0])]
    assert len(files) >= 3
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_load_reads_the_files_of_a_batch(tmp_path: Path) -> None:
    write(tmp_path / "o.jsonl", [answered("a", "text"), refused("b", 400), expired("c")])
    runs = nbchat.load(tmp_path / "o.jsonl")
    assert [run.status for run in runs] == ["complete", "error", "error"]
    assert runs[0].text == "text"
