"""What is selected: a token by its key, and what is said of it in Python."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.frames.packed import Table

KEY = ("run_id", "choice", "channel")
#: the columns of the tokens frame that a selection has, after the key and the position
FIGURES = (
    *("token", "token_id", "display", "logprob", "prob", "surprisal_bits", "rank", "rank_min"),
    *("top_k", "in_top", "tail_mass", "margin", "entropy_lo", "entropy_hi", "is_special"),
    *("is_partial_utf8", "is_merged", "censored"),
)


def described(run_id: str, table: Table, position: int) -> dict[str, Any]:
    """Give a token as a plain dict: its key, its position and its figures, None where missing."""
    row = table.frame.iloc[position]
    return {
        "run_id": run_id,
        "choice": table.choice,
        "channel": table.channel,
        "position": position,
        **{name: _plain(row[name]) for name in FIGURES},
    }


def _plain(value: Any) -> Any:
    if type(value).__name__ == "NAType" or (isinstance(value, float) and isnan(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def wanted(value: Any, current: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read what a user set: a position, or a mapping with one and perhaps run_id and so on.

    What is not said is as in the current selection. Raise TypeError where it is neither.
    """
    if isinstance(value, Mapping) or hasattr(value, "keys"):  # a row of a frame has keys too
        place = {name: value[name] for name in (*KEY, "position") if name in value}
    else:
        place = {"position": value}
    try:
        place["position"] = operator.index(place["position"])
    except (KeyError, TypeError) as error:
        raise TypeError(
            f"selected is a position, a mapping with one, or None, not {type(value).__name__}"
        ) from error
    for name in KEY:
        if current is None or place.get(name, current[name]) != current[name]:
            break  # what is said below another run or choice says nothing of this one
        place[name] = current[name]
    return place


def position_of(place: Mapping[str, Any], tables: Sequence[tuple[str, Table]]) -> tuple[int, int]:
    """Give the number of the table that is asked for, and the position in it.

    `tables` are pairs of run id and table. The first that fits is meant. Negative positions
    count from the end. Raise ValueError where there is none.
    """
    for number, (run_id, table) in enumerate(tables):
        here = {"run_id": run_id, "choice": table.choice, "channel": table.channel}
        if any(place.get(name, here[name]) != here[name] for name in KEY):
            continue
        position = place["position"]
        if not -len(table) <= position < len(table):
            raise ValueError(
                f"there is no position {position}: the {table.channel} of choice {table.choice} "
                f"has {len(table)} tokens"
            )
        return number, position % len(table)
    place_in_words = ", ".join(f"{name} {place[name]}" for name in KEY if name in place)
    raise ValueError(f"no token probabilities are shown of {place_in_words or 'these runs'}")
