from datetime import UTC, datetime

import pandas as pd
import pytest

from nbchat import frames
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.errors import RateLimitError
from nbchat.run import Run
from tests.frames.made import choice, entry, run_of


def test_runs_show_what_was_sent_and_what_came():
    run = run_of(
        choice(text="second", index=1),
        choice(text="first", index=0),
        params={
            "model": "small",
            "temperature": 0.5,
            "seed": 2**62 + 1,
            "logprobs": True,
            "stop": ["a", "b"],
            "logit_bias": {"5": 1},
            "n": 2,
        },
        profile="local",
        created_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    )
    row = frames.runs(run, all_columns=True).iloc[0]
    assert row["run_id"] == run.id
    assert row["created_at"] == pd.Timestamp("2026-01-02T03:04:05.000006Z")
    assert (row["profile"], row["status"]) == ("local", "complete")
    assert (row["model"], row["temperature"], row["n"], row["logprobs"]) == ("small", 0.5, 2, True)
    assert row["seed"] == 2**62 + 1
    assert row["stop"] == ["a", "b"]
    assert row["logit_bias"] == {"5": 1}
    assert row["text"] == "first"
    assert row[["top_p", "max_tokens", "tools", "user", "stream", "error"]].isna().all()


HEAD = [
    *("created_at", "thread", "turn", "model", "status", "text"),
    *("prompt_tokens", "completion_tokens", "cost_usd"),
]


def test_runs_begin_with_what_is_looked_for_first_and_then_with_what_was_set():
    asked = run_of(params={"temperature": 0.5, "model": "small"}, thread="main", turn=2)
    frame = frames.runs([asked, run_of(params={"seed": 1})])
    assert frame.columns[:9].tolist() == HEAD
    assert frame.columns[9:11].tolist() == ["seed", "temperature"]
    assert "top_p" not in frame
    assert frame["turn"].tolist() == [2, pd.NA]
    whole = frames.runs([asked, run_of()], all_columns=True)
    assert whole.columns[-1] != "temperature"
    assert whole[["top_p", "seed", "tools"]].isna().all(axis=None)
    is_empty = whole.iloc[:, len(HEAD) :].isna().all()
    assert is_empty.tolist() == sorted(is_empty)


def test_columns_that_are_always_there_are_there_when_empty_too():
    assert set(HEAD) | {"run_id", "profile", "error", "model_asked"} <= set(frames.runs([]))


def test_null_and_unset_are_both_missing():
    sent = run_of(params={"temperature": None, "stop": None, "seed": None})
    frame = frames.runs(sent, all_columns=True)
    assert frame[["temperature", "stop", "seed"]].isna().all(axis=None)


def test_failed_runs_are_included_with_their_error():
    failed = run_of(status="error", error=RateLimitError("too fast", status=429))
    failed.completion = None
    stopped = run_of(choice(text="Once up"), status="interrupted", error=KeyboardInterrupt())
    frame = frames.runs([failed, stopped])
    assert frame["status"].tolist() == ["error", "interrupted"]
    assert frame["error"].tolist() == ["RateLimitError: too fast (429)", "KeyboardInterrupt"]
    assert frame["text"].isna().tolist() == [True, False]
    assert len(frames.usage(failed)) == 1


def test_usage_counts_and_times():
    run = run_of(
        choice(entry("a", -1.0)),
        usage={
            "prompt_tokens": 10,
            "completion_tokens": 21,
            "total_tokens": 31,
            "prompt_tokens_details": {
                "cached_tokens": 4,
                "cache_write_tokens": 6,
                "audio_tokens": 1,
                "text_tokens": 7,
                "image_tokens": 2,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 5,
                "audio_tokens": 2,
                "text_tokens": 14,
            },
        },
        ttft_s=0.5,
        elapsed_s=2.5,
        cost_usd=0.25,
        logprob_basis="raw",
    )
    row = frames.usage(run).iloc[0]
    assert row["prompt_tokens":"reasoning_tokens"].tolist() == [10, 21, 31, 4, 6, 5]
    assert row["text_tokens":"audio_tokens"].tolist() == [21, 2, 3]
    assert row["accepted_prediction_tokens"] is pd.NA
    # 20 tokens after the first one, in two seconds
    assert row["tokens_per_s"] == pytest.approx(10)
    assert (row["ttft_s"], row["elapsed_s"], row["cost_usd"]) == (0.5, 2.5, 0.25)
    assert (row["model"], row["logprob_basis"]) == ("small", "raw")


def test_an_answer_that_came_whole_is_timed_as_a_whole():
    run = run_of(usage={"completion_tokens": 20}, ttft_s=2.0, elapsed_s=2.0)
    assert frames.usage(run)["tokens_per_s"].tolist() == [10]


def test_unknown_cost_is_missing_and_not_zero():
    frame = frames.usage([run_of(), run_of(usage={"completion_tokens": 3}, cost_usd=0.0)])
    assert frame["cost_usd"].isna().tolist() == [True, False]
    assert frame["completion_tokens"].isna().tolist() == [True, False]
    assert frame["tokens_per_s"].isna().all()


def test_the_fingerprint_and_tier_are_those_of_the_completion():
    completion = Completion(
        choices=[Choice(0, ResponseMessage(content="x"))],
        service_tier="default",
        system_fingerprint="fp_1",
    )
    row = frames.usage(Run.from_completion(completion)).iloc[0]
    assert (row["service_tier"], row["system_fingerprint"]) == ("default", "fp_1")
    assert pd.isna(row["model"])
