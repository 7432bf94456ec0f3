"""What an evaluator is: something that gives the answer of a row one score, or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nbchat.errors import CheckError

if TYPE_CHECKING:
    from nbchat.run import Run

#: "right or wrong": 0 or 1; "number": any; "unknown": not said, as of a function of the user's
Scale = Literal["right or wrong", "number", "unknown"]
Row = Mapping[str, Any]
Function = Callable[[Row, "Run"], Any]


class Evaluator(msgspec.Struct, frozen=True):
    """Scores an answer: `function` is given the row's variables and its run.

    It gives a number, a bool, a mapping of names to these, or None where there is no score. Where
    it `reads_tokens` not, its runs may come without log probabilities, which take the most time.
    """

    name: str
    function: Function
    scale: Scale = "unknown"
    reads_tokens: bool = True

    def __call__(self, row: Row, run: Run) -> Any:
        return self.function(row, run)

    def __repr__(self) -> str:
        return f"<Evaluator {self.name}: {self.scale}>"


def as_evaluator(name: str, candidate: Any) -> Any:
    """Give an evaluator of a function, and what is one as it is. Raise CheckError for neither."""
    if hasattr(candidate, "scale") and (callable(candidate) or hasattr(candidate, "labels")):
        return candidate
    if callable(candidate):
        return Evaluator(getattr(candidate, "__name__", name), candidate)
    rule = "must be one of nbchat.evaluators, or a function of (row, run)"
    raise CheckError(
        f"evaluate[{name!r}] is a {type(candidate).__name__}, but it {rule}.",
        field=f"evaluate.{name}",
        value=candidate,
        rule=rule,
    )


def numbers_of(name: str, value: Any) -> dict[str, float]:
    """Give what an evaluator said as numbers by their names.

    Raise TypeError for what is none, ValueError for what is infinite: no mean is of that.
    """
    if value is None:
        return {name: float("nan")}
    if isinstance(value, Mapping):
        numbers: dict[str, float] = {}
        for key, entry in value.items():
            numbers.update(numbers_of(f"{name}.{key}", entry))
        return numbers
    if isinstance(value, (bool, int, float)) or hasattr(value, "__float__"):
        number = float(value)
        if math.isinf(number):
            raise ValueError(f"{name} gave {number}, and a score is a finite number")
        return {name: number}
    raise TypeError(
        f"{name} gave a {type(value).__name__}, and a score is a number, True or False, or a "
        "mapping of names to these"
    )
