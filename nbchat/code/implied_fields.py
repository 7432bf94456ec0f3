"""Rules between fields that act at once: what goes with a field that was just changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fields = dict[str, Any]
# what a change implies: the fields with it, and the end of the note; None where it does not act
Rule = Callable[[Fields], tuple[Fields, str] | None]


def implied(fields: Mapping[str, Any], changed: str) -> tuple[dict[str, Any], str | None]:
    """Give the fields with what follows from a change, and a note that says it.

    `fields` are the set ones with the change made, `changed` is the name of the field that
    was just set or unset. Without consequences the fields come back as they are, and no note.
    What follows is never a value that could have been another one: where a choice is left,
    the broken rule stays, and `nbchat.code.problems` says it.
    """
    now, notes = dict(fields), []
    for rule in _RULES.get(changed, ()):
        change = rule(now)
        if change is not None:
            now, note = change
            notes.append(note)
    return now, f"{changed}: {', '.join(notes)}" if notes else None


def _with_logprobs(fields: Fields) -> tuple[Fields, str] | None:
    if fields.get("top_logprobs") is None or fields.get("logprobs") is True:
        return None
    return {**fields, "logprobs": True}, "logprobs was switched on with it"


def _unless(is_so: Callable[[Fields], bool], *names: str, why: str) -> Rule:
    """Give the rule that unsets fields once something is so."""

    def rule(fields: Fields) -> tuple[Fields, str] | None:
        gone = [name for name in names if fields.get(name) is not None]
        if not gone or not is_so(fields):
            return None
        rest = {name: value for name, value in fields.items() if name not in gone}
        return rest, f"{' and '.join(gone)} {'was' if len(gone) == 1 else 'were'} unset {why}"

    return rule


def _without_spoken(fields: Fields) -> tuple[Fields, str] | None:
    modalities = fields.get("modalities")
    if fields.get("audio") is not None or not isinstance(modalities, list):
        return None
    if "audio" not in modalities:
        return None
    left = [kind for kind in modalities if kind != "audio"]
    rest = {name: value for name, value in fields.items() if name != "modalities"}
    return rest | (
        {"modalities": left} if left else {}
    ), "audio was taken out of modalities with it"


def _is_set(name: str) -> Callable[[Fields], bool]:
    return lambda fields: fields.get(name) is not None


def _is_unset(name: str) -> Callable[[Fields], bool]:
    return lambda fields: fields.get(name) is None


_ONE_LIMIT = "because only one of the two can stand"
_RULES: Mapping[str, tuple[Rule, ...]] = {
    "top_logprobs": (_with_logprobs,),
    "logprobs": (
        _unless(lambda fields: fields.get("logprobs") is not True, "top_logprobs", why="with it"),
    ),
    "max_tokens": (_unless(_is_set("max_tokens"), "max_completion_tokens", why=_ONE_LIMIT),),
    "max_completion_tokens": (
        _unless(_is_set("max_completion_tokens"), "max_tokens", why=_ONE_LIMIT),
    ),
    "stream": (
        _unless(lambda fields: fields.get("stream") is False, "stream_options", why="with it"),
    ),
    "stream_options": (
        _unless(
            lambda f: f.get("stream_options") is not None and f.get("stream") is False,
            "stream",
            why="with it",
        ),
    ),
    "tools": (_unless(_is_unset("tools"), "tool_choice", "parallel_tool_calls", why="with it"),),
    "audio": (_without_spoken,),
}
