"""What a schema allowed a value to be, where a server is known to have held the reply to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nbchat.structured.json_schema import Node, branches_of, list_at, object_at, types_of

if TYPE_CHECKING:
    from nbchat.api.params import ChatParams
    from nbchat.api.response import Completion

Steps = Sequence[str | int]
Allowed = Callable[[Steps], list[bytes] | None]
# what llama.cpp calls itself, a build and a commit; others reach it at an address of their own
_LLAMA_CPP = re.compile(r"b\d+-\w+")
_SERVED_BY_LLAMA_CPP = {"local", "llamacpp"}
_WORDS = {"boolean": (False, True), "null": (None,)}


class AnsweredRun(Protocol):
    """What a run has that says who answered, and to which request."""

    @property
    def profile(self) -> str: ...
    @property
    def params(self) -> ChatParams: ...
    @property
    def completion(self) -> Completion | None: ...


def allowed_of(run: AnsweredRun) -> Allowed | None:
    """Give the function that tells the values allowed at a place of a run's reply, as JSON.

    It is given the keys and places that lead there, and gives None where they are endless or
    cannot be told. None in its place where the masks of the server are not known: only
    llama.cpp reports the probabilities from before it masks what a schema forbids.
    """
    fingerprint = run.completion.system_fingerprint if run.completion else None
    is_known = run.profile in _SERVED_BY_LLAMA_CPP or _LLAMA_CPP.fullmatch(fingerprint or "")
    schema = _schema_of({**run.params.given(), **run.params.extra})
    if not is_known or schema is None:
        return None
    return lambda steps: allowed_texts(schema, steps)


def allowed_texts(schema: Node, steps: Steps) -> list[bytes] | None:
    """Give the values that a schema lists at a place, each as JSON in UTF-8.

    Read are enumerations, constants, booleans and null, and unions of these. None where it
    allows others too, or says it in a way that is not read (``allOf``, several objects to
    choose from).
    """
    node: Any = schema
    for step in steps:
        node = _inner(node, step, schema)
        if node is None:
            return None
    values = _values(node, schema)
    if values is None or not all(map(_has_one_spelling, values)):
        return None
    texts = (json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)
    return [text.encode() for text in dict.fromkeys(texts)]


def _schema_of(fields: Mapping[str, Any]) -> Node | None:
    wire = fields.get("response_format")
    named = wire.get("json_schema") if isinstance(wire, Mapping) else None
    schema = named.get("schema") if isinstance(named, Mapping) else None
    return schema if isinstance(schema, dict) else None


def _branches(node: Any, root: Node) -> list[Node | None]:
    """Give what a node may be; None for what is not read."""
    branches = branches_of(node, root)
    unread = ("allOf", "not", "$ref")
    return [
        b if isinstance(b, dict) and not any(k in b for k in unread) else None for b in branches
    ]


def _inner(node: Any, step: str | int, root: Node) -> Any:
    kind = "object" if isinstance(step, str) else "array"
    fitting = [b for b in _branches(node, root) if b is None or kind in types_of(b)]
    branch = fitting[0] if len(fitting) == 1 else None
    if branch is None:
        return None
    if isinstance(step, str):
        return object_at(branch, "properties").get(step)
    return None if "prefixItems" in branch else branch.get("items")


def _values(node: Any, root: Node) -> list[Any] | None:
    values: list[Any] = []
    for branch in _branches(node, root):
        if branch is None:
            return None
        if "const" in branch:
            values.append(branch["const"])
        elif "enum" in branch:
            values += list_at(branch, "enum")
        else:
            kinds = types_of(branch)
            if not kinds or not all(kind in _WORDS for kind in kinds):
                return None
            values += [value for kind in kinds for value in _WORDS[kind]]
    return values or None


def _has_one_spelling(value: Any) -> bool:
    """Tell whether every server writes a value with the same bytes: not so 1.0 or {"a": 1}."""
    return value is None or isinstance(value, (bool, str, int))
