import math

import numpy as np
import pandas as pd
import pytest

import nbchat
from nbchat import frames
from tests.analysis.exactly import ENDS, Rows
from tests.frames.made import choice, entry, run_of, token

END = entry("", math.log(0.5), data=b"")


def only(*args, **kwargs):
    frame = frames.choices(run_of(*args, **kwargs))
    assert len(frame) == 1
    return frame.iloc[0]


def usage(n, **details):
    return {"completion_tokens": n, "completion_tokens_details": details}


def test_the_measures_of_a_choice():
    row = only(choice(entry("Hi", math.log(0.5)), entry(" é", math.log(0.125)), END))
    assert row["n_tokens"] == 3
    assert row["sum_logprob"] == pytest.approx(math.log(0.0625))
    assert row["mean_nll"] == pytest.approx(math.log(4))
    assert row["perplexity"] == pytest.approx(4)
    assert row["perplexity_with_eos"] == pytest.approx(32 ** (1 / 3))
    assert row["bits_per_byte"] == pytest.approx(4 / 5)
    assert row["min_prob"] == pytest.approx(0.125)
    assert (row["n_censored"], row["perplexity_is_bound"]) == (0, False)
    assert (row["text"], row["finish_reason"]) == ("Hi é", "stop")


def test_tokens_that_a_server_counts_and_does_not_send_cost_no_memory():
    tokens = [entry("Hi", math.log(0.5)), entry("é", math.log(0.125))]
    few = only(choice(*tokens), usage=usage(4))
    assert few["mean_nll"] == pytest.approx(math.log(16) / 4)
    many = only(choice(*tokens), usage=usage(10**15))
    assert many["perplexity"] == pytest.approx(1)
    assert many["n_missing"] > 10**14
    assert few["perplexity_is_bound"]
    assert many["perplexity_is_bound"]


def test_without_an_end_token_there_is_no_perplexity_with_it():
    row = only(choice(entry("Hi", -1.0)))
    assert row["perplexity"] == pytest.approx(math.e)
    assert np.isnan(row["perplexity_with_eos"])


def test_a_reply_ends_with_any_token_that_ends_one():
    def row(*others, ends=(1, 2, 3)):
        listed = [token("", math.log(p), data=b"", number=n) for n, p in ((1, 0.5), *others)]
        end = {**token("", math.log(0.5), data=b"", number=1), "top_logprobs": listed}
        return only(choice(entry("Hi", math.log(0.5)), end), end_tokens=list(ends))

    whole = row((2, 0.25), (3, 0.25))
    assert whole["perplexity_with_eos"] == pytest.approx(0.5**-0.5)
    assert not whole["is_eos_bound"]
    some = row((2, 0.25))
    assert some["perplexity_with_eos"] == pytest.approx((0.5 * 0.75) ** -0.5)
    assert some["is_eos_bound"]
    unknown = row((2, 0.25), ends=())
    assert unknown["perplexity_with_eos"] == pytest.approx(2)
    assert not unknown["is_eos_bound"]
    assert only(choice(entry("Hi", -1.0)))["is_eos_bound"] is pd.NA


@pytest.mark.local
def test_the_embedded_models_end_is_that_of_whole_rows(local_server):
    prompt = "What is the capital of Germany?"
    run = nbchat.chat(prompt, profile="local", temperature=0, max_completion_tokens=60,
                      stream=False, logprobs=True, top_logprobs=20)  # fmt: skip
    assert run.finish_reason == "stop"
    assert sorted(run.end_tokens) == sorted(ENDS)
    exact = Rows().logprobs(prompt, run.text)
    row = run.choices().iloc[0]
    assert math.log(row["perplexity_with_eos"]) * len(exact) == pytest.approx(-sum(exact), abs=1e-3)
    assert row["is_eos_bound"]  # two of the three are not among the 20, and could have been likely


@pytest.mark.parametrize("sentinel", [-9999.0, -3.4028234663852886e38])
def test_a_censored_token_makes_the_perplexity_a_bound(sentinel):
    row = only(choice(entry("a", -1.0), entry("b", sentinel), entry("c", -2.0)))
    assert row["perplexity"] == pytest.approx(math.exp(1.5))
    assert row["sum_logprob"] == -3
    assert row["min_prob"] == pytest.approx(math.exp(-2))
    assert (row["n_censored"], row["perplexity_is_bound"]) == (1, True)


def test_a_choice_with_nothing_but_censored_tokens_has_no_numbers():
    row = only(choice(entry("a", -9999.0)))
    numbers = ["sum_logprob", "mean_nll", "perplexity", "bits_per_byte", "min_prob"]
    assert row[numbers].isna().all()
    assert row["perplexity_is_bound"]


@pytest.mark.parametrize(
    ("counted", "details", "n_missing", "is_aligned"),
    [
        (2, {}, 0, True),
        (5, {}, 2, False),  # the end token is none of those that are missing
        (1, {}, -1, False),
        (7, {"reasoning_tokens": 5}, 0, True),
        (3, {}, 0, True),  # its end token is counted and not listed
        (9, {"reasoning_tokens": 5}, 1, False),
        (6, {"rejected_prediction_tokens": 4}, 0, True),
        (2, {"reasoning_tokens": 1}, 0, True),
    ],
)
def test_rows_are_compared_with_the_usage(counted, details, n_missing, is_aligned):
    run = choice(entry("a", -1.0), entry("b", -1.0))
    row = only(run, usage=usage(counted, **details))
    assert (row["n_missing"], row["is_aligned"]) == (n_missing, is_aligned)


@pytest.mark.parametrize(
    "facts", [{"params": {"stop": "."}}, {"finish": "length"}, {"ended": True}]
)
def test_one_token_fewer_is_missing_where_it_is_not_the_end_token(facts):
    end = [entry("", -0.1, ("", -0.1), data=b"")] if facts.pop("ended", False) else []
    own = choice(entry("a", -1.0), *end, finish=facts.pop("finish", "stop"))
    row = only(own, usage=usage(2 + len(end)), **facts)
    assert (row["n_missing"], row["is_aligned"]) == (1, False)


def test_an_end_token_that_has_a_row_and_is_not_counted_is_no_row_too_many():
    own = choice(entry("a", -1.0), entry("", -0.1, ("", -0.1), data=b""))
    row = only(own, usage=usage(1))
    assert (row["n_missing"], row["is_aligned"]) == (0, True)


def test_the_usage_counts_all_choices_of_a_run():
    two = [choice(entry("a", -1.0), entry("b", -1.0), index=i) for i in range(2)]
    frame = frames.choices(run_of(*two, usage=usage(4)))
    assert frame["is_aligned"].tolist() == [True, True]
    assert frame["n_tokens"].tolist() == [2, 2]


def test_what_is_unknown_is_missing():
    no_logprobs = only(choice(text="Hi"), usage=usage(3))
    unknown = ["n_tokens", "n_missing", "is_aligned", "n_censored", "perplexity_is_bound"]
    assert no_logprobs[[*unknown, "perplexity", "sum_logprob"]].isna().all()
    assert no_logprobs["text"] == "Hi"
    assert no_logprobs["refusal"] is pd.NA
    assert only(choice(entry("a", -1.0)))[["n_missing", "is_aligned"]].isna().all()


def test_a_refusal_counts_its_own_tokens():
    row = only(choice(refusal=[entry("No", -1.0), entry("!", -3.0)]))
    assert (row["refusal"], row["n_tokens"]) == ("No!", 2)
    assert row["sum_logprob"] == -4
    assert row["text"] is pd.NA


def test_choices_without_logprobs_stand_between_others():
    a, b = run_of(choice(entry("a", -1.0))), run_of(choice(entry("b", -2.0)))
    bare, failed = run_of(choice(text="x")), run_of(status="error")
    failed.completion = None
    frame = frames.choices([a, bare, failed, b])
    assert frame["run_id"].tolist() == [a.id, bare.id, b.id]
    assert frame["sum_logprob"].fillna(0).tolist() == [-1, 0, -2]
