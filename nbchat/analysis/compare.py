"""`compare`: two replies beside each other, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbchat.analysis.batch import answered, executions_of, with_defaults
from nbchat.display.characters import visible
from nbchat.errors import CheckError
from nbchat.request.arguments import draft_of_arguments
from nbchat.run import Run
from nbchat.session.pool import AT_ONCE

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.request.draft import Draft

#: the most that the API takes; the more is known, the closer the bounds
_TOP = 20
_LONGEST_NAME = 80


class Comparison:
    """Two runs compared: `a`, `b` (together `runs`), the `choice` of each, and `frame()`.

    Shown, it is both texts with what differs marked, and the numbers.
    """

    def __init__(self, a: Run, b: Run, choice: int = 0):
        self.a = a
        self.b = b
        self.choice = choice

    @property
    def runs(self) -> list[Run]:
        """Both, so that it can stand where runs are taken: ``nbchat.tokens(compared)``."""
        return [self.a, self.b]

    def frame(self) -> pd.DataFrame:
        """Give one row for each shared token, and for each that one has alone.

        `nbchat.frames.comparison.comparison` says what the columns are.
        """
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        from nbchat.frames.comparison import comparison

        return comparison(self.a, self.b, self.choice)

    @cached_property
    def names(self) -> tuple[str, str]:
        """What a and b are told apart by: their prompts, params or models, else their ids."""
        return _names(self.a, self.b)

    def __repr__(self) -> str:
        from nbchat.plots.text_diff import summary

        a, b = self.names
        return f"<Comparison of {a!r} and {b!r}: {summary(self._frame)}>"

    def _repr_html_(self) -> str:
        from nbchat.plots.text_diff import changes

        return changes(self._frame, *self.names)


def compare(
    a: Any,
    b: Any,
    *,
    prompt: Any = None,
    messages: Any = None,
    choice: int = 0,
    at_once: int = AT_ONCE,
    **params: Any,
) -> Comparison:
    """Compare two replies: where they differ, and what one model, prompt or setting made of it.

    Each of `a` and `b` is

    - a run that has log probabilities: nothing is asked
    - a prompt (text, a message or a list of messages): it is asked
    - a mapping of fields (``{"temperature": 0}``, ``{"model": "…"}``), with which `prompt` (or
      `messages`) is asked

    `params` go into each request that is sent, and are what `nbchat.chat` takes but for
    `thread` and `n`; log probabilities are asked for, with 20 alternatives unless
    `top_logprobs` says otherwise. Two requests go out together, unless `at_once` is 1. `choice`
    is the index of the choice in both.

    Raise `CheckError` before anything is sent, the first error where a request failed (both
    runs are in `nbchat.runs()` all the same), ValueError where one of the runs has no token
    probabilities.
    """
    _check_use((a, b), prompt, messages, params)
    sides = [_side(value, prompt, messages, params) for value in (a, b)]
    executions = executions_of([side for side in sides if not isinstance(side, Run)], by="compare")
    made = iter(answered(executions, needs="all", at_once=at_once))
    one, other = (side if isinstance(side, Run) else next(made) for side in sides)
    comparison = Comparison(one, other, choice)
    comparison.frame()  # an error belongs here, and not where it is shown
    return comparison


def _is_fields(value: Any) -> bool:
    return isinstance(value, Mapping) and "role" not in value


def _check_use(
    sides: tuple[Any, Any], prompt: Any, messages: Any, params: Mapping[str, Any]
) -> None:
    """Refuse a question that is missing, and what would be left out without a word."""
    question = next((n for n, v in (("prompt", prompt), ("messages", messages)) if v), None)
    if any(map(_is_fields, sides)) and question is None:
        raise CheckError(
            "compare() of mappings of fields needs a prompt=… to ask with each.", field="prompt"
        )
    if question is not None and not any(map(_is_fields, sides)):
        raise CheckError(
            f"compare() takes {question} where a or b is a mapping of fields, and here neither is.",
            field=question,
        )
    if params and all(isinstance(side, Run) for side in sides):
        name = next(iter(params))
        raise CheckError(f"compare() of two runs asks nothing, and takes no {name}.", field=name)


def _side(value: Any, prompt: Any, messages: Any, params: Mapping[str, Any]) -> Run | Draft:
    if isinstance(value, Run):
        return value
    fields_of_side = value if _is_fields(value) else {}
    if not _is_fields(value):
        prompt, messages = value, None
    fields = with_defaults({**params, **fields_of_side}, logprobs=True, top_logprobs=_TOP)
    return draft_of_arguments(prompt, messages, fields, by="compare")


def _names(a: Run, b: Run) -> tuple[str, str]:
    if a.messages != b.messages:
        return _shortened(_last_text(a)), _shortened(_last_text(b))
    if a.model != b.model and a.model and b.model:
        return _shortened(a.model), _shortened(b.model)
    fields_a, fields_b = ({**run.params.given(), **run.params.extra} for run in (a, b))
    differing = [
        name for name in {**fields_a, **fields_b} if fields_a.get(name) != fields_b.get(name)
    ]
    if differing:
        return _settings_in_words(fields_a, differing), _settings_in_words(fields_b, differing)
    return a.id, b.id


def _settings_in_words(fields: Mapping[str, Any], names: list[str]) -> str:
    settings = (f"{name}={fields[name]!r}" if name in fields else f"{name} unset" for name in names)
    return _shortened(", ".join(settings))


def _last_text(run: Run) -> str:
    content = run.messages[-1].get("content") if run.messages else None
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        content = " ".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _shortened(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"
