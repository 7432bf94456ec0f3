"""Writes what the scripts of the panels are checked with: the messages of `widgets/protocol.py`.

One ``protocol.d.ts`` beside the scripts of each panel: a type for each struct, a union for each
direction, an interface for the synchronised traits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this checkout's nbchat

from nbchat.widgets.protocol import EXPLORER, INSPECTOR, SWEEP_INSPECTOR, Protocol

WIDGETS = Path(__file__).resolve().parent.parent / "nbchat" / "widgets"
PANELS = {"explorer": EXPLORER, "inspector": INSPECTOR, "sweep_inspector": SWEEP_INSPECTOR}
_HEAD = "// Made of nbchat/widgets/protocol.py: .venv/bin/python .ci/protocol.py"
_PLAIN: dict[type[inspect.Type], str] = {
    inspect.AnyType: "unknown",
    inspect.BoolType: "boolean",
    inspect.BytesType: "DataView | string",
    inspect.FloatType: "number",
    inspect.IntType: "number",
    inspect.NoneType: "null",
    inspect.StrType: "string",
}


def main() -> None:
    for panel, protocol in PANELS.items():
        path = WIDGETS / panel / "protocol.d.ts"
        path.write_text(declarations(protocol), encoding="utf-8")


def declarations(protocol: Protocol) -> str:
    """Give the types of a panel's messages as TypeScript declares them."""
    structs: dict[str, inspect.StructType] = {}
    traits = {name: [*map(inspect.type_info, may)] for name, may in protocol.shared.items()}
    for found in map(inspect.type_info, (*protocol.page, *protocol.kernel)):
        collect(found, structs)
    for trait in traits.values():
        for found in trait:
            collect(found, structs)
    parts = [_HEAD]
    parts += [struct(found) for found in structs.values()]
    parts += [union("FromPage", protocol.page), union("FromKernel", protocol.kernel)]
    lines = [f"  {name}: {' | '.join(map(of, trait))};" for name, trait in traits.items()]
    parts.append("\n".join(["interface Traits {", *lines, "}"]))
    return "\n\n".join(parts) + "\n"


def collect(found: Any, structs: dict[str, inspect.StructType]) -> None:
    """Note the structs that a type consists of, by name."""
    if isinstance(found, inspect.StructType):
        structs[found.cls.__name__] = found
        for field in found.fields:
            collect(field.type, structs)
    for name in ("item_type", "key_type", "value_type"):
        if hasattr(found, name):
            collect(getattr(found, name), structs)
    for part in (*getattr(found, "types", ()), *getattr(found, "item_types", ())):
        collect(part, structs)


def struct(found: inspect.StructType) -> str:
    lines = [f"  {found.tag_field}: {literal(found.tag)};"] if found.tag_field else []
    lines += [f"  {f.encode_name}{'' if f.required else '?'}: {of(f.type)};" for f in found.fields]
    return "\n".join([f"interface {found.cls.__name__} {{", *lines, "}"])


def union(name: str, messages: tuple[type, ...]) -> str:
    names = [f"  | {message.__name__}" for message in messages] or ["  never"]
    return f"type {name} =\n" + "\n".join(names) + ";"


def of(found: inspect.Type) -> str:
    """Give a type as TypeScript writes it."""
    match found:
        case inspect.StructType():
            return str(found.cls.__name__)
        case inspect.LiteralType():
            return " | ".join(literal(value) for value in found.values)
        case inspect.UnionType():
            return " | ".join(of(part) for part in found.types)
        case inspect.ListType():
            return f"Array<{of(found.item_type)}>"
        case inspect.DictType():
            return f"Record<{of(found.key_type)}, {of(found.value_type)}>"
        case inspect.TupleType():
            return f"[{', '.join(of(part) for part in found.item_types)}]"
    return _PLAIN[type(found)]


def literal(value: Any) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    main()
