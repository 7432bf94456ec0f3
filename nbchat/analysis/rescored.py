"""`Rescored`: a reply beside the same with a row for each of its tokens."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nbchat.analysis.compare import Comparison
from nbchat.analysis.written_tokens import rows_of

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.frames.word_breaks import WordRule
    from nbchat.run import Run


class Rescored(Comparison):
    """A reply by the one that wrote it, and again with a row for each of its tokens.

    - `parent`: the run whose reply it is; `run`: the same reply with its new rows, as good as any
      run for frames, figures and the inspector; `runs`: both
    - `end_logprob`: nats, that the reply ends where it does, by all tokens that end one (llama.cpp
      alone); NaN where it was cut off or that is not known
    - `difference`: nats, the most by which a new row differs from the parent's; NaN by another
      model, or where there is nothing to compare
    - `label`: a sentence that says how it was done

    `frame()` has both surprisals, put side by side by the bytes that they are of
    (`nbchat.frames.comparison.comparison`); `nbchat.plots.comparison` draws it.
    """

    def __init__(
        self,
        parent: Run,
        run: Run,
        choice: int,
        *,
        label: str,
        end_logprob: float,
        difference: float,
    ):
        super().__init__(parent, run, choice)
        self.parent = parent
        self.run = run
        self.label = label
        self.end_logprob = end_logprob
        self.difference = difference

    def tokens(self) -> pd.DataFrame:
        """Give one row for each token, by the new rows (see `nbchat.tokens`)."""
        return self.run.tokens()

    def choices(self) -> pd.DataFrame:
        """Give the sums over them (see `nbchat.choices`)."""
        return self.run.choices()

    def words(self, by: WordRule = "space") -> pd.DataFrame:
        """Give one row for each word, by the new rows (see `nbchat.words`)."""
        return self.run.words(by)

    @property
    def names(self) -> tuple[str, str]:
        """What both are called: who wrote the reply, and by whom it is read."""
        writer, reader = self.parent.model or self.parent.id, self.run.model or self.run.id
        if writer == reader:
            return f"{writer}, as it came", f"{writer}, every token"
        return f"{writer}, which wrote it", f"{reader}, which reads it"

    @cached_property
    def _frame(self) -> pd.DataFrame:
        from nbchat.frames.comparison import comparison

        frame = comparison(self.parent, self.run, self.choice)
        # the end of the reply can have a row in one of them alone, and is none of its bytes
        start = frame["byte_start_a"].fillna(frame["byte_start_b"])
        is_text = start < len(self.run.text.encode("utf-8", "replace"))
        return frame[(frame["op"] == "same") | is_text].reset_index(drop=True)

    def __repr__(self) -> str:
        has_both = self.parent.completion is not None and rows_of(self.parent, self.choice)
        return super().__repr__() if has_both else f"<Rescored run {self.run.id}: {self.label}>"
