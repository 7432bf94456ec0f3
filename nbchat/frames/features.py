"""The frame of what a server was found to support."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence


def features(rows: Sequence[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Give one row for each question: `feature`, `found`, `meaning`, `note`, all strings."""
    return pd.DataFrame(rows, columns=["feature", "found", "meaning", "note"], dtype="string")
