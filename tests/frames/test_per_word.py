"""Words and their surprisal, against values by hand and against a model that can be enumerated."""

from __future__ import annotations

import itertools
import math

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import nbchat
from nbchat import frames
from nbchat.frames.word_breaks import words_in
from tests.frames.made import choice, entry, run_of, token

LOG = math.log


def bits(*probs: float) -> float:
    return -math.log2(math.prod(probs))


def text_of(*pieces: tuple[str, float], **facts):
    return run_of(choice(*(entry(text, LOG(p)) for text, p in pieces)), **facts)


# sentence as tokens with their probabilities; the words, with those that are theirs
TEN = [
    ([("The", 0.5), (" cat", 0.25), (" sat", 0.1)], {"The": [0.5], "cat": [0.25], "sat": [0.1]}),
    ([("un", 0.5), ("happy", 0.2), (".", 0.1)], {"unhappy.": [0.5, 0.2, 0.1]}),
    ([(" The", 0.5), (" end", 0.4)], {"The": [0.5], "end": [0.4]}),
    ([("a", 0.5), (" ", 0.1), ("b", 0.3)], {"a": [0.5], "b": [0.1, 0.3]}),
    ([("a", 0.5), ("\n\n", 0.1), ("b", 0.3), ("\n", 0.2)], {"a": [0.5], "b": [0.1, 0.3]}),
    ([("It", 0.5), ("'s", 0.3), (" 3", 0.5), (".5", 0.1)], {"It's": [0.5, 0.3], "3.5": [0.5, 0.1]}),
    ([("né", 0.5), (" à", 0.25)], {"né": [0.5], "à": [0.25]}),
    ([("x", 0.5), ("  ", 0.5), (" y", 0.25)], {"x": [0.5], "y": [0.5, 0.25]}),
    ([("Hi", 0.9), ("!", 0.1), ("\u00a0", 0.2), ("x", 0.3)], {"Hi!": [0.9, 0.1], "x": [0.2, 0.3]}),
    ([("one", 1.0)], {"one": [1.0]}),
]  # fmt: skip


@pytest.mark.parametrize(("pieces", "expected"), TEN)
def test_ten_sentences_by_hand(pieces, expected):
    run = text_of(*pieces)
    found = nbchat.words(run)
    assert found["text"].tolist() == list(expected)
    assert found["word"].tolist() == list(range(len(expected)))
    assert found["n_tokens"].tolist() == [len(probs) for probs in expected.values()]
    assert found["surprisal_bits"].tolist() == pytest.approx([bits(*p) for p in expected.values()])
    assert not found[["spans_border", "is_bound"]].any(axis=None)
    data = run.text.encode()
    spans = zip(found["byte_start"], found["byte_end"], strict=True)
    assert [data[start:end].decode() for start, end in spans] == list(expected)
    assert found["surprisal_bits_corrected"].isna().all()  # no whole rows


def test_a_token_over_a_border_is_of_the_word_that_it_begins():
    found = text_of(("New ", 0.5), ("York is", 0.25), (" big", 0.5)).words()
    assert found["text"].tolist() == ["New", "York", "is", "big"]
    assert found["n_tokens"].tolist() == [1, 1, 0, 1]
    assert found["spans_border"].tolist() == [True, True, True, False]
    assert found["surprisal_bits"].fillna(-1).tolist() == pytest.approx([1, 2, -1, 1])


def test_by_unicode_marks_of_punctuation_are_words():
    found = text_of(("Hi", 0.5), (",", 0.25), (" you", 0.5), (".", 0.125)).words("unicode")
    assert found["text"].tolist() == ["Hi", ",", "you", "."]
    assert found["surprisal_bits"].tolist() == pytest.approx([1, 2, 1, 3])
    with pytest.raises(ValueError, match='by "space" or by "unicode", not by \'lines\''):
        text_of(("Hi", 0.5)).words("lines")


def test_tokens_without_a_probability_make_a_bound_and_parts_of_characters_are_put_together():
    half = [entry("\ufffd", LOG(0.5), data="é".encode()[i : i + 1]) for i in range(2)]
    found = run_of(choice(*half, entry(" b", LOG(0.5)), entry("c", -9999.0), text="é bc")).words()
    assert found["text"].tolist() == ["é", "bc"]
    assert found["surprisal_bits"].tolist() == pytest.approx([2, 1])
    assert found["is_bound"].tolist() == [False, True]


def test_choices_runs_and_refusals_have_their_own_words():
    a = run_of(choice(entry("x", -1.0)), choice(entry("y z", -1.0), index=1))
    b = run_of(choice(refusal=[entry("No", -1.0)]))
    found = frames.words([a, run_of(), b])
    assert found["text"].tolist() == ["x", "y", "z", "No"]
    assert found["choice"].tolist() == [0, 1, 1, 0]
    assert found["run_id"].tolist() == [a.id] * 3 + [b.id]
    assert len(frames.words([])) == 0


# a model whose texts can all be written down: what comes next depends on the last token alone
PIECES = ["a", "b", " a", " b", "<|end|>"]
FIRST = {"a": 0.4, "b": 0.3, " a": 0.1, " b": 0.1, "<|end|>": 0.1}
AFTER = {
    "a": {"a": 0.05, "b": 0.1, " a": 0.15, " b": 0.1, "<|end|>": 0.6},
    "b": {"a": 0.05, "b": 0.05, " a": 0.1, " b": 0.2, "<|end|>": 0.6},
    " a": {"a": 0.15, "b": 0.05, " a": 0.1, " b": 0.1, "<|end|>": 0.6},
    " b": {"a": 0.1, "b": 0.1, " a": 0.1, " b": 0.05, "<|end|>": 0.65},
}


def texts_with_probabilities(length: int) -> dict[tuple[str, ...], float]:
    """Every text of at most so many tokens and its end, and how likely it is."""
    found = {}
    for n in range(length + 1):
        for pieces in itertools.product(PIECES[:-1], repeat=n):
            p, row = 1.0, FIRST
            for piece in pieces:
                p, row = p * row[piece], AFTER[piece]
            found[pieces] = p * row["<|end|>"]
    return found


def test_the_corrected_surprisal_is_that_of_the_word_in_all_texts_of_a_small_model():
    texts = texts_with_probabilities(8)
    pieces = ["b", "a", " a", "b", " b"]
    rows = [FIRST, *(AFTER[piece] for piece in pieces)]
    entries = []
    for text, row in zip([*pieces, "<|end|>"], rows, strict=True):
        listed = [token(t, LOG(p), number=PIECES.index(t)) for t, p in row.items()]
        entries.append(entry(text, LOG(row[text]), *listed, number=PIECES.index(text)))
    run = run_of(choice(*entries, text="".join(pieces)), vocab_size=len(PIECES))
    found = run.words()
    assert found["text"].tolist() == ["ba", "ab", "b"]
    written = {pieces: "".join(pieces) for pieces in texts}
    assert sum(texts.values()) > 0.999

    def share_of(words):
        return sum(p for t, p in texts.items() if (written[t] + " ").startswith(words + " "))

    said = ""
    for word, corrected in zip(["ba", " ab", " b"], found["surprisal_bits_corrected"], strict=True):
        # among texts that go so far and have a word end there: what share goes on with the word?
        before = share_of(said) if said else 1
        said += word
        assert corrected == pytest.approx(-math.log2(share_of(said) / before), abs=0.01)
    # by the definition: the first word has nothing below
    ends = {piece: 1 - row["a"] - row["b"] for piece, row in AFTER.items()}
    p = [0.3 * 0.05 * ends["a"], 0.15 * 0.05 * ends["b"] / ends["a"], 0.2 * ends[" b"] / ends["b"]]
    assert found["surprisal_bits_corrected"].tolist() == pytest.approx([bits(x) for x in p])
    plain = [0.3 * 0.05, 0.15 * 0.05, 0.2]
    assert found["surprisal_bits"].tolist() == pytest.approx([bits(x) for x in plain])


def test_it_needs_whole_rows_and_words_at_white_space():
    top = [("a", LOG(0.5)), (" b", LOG(0.25)), ("<|end|>", LOG(0.25))]
    rows = [
        entry("a", LOG(0.5), *top),
        entry(" b", LOG(0.25), *top),
        entry("<|end|>", LOG(0.25), *top),
    ]
    whole = run_of(choice(*rows, text="a b"), vocab_size=3)
    assert whole.words()["surprisal_bits_corrected"].tolist() == pytest.approx([2, 2])
    assert whole.words("unicode")["surprisal_bits_corrected"].isna().all()
    parts = run_of(choice(*rows, text="a b"), vocab_size=4)
    assert parts.words()["surprisal_bits_corrected"].isna().all()
    cut = run_of(choice(*rows[:2], text="a b"), vocab_size=3)
    assert cut.words()["surprisal_bits_corrected"].isna().tolist() == [False, True]


SAMPLES = [
    "Hello, world! It's 3.14, isn't it? e.g. U.S.A. 1,000,000 a:b x_y __init__ can’t",
    'Ναί, κάτι. Привет-мир. שלום עולם ד"ר',
    "カタカナ と ひらがな 漢字 한국어 단어",
    "👩‍👩‍👧 🇩🇪🇫🇷 👍🏽 a\u0301b e\u0301",
    "tab\tnew\nline\r\nend  two",
    "price: $5.00 (50%) — “quoted” …",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_the_words_of_unicode_are_those_of_another_hand(text):
    breaks = [m.start() for m in regex.finditer(r"(?V1)(?w)\b", text)]
    expected = [text[a:b] for a, b in itertools.pairwise([0, *breaks, len(text)])]
    expected = [part for part in expected if part.strip()]
    assert [text[a:b].lstrip() for a, b in words_in(text, "unicode")] == expected


@given(st.text(st.sampled_from("aé1 .,'’:_\n\t漢か한カ👍🏽🇩\u200d\u0301-"), max_size=12))
def test_every_character_is_of_one_word_or_of_the_blanks_at_the_end(text):
    for by in ("space", "unicode"):
        spans = words_in(text, by)
        assert "".join(text[a:b] for a, b in spans) + text[spans[-1][1] if spans else 0 :] == text
        assert not text[spans[-1][1] if spans else 0 :].strip()
        assert all(text[a:b].strip() for a, b in spans)


@pytest.mark.local
def test_whole_rows_of_the_embedded_model_give_the_corrected_surprisal(local_server):
    run = nbchat.chat(
        "Name three animals.", profile="local", temperature=0, max_completion_tokens=8,
        logprobs=True, top_logprobs="all", stream=False,
    )  # fmt: skip
    found = run.words()
    rows = run.alternatives()
    # the mass of what begins with a blank or ends the reply, summed here from the frame
    is_blank = rows["token"].astype(str).str.match(r"\s|<\|")
    begins = is_blank | (rows["bytes"].astype(object).map(len, "ignore") == 0)
    mass = rows["prob"].where(begins, 0.0).groupby(rows["position"]).sum()
    known = found[found["surprisal_bits_corrected"].notna()]
    assert len(known) >= 2
    for word in known.itertuples():
        first = int(found["n_tokens"][: word.word].sum())  # every token is of a word here
        after = first + word.n_tokens
        below = 1.0 if word.word == 0 else mass[first]
        difference = word.surprisal_bits_corrected - word.surprisal_bits
        assert difference == pytest.approx(-math.log2(mass[after] / below), abs=1e-3)
