"""What a kernel that begins anew needs to know of a turn, to take its conversation up."""

from __future__ import annotations

import msgspec


class CellTurn(msgspec.Struct, frozen=True):
    """The turn of a ``%%chat`` cell.

    - `magic`: the number of the magic in its cell, from 0
    - `begins`, `ends`: which of the run's messages are new, as a slice
    - `system`: the system's message that it set, None where it set none
    """

    magic: int
    begins: int
    ends: int
    system: str | None = None
