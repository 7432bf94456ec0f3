"""The citations frame: one row for each place of a reply that names a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.api.citations import citations_of
from nbchat.frames.assembly import assemble
from nbchat.frames.columns import columns_of
from nbchat.frames.source import runs_of

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.frames.source import Source


def citations(source: Source) -> pd.DataFrame:
    """Give one row for each citation of a web search, in the order in which they came.

    `source` is a run, an iterable of runs or anything with `.runs`. `nbchat.frames.columns`
    declares the columns; `number` is that of the link under the reply. Raise TypeError where
    `source` has no runs to give.
    """
    rows: list[dict[str, Any]] = []
    for run in runs_of(source):
        choices = run.completion.choices if run.completion else []
        for choice in sorted(choices, key=lambda c: c.index):
            for cited in citations_of(choice.message):
                facts = {name: getattr(cited, name) for name in cited.__struct_fields__}
                rows.append({"run_id": run.id, "choice": choice.index, **facts})
    names = [column.name for column in columns_of("citations")]
    return assemble("citations", {name: [row[name] for row in rows] for name in names})
