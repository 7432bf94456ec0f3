import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbchat
from nbchat import frames
from nbchat.errors import NbchatError, NoObjectError
from nbchat.frames.exact_share import ListedToken
from tests.frames.made import choice, entry, run_of, token

LOG = math.log


def said(*pairs, **facts):
    """A choice of tokens, each with its probability."""
    return choice(*(entry(text, LOG(p)) for text, p in pairs), **facts)


def fields(*args, allowed=None, **facts):
    return frames.fields(run_of(*args, **facts), 0, allowed).set_index("path")


END = entry("", LOG(0.9), data=b"")


def test_a_value_has_its_own_tokens_and_those_at_its_border():
    pairs = [('{"', 0.9), ("a", 0.8), ('":', 0.7), (' "', 0.5), ("re", 0.4), ("d", 0.3)]
    row = fields(said(*pairs, ('"}', 0.2))).loc["a"]
    assert (row["value"], row["type"], row["key"]) == ("red", "string", "a")
    assert (row["byte_start"], row["byte_end"], row["n_tokens"]) == (6, 11, 2)
    assert row["prob"] == pytest.approx(0.4 * 0.3)
    assert row["logprob"] == pytest.approx(LOG(0.12))
    assert row["prob_with_boundary"] == pytest.approx(0.5 * 0.4 * 0.3 * 0.2)
    assert row["min_prob"] == pytest.approx(0.3)
    assert not row["is_censored"]
    assert not row["is_bound"]
    assert row["note"] is pd.NA


def test_a_number_ends_with_the_token_after_it():
    frame = fields(said(("[", 0.9), ("1", 0.5), ("2", 0.4), (",", 0.3), ("7", 0.2), ("]", 0.1)))
    assert frame.loc["[0]", "prob"] == pytest.approx(0.2)
    assert frame.loc["[0]", "prob_with_boundary"] == pytest.approx(0.06)
    assert frame.loc["[1]", "prob_with_boundary"] == pytest.approx(0.02)
    assert frame.loc["", "prob"] == pytest.approx(0.9 * 0.5 * 0.4 * 0.3 * 0.2 * 0.1)


def test_a_bare_number_ends_with_the_end_token_or_nobody_knows():
    ended = fields(choice(entry("42", LOG(0.5)), END)).loc[""]
    assert ended["prob"] == pytest.approx(0.5)
    assert ended["prob_with_boundary"] == pytest.approx(0.45)
    bare = fields(said(("42", 0.5))).loc[""]
    assert bare["prob"] == pytest.approx(0.5)
    assert math.isnan(bare["prob_with_boundary"])
    assert len(fields(said(("42", 0.5), finish="length"))) == 0


def test_a_bare_word_and_a_bare_string_stand_alone():
    assert fields(said((" true", 0.5))).loc[""].to_dict()["prob_with_boundary"] == 0.5
    row = fields(said(('"', 0.9), ("hi", 0.5), ('"', 0.8))).loc[""]
    assert row["prob"] == pytest.approx(0.5)
    assert row["prob_with_boundary"] == pytest.approx(0.36)


def test_an_empty_string_and_a_value_in_one_token_with_others_have_none_of_their_own():
    frame = fields(said(('{"a":"', 0.9), ('"', 0.5), (',"b":1}', 0.4)))
    assert frame["n_tokens"].tolist() == [3, 0, 0]
    assert frame["prob"].isna().tolist() == [False, True, True]
    assert frame.loc["a", "prob_with_boundary"] == pytest.approx(0.45)
    assert frame.loc["b", "prob_with_boundary"] == pytest.approx(0.4)


def test_a_character_split_over_tokens_is_in_one_value():
    halves = [entry("?", LOG(0.5), data=b"\xf0\x9f"), entry("?", LOG(0.4), data=b"\x98\x80")]
    run = choice(entry('["é', LOG(0.9)), *halves, entry('"]', LOG(0.8)), text='["é😀"]')
    row = fields(run).loc["[0]"]
    assert row["value"] == "é😀"
    assert (row["byte_start"], row["byte_end"]) == (1, 9)
    assert (row["char_start"], row["char_end"]) == (1, 5)
    assert row["n_tokens"] == 2
    assert row["prob"] == pytest.approx(0.2)


def test_escapes_are_read_and_counted_as_they_are_written():
    row = fields(said(('{"a":"', 0.9), ("\\u00", 0.5), ("e9", 0.4), ('"}', 0.8))).loc["a"]
    assert row["value"] == "é"
    assert row["prob"] == pytest.approx(0.2)


def test_repeated_keys_have_rows_of_their_own():
    frame = fields(said(('{"a":', 0.9), ("1", 0.5), (',"a":', 0.9), ("2", 0.25), ("}", 0.9)))
    assert frame["prob"].loc[["a", "a#2"]].tolist() == pytest.approx([0.5, 0.25])
    assert frame["key"].tolist()[1:] == ["a", "a"]


def test_a_reply_that_was_cut_off_has_the_values_that_are_whole():
    run = said(('{"a":', 0.9), ("1", 0.5), (',"b":', 0.9), ("2", 0.25), finish="length")
    assert fields(run)["value"].to_dict() == {"a": "1"}


def test_a_censored_token_makes_a_bound():
    tokens = [entry('["', LOG(0.9)), entry("a", LOG(0.5)), entry("b", -9999.0)]
    row = fields(choice(*tokens, entry('"]', LOG(0.8)))).loc["[0]"]
    assert row["prob"] == pytest.approx(0.5)
    assert row["is_censored"]
    assert row["is_bound"]
    assert "no usable log probability" in row["note"]
    only = fields(choice(entry("[", 0), entry("7", -9999.0), entry("]", 0))).loc["[0]"]
    assert math.isnan(only["prob"])


def test_tokens_that_do_not_write_the_text_have_no_figures():
    run = said(("[", 0.9), ("?", 0.5), (",", 0.4), ("2", 0.3), ("]", 0.2), text="[1,2]")
    frame = fields(run)
    assert frame["prob"].isna().tolist() == [True, True, False]
    assert frame.loc["[1]", "prob"] == pytest.approx(0.3)
    assert frame["note"].tolist()[:2] == ["the tokens that came do not write this text"] * 2


def test_a_stop_string_that_was_cut_off_changes_nothing():
    run = said(("[", 0.9), ("1", 0.5), ("]", 0.4), ("\n\n", 0.3), text="[1]")
    assert fields(run).loc["[0]", "prob"] == pytest.approx(0.5)
    assert fields(run).loc["", "prob"] == pytest.approx(0.9 * 0.5 * 0.4)


def test_blanks_that_the_server_trimmed_change_nothing():
    frame = fields(said((" [", 0.9), ("1", 0.5), ("]", 0.4), text="[1]"))
    assert frame.loc["[0]", "prob"] == pytest.approx(0.5)
    assert frame.loc["", "prob_with_boundary"] == pytest.approx(0.18)


def test_a_fence_that_the_server_took_away_changes_nothing():
    frame = fields(
        said(("```", 0.9), ("json\n", 0.9), ("[1", 0.5), ("]", 0.4), ("\n```", 0.8), text="[1]")
    )
    assert frame.loc["", "prob"] == pytest.approx(0.2)


def test_what_the_request_began_is_not_the_models():
    messages = [{"role": "assistant", "content": '{"a": 1, "b":'}]
    run = said((" 2", 0.5), ("}", 0.4), text='{"a": 1, "b": 2}')
    frame = fields(run, messages=messages)
    assert frame.loc["b", "prob_with_boundary"] == pytest.approx(0.2)
    assert frame["note"].str.startswith("begun in the request").tolist() == [True, True, pd.NA]
    assert frame["prob"].isna().tolist() == [True, True, True]


def test_a_server_that_sends_one_row_for_several_tokens_is_found_out():
    run = said(('["', 0.9), ("🦜", 0.5), ('","a', 0.4), ('"]', 0.2))
    counted = {"completion_tokens": 7}
    frame = fields(run, usage=counted)
    assert frame["is_bound"].tolist() == [True, True, False]
    assert "fewer rows than tokens" in frame.loc["[0]", "note"]
    assert not fields(run)["is_bound"].any()


def test_without_logprobs_the_values_are_there_and_a_note():
    frame = fields(choice(text='{"a": 1}'))
    assert frame["value"].to_dict()["a"] == "1"
    assert frame["prob"].isna().all()
    assert set(frame["note"]) == {"no token probabilities came"}


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (run_of(choice(text="Sure.")), "The reply is no JSON: byte 0"),
        (run_of(choice(text="")), "The reply is empty"),
        (run_of(), "This run has no choice 0"),
    ],
)
def test_what_has_no_values_is_refused(run, sentence):
    with pytest.raises(NoObjectError, match=sentence):
        run.fields()


def test_the_schema_narrows_what_could_have_been():
    tokens = [entry('{"a":', 0), entry("true", LOG(0.2), ("true", LOG(0.2)), ("false", LOG(0.1)))]
    run = run_of(choice(*tokens, entry("}", 0)), vocab_size=2)
    frame = frames.fields(run, 0, lambda steps: [b"true", b"false"] if steps == ("a",) else None)
    assert frame["prob_allowed_lo"].tolist()[1] == pytest.approx(2 / 3)
    assert frame["prob_allowed_hi"].tolist()[1] == pytest.approx(2 / 3)
    assert frame["prob_allowed_lo"].isna().tolist() == [True, False]
    unknown = run_of(choice(*tokens, entry("}", 0)))
    row = frames.fields(unknown, 0, lambda _: [b"true", b"false"]).iloc[1]
    assert (row["prob_allowed_lo"], row["prob_allowed_hi"]) == pytest.approx((0.2, 0.9))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.long
@given(VALUES, st.data())
def test_however_the_text_is_cut_into_tokens_the_sums_are_those_of_its_bytes(value, data):
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
    pieces = [raw[a:b] for a, b in itertools.pairwise(cuts)]
    # one nat for each byte
    tokens = [entry(p.decode("utf-8", "replace"), -float(len(p)), data=p) for p in pieces]
    frame = fields(choice(*tokens, text=text))
    assert len(frame) >= 1
    for row in frame.itertuples():
        size = row.byte_end - row.byte_start
        json.loads(text[row.char_start : row.char_end])
        assert raw[row.byte_start : row.byte_end].decode() == text[row.char_start : row.char_end]
        if not math.isnan(row.logprob):
            assert -row.logprob <= size
        if not math.isnan(row.logprob_with_boundary):
            assert -row.logprob_with_boundary >= size


FRUIT = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "yellow"]},
        "ripe": {"type": "boolean"},
    },
    "required": ["colour", "ripe"],
    "additionalProperties": False,
}


def among(row, texts):
    """The probability of each text's own ways to begin among all of theirs, of a whole row."""
    masses = {
        text: sum(p for t, p in row if t and (text.startswith(t) or t.startswith(text)))
        for text in texts
    }
    return {text: mass / sum(masses.values()) for text, mass in masses.items()}


@pytest.mark.local
def test_the_embedded_models_choice_is_that_of_the_whole_vocabulary(local_server):
    def ask(top):
        return nbchat.chat(
            "Describe a lemon.",
            profile="local",
            response_format=nbchat.structured.response_format(FRUIT),
            temperature=0,
            max_completion_tokens=60,
            extra={"logprobs": True, "top_logprobs": top},
        )

    whole = ask(local_server.vocab_size)
    tokens, alternatives = whole.tokens(), whole.alternatives()
    frame = whole.fields().set_index("path")
    row = frame.loc["colour"]
    # the first token after the quote decides: no two colours begin alike
    starts = tokens["byte_start"] + len(whole.text.encode()) - tokens["byte_end"].max()
    position = tokens["position"][starts == row["byte_start"] + 1].item()
    listed = alternatives[alternatives["position"] == position]
    vocabulary = list(zip(listed["bytes"], listed["prob"], strict=True))
    assert len(vocabulary) == local_server.vocab_size
    texts = [f'{colour}"'.encode() for colour in FRUIT["properties"]["colour"]["enum"]]
    exact = among(vocabulary, texts)[f'{row["value"]}"'.encode()]
    assert row["prob_allowed_lo"] == pytest.approx(exact, abs=1e-4)
    assert row["prob_allowed_hi"] == pytest.approx(exact, abs=1e-4)
    # the reported probability is that among all tokens, and far from it
    assert row["prob"] < 0.5 * exact
    for top in (1, 5, 20):
        short = ask(top).fields().set_index("path").loc["colour"]
        assert short["value"] == row["value"]
        assert short["prob_allowed_lo"] - 1e-4 <= exact <= short["prob_allowed_hi"] + 1e-4
    assert 0 < frame.loc["ripe", "prob_allowed_lo"] <= frame.loc["ripe", "prob_allowed_hi"] <= 1


@pytest.mark.local
@pytest.mark.parametrize("stream", [True, False])
def test_the_embedded_models_values_have_figures_streamed_or_whole(local_server, stream):
    run = nbchat.chat(
        "Describe a lemon.",
        profile="local",
        response_format=nbchat.structured.response_format(FRUIT),
        temperature=1,
        seed=3,
        max_completion_tokens=60,
        logprobs=True,
        top_logprobs=5,
        stream=stream,
    )
    frame = run.fields()
    assert frame["path"].tolist() == ["", "colour", "ripe"]
    assert frame["prob_with_boundary"].notna().all()
    assert frame["prob_allowed_hi"].notna().tolist() == [False, True, True]


def test_nested_fields_have_the_probability_in_the_place_of_each_value():
    pieces = ['{"', "a", '":', "1", ',"', "b", '":["', "x", '",', "true", '],"', "c", '":{}}']
    probs = [0.5 + i / 100 for i in range(len(pieces))]
    entries = [entry(t, math.log(p)) for t, p in zip(pieces, probs, strict=True)]
    run = run_of(choice(*entries))
    assert run.fields(nested=True) == {
        "a": pytest.approx(probs[3]),
        "b": [pytest.approx(probs[7]), pytest.approx(probs[9])],
        "c": {},
    }
    frame = run.fields().set_index("path")
    assert run.fields(nested=True)["b"][1] == frame.loc["b[1]", "prob"]
    cut = run_of(choice(*entries[:9], finish="length"))
    assert cut.fields(nested=True) == {"a": pytest.approx(probs[3]), "b": [pytest.approx(probs[7])]}
    assert run_of(choice(text='[null, {"a": ""}]')).fields(nested=True) == [None, {"a": None}]


def test_bounds_of_an_allowed_value_know_what_rounding_leaves():
    """The masses of rows in 32 bits are off by up to 3e-4, and what is unseen with them."""
    first, true, false = (float(np.float32(math.log(p))) for p in (0.9, 0.4, 0.6001))
    tokens = [entry('{"a":', first), entry("true", true, ("true", true), ("false", false))]
    run = run_of(choice(*tokens, entry("}", first)), vocab_size=50)
    row = frames.fields(run, 0, lambda _: [b"true", b"false"]).iloc[1]
    p, q = math.exp(true), math.exp(false)
    assert p + q > 1
    assert row["prob_allowed_lo"] == pytest.approx(p / (p + q + 3e-4), abs=1e-9)
    assert row["prob_allowed_hi"] == pytest.approx((p + 3e-4) / (p + q + 3e-4), abs=1e-9)


class Rows:
    """Whole rows as they are asked for: which, and what they have."""

    end_tokens = (1, 2, 3)
    note = "rows asked for now differ"

    def __init__(self, *tokens):
        self.tokens = [ListedToken(*each) for each in tokens]
        self.questions = []

    def row(self, position, path):
        self.questions.append((position, path))
        return self.tokens


def test_whole_rows_are_asked_for_where_the_interval_is_no_point():
    tokens = [entry('{"a":', 0), entry("true", LOG(0.2), ("true", LOG(0.2)), ("false", LOG(0.1)))]
    run = run_of(choice(*tokens, entry("}", 0)))
    rows = Rows((7, b"true", 0.2), (8, b"false", 0.1), (9, b"fa", 0.1), (10, b"x", 0.6))
    frame = frames.fields(run, 0, lambda s: [b"true", b"false"] if s else None, rows)
    assert rows.questions == [(1, ())]
    assert frame["prob_allowed_lo"].tolist()[1] == pytest.approx(0.5)
    assert frame["prob_allowed_hi"].tolist()[1] == pytest.approx(0.5)
    assert frame["note"].tolist()[1] == Rows.note
    whole = run_of(choice(*tokens, entry("}", 0)), vocab_size=2)
    frames.fields(whole, 0, lambda s: [b"true", b"false"] if s else None, rows)
    assert len(rows.questions) == 1


def ended(*others, ends=(1, 2, 3)):
    """A bare number that ends with token 1, of which and of others the row tells."""
    listed = [token("", LOG(p), data=b"", number=n) for n, p in ((1, 0.5), *others)]
    end = {**token("", LOG(0.5), data=b"", number=1), "top_logprobs": listed}
    return run_of(choice(entry("42", LOG(0.5)), end), end_tokens=list(ends))


def test_a_bare_number_ends_with_any_token_that_ends_a_reply():
    row = ended((2, 0.2), (3, 0.1)).fields().iloc[0]
    assert row["prob_with_boundary"] == pytest.approx(0.5 * 0.8)
    assert row["note"] is pd.NA
    some = ended((2, 0.2)).fields().iloc[0]
    assert some["prob_with_boundary"] == pytest.approx(0.5 * 0.7)
    assert "others end one, too" in some["note"]
    # what the row lacks is asked for
    rows = Rows((1, b"", 0.5), (2, b"", 0.2), (3, b"", 0.25), (4, b"x", 0.05))
    exact = frames.fields(ended((2, 0.2)), 0, None, rows).iloc[0]
    assert exact["prob_with_boundary"] == pytest.approx(0.5 * 0.95)
    assert rows.questions == [(1, ())]
    unknown = ended((2, 0.2), ends=()).fields().iloc[0]
    assert unknown["prob_with_boundary"] == pytest.approx(0.25)


@pytest.mark.local
def test_exact_fields_are_those_of_whole_rows(local_server):
    def ask(top):
        return nbchat.chat(
            "Describe a lemon.",
            profile="local",
            response_format=nbchat.structured.response_format(FRUIT),
            temperature=0,
            max_completion_tokens=60,
            extra={"logprobs": True, "top_logprobs": top},
        )

    names = ["prob_allowed_lo", "prob_allowed_hi"]
    whole, short = ask(local_server.vocab_size), ask(1)
    at_first = short.fields().set_index("path").loc["colour", names]
    exact = short.fields(exact=True).set_index("path")
    assert at_first["prob_allowed_hi"] - at_first["prob_allowed_lo"] > 0.1
    assert exact.loc["colour", names].tolist() == pytest.approx(
        whole.fields().set_index("path").loc["colour", names].tolist(), abs=1e-4
    )
    assert (exact["prob_allowed_hi"] - exact["prob_allowed_lo"]).dropna().max() <= 1e-4
    assert exact["note"].isna().all()


@pytest.mark.local
def test_exact_fields_take_what_one_model_differs_by_in_another_batch(local_server):
    for seed in range(6):
        run = nbchat.chat(
            "Describe a lemon.",
            profile="local",
            response_format=nbchat.structured.response_format(FRUIT),
            seed=seed,
            max_completion_tokens=80,
            logprobs=True,
            top_logprobs=20,
        )
        nbchat.chat(f"Say {seed}.", profile="local", max_completion_tokens=10)
        exact = run.fields(exact=True)
        assert (exact["prob_allowed_hi"] - exact["prob_allowed_lo"]).dropna().max() <= 1e-4


@pytest.mark.local
def test_exact_fields_are_refused_where_the_run_has_the_rows_of_another_model(local_server):
    run = nbchat.chat(
        "Describe a lemon.",
        profile="local",
        response_format=nbchat.structured.response_format(FRUIT),
        temperature=0,
        max_completion_tokens=60,
        logprobs=True,
        top_logprobs=3,
    )
    table = run.completion.choices[0].logprobs.content
    for first in table.offsets[:-1]:
        likeliest, second, *_ = table.alternative_logprobs[first : first + 3]
        table.alternative_logprobs[first], table.alternative_logprobs[first + 1] = second, likeliest
    with pytest.raises(NbchatError, match="other probabilities now than in the run"):
        run.fields(exact=True)


def test_exact_fields_say_where_they_cannot_be_had():
    run = run_of(choice(entry("true", -1.0)), base_url="http://127.0.0.1:9/v1", profile="openai")
    with pytest.raises(NbchatError, match=r"127\.0\.0\.1:9"):
        run.fields(exact=True)
