"""The object that a reply holds, or the sentence that says why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.structured.json_schema import Node, followed, is_nullable
from nbchat.structured.structure import is_foreign

if TYPE_CHECKING:
    from nbchat.api.response import Choice
    from nbchat.structured.structure import Structure

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_FURTHER = re.compile(r"For further information visit \S+")  # what pydantic adds
_NOT_ASKED = "No JSON was asked for (response_format)."


class Parsed(msgspec.Struct, frozen=True):
    """What was read: `value`, or None and `error`, one sentence. A value may be None too."""

    value: Any = None
    error: str | None = None


def parsed(
    choice: Choice | None,
    *,
    status: str = "complete",
    structure: Structure | None = None,
    asked: Any = None,
) -> Parsed:
    """Read the object of a choice. Raises nothing.

    `status` is that of its run. `asked` is the `response_format` that was sent, which counts
    where there is no `structure`: its JSON is read as builtins.
    """
    is_json = isinstance(asked, Mapping) and asked.get("type") in ("json_object", "json_schema")
    if structure is None and not is_json:
        return Parsed(error=_NOT_ASKED)
    reason = _unfinished(choice, status)
    if reason or choice is None:
        return Parsed(error=reason)
    return _read(choice.message.content or "", structure)


def _unfinished(choice: Choice | None, status: str) -> str:
    if status == "running":
        return "The reply has not come whole yet."
    if choice is None:
        return "There is no such reply."
    if choice.message.refusal:
        return f"The model refused: {' '.join(choice.message.refusal.split())}"
    reasons = {
        "length": "The reply was cut off at its token limit (finish_reason length).",
        "content_filter": "The reply was cut off by a content filter (finish_reason "
        "content_filter).",
    }
    if choice.finish_reason in reasons:
        return reasons[choice.finish_reason]
    if status != "complete":
        return f"The reply did not come whole (the run ended as {status})."
    if not (choice.message.content or "").strip():
        calls = choice.message.tool_calls or choice.message.function_call
        return "The model asked for a tool instead." if calls else "The reply is empty."
    return ""


def _read(text: str, structure: Structure | None) -> Parsed:
    fenced = _FENCED.match(text)
    try:
        value = msgspec.json.decode(fenced[1] if fenced else text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return Parsed(error=f"The reply is no JSON: {_one_line(error)}.")
    except RecursionError:
        return Parsed(error="The reply is JSON that is nested too deeply.")
    if structure is None:
        return Parsed(value)
    try:
        return Parsed(_as_structure(value, structure))
    except RecursionError:
        return Parsed(error="The reply is JSON that is nested too deeply.")
    # a type's own hooks may raise anything, and the text is there all the same
    except Exception as error:  # noqa: BLE001
        return Parsed(error=f"The reply does not fit what was asked: {_one_line(error)}.")


def _as_structure(value: Any, structure: Structure) -> Any:
    if structure.strict:
        value = _without_added_nulls(value, structure.schema, structure.schema)
    if structure.wrapped is not None:
        if not isinstance(value, dict) or structure.wrapped not in value:
            raise ValueError(f"its root has no {structure.wrapped!r}")
        value = value[structure.wrapped]
    elif not isinstance(value, dict):
        raise ValueError("its root is no object")
    if structure.type is None:
        return value
    return msgspec.convert(value, structure.type, str_keys=True, dec_hook=_foreign_object)


def _foreign_object(model: Any, value: Any) -> Any:
    if isinstance(model, type) and is_foreign(model):
        return model.model_validate_json(msgspec.json.encode(value))  # type: ignore[attr-defined]
    raise NotImplementedError(f"{model} is not known to msgspec")


def _without_added_nulls(value: Any, node: Any, root: Node) -> Any:
    """Take out the nulls of properties that the strict schema alone made required."""
    if not isinstance(node, dict):
        return value
    node = _branch_for(value, followed(node, root), root)
    if isinstance(value, list):
        return [_without_added_nulls(entry, node.get("items"), root) for entry in value]
    if not isinstance(value, dict):
        return value
    properties, required = node.get("properties", {}), node.get("required", ())
    return {
        key: _without_added_nulls(entry, properties.get(key), root)
        for key, entry in value.items()
        if entry is not None
        or key in required
        or key not in properties
        or is_nullable(properties[key], root)
    }


def _branch_for(value: Any, node: Node, root: Node) -> Node:
    for _ in range(16):
        branches = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
        found = (followed(branch, root) for branch in branches if isinstance(branch, dict))
        fitting = next((branch for branch in found if _may_fit(value, branch, root)), None)
        if fitting is None:
            break
        node = fitting
    return node


def _may_fit(value: Any, node: Node, root: Node) -> bool:
    if "anyOf" in node or "oneOf" in node:
        return True
    if isinstance(value, list):
        return "items" in node
    if not isinstance(value, dict) or "properties" not in node:
        return False
    properties = node["properties"]
    return value.keys() <= properties.keys() and all(
        _has_value(value[key], followed(inner, root))
        for key, inner in properties.items()
        if key in value and isinstance(inner, dict)
    )


def _has_value(value: Any, node: Node) -> bool:
    """Tell whether a value is among those that a node lists; yes where it lists none."""
    if value is None:  # of an optional property
        return True
    if "const" in node:
        return bool(value == node["const"])
    return "enum" not in node or value in node["enum"]


def _one_line(error: object) -> str:
    return " ".join(_FURTHER.sub("", str(error)).split()).rstrip(".")
