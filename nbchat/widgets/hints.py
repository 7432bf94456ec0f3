"""Facts of the explorer's interface that are no facts of the API.

What a field is, what it takes and what it does is declared in `nbchat.api.params`; here is
only how it is best touched. A field that is not named here gets what fits its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

ControlKind = Literal["slider", "number", "dropdown", "toggle", "text", "tags", "pairs", "json"]

DEPRECATED = "Deprecated"
#: nbchat's own options, which are no fields of the request
OWN_GROUP = "nbchat"
#: in the order of the screen; groups of the declaration that are not named here come after
#: them, and the deprecated fields last
GROUPS = (
    "Sampling",
    "Length",
    "Log probabilities",
    "Model",
    "Output format",
    "Tools",
    "Search",
    "Audio",
    "Service",
    "Caching and safety",
)
OPEN_AT_FIRST = frozenset({"Sampling", "Length", "Log probabilities"})
#: a slider of more steps than this cannot be set to one of them by hand
MOST_STEPS = 10_000


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """How a field is best touched; None leaves a thing to the declaration.

    `soft_minimum` and `soft_maximum` bound the slider alone: beyond them a value is typed.
    `start` is what the control shows when it is first set.
    """

    control: ControlKind | None = None
    group: str | None = None
    step: float | None = None
    soft_minimum: float | None = None
    soft_maximum: float | None = None
    start: Any = None


#: fields named here stand in this order and before the others of their group
HINTS: Mapping[str, Hint] = {
    "temperature": Hint(step=0.05),
    "top_p": Hint(step=0.01),
    # deprecated by one provider, and what makes a run repeatable everywhere else
    "seed": Hint(group="Sampling", start=0),
    "n": Hint(soft_maximum=8),
    "frequency_penalty": Hint(step=0.1),
    "presence_penalty": Hint(step=0.1),
    "max_completion_tokens": Hint(soft_maximum=4096, start=256),
    "max_tokens": Hint(soft_maximum=4096, start=256),
    "logprobs": Hint(),
    "top_logprobs": Hint(start=5),
    "response_format": Hint(start={"type": "json_object"}),
    "verbosity": Hint(),
    "stream": Hint(start=False),  # nbchat streams by itself
}
