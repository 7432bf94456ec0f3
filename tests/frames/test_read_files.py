"""Frames that went to a file by pandas' own hand and come back."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbchat import frames, plots
from nbchat.frames import read_csv, read_parquet
from nbchat.frames.source import MissingLogprobsWarning
from tests.frames.made import choice, entry, run_of, token
from tests.plots.drawn import draw

READ = {"csv": read_csv, "parquet": read_parquet}


def odd_runs():
    texts = ["Hi", " ", "\n", '"', ",", "NA", "nan", "", "é\ufffd", "b'x'", "\t", "=1+1", "\r\n"]
    rows = [
        entry(text, -0.1 * i - 1 / 3, (text, -0.1 * i - 1 / 3), ("x", -9999.0), number=i)
        for i, text in enumerate(texts)
    ]
    half = entry("\ufffd", -1e-17, token("\ufffd", -1e-17, b"\xf0\x9f"), data=b"\xf0\x9f")
    params = {"model": "small", "temperature": 1 / 3, "stop": ["a", "b"], "seed": 2**62 + 1}
    usage = {"prompt_tokens": 3, "completion_tokens": 15, "total_tokens": 18}
    full = run_of(
        choice(*rows, half, text="".join(texts)), usage=usage, params=params, vocab_size=9
    )
    return [full, run_of(), run_of(choice(text="none"))]


def written(frame, path):
    (frame.to_csv if path.suffix == ".csv" else frame.to_parquet)(path, index=False)
    return READ[path.suffix[1:]](path)


@pytest.mark.parametrize("source", [odd_runs(), []], ids=["some", "none"])
@pytest.mark.parametrize("name", ["tokens", "alternatives", "choices", "usage", "words"])
@pytest.mark.parametrize("kind", READ)
def test_frames_come_back_with_their_dtypes_and_all_that_was_in_them(kind, name, source, tmp_path):
    frame = getattr(frames, name)(source)
    found = written(frame, tmp_path / f"frame.{kind}")
    strict = kind == "parquet"
    assert found.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    if not strict and "text" in frame:
        # a CSV has no order of categories, and one field for an empty text and for none
        assert found.pop("text").fillna("").tolist() == frame.pop("text").fillna("").tolist()
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_categorical=strict)


@pytest.mark.parametrize("kind", READ)
def test_the_runs_frame_keeps_what_was_sent(kind, tmp_path):
    frame = frames.runs(odd_runs())
    found = written(frame, tmp_path / f"frame.{kind}")
    assert {c: str(d) for c, d in found.dtypes.items()} == {
        c: str(d) for c, d in frame.dtypes.items()
    }
    for column in ("run_id", "created_at", "temperature", "seed", "stop", "text"):
        a, b = found[column].astype(object), frame[column].astype(object)
        assert a.where(a.notna(), None).tolist() == b.where(b.notna(), None).tolist(), column


def test_bytes_are_hexadecimal_in_a_csv(tmp_path):
    frame = frames.tokens(odd_runs())
    text = frame.to_csv()
    assert ",f09f," in text
    assert "b'" not in text.replace("b'x'", "")
    frame.to_csv(tmp_path / "with_index.csv")
    found = read_csv(tmp_path / "with_index.csv")
    assert found["bytes"].tolist() == frame["bytes"].tolist()
    assert found["bytes"][0] == b"Hi"
    assert list(found) == list(frame)


@pytest.mark.long
@pytest.mark.parametrize("kind", READ)
def test_figures_take_them(kind, tmp_path):
    run = run_of(choice(entry("a", -1.0, ("a", -1.0), ("b", -2.0)), entry("é", -0.5, ("é", -0.5))))
    tokens = written(run.tokens(), tmp_path / f"a.{kind}")
    alternatives = written(run.alternatives(), tmp_path / f"b.{kind}")
    for ax in (plots.surprisal(tokens), plots.entropy(tokens), plots.ranks(tokens)):
        assert draw(ax)
    assert draw(plots.alternatives(alternatives, 0))
    assert "probability 0.368" in plots.heatmap(tokens).html


@pytest.mark.parametrize("kind", READ)
def test_columns_of_a_user_stay(kind, tmp_path):
    frame = frames.choices(odd_runs()).assign(score=[0.5, 1.5], label=["a", "b"])
    found = written(frame, tmp_path / f"frame.{kind}")
    assert found["score"].tolist() == [0.5, 1.5]
    assert found["label"].tolist() == ["a", "b"]
    assert list(found) == list(frame)


@pytest.mark.parametrize("kind", READ)
def test_another_table_is_refused(kind, tmp_path):
    with pytest.raises(ValueError, match="its columns are those of no frame of nbchat"):
        written(pd.DataFrame({"a": [1]}), tmp_path / f"frame.{kind}")


@pytest.mark.long
@example([("\r", -1.0), ("a\rb", -2.0), ("\r\n", -1.0), ("\n", -1.0)])
@given(st.lists(st.tuples(st.text(max_size=3), st.floats(-50, 0)), min_size=1, max_size=4))
def test_any_text_and_any_number_comes_back(tmp_path_factory, pieces):
    pieces = [(t.encode("utf-8", "replace").decode().replace("\0", ""), x) for t, x in pieces]
    frame = run_of(choice(*(entry(t, x) for t, x in pieces))).tokens()
    for kind in READ:
        found = written(frame, tmp_path_factory.mktemp("any") / f"frame.{kind}")
        for column in ("token", "text", "bytes", "logprob", "surprisal_bits"):
            assert found[column].tolist() == frame[column].tolist()


def test_no_alternatives_say_what_to_ask_for():
    params = {"logprobs": True, "top_logprobs": 0}
    run = run_of(choice(text="Hi"), params=params)
    with pytest.warns(MissingLogprobsWarning, match="ask for top_logprobs=1"):
        assert not len(run.tokens())
    assert "ask for top_logprobs=1" in run.heatmap().html
