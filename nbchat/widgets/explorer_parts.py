"""What the messages between a page of the explorer and the kernel consist of."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from nbchat.widgets.controls import Control
from nbchat.widgets.records import Record

State = Literal["unsent", "waiting", "running", "complete", "interrupted", "error"]
Verdict = Literal["", "good", "bad"]
Mark = Literal["same", "added", "removed"]


class AttachmentFacts(Record):
    """What is attached, in words, and its picture as a data: address, "" where there is none."""

    facts: str
    thumbnail: str


class VariableFacts(Record):
    """A name in the messages: what stands for it as text (lines of several), and a note."""

    name: str
    text: str
    several: bool
    note: str


class Form(Record):
    """The request as it stands. `problems`, `refusals`: field -> sentence.

    Base64 in `messages` is an address, and `attachments` says of each what it is. `data` names
    a table of the notebook, `lanes` says how many replies there will be; `is_raw`: templates are
    sent as they stand. `callable` names the functions that can be run.
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
    variables: list[VariableFacts]
    data: str
    is_raw: bool
    lanes: str
    callable: list[str]


class Opening(Record):
    """What a page of the explorer begins with. `open`: groups; `scale`: least, colour, ink.

    `origin` tells the cell's arguments from others, for what is kept in the notebook.
    """

    controls: list[Control]
    open: list[str]
    profiles: list[str]
    scale: list[tuple[float, str, str]]
    form: Form
    origin: str


class Growth(Record):
    """A text that grows: how many UTF-16 units are kept, and what follows them."""

    keep: int
    tail: str


class ChoiceDelta(Record):
    """What is new in a choice: from block `at` on `html`, its first after `keep` UTF-16 units.

    `source`: its Markdown, where pages ask for that.
    """

    index: int
    at: int | UnsetType = UNSET
    keep: int | UnsetType = UNSET
    html: list[str] | UnsetType = UNSET
    thought: Growth | UnsetType = UNSET
    source: Growth | UnsetType = UNSET
    ending: str | UnsetType = UNSET


class LaneDelta(Record):
    """What is new in a lane. `rounds`: HTML of the calls that functions were asked for.

    `blank`: why there is nothing to see of a reply that is over.
    """

    id: str
    label: str | UnsetType = UNSET
    number: int | UnsetType = UNSET
    state: State | UnsetType = UNSET
    line: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    facts: str | UnsetType = UNSET
    blank: str | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    mark: Verdict | UnsetType = UNSET
    note: str | UnsetType = UNSET
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
    blank: str
    pinned: bool
    mark: Verdict
    note: str
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
    cost: str
    mark: Verdict
    note: str


class Pinned(Record):
    """A column of the comparison. `changes`: name, value; `prompt`, `parts`: text, mark."""

    id: str
    number: int
    label: str
    facts: str
    error: str
    changes: list[tuple[str, str]]
    prompt: list[tuple[str, Mark]]
    parts: list[tuple[str, Mark]]


class TypedValue(Record):
    """What was typed for a name; `several`: a value on each line, or a list in JSON."""

    text: str
    several: bool


class AxisText(Record):
    """What varies, and its values as they are typed."""

    name: str
    text: str
