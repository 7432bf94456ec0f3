"""Calls of functions that wait for a yes of whoever sits before the panel."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbchat.session.rounds import ask_here, question_of

if TYPE_CHECKING:
    from nbchat.tools import Call

_ids = itertools.count(1)


class _Question:
    def __init__(self, call: Call):
        self.id = f"question-{next(_ids)}"
        self.call = call
        self.is_answered = threading.Event()
        self.is_wanted = False


class Questions:
    """Asks in the pages of a panel whether calls may run.

    `tell` sends a message to the pages. ``ask(call)`` waits, in the thread that plays the call,
    until a page answers; what is not answered when the panel stops is declined.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], object]):
        self._tell = tell
        self._lock = threading.Lock()
        self._open: dict[str, _Question] = {}

    def ask(self, call: Call) -> bool:
        """Ask, and tell whether the call may run."""
        question = _Question(call)
        with self._lock:
            self._open[question.id] = question
        self.tell_all()
        question.is_answered.wait()
        with self._lock:
            self._open.pop(question.id, None)
        self.tell_all()
        return question.is_wanted

    def answer(self, question_id: str, *, is_wanted: bool) -> None:
        """Take the answer of a page."""
        with self._lock:
            question = self._open.get(question_id)
        if question is not None:
            question.is_wanted = is_wanted
            question.is_answered.set()

    def decline_all(self) -> None:
        """Decline what is not answered."""
        with self._lock:
            questions = [*self._open.values()]
        for question in questions:
            question.is_answered.set()

    def ask_in_the_cell(self) -> None:
        """Ask here what is open: while a cell waits for the panel, its pages are not heard."""
        with self._lock:
            questions = [*self._open.values()]
        for question in questions:
            self.answer(question.id, is_wanted=ask_here(question.call))

    def tell_all(self) -> None:
        """Tell the pages which questions are open."""
        with self._lock:
            shown = [{"id": q.id, "text": question_of(q.call).whole} for q in self._open.values()]
        self._tell({"on": "questions", "questions": shown})
