"""What the panels' pages and the kernel tell one another: every message, declared once.

A struct is a message or a part of one; its tag is the message's name, under ``do`` or ``on``
(explorer) and ``type`` (inspector). `Protocol` says who sends what, and each question which
messages answer it. A field with the default UNSET may be left out. `Any` is JSON of the user's,
bytes are a stretch of little-endian numbers. What the scripts are checked with is made of this
(``.ci/protocol.py``), and the tests hold each message that Python sends or takes against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from nbchat.widgets.controls import Control

State = Literal["waiting", "running", "complete", "interrupted", "error"]
Mark = Literal["same", "added", "removed"]
#: those of `nbchat.frames.packed`
TokenColumn = Literal[
    "code", "logprob", "rank", "top_k", "tail_mass", "margin", "entropy_lo", "entropy_hi", "flags"
]  # fmt: skip
AlternativesColumn = Literal["offsets", "code", "logprob", "flags"]
TokenFlag = Literal["in_top", "is_special", "is_partial_utf8", "is_merged", "censored"]
AlternativesFlag = Literal["is_sampled", "is_listed"]
FigureName = Literal[
    "logprob", "prob", "surprisal_bits", "rank", "top_k", "tail_mass", "margin",
    "entropy_lo_bits", "entropy_hi_bits",
]  # fmt: skip
NumberType = Literal["float64", "float32", "int32", "uint32", "uint8"]


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a message, or a message: these fields, of these types, and no others."""


class Protocol(NamedTuple):
    """The messages of a panel: what its page sends, what the kernel sends, what both share."""

    page: tuple[type[Question], ...]
    kernel: tuple[type[Record], ...]
    #: the synchronised traits of the widget: name -> the types that it can have
    shared: Mapping[str, tuple[Any, ...]]


class Question(Record):
    """What a page sends. `answers`: what the kernel sends where all is well, the first always."""

    answers: ClassVar[tuple[type[Record], ...]] = ()


# the explorer: parts


class AttachmentFacts(Record):
    """What is attached, in words, and its picture as a data: address, "" where there is none."""

    facts: str
    thumbnail: str


class Form(Record):
    """The request as it stands. `problems`, `refusals`: field -> sentence.

    Base64 in `messages` is an address, and `attachments` says of each what it is.
    """

    profile: str | None
    messages: list[Any]
    attachments: dict[str, AttachmentFacts]
    fields: dict[str, Any]
    extra: dict[str, Any]
    problems: dict[str, str]
    refusals: dict[str, str]
    model: str | None
    in_force: str


class Opening(Record):
    """What a page of the explorer begins with. `open`: groups; `scale`: least, colour, ink."""

    controls: list[Control]
    open: list[str]
    profiles: list[str]
    scale: list[tuple[float, str, str]]
    form: Form


class Thought(Record):
    """Reasoning: how many UTF-16 units are kept, and what follows them."""

    keep: int
    tail: str


class ChoiceDelta(Record):
    """What is new in a choice: from block `at` on `html`, its first after `keep` UTF-16 units."""

    index: int
    at: int | UnsetType = UNSET
    keep: int | UnsetType = UNSET
    html: list[str] | UnsetType = UNSET
    thought: Thought | UnsetType = UNSET
    ending: str | UnsetType = UNSET


class LaneDelta(Record):
    """What is new in a lane. `rounds`: HTML of the calls that functions were asked for."""

    id: str
    label: str | UnsetType = UNSET
    number: int | UnsetType = UNSET
    state: State | UnsetType = UNSET
    line: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    facts: str | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    rounds: str | UnsetType = UNSET
    choices: list[ChoiceDelta] | UnsetType = UNSET


class Lane(Record):
    """A reply: of a request that is sent with others, or of one alone."""

    id: str
    label: str
    number: int
    state: State
    line: str
    error: str
    facts: str
    pinned: bool
    rounds: str
    choices: list[ChoiceDelta]


class OpenQuestion(Record):
    """A call that waits for a yes: what would run, as text."""

    id: str
    text: str


class Row(Record):
    """A run in the history."""

    id: str
    number: int
    state: State
    pinned: bool
    changes: str
    text: str
    error: str
    tokens: int | None
    time: str


class Pinned(Record):
    """A column of the comparison. `changes`: name, value; `parts`: text, mark."""

    id: str
    number: int
    label: str
    facts: str
    error: str
    changes: list[tuple[str, str]]
    parts: list[tuple[str, Mark]]


# the explorer: what the kernel says


class _ToPage(Record, tag_field="on"): ...


class FormNews(_ToPage, tag="form"):
    """The request has changed. `by`, `seq`: the view and the edit that it answers."""

    form: Form
    by: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    note: str | UnsetType = UNSET


class Refused(_ToPage, tag="refused"):
    """What the view `by` asked for is not done: `what` was asked, and why not."""

    what: str
    by: str
    sentence: str


class Lanes(_ToPage, tag="lanes"):
    """These replies are shown now. `to`: the one view that is meant."""

    lanes: list[Lane]
    varies: bool | UnsetType = UNSET
    to: str | UnsetType = UNSET


class Frame(_ToPage, tag="frame"):
    """More of the replies has come."""

    lanes: list[LaneDelta]


class Rows(_ToPage, tag="rows"):
    """Rows of the history have changed, or (`whole`) these are all. `pinned`: how many are."""

    rows: list[Row]
    pinned: int
    whole: bool | UnsetType = UNSET
    to: str | UnsetType = UNSET


class Models(_ToPage, tag="models"):
    """The models of the server in force."""

    names: list[str]


class Comparison(_ToPage, tag="compare"):
    """The pinned replies, held against `base`."""

    base: str | None
    columns: list[Pinned]


class Tokens(_ToPage, tag="tokens"):
    """The tokens of a choice (see `probabilities.tokens_record`). `others`: id, choice, label."""

    id: str
    choice: int
    display: list[str]
    spoken: list[str]
    prob: list[float | None]
    breaks: list[int]
    why: str
    can_ask: bool
    temperature: float
    top_p: float
    vocab_size: int | None
    is_tempered: bool
    basis: str
    others: list[tuple[str, int, str]]


class Alternatives(_ToPage, tag="alternatives"):
    """Of each token from `start` on its alternatives: display, logprob, is_sampled."""

    id: str
    choice: int
    start: int
    rows: list[list[tuple[str, float | None, bool]]]


class Code(_ToPage, tag="code"):
    """The request as code: form -> text."""

    texts: dict[str, str]


class Questions(_ToPage, tag="questions"):
    """The calls that wait for a yes now; none where there are none."""

    questions: list[OpenQuestion]


class Told(_ToPage, tag="told"):
    """Something was taken: the kernel is there. It follows the answer of every question."""


# the explorer: what a page asks


class _View(Question, tag_field="do"):
    """The view that asks, so that it knows its answers."""

    view: str


class Hello(_View, tag="hello"):
    """A page was opened."""

    answers = (FormNews, Lanes, Frame, Rows, Questions, Models, Told)


class Edit(_View, tag="edit"):
    """What the user has changed; `seq` counts the edits of the view."""

    answers = (FormNews, Models, Told)
    seq: int
    fields: dict[str, Any]
    unset: list[str]
    messages: list[Any] | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET
    profile: str | UnsetType = UNSET


class Attach(_View, tag="attach"):
    """Attach a file (base64) to the message in this place."""

    answers = (FormNews, Told)
    place: int
    kind: Literal["image", "audio", "file"]
    name: str
    data: str


class Reset(_View, tag="reset"):
    """Unset all parameters."""

    answers = (FormNews, Told)


class Send(_View, tag="run"):
    """Send the request; `auto`: nobody pressed Run."""

    answers = (Lanes, Frame, Rows, Told)
    auto: bool


class Stop(_View, tag="stop"):
    """Stop what runs."""

    answers = (Told, Frame, Rows)


class Answer(_View, tag="answer"):
    """Say whether a call may run."""

    answers = (Told, Questions, Frame, Rows)
    id: str
    yes: bool


class Vary(_View, tag="vary"):
    """Send the request once for each value of a field."""

    answers = (Lanes, Frame, Rows, Told)
    name: str
    values: list[Any]


class Show(_View, tag="show"):
    """Go back to a request."""

    answers = (FormNews, Models, Lanes, Frame, Told)
    id: str


class Pin(_View, tag="pin"):
    """Pin a reply, or take the pin away."""

    answers = (Frame, Rows, Told)
    id: str


class Compare(_View, tag="compare"):
    """Give the pinned replies, held against `base`."""

    answers = (Comparison, Told)
    base: str | UnsetType = UNSET


class AskTokens(_View, tag="tokens"):
    """Give the tokens of a choice."""

    answers = (Tokens, Told)
    id: str
    choice: int


class AskAlternatives(_View, tag="alternatives"):
    """Give the alternatives of `count` tokens from `start` on."""

    answers = (Alternatives, Told)
    id: str
    choice: int
    start: int
    count: int


class AskCode(_View, tag="code"):
    """Give the request as code."""

    answers = (Code, Told)


class AskModels(_View, tag="models"):
    """Give the models of the server in force."""

    answers = (Models, Told)


EXPLORER = Protocol(
    page=(
        *(Hello, Edit, Attach, Reset, Send, Answer, Stop, Vary, Show, Pin, Compare),
        *(AskTokens, AskAlternatives, AskCode, AskModels),
    ),
    kernel=(
        *(FormNews, Refused, Lanes, Frame, Rows, Questions, Models, Comparison),
        *(Tokens, Alternatives, Code, Told),
    ),
    shared={"opening": (Opening,), "_stand_in_id": (str,)},
)


# the inspector: parts


class Figure(Record):
    """A figure of a token, x · factor of a column or exp of that (see `frames.page_columns`)."""

    name: FigureName
    label: str
    unit: str
    formula: str
    of: TokenColumn
    factor: float
    is_exp: bool
    missing: float | None


class Types(Record):
    """The type of each column's numbers."""

    tokens: dict[TokenColumn, NumberType]
    alternatives: dict[AlternativesColumn, NumberType]


class Flags(Record):
    """Flag -> the number that has its bit alone."""

    tokens: dict[TokenFlag, int]
    alternatives: dict[AlternativesFlag, int]


class Scale(Record):
    """What tokens can be coloured by: a figure, by name (see `scales.Measure`)."""

    name: FigureName
    label: str
    unit: str
    floors: list[float]
    colours: list[str]
    inks: list[str]
    words: list[str]
    unknown: str


class RunFacts(Record):
    """A run of the page: its number, and the number of the run below which it is shown.

    `merged`: so many of its rows are characters of several tokens, whose own can be asked for.
    """

    number: int
    section: int
    label: str
    status: Literal["running", "complete", "interrupted", "error"]
    sentence: str
    note: str
    merged: int


class Entries(Record):
    """Tokens that are new to the page, as lists of one length (`frames.packed.entries_of`)."""

    code: list[int]
    display: list[str]
    chars: list[int]
    bytes: list[str | None]
    id: list[str | None]
    breaks: list[int]


class TableFacts(Record):
    """The tokens of one choice and channel. `texts`: position -> the character it ends."""

    key: str
    run: int
    choice: int
    channel: Literal["content", "refusal"]
    texts: dict[str, str]


class TableNews(TableFacts):
    """Its tokens from `start` on are in so many buffers, under these names."""

    start: int
    buffers: list[TokenColumn]


class Stretch(Record):
    """The alternatives of the positions from start to stop."""

    start: int
    stop: int
    offsets: bytes
    code: bytes
    logprob: bytes
    flags: bytes


class WholeTable(TableFacts):
    """All its tokens, and its alternatives where they are not too many."""

    columns: dict[TokenColumn, bytes]
    alternatives: Stretch | UnsetType = UNSET


class Branch(Record):
    """A run that parts from another one: `number` is its own, `parent_id` that of a branch.

    `mass`: the probability of its tokens at the positions of a tree, null outside of one.
    """

    branch_id: int
    parent_id: int | None
    number: int
    position: int
    display: str
    method: Literal["exact", "prefill", "text", "resampling"]
    label: str
    depth: int
    prob: float | None
    mass: float | None


class Whole(Record):
    """All that a page of the inspector begins with."""

    figures: list[Figure]
    types: Types
    flags: Flags
    scales: list[Scale]
    runs: list[RunFacts]
    tables: list[WholeTable]
    entries: Entries
    branches: list[Branch]


class Work(Record):
    """Whether a branch is being written, and what went wrong with the last one."""

    busy: bool
    sentence: str


# the inspector: messages


class _Tell(Record, tag_field="type"): ...


class _Ask(Question, tag_field="type"): ...


class Changes(_Tell, tag="changes"):
    """A run has gone on."""

    run: RunFacts
    tables: list[TableNews]
    entries: Entries


class Block(_Tell, tag="alternatives"):
    """The alternatives of the positions from start to stop are in these buffers."""

    key: str
    start: int
    stop: int
    entries: Entries
    buffers: list[AlternativesColumn]


class Branches(_Tell, tag="branches"):
    """These are all branches; the run with the number `open` is to be shown."""

    branches: list[Branch]
    open: int | None


class AskBlock(_Ask, tag="alternatives"):
    """Give the alternatives of a position, and of those about it."""

    answers = (Block,)
    key: str
    position: int


class BranchOut(_Ask, tag="branch"):
    """Put the alternative in this row in the place of a token, and go on from it, n times."""

    answers = (Changes, Branches)
    key: str
    position: int
    row: int
    n: int


class AskTree(_Ask, tag="tree"):
    """Write the likeliest ways on from a position, each to its end (`nbchat.tree`)."""

    answers = (Changes, Branches)
    key: str
    position: int


class AskRows(_Ask, tag="rescore"):
    """Give the run with this number a row for each of its tokens (`nbchat.rescore`)."""

    answers = (Changes,)
    number: int


class StopBranches(_Ask, tag="stop"):
    """Stop the branches that are being written, and the rows that are asked for."""


INSPECTOR = Protocol(
    page=(AskBlock, BranchOut, AskTree, AskRows, StopBranches),
    kernel=(Changes, Block, Branches),
    shared={
        "_page": (Whole,),
        "_at": (tuple[()], tuple[str, int]),
        "_work": (Work,),
        "_stand_in_id": (str,),
    },
)
