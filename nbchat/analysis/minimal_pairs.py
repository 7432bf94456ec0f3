"""`minimal_pairs`: which of two sentences a model finds likelier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.score import Scores, score
from nbchat.api.json_values import shown
from nbchat.errors import CheckError

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.run import Run

_SIDES = ("good", "bad")


class MinimalPairs(msgspec.Struct, frozen=True, eq=False):
    """Pairs of sentences, and how likely each of the two is.

    - `pairs`: DataFrame, the pairs as given, with `good_logprob` and `bad_logprob` (float64,
      nats, the sum over the sentence's tokens) and `is_right` (boolean: the better one is
      likelier; NA for a tie, and where one is not known)
    - `good`, `bad`: the `nbchat.analysis.Scores` of the sentences
    """

    pairs: pd.DataFrame
    good: Scores
    bad: Scores

    @property
    def runs(self) -> list[Run]:
        """The runs, the better sentence's before the worse one's."""
        return [r for both in zip(self.good.runs, self.bad.runs, strict=True) for r in both]

    def frame(self) -> pd.DataFrame:
        """Give one row for each pair: `pairs`."""
        return self.pairs

    def accuracy(self, by: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Give the share of right pairs, in all and by group, each with its Wilson interval.

        `by` are columns of the pairs; `nbchat.frames.minimal_pair_accuracy` says what the
        columns are. Ties are neither right nor wrong.
        """
        from nbchat.frames import minimal_pair_accuracy

        return minimal_pair_accuracy(self.pairs, by)

    def __repr__(self) -> str:
        return repr(self.accuracy())

    def _repr_html_(self) -> str:
        made: str = self.accuracy().to_html(notebook=True)
        return made


def minimal_pairs(pairs: Any, prompt: Any = None, **how: Any) -> MinimalPairs:
    """Score the better and the worse sentence of each pair.

    - `pairs`: a DataFrame with the columns `good` and `bad` (further ones are kept, as groups),
      or pairs of texts, the better one first
    - `prompt`: None for sentences without any template, else what they are replies to
    - `how`: as `nbchat.score` takes it (`profile`, `model`, `at_once`, ...)

    A sentence that stands in several pairs is scored once. Raise CheckError for a wrong argument,
    and what `nbchat.score` raises. Source: BLiMP (Warstadt et al., arXiv 1912.00582).
    """
    from nbchat.frames.scored import pairs_frame, scored_pairs

    frame = pairs_frame(pairs) if hasattr(pairs, "columns") else pairs_frame(_listed(pairs))
    _check(frame)
    texts = list(dict.fromkeys(str(text) for side in _SIDES for text in frame[side]))
    by_text = {one.text: one for one in score(prompt, texts, **how).scores}
    good, bad = (Scores([by_text[str(text)] for text in frame[side]]) for side in _SIDES)
    return MinimalPairs(scored_pairs(frame, good.scores, bad.scores), good, bad)


def _listed(pairs: Any) -> list[tuple[Any, Any]]:
    both = list(pairs) if isinstance(pairs, Iterable) and not isinstance(pairs, str) else None
    is_right = both is not None and all(
        isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 2 for one in both
    )
    if both is None or not is_right:
        rule = "a frame with the columns good and bad, or pairs of texts, the better one first"
        raise CheckError(f"pairs is {shown(pairs)}, but must be {rule}.", field="pairs", rule=rule)
    return [(one[0], one[1]) for one in both]


def _check(frame: pd.DataFrame) -> None:
    lacking = [side for side in _SIDES if side not in frame]
    if lacking:
        rule = f"have the columns good and bad, and there is no {' and no '.join(lacking)}"
        raise CheckError(f"pairs must {rule}.", field="pairs", rule=rule)
    for side in _SIDES:
        for number, text in enumerate(frame[side]):
            if not isinstance(text, str):
                rule = "a text"
                raise CheckError(
                    f"{side} of pair {number} is {shown(text)}, but must be {rule}.",
                    field="pairs",
                    value=text,
                    rule=rule,
                )
