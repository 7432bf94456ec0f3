"""The functions that a user named for a request, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.params import ChatParams
from nbchat.errors import CheckError

if TYPE_CHECKING:
    from nbchat.tools import Tool

Confirm = bool | Callable[[Any], object] | None
MAX_ROUNDS = 5


class Toolbox(msgspec.Struct, frozen=True):
    """The functions that the user named for a run, and how they are run.

    `confirm`: True asks before each call, a function is given the `Call` and says if it runs.
    """

    tools: Mapping[str, Tool]
    max_rounds: int = MAX_ROUNDS
    confirm: Confirm = None


def take_functions(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tool]]:
    """Give the fields with schemas in the place of functions, and the tools that can run."""
    wanted = dict(fields)
    tools: dict[str, Tool] = {}
    for field in ("tools", "functions"):
        value = wanted.get(field)
        if value is None or value is msgspec.UNSET or isinstance(value, str):
            continue
        from nbchat.tools import read_tools

        wanted[field], named = read_tools(value, field=field)
        tools.update(named)
    return wanted, tools


def toolbox_of(
    tools: Mapping[str, Tool],
    params: ChatParams,
    *,
    max_rounds: int | None = None,
    confirm: Confirm = None,
) -> Toolbox | None:
    """Put the tools of a run together; None where there are none to run."""
    rounds = MAX_ROUNDS if max_rounds is None else max_rounds
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 0:
        raise CheckError(
            f"max_rounds is {rounds!r}, but it must be a whole number, 0 or more.",
            field="max_rounds",
            value=rounds,
            rule="must be a whole number, 0 or more",
        )
    if not (confirm is None or isinstance(confirm, bool) or callable(confirm)):
        raise CheckError("confirm must be True or a function.", field="confirm", value=confirm)
    if not tools:
        return None
    n = params.given().get("n")
    if n is not None and n > 1:
        raise CheckError(
            f"n is {n}, but the calls of one reply alone can be answered: leave n out, or give "
            "schemas in the place of functions.",
            field="n",
            value=n,
            rule="cannot be above 1 where functions run",
        )
    return Toolbox(tools, rounds, confirm)
