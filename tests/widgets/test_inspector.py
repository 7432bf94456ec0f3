"""The token inspector without a browser: what the page is told, and what Python is told."""

from __future__ import annotations

import gc
import json
import math
import threading
import time
import weakref
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import nbchat
from nbchat import frames
from nbchat.api.check import check
from nbchat.api.logprobs import TokenTable
from nbchat.frames.columns import columns_of
from nbchat.frames.packed import (
    ALTERNATIVE_COLUMNS,
    ALTERNATIVE_FLAGS,
    TOKEN_COLUMNS,
    TOKEN_FLAGS,
    entries_of,
    tables_of,
)
from nbchat.frames.page_columns import declared
from nbchat.plots.heatmap import luminance
from nbchat.widgets.inspector import Inspector
from nbchat.widgets.inspector.page_messages import AT_ONCE, BLOCK, MOST, Page
from nbchat.widgets.inspector.scales import MEASURES, scales, words_of
from nbchat.widgets.protocol import INSPECTOR
from tests.frames.made import choice, entry, run_of, token
from tests.scripted import Gate, Reply, ScriptedServer, chunk, logprob_entry, sse
from tests.widgets.messages import read as message_read

if TYPE_CHECKING:
    from collections.abc import Iterator

SMILE = "😄".encode()
IS_SAMPLED, IS_LISTED = ALTERNATIVE_FLAGS["is_sampled"], ALTERNATIVE_FLAGS["is_listed"]


def a_run(**facts: Any) -> Any:
    return run_of(
        choice(
            entry("Hi", math.log(0.6), ("Yo", math.log(0.1)), ("Hi", math.log(0.6))),
            entry(" you", math.log(0.05), (" me", math.log(0.5))),
            entry("!", -9999.0),
        ),
        choice(entry("Two", -0.5), index=1),
        choice(index=2, refusal=[entry("No", -1.0), entry(".", -0.1)]),
        **facts,
    )


def read(stretch: Any, types: dict[str, Any] = TOKEN_COLUMNS) -> dict[str, Any]:
    return {name: np.frombuffer(data, types[name]) for name, data in stretch.columns.items()}


class Told:
    """The messages that an inspector sends to its page."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.messages: list[tuple[Any, list[bytes]]] = []
        monkeypatch.setattr(
            Inspector, "send", lambda _, content, buffers=None: self.take(content, buffers)
        )

    def take(self, content: Any, buffers: Any) -> None:
        message_read(content, INSPECTOR.kernel)
        self.messages.append((content, list(buffers or [])))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


def test_columns_are_those_of_the_frame() -> None:
    run = a_run()
    frame = frames.tokens(run)
    tables = tables_of(run)
    assert [(t.choice, t.channel, len(t)) for t in tables] == [
        (0, "content", 3),
        (1, "content", 1),
        (2, "refusal", 2),
    ]
    columns = read(tables[0].tokens())
    own = frame[frame["choice"] == 0]
    np.testing.assert_array_equal(columns["logprob"], own["logprob"])
    np.testing.assert_allclose(columns["entropy_lo"], own["entropy_lo"], rtol=1e-6)
    np.testing.assert_allclose(columns["tail_mass"], own["tail_mass"], rtol=1e-6)
    assert columns["rank"].tolist() == [1, 0, 0]
    assert columns["top_k"].tolist() == [2, 1, 0]
    for name, bit in TOKEN_FLAGS.items():
        assert (columns["flags"] & bit > 0).tolist() == own[name].tolist(), name


def test_a_page_that_goes_by_what_it_is_told_has_the_figures_of_the_frame() -> None:
    run = a_run(vocab_size=1000)
    told_it = json.loads(json.dumps(declared()))
    types = {name: np.dtype(type_) for name, type_ in told_it["types"]["tokens"].items()}
    columns = read(tables_of(run)[0].tokens(), types)
    frame = frames.tokens(run)
    own = frame[frame["choice"] == 0]
    in_nats = {"entropy_lo_bits": "entropy_lo", "entropy_hi_bits": "entropy_hi"}
    for figure in told_it["figures"]:
        values = columns[figure["of"]].astype(float)
        values[values == figure["missing"]] = np.nan
        values *= figure["factor"]
        shown = np.exp(values) if figure["is_exp"] else values
        name = in_nats.get(figure["name"], figure["name"])
        wanted = own[name].to_numpy("float64", na_value=np.nan)
        if name != figure["name"]:
            wanted = wanted / math.log(2)
        np.testing.assert_allclose(shown, wanted, rtol=1e-6, atol=1e-7)
    units = {c.name: c.unit for c in columns_of("tokens")}
    for figure in told_it["figures"]:
        assert figure["unit"] == units.get(figure["name"], "bits")
        assert figure["formula"]
        assert figure["label"]


def test_what_colours_the_tokens_is_a_figure_that_is_told() -> None:
    page = Page([a_run()]).whole()
    figures = {figure["name"]: figure for figure in page["figures"]}
    for scale in page["scales"]:
        assert all(scale[key] == figures[scale["name"]][key] for key in ("label", "unit"))


def test_alternatives_are_those_of_the_frame() -> None:
    run = a_run()
    frame = frames.alternatives(run)
    own = frame[frame["choice"] == 0]
    table = tables_of(run)[0]
    columns = read(table.alternatives(0, 3, most=9), ALTERNATIVE_COLUMNS)
    assert columns["offsets"].tolist() == [0, 2, 4, 5]
    np.testing.assert_array_equal(columns["logprob"], own["logprob"])
    entries = entries_of(columns["code"].tolist())
    assert entries["display"] == own["display"].tolist()
    assert (columns["flags"] & IS_SAMPLED > 0).tolist() == own["is_sampled"].tolist()
    assert (columns["flags"] & IS_LISTED > 0).tolist() == own["is_listed"].tolist()
    one = table.alternatives_frame(1)
    pd.testing.assert_frame_equal(
        one.astype(str), own[own["position"] == 1].reset_index(drop=True).astype(str)
    )


def test_of_many_alternatives_the_likeliest_are_sent_and_the_sampled_one() -> None:
    listed = [(f"w{i}", -float(i + 1)) for i in range(30)]
    run = run_of(choice(entry("w25", -26.0, *listed)))
    columns = read(tables_of(run)[0].alternatives(0, 1, most=3), ALTERNATIVE_COLUMNS)
    assert columns["logprob"].tolist() == [-1.0, -2.0, -3.0, -26.0]
    assert columns["flags"].tolist() == [IS_LISTED] * 3 + [IS_LISTED | IS_SAMPLED]


@pytest.mark.long
def test_a_token_of_ten_million_characters_is_a_short_entry() -> None:
    run = run_of(choice(entry("x" * 10_000_000, -1.0), text="x"))
    page = Page([run])
    entries = page.whole()["entries"]
    assert entries["chars"] == [10_000_000]
    assert len(json.dumps(entries)) < 3_000


def test_the_pieces_of_a_character_are_shown_as_bytes_and_the_last_one_as_the_character() -> None:
    run = run_of(
        choice(
            token("a", -0.1, SMILE[:2]) | {"top_logprobs": []},
            token("b", -0.1, SMILE[2:]) | {"top_logprobs": []},
            text="😄",
        )
    )
    whole = Page([run]).whole()
    assert whole["tables"][0]["texts"] == {"1": "😄"}
    assert sorted(whole["entries"]["display"]) == ["\\x98\\x84", "\\xf0\\x9f"]


def test_what_goes_to_the_page_is_json_without_nan_and_bytes() -> None:
    run = run_of(
        choice(
            entry("<script>", float("-inf"), ("a", float("nan")), ("b", -9999.0)),
            entry('"\u2028\ud800', 0.0, data=False),
            text="x",
        )
    )
    state = Inspector([run]).get_state()
    plain = json.dumps(
        state["_page"], allow_nan=False, default=lambda data: f"{type(data).__name__}"
    )
    assert "NaN" not in plain
    plain.encode("utf-8")  # no half of a surrogate pair
    columns = state["_page"]["tables"][0]["columns"]
    # a gateway may stand between, which lets no bytes through
    assert all(b64decode(column, validate=True) for column in columns.values())
    assert "bytes" not in plain.split('"entries"')[0]


def test_a_long_reply_is_sent_once_and_compactly() -> None:
    words = [
        entry(f" w{i % 700}", -1.0, *((f" w{i * k % 700}", -k) for k in range(5)))
        for i in range(10_000)
    ]
    whole = Page([run_of(choice(*words))]).whole()
    (table,) = whole["tables"]
    n_bytes = sum(map(len, table["columns"].values()))
    assert n_bytes == 37 * 10_000, "the bytes of a token's row, with those of a new figure"
    assert len(json.dumps(whole["entries"])) < 60_000
    in_it = sum(len(v) for v in table["alternatives"].values() if isinstance(v, bytes))
    assert in_it < 14 * AT_ONCE


def test_the_alternatives_of_a_long_reply_are_asked_for_in_blocks(told: Told) -> None:
    listed = [(f"w{k}", -float(k + 1)) for k in range(20)]
    run = run_of(choice(*(entry("w0", -1.0, *listed) for _ in range(3_000))))
    inspector = Inspector([run])
    assert "alternatives" not in inspector.get_state()["_page"]["tables"][0]
    inspector._handle_custom_msg(
        {"type": "alternatives", "key": "0:0:content", "position": 2_999}, []
    )
    ((content, buffers),) = told.messages
    assert (content["start"], content["stop"]) == (2_999 - 2_999 % BLOCK, 3_000)
    assert content["buffers"] == list(ALTERNATIVE_COLUMNS)
    assert sum(map(len, buffers)) < 40_000
    assert len(content["entries"]["code"]) == 19  # w0 is known from the tokens
    for nonsense in ({"key": "7:0:content", "position": 0}, {"key": "0:0:content", "position": -1}):
        inspector._handle_custom_msg({"type": "alternatives", **nonsense}, [])
    assert len(told.messages) == 1


@pytest.mark.long
def test_a_whole_vocabulary_at_a_position_is_cut_to_what_can_be_looked_at(told: Told) -> None:
    listed = [(f"v{k}", -8.0 - k / 1e4) for k in range(51_000)]
    inspector = Inspector([run_of(choice(entry("v50000", -13.0, *listed)))])
    inspector._handle_custom_msg({"type": "alternatives", "key": "0:0:content", "position": 0}, [])
    ((content, buffers),) = told.messages
    offsets = np.frombuffer(dict(zip(content["buffers"], buffers, strict=True))["offsets"], "<u4")
    assert offsets.tolist() == [0, MOST + 1]
    inspector.selected = 0
    assert len(inspector.selected_alternatives) == 51_000  # in Python all of them


def test_a_selection_in_the_page_is_seen_in_python() -> None:
    inspector = Inspector([a_run()])
    seen: list[Any] = []
    inspector.observe(
        lambda change: seen.append(change["new"] and change["new"]["position"]), "selected"
    )
    inspector.set_state({"_at": ["0:0:content", 1]})
    assert seen == [1]
    chosen = inspector.selected
    assert (chosen["choice"], chosen["channel"], chosen["position"]) == (0, "content", 1)
    assert (chosen["token"], chosen["display"], chosen["rank"]) == (" you", "␣you", None)
    assert chosen["prob"] == pytest.approx(0.05)
    assert inspector.selected_alternatives["token"].tolist() == [" me", " you"]
    assert inspector.selected_alternatives["position"].tolist() == [1, 1]
    inspector.set_state({"_at": ["0:2:refusal", 0]})
    assert (inspector.selected["channel"], inspector.selected["token"]) == ("refusal", "No")
    inspector.set_state({"_at": []})
    assert inspector.selected is None
    assert len(inspector.selected_alternatives) == 0


def test_a_page_that_names_what_is_not_there_changes_nothing() -> None:
    inspector = Inspector([a_run()])
    inspector.selected = 1
    for nonsense in (["9:0:content", 0], ["0:0:content", 99], ["0:0:content", "x"]):
        inspector.set_state({"_at": nonsense})
        assert inspector.selected["position"] == 1


def test_a_selection_in_python_is_seen_in_the_page() -> None:
    runs = [a_run(), a_run()]
    inspector = Inspector(runs)
    inspector.selected = 2
    assert inspector._at == ["0:0:content", 2]
    assert inspector.selected["prob"] is None
    inspector.selected = {"position": -1, "choice": 2}
    assert inspector._at == ["0:2:refusal", 1]
    inspector.selected = 0  # in the table that is open
    assert inspector._at == ["0:2:refusal", 0]
    row = frames.tokens(runs[1]).iloc[3]
    inspector.selected = row
    assert inspector._at == ["1:1:content", 0]
    assert inspector.selected["run_id"] == runs[1].id
    inspector.selected = None
    assert inspector._at == []


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (3, ValueError, "no position 3: the content of choice 0 has 3 tokens"),
        ({"position": 0, "choice": 8}, ValueError, "are shown of run_id .*, choice 8"),
        ("first", TypeError, "a position, a mapping with one, or None, not str"),
        ({"choice": 1}, TypeError, "a position, a mapping with one, or None, not dict"),
    ],
)
def test_a_selection_that_cannot_be_says_why(value: Any, error: Any, words: str) -> None:
    inspector = Inspector([a_run()])
    inspector.selected = 1
    with pytest.raises(error, match=words):
        inspector.selected = value
    assert inspector.selected["position"] == 1


def test_selected_values_are_plain_python() -> None:
    inspector = Inspector([a_run()])
    inspector.selected = 0
    json.dumps(inspector.selected, allow_nan=False)
    assert type(inspector.selected["rank"]) is int
    assert type(inspector.selected["in_top"]) is bool


def test_runs_that_can_be_inspected() -> None:
    run = a_run()
    assert nbchat.inspect(run).runs == [run]
    assert nbchat.inspect([run, run]).runs == [run, run]
    with pytest.raises(ValueError, match="no run to inspect"):
        nbchat.inspect([])
    with pytest.raises(TypeError, match="expected a run"):
        nbchat.inspect(3)  # type: ignore[arg-type]


def test_a_run_without_logprobs_is_one_sentence() -> None:
    runs = [run_of(choice(text="Hello")), run_of(choice(text="Hello"), params={"logprobs": True})]
    first, second = Page(runs).whole()["runs"]
    assert "Ask for them with logprobs=True and top_logprobs=5" in first["sentence"]
    assert second["sentence"] == "Token probabilities were asked for, and the server sent none."
    assert "Ask for them with logprobs=True" in nbchat.inspect(runs).stand_in_html()


def test_what_is_off_with_the_log_probabilities_is_said_and_nothing_else() -> None:
    odd = run_of(choice(entry("a", -0.1, ("a", -0.1), ("b", -0.2)), finish="length"))
    fine = run_of(choice(entry("a", -0.1, ("a", -0.1), ("b", -3.0)), finish="length"))
    first, second = Page([odd, fine]).whole()["runs"]
    assert first["note"] == odd.integrity().note != ""
    assert second["note"] == ""


def test_several_runs_are_called_by_what_they_differ_in() -> None:
    runs = [
        run_of(choice(entry("a", -1.0)), params={"temperature": t, "seed": 1}) for t in (0, 0.7)
    ]
    runs[0].messages = [{"role": "user", "content": [{"type": "text", "text": "Name\na colour."}]}]
    assert Page(runs).labels == [
        "small · temperature 0 · “Name a colour.”",
        "small · temperature 0.7",
    ]


def test_texts_that_were_scored_are_called_by_their_text_and_not_by_their_grammar() -> None:
    runs = [run_of(choice(entry(text, -1.0))) for text in ("Berlin", "Paris")]
    for n, run in enumerate(runs, 1):
        forced = {"grammar": f"root ::= <[{n}]>"}
        run.params = check({"model": "small", "max_completion_tokens": n}, extra=forced)
    labels = [run["label"] for run in Page(runs).whole()["runs"]]
    assert labels == ["small · “Berlin”", "small · “Paris”"]


def test_a_run_that_goes_on_is_followed_with_what_is_new_alone(told: Told) -> None:
    run = run_of(choice(entry("a", -1.0, ("a", -1.0)), text="a", finish="length"))
    run.status = "running"
    inspector = Inspector.__new__(Inspector)
    inspector.__init__([run])  # type: ignore[misc]
    table: TokenTable = run.completion.choices[0].logprobs.content
    grown = TokenTable.build([entry("a", -1.0), entry(" b", -2.0), entry(" c", -3.0)])
    for name in ("codes", "logprobs", "arrivals"):
        getattr(table, name).extend(getattr(grown, name)[1:])
    table.offsets.extend([1, 1])
    wait_for(lambda: bool(told.messages))
    content, buffers = told.messages[0]
    (described,) = content["tables"]
    assert described["start"] == 1
    columns = dict(zip(described["buffers"], buffers, strict=True))
    assert np.frombuffer(columns["logprob"], "<f8").tolist() == [-2.0, -3.0]
    # entries stand in the order of the vocabulary, which knows what other tests have seen
    shown = dict(zip(content["entries"]["code"], content["entries"]["display"], strict=True))
    codes = np.frombuffer(columns["code"], "<i4").tolist()
    assert [shown[code] for code in codes] == ["␣b", "␣c"]
    run.status = "interrupted"
    wait_for(lambda: told.messages[-1][0]["run"]["status"] == "interrupted")
    assert told.messages[-1][0]["tables"] == []
    wait_for(lambda: not followers())


def test_a_page_that_is_opened_late_gets_what_came_until_then() -> None:
    run = run_of(choice(entry("a", -1.0), text="a", finish="length"))
    run.status = "running"
    page = Page([run])
    table = run.completion.choices[0].logprobs.content
    for values, new in (
        (table.codes, table.codes[0]),
        (table.logprobs, -2.0),
        (table.arrivals, 0.0),
    ):
        values.append(new)
    table.offsets.append(0)
    page.changes()
    assert len(page.whole()["tables"][0]["columns"]["logprob"]) == 16
    assert page.changes() == []


def test_an_inspector_that_is_gone_or_closed_leaves_no_thread(told: Told) -> None:
    run = run_of(choice(entry("a", -1.0)))
    run.status = "running"
    inspector = Inspector([run])
    assert followers()
    inspector.close()
    wait_for(lambda: not followers())
    other = Inspector([run])
    reference = weakref.ref(other)
    other.close()
    del other, inspector
    wait_for(lambda: (gc.collect(), reference() is None)[1])


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "inspector"]


def wait_for(condition: Any, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stream_is_followed_in_few_messages(told: Told) -> None:
    gate = Gate()

    def steps() -> Iterator[Any]:
        yield sse(chunk(role="assistant"), done=False)
        for i in range(400):
            yield sse(chunk(f" w{i}", logprobs=[logprob_entry(f" w{i}", -1.0)]), done=False)
        yield gate
        yield sse(chunk(finish_reason="stop"))

    with ScriptedServer(Reply(steps())) as server:
        stream = nbchat.stream("Hi", profile=server.url, model="m", logprobs=True)
        piece = next(iter(stream))
        inspector = nbchat.inspect(piece.run)
        threading.Timer(0.6, gate.open).start()
        for _ in stream:
            pass
        wait_for(lambda: not followers())
    assert sum(map(len, (t.frame for _, _, t in inspector._page.tables()))) == 400
    assert 1 <= len(told.messages) <= 8
    assert told.messages[-1][0]["run"]["status"] == "complete"


def test_the_picture_has_tokens_and_alternatives_and_is_escaped() -> None:
    run = run_of(
        choice(
            entry(
                "<script>alert(1)</script>",
                -1.0,
                ("<b>", -0.7),
                ("<script>alert(1)</script>", -1.0),
            ),
            text="x",
        )
    )
    inspector = Inspector([run])
    assert "not listed" not in inspector.stand_in_html()
    inspector.selected = 0
    html = inspector.stand_in_html()
    assert "<script" not in html
    assert "&lt;b&gt;" in html
    assert "not listed" in html
    assert "Position 0 (0 to 0): &lt;script" in html
    assert ">0.136<" in html  # 1 - exp(-0.7) - exp(-1)


def test_the_picture_of_a_long_reply_is_small() -> None:
    run = run_of(choice(*(entry(f" word{i}", -1.0) for i in range(10_000))))
    html = Inspector([run]).stand_in_html()
    assert len(html) < 200_000
    assert "and 9,600 more tokens" in html


@pytest.mark.parametrize("scale", scales(), ids=lambda scale: scale["name"])
def test_each_colour_has_a_legible_ink_and_a_number(scale: dict[str, Any]) -> None:
    assert (
        len(scale["colours"]) == len(scale["inks"]) == len(scale["words"]) == len(scale["floors"])
    )
    for colour, ink in zip(scale["colours"], scale["inks"], strict=True):
        light, dark = sorted((luminance(colour), luminance(ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    lights = [luminance(colour) for colour in scale["colours"]]
    assert lights in (sorted(lights), sorted(lights, reverse=True))


def test_the_legend_says_where_each_colour_begins_and_ends() -> None:
    words = {measure.figure.name: words_of(measure) for measure in MEASURES}
    assert words["prob"][:2] == ["below 0.01", "0.01–0.05"]
    assert words["prob"][-1] == "0.95–1"
    assert words["surprisal_bits"][-1] == "8 or more"
    assert words["rank"] == ["1", "2", "3", "4–5", "6–10", "11–20", "21 or more"]


def test_its_repr_is_cheap() -> None:
    assert repr(Inspector([a_run()])) == "<Inspector>"
