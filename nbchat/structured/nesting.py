"""How deep the objects of a JSON schema stand inside one another."""

from __future__ import annotations

from typing import Any

from nbchat.structured.json_schema import DEFS, Node, list_at, object_at


def levels_of(root: Node) -> int:
    """Count the objects inside one another. A recursion counts once.

    Definitions are taken one by one, because a path through them can be thousands long, and
    there can be more paths than anybody can walk.
    """
    bodies = {"#": {key: value for key, value in root.items() if key != "$defs"}}
    bodies |= {f"{DEFS}{name}": node for name, node in object_at(root, "$defs").items()}
    levels = {ref: _levels(body) for ref, body in bodies.items()}
    known: dict[str, int] = {}
    begun: set[str] = set()
    waiting = ["#"]
    while waiting:
        ref = waiting[-1]
        level, inner = levels[ref]
        first = [other for other in inner if other not in known and other not in begun]
        if ref not in known and ref not in begun and first:
            begun.add(ref)
            waiting.extend(first)
            continue
        waiting.pop()
        if ref not in known:
            known[ref] = max([level, *(above + known.get(o, 0) for o, above in inner.items())])
    return known["#"]


def _levels(node: Any) -> tuple[int, dict[str, int]]:
    """Give the objects inside one another in a node, and how many stand above each reference."""
    if not isinstance(node, dict):
        return 0, {}
    if "$ref" in node:
        return 0, {node["$ref"]: 0}
    level = 1 if "properties" in node else 0
    inner = [*object_at(node, "properties").values(), *list_at(node, "anyOf"), node.get("items")]
    deepest, above = 0, dict[str, int]()
    for part in inner:
        levels, refs = _levels(part)
        deepest = max(deepest, levels)
        above |= {ref: max(count, above.get(ref, 0)) for ref, count in refs.items()}
    return level + deepest, {ref: level + count for ref, count in above.items()}
