"""What a low room asks of a room above it, which it does not see.

The package, which sees all rooms, puts a function here when it is imported; the room that has the
function is loaded when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: "whole_rows": of a run and the index of a choice, the whole rows that its server can be asked for
#: "sweep_folder": of the path of a sweep's folder, what reads it
ABOVE: dict[str, Callable[..., Any]] = {}
