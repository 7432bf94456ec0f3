"""What real servers send, from their bytes to the frames; in the order of known pitfalls."""

import json
import math
import warnings

import numpy as np
import pytest

import nbchat
from nbchat import frames
from nbchat.client import read_stream
from nbchat.frames import MissingLogprobsWarning
from nbchat.run import Run
from tests.frames.made import choice, entry, run_of, token

LOWEST_FLOAT = -3.4028234663852886e38


def answered(logprobs, text="", finish="stop", usage=None, **facts):
    """A run of a whole answer, read as the client reads it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
        "logprobs": logprobs,
    }
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    sent = json.dumps(body | {"choices": [choice]}).encode()
    return Run.from_completion(read_stream([sent]), **facts)


def of(*entries, **facts):
    facts.setdefault("text", "".join(e["token"] for e in entries))
    return answered({"content": list(entries), "refusal": None}, **facts)


@pytest.mark.parametrize("sentinel", [-9999.0, LOWEST_FLOAT, None])
def test_1_a_sentinel_enters_no_number(sentinel):
    bad = entry("b", sentinel, ("b", sentinel), ("a", math.log(0.5)))
    run = of(entry("a", math.log(0.25), ("a", math.log(0.25))), bad, vocab_size=100)
    tokens, choices = frames.tokens(run), frames.choices(run)
    assert tokens["censored"].tolist() == [False, True]
    numbers = tokens.select_dtypes("number").drop(columns=["entropy_hi"])
    assert (numbers.min().dropna() > -100).all()
    assert choices["perplexity"].tolist() == pytest.approx([4])
    assert choices["perplexity_is_bound"].tolist() == [True]
    assert frames.alternatives(run)["prob"].min() > 0.2


@pytest.mark.parametrize("number", [None, 7])
def test_2_a_drawn_token_that_comes_first_and_twice_is_one_alternative_in_its_place(number):
    drawn = token("c", -3.0, number=number)
    others = [
        token("a", -0.5, number=number and 1),
        token("b", -1.5, number=number and 2),
    ]
    run = of(entry("c", -3.0, drawn, *others, drawn, number=number))
    rows = frames.alternatives(run)
    assert rows["token"].tolist() == ["a", "b", "c"]
    assert rows["is_sampled"].tolist() == [False, False, True]
    assert (frames.tokens(run)["rank"][0], frames.tokens(run)["top_k"][0]) == (3, 3)


def test_3_halves_of_a_character_are_put_together_by_their_bytes():
    halves = ["🎉".encode()[:2], "🎉".encode()[2:]]
    run = of(*(entry("\ufffd", -0.1, data=half) for half in halves), text="🎉")
    tokens = frames.tokens(run)
    assert tokens["text"].tolist() == ["", "🎉"]
    assert tokens["display"].tolist() == ["\\xf0\\x9f", "\\x8e\\x89"]


@pytest.mark.local
def test_3_tokens_that_share_an_entry_are_counted_as_missing(local_server):
    run = nbchat.chat(
        "Repeat exactly: 🎉🎉🎉", profile="local", temperature=0, max_completion_tokens=12,
        logprobs=True, top_logprobs=2,
    )  # fmt: skip
    assert "🎉" in run.text
    row = frames.choices(run).iloc[0]
    assert row["n_missing"] == run.usage.completion_tokens - row["n_tokens"] > 1
    assert not row["is_aligned"]
    assert "".join(run.tokens()["text"]) == run.text


def test_4_an_end_token_with_a_row_is_no_text_and_has_a_perplexity_of_its_own():
    end = entry("", math.log(0.125), ("", math.log(0.125)), data=b"")
    run = of(entry("Hi", math.log(0.5)), end, usage={"completion_tokens": 2})
    assert frames.tokens(run)["is_special"].tolist() == [False, True]
    row = frames.choices(run).iloc[0]
    assert (row["perplexity"], row["perplexity_with_eos"]) == pytest.approx((2, 4))
    assert row["is_aligned"]
    assert row["bits_per_byte"] == pytest.approx(1 / 2)


@pytest.mark.local
def test_5_no_alternatives_on_llama_cpp_is_no_log_probabilities_and_says_so(local_server):
    ask = {"profile": "local", "temperature": 0, "max_completion_tokens": 3, "logprobs": True}
    none = nbchat.chat("Hi", top_logprobs=0, **ask)
    with pytest.warns(MissingLogprobsWarning, match="ask for top_logprobs=1"):
        assert len(none.tokens()) == 0
    assert set(nbchat.chat("Hi", **ask).tokens()["top_k"]) == {20}


def test_6_the_basis_of_the_numbers_is_said_and_never_assumed():
    plain = of(entry("a", -1.0))
    known = of(entry("a", -1.0), logprob_basis="tempered")
    assert frames.usage([plain, known])["logprob_basis"].tolist() == ["unknown", "tempered"]


@pytest.mark.local
def test_7_a_token_that_a_schema_forced_looks_unlikely_and_is_not_called_wrong(local_server):
    run = nbchat.chat(
        "Hi", profile="local", temperature=0, max_completion_tokens=20, logprobs=True,
        top_logprobs=5, response_format={"type": "json_object"},
    )  # fmt: skip
    tokens = run.tokens()
    forced = tokens[tokens["display"].str.contains("{", regex=False)].iloc[0]
    assert forced["prob"] < 0.05
    assert not forced["censored"]
    off = run.integrity().findings.query("is_off")
    assert not set(off["check"]) & {"near zero", "censored", "passed over"}


def test_8_impossible_rows_leave_no_negative_mass_and_no_entropy_upside_down():
    above = entry("a", -0.1, ("a", -0.1), ("b", -0.2))
    all_near_zero = entry("a", -20.0, ("a", -20.0), ("b", -21.0))
    disordered = entry("a", -2.0, ("a", -2.0), ("b", -4.0), ("c", -3.0))
    run = of(above, all_near_zero, disordered, vocab_size=50)
    tokens = frames.tokens(run)
    assert tokens["top_mass"][0] > 1
    assert tokens["tail_mass"].between(0, 1).all()
    assert (tokens["entropy_lo"] <= tokens["entropy_hi"]).all()
    assert (
        frames.alternatives(run)
        .groupby("position")["logprob"]
        .apply(lambda row: row.is_monotonic_decreasing)
        .all()
    )
    assert not run.integrity().ok


def test_9_a_refusal_has_a_channel_of_its_own():
    run = answered({"content": None, "refusal": [entry("No", -1.0), entry(".", -2.0)]}, text=None)
    tokens = frames.tokens(run)
    assert tokens["channel"].tolist() == ["refusal", "refusal"]
    assert frames.choices(run)["sum_logprob"].tolist() == [-3]


@pytest.mark.parametrize(("counted", "n_missing"), [(7, 0), (2, 0), (9, 1)])
def test_9_tokens_of_reasoning_are_no_missing_ones_whether_they_have_rows_or_not(
    counted, n_missing
):
    details = {"reasoning_tokens": 5}
    usage = {"completion_tokens": counted, "completion_tokens_details": details}
    if counted == 2:
        usage["completion_tokens_details"] = {"reasoning_tokens": 1}
    run = of(entry("a", -1.0), entry("b", -1.0), usage=usage)
    row = frames.choices(run).iloc[0]
    assert (row["n_missing"], row["is_aligned"]) == (n_missing, n_missing == 0)


@pytest.mark.local
@pytest.mark.parametrize("stream", [True, False])
def test_10_a_continued_message_has_rows_for_what_is_new_alone(local_server, stream):
    begun = {"role": "assistant", "content": "One, two"}
    run = nbchat.chat(
        [{"role": "user", "content": "Count to five."}, begun], profile="local", temperature=0,
        max_completion_tokens=6, logprobs=True, top_logprobs=2, stream=stream,
    )  # fmt: skip
    new = "".join(run.tokens()["text"])
    assert new
    assert not new.startswith("One")
    # the whole answer repeats what was given, the stream does not
    assert run.text == (new if stream else f"One, two{new}")
    assert run.integrity().ok


def test_11_tokens_that_a_stop_string_cut_off_keep_their_rows():
    run = of(entry("ab", -1.0), entry("cST", -2.0), entry("OP", -3.0), text="abc")
    tokens = frames.tokens(run)
    assert "".join(tokens["text"]) == "abcSTOP"
    assert tokens["char_end"].tolist() == [2, 5, 7]
    assert frames.choices(run)["sum_logprob"].tolist() == [-6]
    assert frames.choices(run)["text"].tolist() == ["abc"]


def test_12_the_older_shape_gives_the_same_frames():
    older = {
        "tokens": ["Hi", " you"],
        "token_logprobs": [-0.5, -1.0],
        "top_logprobs": [{"Yo": -2.0, "Hi": -0.5}, {" you": -1.0, " all": -0.7}],
        "text_offset": [0, 2],
    }
    run = answered(older, text="Hi you")
    tokens, rows = frames.tokens(run), frames.alternatives(run)
    assert tokens["display"].tolist() == ["Hi", "␣you"]
    assert tokens["rank"].tolist() == [1, 2]
    assert rows["token"].tolist() == ["Hi", "Yo", " all", " you"]
    np.testing.assert_allclose(rows["logprob"], [-0.5, -2.0, -0.7, -1.0])


def test_13_the_number_stands_beside_the_colour():
    html = of(entry("a", math.log(0.25), ("a", math.log(0.25)))).heatmap().html
    assert "probability 0.25" in html


def test_none_of_it_warns_but_what_is_missing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = of(entry("b", LOWEST_FLOAT, ("a", 0.5), ("a", 0.5)), entry("", -9999.0, data=b""))
        for frame in (frames.tokens, frames.alternatives, frames.choices, frames.usage):
            frame(run)


@pytest.mark.parametrize("k", [1, 2])
def test_a_sampled_token_behind_the_list_says_nothing_of_the_unseen_ones(k):
    # vLLM puts a token that was drawn from far below behind the K that were asked for
    top = [(" a", -2.0), (" c", -2.5)][:k]
    behind = entry(" b", -30.0, *top, (" b", -30.0))
    beside = entry(" b", -30.0, *top)
    params = {"logprobs": True, "top_logprobs": k}
    one, other = (
        frames.tokens(run_of(choice(e), params=params, vocab_size=49_152)).iloc[0]
        for e in (behind, beside)
    )
    assert one["entropy_lo"] == pytest.approx(other["entropy_lo"])
    assert one["entropy_hi"] == pytest.approx(other["entropy_hi"])
    assert one["entropy_lo"] < one["entropy_hi"] - 1
