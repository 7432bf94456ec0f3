"""The folder of a sweep as a run of it leaves it, written without a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbchat
from nbchat.errors import BadRequestError
from nbchat.history.redaction import Redaction
from nbchat.run import Run
from nbchat.sweep.design import Row
from nbchat.sweep.journal import JOURNALS, journal_name
from nbchat.sweep.records import line_of
from tests.frames.made import choice, entry, run_of

#: nobody answers there, and nobody is asked
NOBODY = nbchat.Profile(name="nobody", base_url="http://127.0.0.1:9/v1")


def answer(text: str, **facts: Any) -> Run:
    """A run with this text and the probability of its one token; "" is refused."""
    run: Run = run_of(
        choice(entry(text, -0.1, (text, -0.1), ("else", -2.5)), finish="stop")
        if text
        else choice(text="", finish="content_filter"),
        usage={"prompt_tokens": 9, "completion_tokens": len(text)},
        params={"logprobs": True, "top_logprobs": 2},
        **facts,
    )
    return run


def failed(sentence: str) -> Run:
    """A run that a server refused."""
    run: Run = run_of(choice(text=None))
    run.completion, run.status, run.error = None, "error", BadRequestError(sentence)
    return run


def write_rows(
    sweep: Any, reply: Callable[[dict[str, Any], Row], Run | None], stem: str = "a"
) -> None:
    """Write the rows of a sweep, of each what `reply` gives of its variables; None is not sent."""
    folder = Path(sweep.folder) / JOURNALS
    folder.mkdir(parents=True, exist_ok=True)
    labels = [sweep.design.labels(point) for point in range(len(sweep.design.grid.points))]
    with (folder / journal_name(stem, 1)).open("ab") as file:
        for row in sweep.design.rows():
            variables = sweep.design.variables(row)
            run = reply(variables, row)
            if run is not None:
                run.messages = [{"role": "user", "content": f"Fruit? {variables.get('thing')}"}]
                file.write(line_of(row, labels[row.point], run, 0, 1, Redaction())[1])
