"""Rows that fail one after the other: is it they, or is it their server?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.errors import BudgetError, ConnectError, NbchatError, SweepStoppedError
from nbchat.sweep.outcomes import LONGEST_PAUSE_S

if TYPE_CHECKING:
    from nbchat.run import Run
    from nbchat.sweep.asked_row import Task

#: rows that failed one after the other, and nothing was answered: the server is dead
_DEAD_AFTER = 8
#: rows that were refused one after the other before any was answered: all will be
_REFUSED_AFTER = 25

Suspect = tuple["Task", "Run"]


class Failures:
    """Holds rows back that failed as often as they may, until it shows whose fault it is.

    It has no lock: whoever calls holds one. `tries` is how often a row is asked again.
    """

    def __init__(self, tries: int):
        self._tries = tries
        self._has_answered = False
        self._n_refused_in_a_row = 0
        self._suspects: list[Suspect] = []

    def answered(self) -> list[Suspect]:
        """Note that a row was answered; give those that so have failed for themselves."""
        self._has_answered = True
        self._n_refused_in_a_row = 0
        return self._for_themselves()

    def refused(self, error: BaseException) -> NbchatError | None:
        """Note that a row was refused; give what ends all, where all will be."""
        self._n_refused_in_a_row += 1
        if self._n_refused_in_a_row < _REFUSED_AFTER or self._has_answered:
            return None
        return stopped(f"{_REFUSED_AFTER} rows in a row were refused", error)

    def failed(self, task: Task, run: Run, error: BaseException | None) -> NbchatError | None:
        """Hold a row back that failed as often as it may; give what ends all."""
        run.error = run.error or error
        self._suspects.append((task, run))
        return self._dead() if len(self._suspects) >= _DEAD_AFTER else None

    def at_the_end(self) -> list[Suspect] | NbchatError:
        """When no other goes on: give those that failed for themselves, or what ends all."""
        if not self._suspects:
            return []
        is_dead = not self._has_answered or isinstance(self._suspects[0][1].error, ConnectError)
        return self._dead() if is_dead else self._for_themselves()

    def _for_themselves(self) -> list[Suspect]:
        suspects, self._suspects = self._suspects, []
        for _, run in suspects:
            run.status = "error"
        return suspects

    def _dead(self) -> NbchatError:
        n = len(self._suspects)
        rows = "a row was" if n == 1 else f"{n} rows were"
        what = f"{rows} asked {self._tries + 1} times without an answer"
        return stopped(what, self._suspects[-1][1].error)


def end_of_all(error: BaseException | None) -> BaseException:
    """Give what a sweep ends with because of an error that all other rows would have, too."""
    if isinstance(error, NbchatError) and not isinstance(error, BudgetError):
        return stopped("no row can be answered", error)
    return error or SweepStoppedError("The sweep was stopped.")


def stopped(what: str, error: BaseException | None) -> SweepStoppedError:
    """Say what stopped a sweep, in `what`, and with which error."""
    pause = f" (pauses of more than {LONGEST_PAUSE_S:.0f} s are not waited for)"
    is_pause = getattr(error, "status", None) == 429
    made = SweepStoppedError(
        f"The sweep was stopped: {what}. {type(error).__name__}: {error}"
        f"{pause if is_pause else ''} What was answered is in its folder; run() goes on."
    )
    made.__cause__ = error
    return made
