"""Threads: named conversations in a notebook, whose turns are named by their cells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nbchat.api.reply_messages import request_message, with_unique_ids
from nbchat.errors import CheckError
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.run import Run


#: tells whether who is asked next has the sound of this run
Knows = Callable[["Run"], bool]


#: turns of runs that are asked from several threads of Python are put down one by one
_RECORDING = threading.RLock()


class Turn(msgspec.Struct):
    """What was asked, and the run that answered it. `system` is None where the turn set none."""

    cell: Hashable
    asked: list[dict[str, Any]]
    run: Run
    system: str | None = None
    home: str = ""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was asked, the rounds of tool calls, and the reply as the assistant's message."""
        return self.messages_for(lambda _: True)

    def messages_for(self, knows: Knows) -> list[dict[str, Any]]:
        """Give the same for somebody who knows the sound of this run by its id, or does not."""
        run = self.run
        rounds = [message for tool_round in run.rounds for message in tool_round.messages]
        is_over = run.ends_in_calls or (run.rounds and run.completion is None)
        return [
            *self.asked,
            *rounds,
            *([] if is_over else [_as_request_message(run, knows)]),
        ]

    def __repr__(self) -> str:
        # what was asked may hold pictures
        return f"<Turn {self.cell!r}: {len(self.asked)} asked, {self.run!r}>"


class Thread:
    """A conversation. Threads of one name are one thread.

    ``ask()`` sends a prompt after all that was said; `turns` and `messages` (list of dict)
    are what was said, and iterating gives the turns; `runs` are the runs that answered them;
    ``fork()`` gives a copy that goes its own way. `system` is the system message of turns that
    are asked from now on, until one sets another.
    """

    name: str
    turns: list[Turn]
    #: the system message that was set for the thread itself, and before which of its turns
    set_system: tuple[str | None, int]

    def __new__(cls, name: str = "main", *, system: str | None = None) -> Self:
        thread: Self | None = STATE.threads.get(name)
        if thread is None:
            from nbchat.session.taken_up import turns_before

            thread = STATE.threads.setdefault(name, cls.alone(name, turns_before(name)))
        if system is not None:
            thread.system = system
        return thread

    @classmethod
    def alone(cls, name: str, turns: Sequence[Turn] = (), *, like: Thread | None = None) -> Self:
        """Give a thread that no one else can find under its name, with the system of `like`."""
        thread = super().__new__(cls)
        thread.name = name
        thread.turns = [*turns]
        thread.set_system = (None, 0) if like is None else like.set_system
        return thread

    @classmethod
    def looked_at(cls, name: str) -> Thread:
        """Give the thread of a name, or one that nobody else finds where there is none yet."""
        from nbchat.session.taken_up import turns_before

        known: Thread | None = STATE.threads.get(name)
        return cls.alone(name, turns_before(name, says=False)) if known is None else known

    @classmethod
    def names(cls) -> list[str]:
        """Give the names of all threads."""
        return list(STATE.threads)

    @property
    def system(self) -> str | None:
        """The system message that the next turn is asked with; None for none."""
        return self._system_of(self.turns)

    @system.setter
    def system(self, text: str | None) -> None:
        if text is not None and not isinstance(text, str):
            rule = "must be a text"
            raise CheckError(f"system is {text!r}, but it {rule}.", field="system", rule=rule)
        self.set_system = (text, len(self.turns))

    def _system_of(self, turns: Sequence[Turn]) -> str | None:
        text, since = self.set_system
        for place in reversed(range(len(turns))):
            if text is not None and place < since:
                return text
            if turns[place].system is not None:
                return turns[place].system
        return text

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The whole conversation as a list of messages, the system's first."""
        return _conversation(self.turns, self.system, lambda _: True)

    @property
    def runs(self) -> list[Run]:
        """The runs that answered, in the order of the turns."""
        return [turn.run for turn in self.turns]

    def __iter__(self) -> Iterator[Turn]:
        return iter([*self.turns])

    def ask(self, prompt: str, **params: Any) -> Run:
        """Ask with the whole conversation before it. Takes what `nbchat.chat` takes."""
        from nbchat.session.chat import chat

        return chat(prompt, thread=self, **params)

    def fork(self, name: str | None = None, *, before: Hashable = None) -> Thread:
        """Give a copy under a new name. `before` names the turn that it ends in front of."""
        made = Thread.alone(name or self.free_name(), self.before(before), like=self)
        fork: Thread = STATE.threads.setdefault(made.name, made)
        fork.turns, fork.set_system = made.turns, made.set_system
        return fork

    def before(self, cell: Hashable) -> list[Turn]:
        """Give the turns that stand before the turn of this cell; all where it has none."""
        place = self.place(cell)
        return self.turns[:place]

    def place(self, cell: Hashable) -> int:
        """Give the index that the turn of this cell has, or would have."""
        if cell is not None:
            for index, turn in enumerate(self.turns):
                if turn.cell == cell:
                    return index
        return len(self.turns)

    def record(self, turn: Turn) -> None:
        """Put a turn in the place of the one of its cell, else at the end, once.

        A cell has one turn: one that it had in another thread goes. Copies in forks stay.
        """
        with _RECORDING:
            Thread.forget(turn.cell, but=self)
            if any(known.run is turn.run for known in self.turns):
                return
            turn.home = self.name
            place = self.place(turn.cell)
            self.turns[place : place + 1] = [turn]
            turn.run.turn = place + 1  # others may have ended since this one was asked

    @classmethod
    def forget(cls, cell: Hashable, *, but: Thread | None = None) -> None:
        """Take the turn of a cell out of the threads that it was asked in."""
        if cell is None:
            return
        for thread in list(STATE.threads.values()):
            if thread is not but:
                thread.turns[:] = [
                    turn for turn in thread.turns if turn.cell != cell or turn.home != thread.name
                ]

    @classmethod
    def forget_cells(cls, cells: Collection[str]) -> None:
        """Take the turns of cells that the notebook no longer has out of all threads."""
        for thread in list(STATE.threads.values()):
            thread.turns[:] = [
                turn
                for turn in thread.turns
                if not (isinstance(turn.cell, tuple) and turn.cell[0] in cells)
            ]
        from nbchat.session.taken_up import forget

        forget(None, cells)

    def request(
        self,
        new_messages: list[dict[str, Any]],
        *,
        cell: Hashable = None,
        system: str | None = None,
        knows: Knows = lambda _: True,
    ) -> list[dict[str, Any]]:
        """Give the messages of a request that asks this at the place of this cell.

        `knows` tells whether who is asked has the sound of an earlier run, and so takes its id
        for it; who has not is given the transcript.
        """
        before = self.before(cell)
        system = self._system_of(before) if system is None else system
        return with_unique_ids([*_conversation(before, system, knows), *new_messages])

    def clear(self) -> None:
        """Forget all turns, for good. The runs stay in `nbchat.runs()` and the history."""
        from nbchat.session.taken_up import forget

        self.turns.clear()
        self.set_system = (self.set_system[0], 0)
        forget(self.name)

    def free_name(self) -> str:
        """Give a name that a fork can have."""
        stem = self.name.split(".", maxsplit=1)[0]
        from nbchat.session.taken_up import names_before

        taken = {*STATE.threads, *names_before()}
        number = 2
        while f"{stem}.{number}" in taken:
            number += 1
        return f"{stem}.{number}"

    def __len__(self) -> int:
        return len(self.turns)

    def __repr__(self) -> str:
        return f"<Thread {self.name!r}, {len(self.turns)} turns>"


def _conversation(turns: list[Turn], system: str | None, knows: Knows) -> list[dict[str, Any]]:
    messages = [message for turn in turns for message in turn.messages_for(knows)]
    return messages if system is None else [{"role": "system", "content": system}, *messages]


def _as_request_message(run: Run, knows: Knows) -> dict[str, Any]:
    sound = run.audio
    # the server keeps a sound for an hour or so, and one that was cut off perhaps never
    is_there = sound is not None and run.status == "complete" and not sound.is_expired
    sound_id = sound.id if sound is not None and is_there and knows(run) else None
    return request_message(run.message, sound_id=sound_id)


def thread_of(
    named: str | Thread | None, *, cell: Hashable = None, fork: bool = False, is_dry: bool = False
) -> Thread | None:
    """Give the thread that is named, or the fork of it that a cell makes: one for each cell.

    Where `is_dry`, a thread or fork that is not there yet is made for the caller alone. Raise
    CheckError for what is no name.
    """
    if named is None or isinstance(named, Thread):
        thread = named
    elif isinstance(named, str):
        thread = Thread.looked_at(named) if is_dry else Thread(named)
    else:
        rule = "must be the name of a conversation or a Thread"
        raise CheckError(
            f"thread is {named!r}, but it {rule}.", field="thread", value=named, rule=rule
        )
    if thread is None or not fork:
        return thread
    return _fork_of(thread, cell, is_dry=is_dry)


def _known_fork(thread: Thread, cell: Hashable, *, is_dry: bool) -> Thread | None:
    """Give the fork that a cell made before, in this kernel or in one before it."""
    if cell is None:
        return None
    known: Thread | None = STATE.forks.get((thread.name, cell))
    if known is None:
        from nbchat.session.taken_up import fork_before

        name = fork_before(thread.name, cell)
        if name is not None:
            known = Thread.looked_at(name) if is_dry else Thread(name)
    if known is not None and not is_dry:
        STATE.forks[thread.name, cell] = known
    return known


def _fork_of(thread: Thread, cell: Hashable, *, is_dry: bool) -> Thread:
    known = _known_fork(thread, cell, is_dry=is_dry)
    if known is not None:
        turns = [*thread.before(cell), *known.turns[known.place(cell) :]]
        if is_dry:
            return Thread.alone(known.name, turns, like=known)
        known.turns = turns
        return known
    if is_dry:
        return Thread.alone(thread.free_name(), thread.before(cell), like=thread)
    fork = thread.fork(before=cell)
    if cell is not None:
        STATE.forks[thread.name, cell] = fork
    return fork
