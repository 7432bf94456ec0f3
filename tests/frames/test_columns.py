import re

import pandas as pd
import pytest

from nbchat import frames
from nbchat.api.fields import FIELDS
from nbchat.frames import columns
from nbchat.frames.assembly import _as_declared, assemble, assemble_rows, empty
from nbchat.frames.columns import columns_of
from tests.frames.made import choice, entry, run_of

NAMES = ["words", "runs", "choices", "tokens", "alternatives", "usage", "citations"]
KEY = "run_id choice channel position"
EXPECTED = {
    "branches": "branch_id parent_id run_id position token display prob logprob method depth mass "
    "text",
    "tokens": f"{KEY} token_id token bytes text display byte_start byte_end char_start char_end "
    "logprob prob surprisal_bits rank rank_min top_k in_top top_mass tail_mass margin log_margin "
    "entropy_lo entropy_hi entropy_top is_special is_partial_utf8 is_merged censored arrival_s",
    "alternatives": f"{KEY} alternative token_id token bytes display logprob prob cum_prob "
    "is_sampled is_listed censored",
    "words": "run_id choice word text byte_start byte_end n_tokens logprob surprisal_bits "
    "surprisal_bits_corrected spans_border is_bound",
    "choices": "run_id choice finish_reason text refusal n_tokens n_missing is_aligned sum_logprob "
    "mean_nll perplexity perplexity_with_eos is_eos_bound bits_per_byte min_prob n_censored "
    "perplexity_is_bound",
    "citations": "run_id choice number url title start_index end_index text",
    "fields": "run_id choice path key value type byte_start byte_end char_start char_end n_tokens "
    "logprob prob logprob_with_boundary prob_with_boundary min_prob is_censored is_bound "
    "prob_allowed_lo prob_allowed_hi note",
    "usage": "run_id prompt_tokens completion_tokens total_tokens cached_tokens "
    "cache_write_tokens reasoning_tokens text_tokens image_tokens audio_tokens "
    "accepted_prediction_tokens rejected_prediction_tokens ttft_s elapsed_s "
    "tokens_per_s cost_usd cost_source model model_asked service_tier system_fingerprint "
    "logprob_basis",
}


def every_column(name, source):
    return (
        frames.runs(source, all_columns=True) if name == "runs" else getattr(frames, name)(source)
    )


def a_run():
    return run_of(
        choice(entry("Hi", -0.1, ("Hi", -0.1), ("Yo", -3.0)), entry(" you", -9999.0)),
        usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        params={"model": "small", "temperature": 0.5, "logprobs": True, "stop": ["a"]},
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_columns_are_the_agreed_ones_keys_first(name):
    names = [column.name for column in columns_of(name)]
    assert names == EXPECTED[name].split(), (
        f"{sorted({*names} ^ {*EXPECTED[name].split()})}: write a new column of frames/columns.py "
        f"into EXPECTED[{name!r}] here too; one that is gone breaks what users have written"
    )


def test_runs_have_a_column_for_each_declared_field():
    names = [column.name for column in columns_of("runs")]
    head = "created_at thread turn model status text prompt_tokens completion_tokens cost_usd"
    rest = "run_id profile elapsed_s error model_asked is_replayed"
    fields = [name for name in FIELDS() if name != "model"]
    wanted = [*head.split(), *rest.split(), *fields]
    assert names == wanted, (
        f"{sorted({*names} ^ {*wanted})}: write the column of a new option (options.py, dtype=) "
        "into `rest` here too, in its place: this order is that of the frame"
    )
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", [[], [a_run()], [a_run(), run_of(), a_run()]], ids=len)
def test_dtypes_are_the_declared_ones_however_many_rows(name, source):
    frame = every_column(name, source)
    declared = {column.name: column.dtype for column in columns_of(name)}
    if name == "runs":
        assert sorted(frame.columns) == sorted(declared)
    else:
        assert list(frame.columns) == list(declared)
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == declared
    assert isinstance(frame.index, pd.RangeIndex)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_frame_is_that_of_no_runs(name):
    pd.testing.assert_frame_equal(empty(name), every_column(name, []))
    assert len(empty(name)) == 0


@pytest.mark.parametrize("name", EXPECTED)
def test_a_column_that_nothing_fills_is_an_error_and_not_all_na(name, monkeypatch):
    monkeypatch.setitem(
        columns._DECLARED, name, (*columns._DECLARED[name], ("new", "float64", "", "of a test"))
    )
    values = {column.name: [] for column in columns_of(name) if column.name != "new"}
    with pytest.raises(ValueError, match=f"fills these columns of the {name} frame: .'new'."):
        assemble(name, values)
    with pytest.raises(ValueError, match=r"declares no such columns.*'odd'"):
        assemble(name, {**values, "new": [], "odd": []})
    with pytest.raises(ValueError, match=r"declares no such columns.*'odd'"):
        assemble_rows(name, [{"odd": 1}])


def test_a_new_column_of_runs_is_taken_for_no_param(monkeypatch):
    declared = (*columns._DECLARED["runs"], ("sweep", "string", "", "of a test"))
    monkeypatch.setitem(columns._DECLARED, "runs", declared)
    with pytest.raises(ValueError, match="sweep"):
        frames.runs([a_run()])


def test_the_fields_frame_has_the_declared_dtypes():
    frame = frames.fields(run_of(choice(entry("[1]", -0.1))))
    declared = {column.name: column.dtype for column in columns_of("fields")}
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == declared


@pytest.mark.parametrize("name", [*NAMES, "fields"])
def test_every_column_says_what_it_means(name):
    for column in columns_of(name):
        assert column.frame == name
        assert column.meaning, column.name
        named_unit = re.search(r"_(s|bits|usd)$", column.name)
        units = {"s": "s", "bits": "bits", "usd": "US dollars"}
        if named_unit and column.name != "tokens_per_s":
            assert column.unit == units[named_unit[1]]
    logprobs = [column for column in columns_of(name) if column.name.endswith("logprob")]
    assert all(column.unit == "nats" for column in logprobs)


def test_a_categorical_has_only_the_categories_that_it_uses():
    run = run_of(choice(entry("only", -0.1, ("only", -0.1), ("other", -3.0))))
    assert list(frames.tokens(run)["token"].cat.categories) == ["only"]
    assert list(frames.alternatives(run)["token"].cat.categories) == ["only", "other"]
    assert list(frames.tokens([run_of(), run])["run_id"].cat.categories) == [run.id]


@pytest.mark.parametrize("odd", [10**30, -(10**30), 1.5, "many", [3], {"a": 1}, object()])
@pytest.mark.parametrize("dtype", ["Int64", "float64", "boolean", "string", "category", "object"])
def test_a_value_that_no_column_can_hold_takes_no_other_away(odd, dtype):
    good = {"Int64": 3, "float64": 0.5, "boolean": True}.get(dtype, "x")
    made = pd.Series(_as_declared([good, odd, None], dtype))
    assert len(made) == 3
    assert made[0] == good
    assert pd.isna(made[2])
    if dtype == "Int64":
        assert made.isna().tolist() == [False, True, True]
