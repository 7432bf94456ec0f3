"""What a page of the inspector and the kernel tell one another (see `nbchat.widgets.protocol`)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from nbchat.widgets.records import Protocol, Question, Record

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
    """Its tokens from `start` on are in so many columns of the message, under these names."""

    start: int
    buffers: list[TokenColumn]


class Stretch(Record):
    """The alternatives of the positions from start to stop, in base64 or, in a file, as bytes."""

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
    """A run has gone on. `packed`: the columns of all tables, one after the other, in base64."""

    run: RunFacts
    tables: list[TableNews]
    entries: Entries
    packed: list[bytes] | UnsetType = UNSET


class Block(_Tell, tag="alternatives"):
    """The alternatives of the positions from start to stop: `packed` has these, in base64."""

    key: str
    start: int
    stop: int
    entries: Entries
    buffers: list[AlternativesColumn]
    packed: list[bytes] | UnsetType = UNSET


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
