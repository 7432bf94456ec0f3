import math
import time

import numpy as np
import pandas as pd
import pytest

import nbchat
from nbchat.api.logprobs import VOCABULARY, TokenTable
from nbchat.api.response import Choice, ChoiceLogprobs, ResponseMessage
from tests.frames.made import choice, entry, run_of

LOG = math.log
END = entry("", -0.1, ("", -0.1), data=b"")


def found(*args, number=None, **facts):
    """check -> (is_off, count, positions)"""
    facts.setdefault("logprob_basis", "raw")
    frame = run_of(*args, **facts).integrity(number).findings
    rows = frame[["check", "is_off", "count", "positions"]].itertuples(index=False, name=None)
    return {check: rest for check, *rest in rows}


def good(text="Hi", **more):
    return entry(text, LOG(0.6), (text, LOG(0.6)), ("Yo", LOG(0.3)), **more)


def test_where_all_is_well_it_says_so_and_no_more():
    run = run_of(choice(good(), END), usage={"completion_tokens": 2}, logprob_basis="raw")
    assert run.integrity().ok
    assert repr(run.integrity()) == "Nothing is off in the log probabilities of 2 tokens."
    assert run.integrity().note == ""
    assert len(run.integrity().findings) == 0
    assert "off" not in run.heatmap().html.split("Nothing")[0]


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        ("censored", entry("a", -9999.0, ("a", -9999.0), ("b", -0.1))),
        ("censored", entry("a", -3.4028234663852886e38)),
        ("above 0", entry("a", -0.1, ("a", -0.1), ("b", 0.5))),
        ("above 0", entry("a", 0.5)),
        ("mass above 1", entry("a", LOG(0.6), ("a", LOG(0.6)), ("b", LOG(0.5)))),
        ("mass above 1", entry("c", LOG(0.3), ("a", LOG(0.5)), ("b", LOG(0.3)))),
        ("near zero", entry("a", -12.0, ("a", -12.0), ("b", -13.0))),
        ("disorder", entry("b", -2.0, ("a", -3.0), ("b", -2.0))),
        ("disorder", entry("a", -2.0, ("a", -2.0), ("b", -4.0), ("c", -3.0))),
        ("doubles", entry("a", -2.0, ("a", -2.0), ("a", -2.0), ("b", -4.0))),
        ("passed over", entry("a", -1.0, ("b", -1.5), ("c", -2.0))),
        ("differs", entry("a", -1.0, ("a", -1.5), ("c", -2.0))),
        ("empty", entry("", -1.0, ("", -1.0), data=b"")),
        ("bytes lost", entry("\ufffd", -1.0, ("\ufffd", -1.0), data=False)),
    ],
)
def test_what_is_wrong_is_found_where_it_is_and_nowhere_else(check, bad):
    facts = found(choice(good("x"), bad, good("z"), END))
    is_off, count, positions = facts[check]
    assert (is_off, count, positions) == (True, 1, [1])
    assert set(facts) <= {check, "not listed", "above 0", "mass above 1"}


@pytest.mark.parametrize(
    "entries",
    [
        # vLLM puts the token that was drawn first
        [entry("c", -3.0, ("c", -3.0), ("a", -0.4), ("b", -1.5))],
        # 49,152 probabilities of 32 bits sum to a little more than 1
        [entry("a", LOG(0.9), ("a", LOG(0.9)), ("b", LOG(0.1003)))],
        # a list of one is the drawn token itself
        [entry("a", -15.0, ("a", -15.0))],
        # its bytes are there
        [entry("\ufffd", -1.0, data=b"\xf0\x9f"), entry("\ufffd", -1.0, data=b"\x98\x80")],
    ],
)
def test_what_is_no_fault_is_not_called_one(entries):
    text = b"".join(bytes(e["bytes"]) for e in entries).decode()
    assert found(choice(*entries, END, text=text)) == {}


def test_a_token_outside_the_list_is_worth_knowing_and_no_fault():
    run = run_of(choice(entry("c", -5.0, ("a", -0.4), ("b", -1.5))), logprob_basis="raw")
    assert run.integrity().ok
    (finding,) = run.integrity().findings.to_dict("records")
    assert (finding["check"], finding["is_off"]) == ("not listed", False)
    assert "note: not listed (1) at position 0" in repr(run.integrity())


def test_tokens_without_a_row_are_missing():
    assert found(choice(good()), usage={"completion_tokens": 4})["missing tokens"][:2] == [True, 2]
    stopped = found(choice(good()), usage={"completion_tokens": 2}, params={"stop": ["."]})
    assert stopped["missing tokens"][:2] == [False, 1]
    assert found(choice(good(), good()), usage={"completion_tokens": 1})["more rows"][:2] == [
        True,
        1,
    ]


@pytest.mark.local
@pytest.mark.parametrize("stream", [True, False])
def test_nothing_is_off_in_an_ordinary_reply_of_the_embedded_model(local_server, stream):
    run = nbchat.chat(
        "What is the capital of France? Answer with one word.", profile="local", temperature=0,
        logprobs=True, top_logprobs=5, stream=stream,
    )  # fmt: skip
    assert run.choices()["finish_reason"].tolist() == ["stop"]
    assert run.choices()["is_aligned"].tolist() == [True]
    assert run.integrity().ok
    assert run.integrity().note == ""


def test_text_that_no_token_writes_is_found():
    facts = found(choice(good("ab"), good("cd"), good("ef"), text="abXXef"))
    assert facts["text differs"] == [True, 2, [1]]
    assert found(choice(good("ab"), text="abc"))["text differs"][:2] == [True, 1]


@pytest.mark.parametrize(
    ("tokens", "text", "outside"),
    [(["ab", "STOP"], "ab", [1]), ([" ", "ab"], "ab", [0]), (["think", "ab"], "ab", [0])],
)
def test_tokens_cut_from_the_text_are_worth_knowing(tokens, text, outside):
    facts = found(choice(*map(good, tokens), text=text))
    assert facts == {"cut from text": [False, len(outside), outside]}


def test_a_prefix_that_the_text_repeats_is_no_fault():
    messages = [{"role": "assistant", "content": "Sun"}]
    assert found(choice(good("day"), text="Sunday"), messages=messages) == {}


def test_the_basis_is_told_where_it_is_not_known():
    facts = found(choice(good()), logprob_basis="unknown")
    assert facts["basis"] == [False, 1, []]
    tempered = found(choice(good()), logprob_basis="tempered", params={"temperature": 0.5})
    assert tempered["basis"][0] is False
    assert found(choice(good()), logprob_basis="tempered", params={"temperature": 1}) == {}


def test_logprobs_that_did_not_come_are_off():
    run = run_of(choice(text="Hi"), params={"logprobs": True})
    assert not run.integrity().ok
    assert "asked for and did not come" in repr(run.integrity())
    assert repr(run_of(choice(text="Hi")).integrity()).startswith("There are no log prob")


def test_choices_and_channels_have_findings_of_their_own():
    refusal = choice(refusal=[entry("No", -9999.0)], index=1)
    run = run_of(choice(good(), entry("b", -9999.0)), refusal, logprob_basis="raw")
    frame = run.integrity().findings
    assert frame[["choice", "channel", "positions"]].to_numpy().tolist() == [
        [0, "content", [1]],
        [1, "refusal", [0]],
    ]
    assert run.integrity(1).findings["choice"].tolist() == [1]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "check": "string",
        "is_off": "bool",
        "choice": "Int64",
        "channel": "string",
        "count": "int64",
        "positions": "object",
        "meaning": "string",
    }


def test_an_empty_report_has_the_same_columns():
    a, b = run_of(choice(good())), run_of(choice(entry("b", -9999.0)))
    frames = [run.integrity().findings.iloc[:0] for run in (a, b)]
    pd.testing.assert_frame_equal(*frames)


def test_it_is_shown_escaped_and_in_the_heat_map_in_grey():
    run = run_of(choice(good(), entry("b", -9999.0)), logprob_basis="raw")
    assert "<li>censored (1) at position 1: " in run.integrity()._repr_html_()
    assert "color:#7f7f7f" in run.heatmap().html
    assert "off here: censored (1); run.integrity() says more" in run.heatmap().html
    assert "color:#7f7f7f" not in nbchat.plots.heatmap(run.tokens()).html


def test_a_run_that_still_goes_on_is_not_blamed_for_what_has_not_come():
    assert found(choice(good("ab"), text="abc"), status="running") == {}


def test_a_million_alternatives_are_checked_in_a_moment():
    n, k = 50_000, 20
    table = TokenTable()
    codes = [VOCABULARY.code(f" w{i}", list(f" w{i}".encode())) for i in range(k)]
    table.codes.extend([codes[0]] * n)
    logprobs = np.log(np.linspace(0.2, 0.001, k) / 2.1)
    table.logprobs.extend([float(logprobs[0])] * n)
    table.arrivals.extend([math.nan] * n)
    table.offsets.extend(range(k, n * k + 1, k))
    table.alternative_codes.extend(codes * n)
    table.alternative_logprobs.extend(logprobs.tolist() * n)
    message = ResponseMessage(content=" w0" * n)
    run = run_of(Choice(0, message, "length", ChoiceLogprobs(table)), logprob_basis="raw")
    started = time.perf_counter()
    assert run.integrity().ok
    assert time.perf_counter() - started < 5


@pytest.mark.local
def test_nothing_is_off_with_the_embedded_model(local_server):
    run = nbchat.chat(
        "Name a colour.", profile="local", temperature=0, max_tokens=12, logprobs=True,
        top_logprobs=5,
    )  # fmt: skip
    assert run.integrity().ok, run.integrity()
    whole = nbchat.chat(
        "Name a colour.", profile="local", temperature=0, max_tokens=4,
        extra={"logprobs": True, "top_logprobs": local_server.vocab_size},
    )  # fmt: skip
    assert whole.integrity().ok, whole.integrity()
