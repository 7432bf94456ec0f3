"""A key that must be nowhere, and all the places to look for it."""

from __future__ import annotations

import traceback
import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from nbchat.api.response import Chunk

#: nothing in it looks like a key of a known provider: only those who were told it can hide it
CANARY = "canary7f3a91d2c5b8e604"
#: part of it is as bad
PART = CANARY[6:]

_LEAVES = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType)
_LEAVES += (types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def reachable(error: BaseException) -> Iterator[Any]:
    """Everything that hangs on an error: arguments, attributes, causes, contexts, notes, and the
    representations of the locals of its frames, which ``%xmode Verbose`` prints.

    The frames' locals themselves are not followed: the live client, which must have the key, is
    one of them. A chunk is what a server said, in the loop of who asked it.
    """
    seen: set[int] = set()
    queue: deque[Any] = deque([error])
    while queue:
        thing = queue.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        queue.extend(_parts(thing))


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, BaseException):
        yield from thing.args
        yield from (thing.__cause__, thing.__context__)
        yield "".join(traceback.format_exception(thing))
        for frame, _ in traceback.walk_tb(thing.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                local = frame.f_locals.values()
                yield from (repr(value) for value in local if not isinstance(value, Chunk))
    if isinstance(thing, _LEAVES):
        return
    if isinstance(thing, Mapping):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, (list, tuple, set, frozenset, deque)):
        yield from thing
    yield from getattr(thing, "__dict__", {}).values()
    for slot in [s for cls in type(thing).__mro__ for s in getattr(cls, "__slots__", ())]:
        yield getattr(thing, slot, None)
    for field in getattr(thing, "__struct_fields__", ()):
        yield getattr(thing, field)
    for cell in getattr(getattr(thing, "__func__", thing), "__closure__", None) or ():
        yield cell.cell_contents


def leaks(error: BaseException) -> list[str]:
    """What an error holds of the canary."""
    found = []
    for thing in reachable(error):
        text = thing.decode("latin-1") if isinstance(thing, bytes) else thing
        if isinstance(text, str) and PART in text:
            found.append(text[:300])
        elif not isinstance(thing, _LEAVES) and PART in repr(thing):
            found.append(f"repr of a {type(thing).__name__}")
    return found
