"""Many runs played, with a line that says how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbchat.session.pool import play_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.session.execution import Playing

#: seconds after which the line is shown
_SHOWN_AFTER_S = 2.0


def play_all(playings: Sequence[Playing], what: str, unit: str) -> None:
    """Play them all, some at once. Raise the first error where one failed."""
    from tqdm import tqdm

    with tqdm(total=len(playings), desc=what, unit=unit, delay=_SHOWN_AFTER_S, leave=False) as bar:
        play_together(playings, on_end=lambda _: bar.update())
    errors = [playing.run.error for playing in playings if playing.run.error is not None]
    if errors:
        raise errors[0]
