"""Runs of every kind for property tests, and all that frames and views say of one."""

from __future__ import annotations

import inspect
import math
import struct
import warnings
from types import FunctionType
from typing import Any

import msgspec
import pandas as pd
from hypothesis import strategies as st

from nbchat import errors, frames
from nbchat.api.encoded import encoded
from nbchat.api.logprobs import TokenTable
from nbchat.api.params import ChatParams
from nbchat.api.response import Choice, ChoiceLogprobs, Completion, ResponseMessage, Usage
from nbchat.cell_turn import CellTurn
from nbchat.display.grey_line import grey_line
from nbchat.display.run_bundle import mimebundle
from nbchat.run import Run
from nbchat.structured import response_format
from nbchat.tools.calls import Call, Round
from tests.api.valid import VALID

# what UTF-8 can write; keys are taken out of what is stored, so no text here looks like one
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text("abcdefgh", min_size=1, max_size=5)
SECONDS = st.none() | st.floats(0, 1e4)
COUNTS = st.none() | st.integers(0, 2**40)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=4,
)
EXTRA = st.dictionaries(NAMES.map("x_{}".format), JSON, max_size=2)


def single(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])


LOGPROBS = st.one_of(
    st.floats(-30, 0),
    st.floats(-30, 0, width=32),
    st.floats(-30, 0).map(lambda x: float(f"{single(x):.7g}")),  # as OpenAI writes them
    st.sampled_from([0.0, -0.0, -9999.0, -3.4028234663852886e38, math.nan, -math.inf]),
)
TOKENS = st.one_of(
    TEXT.map(lambda text: {"token": text, "bytes": list(text.encode())}),
    TEXT.map(lambda text: {"token": text}),
    st.binary(min_size=1, max_size=3).map(
        lambda data: {"token": data.decode("utf-8", "backslashreplace"), "bytes": list(data)}
    ),
    st.builds(lambda t, n: {"token": t, "id": n}, TEXT, st.integers(0, 2**31)),
)


@st.composite
def tables(draw: st.DrawFn) -> TokenTable:
    listed = st.builds(lambda t, p: {**t, "logprob": p}, TOKENS, LOGPROBS)
    entry = st.builds(
        lambda one, others: {**one, "top_logprobs": others}, listed, st.lists(listed, max_size=4)
    )
    table = TokenTable()
    for arrival_s in draw(st.lists(st.floats(0, 100) | st.just(math.nan), max_size=3)):
        made = TokenTable.build(draw(st.lists(entry, max_size=3)), arrival_s)
        table = table.followed_by(made)
    return table


LOGPROB_TABLES = st.none() | st.builds(ChoiceLogprobs, st.none() | tables(), st.none() | tables())
TOOL_CALLS = st.builds(
    lambda name, text: {
        "id": f"call_{name}",
        "type": "function",
        "function": {"name": name, "arguments": text},
    },
    NAMES,
    TEXT,
)
MESSAGES = st.builds(
    ResponseMessage,
    content=st.none() | TEXT | st.just('{"a": 1, "b": [true, "x"]}') | st.just("[1, 2]"),
    refusal=st.none() | TEXT,
    reasoning=st.none() | TEXT,
    tool_calls=st.lists(TOOL_CALLS, max_size=2),
    function_call=st.none() | st.just({"name": "f", "arguments": "{}"}),
    annotations=st.lists(
        st.just(
            {
                "type": "url_citation",
                "url_citation": {
                    "url": "https://example.org/a",
                    "title": "A",
                    "start_index": 0,
                    "end_index": 1,
                },
            }
        ),
        max_size=1,
    ),
    audio=st.none()
    | st.just(
        {"id": "audio_1", "data": "UklGRg==", "transcript": "hm", "expires_at": 4_000_000_000}
    ),
    extra=EXTRA,
)
USAGES = st.none() | st.builds(
    Usage,
    COUNTS,
    COUNTS,
    COUNTS,
    st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), st.integers(0, 99)),
    st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens"]), st.integers(0, 99)),
    EXTRA,
)
FINISH = st.sampled_from([None, "stop", "length", "tool_calls", "content_filter", "new one"])


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    parts = draw(st.lists(st.tuples(MESSAGES, FINISH, LOGPROB_TABLES, EXTRA), max_size=3))
    return Completion(
        id=draw(st.none() | NAMES),
        created=draw(st.none() | st.integers(0, 2**33)),
        model=draw(st.none() | NAMES),
        choices=[Choice(i, *part) for i, part in enumerate(parts)],
        usage=draw(USAGES),
        service_tier=draw(st.none() | st.sampled_from(["default", "flex"])),
        system_fingerprint=draw(st.none() | NAMES | st.just("b4321-abcdef")),
        metadata=draw(st.none() | st.just({"a": "b"})),
        moderation=draw(st.none() | EXTRA),
        extra=draw(EXTRA),
    )


def picture() -> dict[str, Any]:
    data = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63"
        "60000000020001e221bc330000000049454e44ae426082"
    )
    text = encoded(data, mime="image/png", is_uri=True, name="dot.png", path="pictures/dot.png")
    return {"type": "image_url", "image_url": {"url": text, "detail": "low"}}


ASKED = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "user", "assistant"]),
        TEXT | st.builds(lambda text: [{"type": "text", "text": text}, picture()], TEXT),
    ),
    max_size=3,
)


def picky_error() -> UnicodeDecodeError:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        return error
    raise AssertionError


class OfTheUsers(Exception):
    """An error that is known to no other process."""


ERRORS = st.one_of(
    TEXT.map(errors.StreamCutError),
    st.builds(
        lambda text, code: errors.RateLimitError(
            text, status=429, code=code, request_id="req_1", body={"error": {"message": text}}
        ),
        TEXT,
        st.none() | NAMES,
    ),
    TEXT.map(lambda text: errors.CheckError(text, field="n", value=[1], rule="must be less")),
    TEXT.map(ValueError),
    TEXT.map(KeyError),
    TEXT.map(OfTheUsers),
    st.builds(lambda: OSError(28, "No space left on device")),
    st.builds(picky_error),
    st.builds(KeyboardInterrupt),
)


@st.composite
def params(draw: st.DrawFn) -> ChatParams:
    names = draw(st.lists(st.sampled_from(sorted(VALID)), unique=True, max_size=4))
    given = {name: draw(VALID[name]) for name in names}
    made: ChatParams = msgspec.convert({**given, "extra": draw(EXTRA)}, ChatParams)
    return made


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    call = Call(
        draw(NAMES),
        draw(NAMES),
        draw(TEXT),
        result=draw(st.none() | TEXT),
        error=draw(st.none() | TEXT),
        elapsed_s=draw(SECONDS),
    )
    message = {"role": "assistant", "content": draw(st.none() | TEXT), "tool_calls": []}
    return Round(message, [call], draw(completions()), draw(st.booleans()), draw(SECONDS))


# of a type only its schema is kept, so that what it does not take would be read afterwards
STRUCTURE = response_format(
    {"type": "object", "properties": {"a": {"type": "integer"}}}, strict=False
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    run = Run(messages=draw(ASKED), params=draw(params()))
    run.status = draw(st.sampled_from(["complete", "interrupted", "error", "running"]))
    run.completion = draw(st.none() | completions())
    run.error = draw(st.none() | ERRORS)
    run.rounds = draw(st.lists(rounds(), max_size=2))
    run.structure = draw(st.none() | st.builds(lambda: STRUCTURE))
    for name, values in FACTS.items():
        setattr(run, name, draw(values))
    return run


FACTS: dict[str, st.SearchStrategy[Any]] = {
    "profile": st.sampled_from(["", "openai", "local", "llamacpp"]),
    "base_url": st.sampled_from(["", "https://api.openai.com/v1"]),
    "ttft_s": SECONDS,
    "elapsed_s": SECONDS,
    "thread": st.none() | NAMES,
    "turn": st.none() | st.integers(1, 9),
    "cost_usd": st.none() | st.floats(0, 1),
    "cost_source": st.none() | NAMES,
    "model_asked": st.none() | NAMES,
    "vocab_size": st.none() | st.integers(1_000, 200_000),
    "logprob_basis": st.sampled_from(["raw", "tempered", "unknown"]),
    "tries": st.integers(0, 3),
    "request_id": st.none() | NAMES,
    "notes": st.lists(TEXT, max_size=2),
    "n_begun": st.integers(0, 2),
    "end_tokens": st.lists(st.integers(0, 9), max_size=2),
    "notebook": st.none() | NAMES,
    "cell": st.none() | NAMES,
    "cell_turn": st.none() | st.builds(CellTurn, *[st.integers(0, 9)] * 3, st.none() | TEXT),
    "sweep": st.none() | NAMES,
    "request_sha256": st.none() | NAMES,
    "number_in_cell": st.none() | st.integers(0, 9),
    "is_replayed": st.booleans(),
    "cost_before_usd": st.none() | st.floats(0, 1),
    "options": st.just({}),
}


def said_of(run: Run) -> dict[str, Any]:
    """All that the frame functions and the views give for a run, each under its name."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", frames.MissingLogprobsWarning)
        for name in frames.__all__:
            function = getattr(frames, name)
            if isinstance(function, FunctionType) and takes_a_run(function):
                found[name] = result_of(lambda function=function: function(run))
        found["integrity"] = result_of(lambda: run.integrity().findings)
        found["objects"] = result_of(run.frame)
        found["json_fields"] = result_of(run.fields)
        found["parsed"] = result_of(lambda: (run.parsed, run.parse_error))
        found["heatmap"] = result_of(lambda: run.heatmap()._repr_html_())
        found["side_by_side"] = result_of(lambda: vars(run.side_by_side()))
        found["taken_over"] = result_of(lambda: vars(run.taken_over()))
        found["bundle"] = result_of(lambda: mimebundle(run))
        found["grey_line"] = grey_line(run)
        found["audio"] = result_of(lambda: None if run.audio is None else run.audio.plain)
    return found


def takes_a_run(function: FunctionType) -> bool:
    wanted = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return len(wanted) == 1 and wanted[0].name in ("source", "run")


def result_of(call: Any) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
        return f"{type(error).__name__}: {error}"


def assert_says_the_same(found: Run, run: Run) -> None:
    before, after = said_of(run), said_of(found)
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(after[name], value, check_exact=True, obj=name)
        else:
            assert after[name] == value, name
