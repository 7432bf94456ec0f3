"""How many examples the property tests try: few, unless NBCHAT_FUZZ says how many times as many.

NBCHAT_FUZZ=100 .venv/bin/python -m pytest -m fuzz --timeout=0

It may be below 1: `make quick` tries a tenth, and `make test` all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hypothesis import settings

from nbchat.api.response import Completion
from nbchat.client import read_stream
from nbchat.errors import ApiError, TransportError

TIMES = float(os.environ.get("NBCHAT_FUZZ") or 1)


def examples(few: int, **options: Any) -> settings:
    """Settings for a property test that tries `few` examples in a usual run."""
    return settings(max_examples=times(few), **options)


def times(few: int) -> int:
    """Give as many as NBCHAT_FUZZ makes of `few`, and at least one."""
    return max(1, round(few * TIMES))


def outcome(pieces: Iterable[bytes]) -> tuple[Completion | None, ApiError | TransportError | None]:
    """What comes of an answer's bytes: the completion as far as it came, and the error, if any.

    An error of another kind is none that a user should meet, and goes through.
    """
    try:
        return read_stream(pieces), None
    except (ApiError, TransportError) as error:
        return error.completion, error
