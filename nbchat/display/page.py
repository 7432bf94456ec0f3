"""What a cell shows of a run that goes on: which displays stand there, and what comes next.

Pure: a run goes in, display messages come out, and nothing is sent here. In a cell of its own
the reply comes in pieces, else as one display that is sent whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbchat.display.fragments import grey_bundle
from nbchat.display.growing import GrowingText, Show, Slot, TextInPieces, WholeText, new_slot
from nbchat.display.inline_reasoning import without_inline_reasoning
from nbchat.display.reasoning_and_sources import reasoning_bundle, reasoning_status
from nbchat.display.reply import caption
from nbchat.display.tool_calls import asking_bundle, is_calling, round_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbchat.api.response import Choice, ResponseMessage
    from nbchat.display.shown_run import ShownRun

_MOST_CHOICES_A_FRAME = 4


class PastRound(NamedTuple):
    """Where a round of calls that has ended stands: its text and its calls."""

    text: GrowingText | None
    calls: Slot


class Page:
    """The displays of one run, from top to bottom: past rounds, and what comes now.

    `first`: where the next thing stands as long as nothing but a status line is there;
    `texts`: those of the choices, by index; `calls`: that of the calls that come now;
    `status`: the line to show while nothing of the reply has come; `is_behind`: a frame left
    out what would have taken too long, and the next one goes on.
    """

    def __init__(self, *, owns_cell: bool):
        self.owns_cell = owns_cell
        self.status = ""
        self.past: list[PastRound] = []
        self.is_behind = False
        self._status_shown = ""
        self._has_shown_calls = False
        self._begin()

    def _begin(self) -> None:
        self.first = new_slot()
        self.texts: dict[int, GrowingText] = {}
        self.calls: Slot | None = None
        self._calls_html = ""

    @property
    def has_to_be_cleared(self) -> bool:
        """Whether something stands there that the whole reply takes the place of."""
        return self.owns_cell and (self.first.is_shown or bool(self.texts) or self._has_shown_calls)

    @property
    def shows_reply(self) -> bool:
        """Whether more than a status line stands there."""
        return bool(self.texts or self.past or self._has_shown_calls)

    def frame(self, run: ShownRun | None) -> Iterator[Show]:
        """Give what is new of a run; None where nothing has come."""
        self.is_behind = False
        rounds = [] if run is None else run.rounds
        while len(self.past) < len(rounds):
            tool_round = rounds[len(self.past)]
            is_answered = tool_round.is_answered  # read before what it has, which may still grow
            outside = without_inline_reasoning(tool_round.completion.choices)
            yield from self._show_texts(run, outside)
            yield from self._show_calls(round_bundle(tool_round))
            if not is_answered:
                return
            self.end_round()
        choices = choices_of(run, is_growing=True)
        is_asking = len(choices) == 1 and is_calling(choices[0].message)
        if not is_asking and not any(choice.message.text for choice in choices):
            yield from self._show_status(choices)
            return
        yield from self._show_texts(run, choices)
        if is_asking:
            yield from self._show_calls(asking_bundle(choices[0].message))

    def end_round(self) -> None:
        """Begin anew below the calls: what the model says now is another reply."""
        self.past.append(PastRound(self.texts.get(0), self._slot_of_calls()))
        if self.status == self._status_shown:
            self.status = ""
        self._status_shown = ""
        self._begin()

    def _slot_of_calls(self) -> Slot:
        """Give the display of a round's calls: it takes the place of a status line."""
        if self.calls is not None:
            return self.calls
        if self.texts:
            return new_slot()
        slot, self.first = self.first, new_slot()
        return slot

    def _show_calls(self, data: dict[str, str]) -> Iterator[Show]:
        if self._calls_html == data["text/html"]:
            return
        self._calls_html = data["text/html"]
        self._has_shown_calls = True
        self.calls = self._slot_of_calls()
        yield self.calls.show(data)

    def _show_status(self, choices: Sequence[Choice]) -> Iterator[Show]:
        line = reasoning_status(choices) or self.status
        if line != self._status_shown:
            self._status_shown = line
            yield self.first.show(grey_bundle(line))

    def _show_texts(self, run: ShownRun | None, choices: Sequence[Choice]) -> Iterator[Show]:
        with_text = [choice for choice in choices if choice.message.text]
        if not with_text:
            return
        todo = sorted(with_text, key=lambda choice: self._seen(choice.index))
        for choice in todo[:_MOST_CHOICES_A_FRAME]:
            yield from self._open_texts(choice.index, choices, _count(run, choices))
            text = self.texts[choice.index]
            yield from text.take(choice.message.text or "")
            self.is_behind = self.is_behind or text.is_behind
        self.is_behind = self.is_behind or len(todo) > _MOST_CHOICES_A_FRAME

    def _seen(self, index: int) -> int:
        return self.texts[index].seen if index in self.texts else 0

    def _open_texts(self, index: int, choices: Sequence[Choice], count: int) -> Iterator[Show]:
        """Open the displays of the choices up to this one, so that they stand in order."""
        messages = {choice.index: choice.message for choice in choices}
        has_reasoning = any(message.reasoning for message in messages.values())
        for position in sorted(messages.keys() - self.texts.keys()):
            if position > index:
                break
            if count == 1:
                yield from self._open_only(
                    position, messages[position], has_reasoning=has_reasoning
                )
                continue
            head = self.first if not self.texts else new_slot()
            yield head.show(grey_bundle(caption(position)))
            thought = new_slot() if has_reasoning else None
            if thought is not None:
                yield thought.show(reasoning_bundle(messages[position]))
            self.texts[position] = WholeText(new_slot(), thought)
            if position < index:
                yield self.texts[position].slot.show({"text/markdown": ""})

    def _open_only(
        self, index: int, message: ResponseMessage, *, has_reasoning: bool
    ) -> Iterator[Show]:
        thought = None
        if has_reasoning:
            thought, self.first = self.first, new_slot()
            yield thought.show(reasoning_bundle(message))
        kind = TextInPieces if self.owns_cell else WholeText
        self.texts[index] = kind(self.first, thought)


def choices_of(run: ShownRun | None, *, is_growing: bool = False) -> list[Choice]:
    """Give the choices of a run in order, as they are shown; none where nothing has come."""
    completion = None if run is None else run.completion
    choices = [] if completion is None else completion.choices
    return without_inline_reasoning(choices, is_growing=is_growing)


def _count(run: ShownRun | None, choices: Sequence[Choice]) -> int:
    """Say how many choices there will be."""
    n = run.params.given().get("n") if run is not None else None
    return max(len(choices), n or 1)
