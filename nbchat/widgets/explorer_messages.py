"""What a page of the explorer and the kernel tell one another (see `nbchat.widgets.protocol`)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from nbchat.widgets.controls import Control
from nbchat.widgets.records import Protocol, Question, Record

State = Literal["waiting", "running", "complete", "interrupted", "error"]
Mark = Literal["same", "added", "removed"]

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
