"""Runs to files and back, and answers that others kept."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import openai.types.chat
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbchat
from nbchat.api.response import Completion
from nbchat.client import read_stream
from nbchat.errors import (
    ApiError,
    BadRequestError,
    StreamCutError,
    TransportError,
    UnreadableRunError,
)
from nbchat.run import Run
from tests.fuzzing import examples
from tests.random_runs import assert_says_the_same, runs
from tests.wire import chunk, completion, logprob_entry, sse, usage_of

DATA = Path(__file__).parents[1] / "data"
ENTRIES = [logprob_entry("Hi", -0.25, [("Hi", -0.25), ("Ho", -1.5)])]
ANSWER = completion("Hi", logprobs=ENTRIES, usage=usage_of())
SUFFIXES = [".jsonl", ".ndjson", ".jsonl.gz", ".parquet"]


def assert_is_answer(run: Run, answer: dict[str, Any] = ANSWER) -> None:
    assert run.completion == read_stream([json.dumps(answer).encode()])
    assert run.status == "complete"


@pytest.mark.long
@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(examples(4), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(runs(), max_size=3))
def test_what_is_saved_is_loaded_and_says_the_same(
    found: list[Run], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"runs{suffix}"
    nbchat.save(found, path)
    loaded = nbchat.load(path)
    assert [run.id for run in loaded] == [run.id for run in found]
    for run, original in zip(loaded, found, strict=True):
        assert_says_the_same(run, original)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_runs_are_the_same_bytes_and_leave_nothing_beside(
    suffix: str, tmp_path: Path
) -> None:
    run = Run.from_completion(ANSWER)
    for name in ("a", "b"):
        nbchat.save(run, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    nbchat.save(Run.from_completion(ANSWER), path)
    before = path.read_bytes()
    broken = Run.from_completion(ANSWER, messages=[{"role": "user", "content": object()}])
    with pytest.raises(TypeError):
        nbchat.save([Run.from_completion(ANSWER), broken], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_parquet_file_has_the_facts_as_columns(tmp_path: Path) -> None:
    nbchat.save(Run.from_completion(ANSWER, cost_usd=0.5), tmp_path / "a.parquet")
    (row,) = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert (row["text"], row["prompt_tokens"], row["cost_usd"]) == ("Hi", 9, 0.5)


@pytest.mark.parametrize("name", ["runs.csv", "runs", "runs.json", "runs.gz"])
def test_another_suffix_is_refused_with_those_that_are_right(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.jsonl, \.jsonl\.gz or \.parquet"):
        nbchat.save([], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def batch_line(custom_id: str, status: int, body: Any) -> dict[str, Any]:
    response = {"status_code": status, "request_id": f"req_{custom_id}", "body": body}
    return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": None}


FORMS: dict[str, Any] = {
    "a dict": ANSWER,
    "a list": [ANSWER],
    "a list of the server's": {"object": "list", "data": [ANSWER]},
    "JSON": json.dumps(ANSWER),
    "indented JSON": json.dumps(ANSWER, indent=2),
    "bytes": json.dumps(ANSWER).encode(),
    "JSON with a BOM": b"\xef\xbb\xbf" + json.dumps(ANSWER).encode(),
    "lines": f"{json.dumps(ANSWER)}\n\n",
    "an object of openai": openai.types.chat.ChatCompletion.model_validate(ANSWER),
    "a completion": read_stream([json.dumps(ANSWER).encode()]),
    "to_dict": read_stream([json.dumps(ANSWER).encode()]).to_dict(),
    "a line of a batch": batch_line("a", 200, ANSWER),
    "a request and its answer": {"request": {"messages": []}, "response": ANSWER},
    "a run": Run.from_completion(ANSWER).to_dict(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_answer_is_read_in_every_form(form: Any) -> None:
    (run,) = nbchat.load(form)
    assert_is_answer(run)
    assert len(nbchat.tokens(run)) == 1


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".txt", ""])
def test_a_file_of_one_answer_is_read_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"answer{suffix}"
    path.write_text(json.dumps(ANSWER))
    for source in (path, str(path)):
        (run,) = nbchat.load(source)
        assert_is_answer(run)


def test_an_answer_that_is_read_twice_is_the_same_run(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(ANSWER))
    assert nbchat.load(path)[0].id == nbchat.load(ANSWER)[0].id
    assert nbchat.load(ANSWER)[0].created_at.timestamp() == ANSWER["created"]


def outcome(data: bytes) -> tuple[Exception | None, Completion | None]:
    try:
        return None, read_stream([data])
    except (ApiError, TransportError) as error:
        return error, error.completion


@pytest.mark.parametrize("path", sorted(DATA.glob("*.sse")), ids=lambda path: path.stem)
def test_every_servers_stream_is_read_as_the_client_reads_it(path: Path) -> None:
    error, expected = outcome(path.read_bytes())
    if expected is None or not expected.choices:
        with pytest.raises(UnreadableRunError, match="holds no answer"):
            nbchat.load(path)
        return
    (run,) = nbchat.load(path)
    assert (run.status, str(run.error)) == ("error" if error else "complete", str(error))
    assert run.completion == expected
    (again,) = nbchat.load(path.read_bytes())
    assert again.id == run.id


def test_a_stream_that_was_cut_off_keeps_what_had_come() -> None:
    (run,) = nbchat.load(sse(chunk("Hel"), chunk("lo"), done=False))
    assert (run.text, run.status) == ("Hello", "error")
    assert isinstance(run.error, StreamCutError)


def test_chunks_kept_as_lines_are_one_run_for_each_stream() -> None:
    streams = [
        [{**chunk(text), "id": name}, {**chunk(finish_reason="stop"), "id": name}]
        for name, text in (("a", "one"), ("b", "two"))
    ]
    lines = "\n".join(json.dumps(event) for events in streams for event in events)
    assert [run.text for run in nbchat.load(lines)] == ["one", "two"]
    assert [run.text for run in nbchat.load(streams[0])] == ["one"]


def test_the_output_file_of_a_batch_gives_a_run_for_each_line(tmp_path: Path) -> None:
    path = tmp_path / "batch_output.jsonl"
    refused = {"error": {"message": "no such model", "code": "model_not_found"}}
    expired = {"custom_id": "c", "response": None, "error": {"code": "batch_expired"}}
    lines = [batch_line("a", 200, ANSWER), batch_line("b", 400, refused), expired]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    answered, failed, never_sent = nbchat.load(path)
    assert_is_answer(answered)
    assert answered.request_id == "req_a"
    assert "custom_id a" in answered.notes
    assert isinstance(failed.error, BadRequestError)
    assert failed.error.code == "model_not_found"
    assert never_sent.status == "error"
    assert len(nbchat.runs([answered, failed, never_sent])) == 3


def test_a_request_kept_beside_its_answer_is_read_with_it() -> None:
    asked = [{"role": "user", "content": "hi"}]
    body = {"model": "m", "temperature": 7.5, "messages": asked, "top_k": 3, "n": 1}
    (run,) = nbchat.load({"request": body, "response": ANSWER})
    assert run.messages == asked
    assert run.params.given() == {"model": "m", "n": 1}
    assert run.params.extra == {"temperature": 7.5, "top_k": 3}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "holds no JSON"),
        (b"<html>", "holds no JSON"),
        (b'{"choices": [', "is no JSON"),
        (b"[1]", "entry 0"),
        (b'{"choices": 1}', "keys choices"),
        (f"{json.dumps(ANSWER)}\n{{}}".encode(), "line 2"),
        (f'{json.dumps(ANSWER)}\n{{"a":'.encode(), "line 2"),
        (3, "type int"),
        ({"object": "nbchat.run", "id": 1}, "stored run"),
        ([ANSWER, {"object": "nbchat.run"}], "entry 1"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=repr,
)
def test_what_is_no_answer_is_refused_with_its_place(source: Any, words: str) -> None:
    with pytest.raises(UnreadableRunError, match=words):
        nbchat.load(source)


def test_half_a_file_is_refused_in_every_format(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"runs{suffix}"
        nbchat.save(Run.from_completion(ANSWER), path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UnreadableRunError, match=path.name):
            nbchat.load(path)


def test_a_key_is_in_nothing_that_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, shaped = "canary0123456789", "sk-canary0123456789ABCDEF"
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", plain)
    said = f"keys: {plain} and {shaped}"
    run = Run.from_completion(
        completion(said),
        messages=[{"role": "user", "content": [{"type": "text", "text": said}]}],
        base_url=f"https://user:{plain}@example.org/v1",
        error=ValueError(said),
        notes=[said],
    )
    for suffix in SUFFIXES:
        path = tmp_path / f"runs{suffix}"
        nbchat.save(run, path)
        data = path.read_bytes()
        data = gzip.decompress(data) if suffix.endswith(".gz") else data
        if suffix == ".parquet":
            data = str(pyarrow.parquet.read_table(path).to_pylist()).encode()
        assert b"keys: " in data
        assert b"canary" not in data
