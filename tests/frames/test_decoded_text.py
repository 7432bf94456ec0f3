"""Tokens as text: characters over token borders, blanks, end tokens."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat import frames
from nbchat.api.logprobs import read_entry
from nbchat.frames.token_texts import visible
from nbchat.widgets.inspector.page_messages import Page
from tests.frames.made import choice, entry, run_of


def pieces(*data, text=None, finish="length"):
    entries = [entry(d.decode("utf-8", "replace"), -0.1, data=d) for d in data]
    return frames.tokens(run_of(choice(*entries, text=text, finish=finish)))


def test_a_split_character_belongs_to_its_last_token():
    frame = pieces(b"a ", b"\xf0\x9f", b"\x98", b"\x80!", "é".encode())
    assert frame["text"].tolist() == ["a ", "", "", "😀!", "é"]
    assert frame["is_partial_utf8"].tolist() == [False, True, True, True, False]
    assert frame["byte_start"].tolist() == [0, 2, 4, 5, 7]
    assert frame["byte_end"].tolist() == [2, 4, 5, 7, 9]
    assert frame["char_start"].tolist() == [0, 2, 2, 2, 4]
    assert frame["char_end"].tolist() == [2, 2, 2, 4, 5]
    assert frame["display"].tolist() == ["a␣", "\\xf0\\x9f", "\\x98", "\\x80!", "é"]
    assert frame["bytes"].tolist()[1] == b"\xf0\x9f"


@pytest.mark.long
@given(st.text(max_size=30), st.data())
def test_wherever_the_bytes_are_cut_the_text_is_whole(text, data):
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    borders = [0, *cuts, len(raw)]
    parts = [raw[a:b] for a, b in pairwise(borders) if b > a]
    frame = pieces(*parts)
    assert "".join(frame["text"]) == text
    assert b"".join(frame["bytes"]) == raw
    for row in frame.itertuples():
        assert text[row.char_start : row.char_end] == row.text
        assert raw[row.byte_start : row.byte_end] == row.bytes


def test_bytes_that_never_become_a_character_are_replaced():
    frame = pieces(b"a\xff", b"b", b"\xe2\x82")
    assert "".join(frame["text"]) == "a\ufffdb\ufffd"
    assert frame["is_partial_utf8"].tolist() == [True, False, True]


def test_a_cut_character_does_not_reach_into_the_next_table():
    run = run_of(
        choice(entry("?", -0.1, data=b"\xe2\x82"), text="", finish="length"),
        choice(entry("?", -0.1, data=b"\xac"), entry("x", -1.0), index=1, finish="length"),
    )
    frame = frames.tokens(run)
    assert frame["text"].tolist() == ["\ufffd", "\ufffd", "x"]
    assert frame["byte_start"].tolist() == [0, 0, 1]
    assert frame["char_end"].tolist() == [1, 1, 2]


def test_bytes_win_over_the_text_of_the_token():
    run = run_of(choice(entry("bytes:\\xe2\\x82\\xac", -0.1, data="€".encode()), finish="length"))
    frame = frames.tokens(run)
    assert frame["text"].tolist() == frame["display"].tolist() == ["€"]
    assert frame["token"].tolist() == ["bytes:\\xe2\\x82\\xac"]


def test_without_bytes_the_text_of_the_token_counts():
    run = run_of(choice(entry("é", -0.1, data=False), entry("!", -0.1, data=False)))
    frame = frames.tokens(run)
    assert frame["bytes"].isna().all()
    assert frame["byte_end"].tolist() == [2, 3]
    assert frame["text"].tolist() == ["é", "!"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" the", "␣the"),
        ("\n\n", "⏎⏎"),
        ("\t\r", "⇥␍"),
        ("plain", "plain"),
        ("\x07", "\\x07"),
        ("\x85", "\\u0085"),
        ("\u200b", "\\u200b"),
        ("\u202eabc", "\\u202eabc"),
        ("\u00a0", "\\u00a0"),
        ("\U000e0041", "\\U000e0041"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("\u200d", "\\u200d"),
        ("日本", "日本"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_what_is_visible_stays_and_the_rest_prints(text):
    shown = re.sub("[\u200c\u200d\U0001f300-\U0001faff]", "", visible(text))
    assert shown.isprintable()
    assert " " not in shown


@pytest.mark.parametrize("emoji", ["🦊", "\U0001fa75", "\U0001faea", "\U0001faff"])
def test_an_emoji_is_shown_whatever_this_pythons_unicode_knows_of_it(emoji):
    assert visible(f"a {emoji}") == f"a␣{emoji}"
    halves = [entry("\ufffd", -0.1, data=emoji.encode()[i : i + 2]) for i in (0, 2)]
    assert "".join(frames.tokens(run_of(choice(*halves, text=emoji)))["text"]) == emoji
    assert Page([run_of(choice(*halves, text=emoji))]).whole()["tables"][0]["texts"] == {"1": emoji}


def test_the_end_token_is_special_and_no_text():
    end = entry("", -0.3, ("", -0.3), (" and", -2.0), data=b"")
    frame = frames.tokens(run_of(choice(entry("Hi", -0.1), end)))
    assert frame["is_special"].tolist() == [False, True]
    assert frame["display"].tolist() == ["Hi", "∅"]
    assert frame["logprob"].tolist() == [-0.1, -0.3]
    assert frame["rank"].tolist()[1] == 1


def test_an_end_token_can_be_written_out():
    frame = frames.tokens(run_of(choice(entry("Hi", -0.1), entry("<|im_end|>", -0.3), text="Hi")))
    assert frame["is_special"].tolist() == [False, True]
    assert frame["text"].tolist() == ["Hi", ""]
    assert frame["display"].tolist() == ["Hi", "<|im_end|>"]
    assert frame["byte_end"].tolist() == [2, 2]


def test_a_control_token_that_is_in_the_message_is_text():
    frame = frames.tokens(run_of(choice(entry("<|im_end|>", -0.3), entry(" ends", -0.1))))
    assert not frame["is_special"].any()
    assert "".join(frame["text"]) == "<|im_end|> ends"


def test_an_empty_token_within_or_at_the_limit_is_not_the_end():
    inner = run_of(choice(entry("", -0.3, data=b""), entry("a", -0.1)))
    limit = run_of(choice(entry("a", -0.1), entry("", -0.3, data=b""), finish="length"))
    assert not frames.tokens([inner, limit])["is_special"].any()


def test_many_tables_keep_their_own_counts():
    runs = [run_of(choice(entry("ab", -0.1), entry("ü", -0.1), arrival_s=0.5)) for _ in range(3)]
    frame = frames.tokens(runs)
    assert frame["position"].tolist() == [0, 1] * 3
    assert frame["byte_start"].tolist() == [0, 2] * 3
    assert frame["char_end"].tolist() == [2, 3] * 3
    assert frame["run_id"].tolist() == [run.id for run in runs for _ in range(2)]
    assert (frame["arrival_s"] == 0.5).all()


def test_channels_are_told_apart_and_choices_sorted():
    run = run_of(
        choice(entry("b", -0.1), index=1),
        choice(entry("a", -0.1), index=0, refusal=[entry("No", -0.2), entry("!", -0.3)]),
    )
    frame = frames.tokens(run)
    assert frame["choice"].tolist() == [0, 0, 0, 1]
    assert frame["channel"].tolist() == ["content", "refusal", "refusal", "content"]
    assert frame["position"].tolist() == [0, 0, 1, 0]
    assert frame["text"].tolist() == ["a", "No", "!", "b"]


def test_a_frame_does_not_hold_back_a_table_that_grows():
    run = run_of(choice(entry("a", -0.1, ("a", -0.1)), text="a"), status="running")
    table = run.completion.choices[0].logprobs.content
    before = frames.tokens(run), frames.alternatives(run)
    table.extend([read_entry(entry) for entry in table.builtins()])
    assert [len(frame) for frame in before] == [1, 1]
    assert len(frames.tokens(run)) == 2
    assert np.array_equal(before[0]["logprob"], [-0.1])


def test_a_position_that_is_half_written_is_left_for_the_next_time():
    run = run_of(choice(entry("a", -0.1, ("a", -0.1)), text="a"), status="running")
    table = run.completion.choices[0].logprobs.content
    table.codes.append(table.codes[0])
    table.logprobs.append(-2.0)
    table.alternative_codes.append(table.codes[0])
    assert len(frames.tokens(run)) == 1
    assert len(frames.alternatives(run)) == 1
