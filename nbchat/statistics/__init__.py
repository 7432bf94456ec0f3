"""Numbers about many answers: pure functions on arrays.

Scores are items by repeats, NaN where one is missing. Repeats of an item are no items of their
own: their mean comes first, and intervals and tests are over items.
"""

from __future__ import annotations

from nbchat.statistics.bootstrap import cluster_bootstrap
from nbchat.statistics.differences import (
    Test,
    holm,
    item_differences,
    mcnemar,
    paired_difference,
    permutation,
    t_test,
    unpaired_difference,
)
from nbchat.statistics.intervals import (
    Interval,
    item_means,
    mean_interval,
    missing_bounds,
    proportion_interval,
)
from nbchat.statistics.repeats import (
    Detectable,
    VarianceComponents,
    agreement,
    cohens_kappa,
    detectable_difference,
    pass_at_k,
    pass_hat_k,
    variance_components,
)

__all__ = [
    "Detectable",
    "Interval",
    "Test",
    "VarianceComponents",
    "agreement",
    "cluster_bootstrap",
    "cohens_kappa",
    "detectable_difference",
    "holm",
    "item_differences",
    "item_means",
    "mcnemar",
    "mean_interval",
    "missing_bounds",
    "paired_difference",
    "pass_at_k",
    "pass_hat_k",
    "permutation",
    "proportion_interval",
    "t_test",
    "unpaired_difference",
    "variance_components",
]


def __dir__() -> list[str]:
    return list(__all__)
