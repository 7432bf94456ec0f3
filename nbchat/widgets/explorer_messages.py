"""What a page of the explorer and the kernel tell one another (see `nbchat.widgets.protocol`)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from nbchat.widgets.controls import Control
from nbchat.widgets.explorer_parts import (
    AxisText,
    Form,
    Lane,
    LaneDelta,
    Opening,
    OpenQuestion,
    Pinned,
    Row,
    TypedValue,
    Verdict,
)
from nbchat.widgets.records import Protocol, Question, Record

# what the kernel says


class _ToPage(Record, tag_field="on"): ...


class FormNews(_ToPage, tag="form"):
    """The request has changed. `by`, `seq`: the view and the edit that it answers.

    `undo`: what the note says can be undone.
    """

    form: Form
    by: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    note: str | UnsetType = UNSET
    undo: bool | UnsetType = UNSET


class Keep(_ToPage, tag="keep"):
    """What the notebook is to keep, so that the cell opens with it."""

    state: dict[str, Any]


class Refused(_ToPage, tag="refused"):
    """What the view `by` asked for is not done: `what` was asked, and why not."""

    what: str
    by: str
    sentence: str


class Lanes(_ToPage, tag="lanes"):
    """These replies are shown now, so many in a row (0: as they fit). `to`: the one view meant."""

    lanes: list[Lane]
    columns: int
    varies: bool | UnsetType = UNSET
    to: str | UnsetType = UNSET


class Frame(_ToPage, tag="frame"):
    """More of the replies has come."""

    lanes: list[LaneDelta]


class Rows(_ToPage, tag="rows"):
    """Rows of the history have changed, or (`whole`) these are all. `pinned`: how many are.

    `spent`: what all runs of the panel cost together, in words; "" where none is known to cost.
    """

    rows: list[Row]
    pinned: int
    spent: str
    whole: bool | UnsetType = UNSET
    to: str | UnsetType = UNSET


class Models(_ToPage, tag="models"):
    """What the server in force has: its models, and the controls of fields that it alone takes.

    `wanted`: fields that are deprecated elsewhere, and that it wants.
    """

    names: list[str]
    server: str
    controls: list[Control]
    wanted: list[str]


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


class Plan(_ToPage, tag="plan"):
    """How many replies there would be, or why there are none."""

    by: str
    count: int
    sentence: str


class SweepCode(_ToPage, tag="sweep"):
    """The call of `nbchat.sweep` that does the same, and more of it."""

    by: str
    text: str


class Copied(_ToPage, tag="copied"):
    """What is to be put on the clipboard."""

    by: str
    text: str


class Names(_ToPage, tag="names"):
    """What the notebook has that can be named: functions, types, tables."""

    by: str
    functions: list[str]
    types: list[str]
    frames: list[str]


class Questions(_ToPage, tag="questions"):
    """The calls that wait for a yes now; none where there are none."""

    questions: list[OpenQuestion]


class Told(_ToPage, tag="told"):
    """Something was taken: the kernel is there. It follows the answer of every question."""


# what a page asks


class _View(Question, tag_field="do"):
    """The view that asks, so that it knows its answers."""

    view: str


class Hello(_View, tag="hello"):
    """A page was opened."""

    answers = (FormNews, Lanes, Frame, Rows, Questions, Models, Told)


class Restore(_View, tag="restore"):
    """The page keeps the state of the panel in the notebook; `left` is what was there."""

    answers = (Told, FormNews, Models, Keep)
    left: dict[str, Any] | None


class Edit(_View, tag="edit"):
    """What the user has changed; `seq` counts the edits of the view.

    `values`: of each name in the messages what was typed. `undo`: a sentence, where the change
    can be undone.
    """

    answers = (FormNews, Models, Keep, Told)
    seq: int
    fields: dict[str, Any]
    unset: list[str]
    messages: list[Any] | UnsetType = UNSET
    extra: dict[str, Any] | UnsetType = UNSET
    profile: str | UnsetType = UNSET
    values: dict[str, TypedValue] | UnsetType = UNSET
    data: str | UnsetType = UNSET
    is_raw: bool | UnsetType = UNSET
    undo: str | UnsetType = UNSET


class Undo(_View, tag="undo"):
    """Take the last change back that can be undone."""

    answers = (FormNews, Rows, Models, Keep, Told)


class Paste(_View, tag="paste"):
    """Read a text as a request."""

    answers = (FormNews, Rows, Models, Keep, Told)
    text: str


class Attach(_View, tag="attach"):
    """Attach a file (base64) to the message in this place."""

    answers = (FormNews, Keep, Told)
    place: int
    kind: Literal["image", "audio", "file"]
    name: str
    data: str


class Reset(_View, tag="reset"):
    """Unset all parameters."""

    answers = (FormNews, Rows, Keep, Told)


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


class _Along(_View):
    axes: list[AxisText]
    repeats: int
    seeds: bool


class Vary(_Along, tag="vary"):
    """Send the request once for each combination of values, each of them `repeats` times."""

    answers = (Lanes, Frame, Rows, Told)


class AskPlan(_Along, tag="plan"):
    """Say how many replies that would be."""

    answers = (Plan, Told)


class AskSweep(_Along, tag="sweep"):
    """Write the sweep that has all of them."""

    answers = (SweepCode, Told)


class Show(_View, tag="show"):
    """Go back to a request."""

    answers = (FormNews, Models, Lanes, Frame, Rows, Keep, Told)
    id: str


class Continue(_View, tag="continue"):
    """Make the reply of a choice a part of the conversation."""

    answers = (FormNews, Rows, Keep, Told)
    id: str
    choice: int


class CallNow(_View, tag="call"):
    """Run the call whose result belongs into the message in this place."""

    answers = (Told, FormNews, Keep)
    place: int


class Copy(_View, tag="copy"):
    """Give a choice as it came, or as JSON."""

    answers = (Copied, Told)
    id: str
    choice: int
    form: Literal["markdown", "json"]


class Raw(_View, tag="raw"):
    """Tell the Markdown of replies, too, from now on."""

    answers = (Lanes, Frame, Told)


class Pin(_View, tag="pin"):
    """Pin a reply, or take the pin away."""

    answers = (Frame, Rows, Told)
    id: str


class SetMark(_View, tag="mark"):
    """Mark a reply, or note something about it."""

    answers = (Frame, Rows, Told)
    id: str
    mark: Verdict | UnsetType = UNSET
    note: str | UnsetType = UNSET


class Save(_View, tag="save"):
    """Write the session to a file."""

    answers = (FormNews, Keep, Told)
    path: str


class Open(_View, tag="open"):
    """Read a session from a file."""

    answers = (FormNews, Models, Lanes, Frame, Rows, Keep, Told)
    path: str


class AskNames(_View, tag="names"):
    """Say what the notebook has that can be named."""

    answers = (Names, Told)


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
        *(
            Hello,
            Restore,
            Edit,
            Undo,
            Paste,
            Attach,
            Reset,
            Send,
            Answer,
            Stop,
            Vary,
            AskPlan,
            AskSweep,
        ),
        *(Show, Continue, CallNow, Copy, Raw, Pin, SetMark, Compare, Save, Open, AskNames),
        *(AskTokens, AskAlternatives, AskCode, AskModels),
    ),
    kernel=(
        *(FormNews, Keep, Refused, Lanes, Frame, Rows, Questions, Models, Comparison, Plan),
        *(SweepCode, Copied, Names, Tokens, Alternatives, Code, Told),
    ),
    shared={"opening": (Opening,), "_stand_in_id": (str,)},
)
