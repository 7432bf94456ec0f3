"""A model as judge: a prompt about each answer, and what its replies count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nbchat.errors import CheckError
from nbchat.evaluators.evaluator import Scale
from nbchat.measures import normalised

_YES_OR_NO: dict[str, float] = {"yes": 1.0, "no": 0.0}


class Judge(msgspec.Struct, frozen=True):
    """What a judge is asked about each answer: see `judge`, which makes it."""

    prompt: str
    labels: dict[str, float]
    human: str | Mapping[str, Any] | None
    fields: dict[str, Any]
    scale: Scale

    def score(self, reply: str) -> float | None:
        """Give what a reply of the judge counts; None where it is none of the labels."""
        label = self.label(reply)
        return None if label is None else self.labels[label]

    def label(self, reply: str) -> str | None:
        """Give the label that a reply is, or begins or ends with; None where it is none."""
        text = normalised(reply)
        by_name = {normalised(label): label for label in self.labels}
        if text in by_name:
            return by_name[text]
        words = text.split()
        ends = {normalised(word) for word in (words[:1] + words[-1:])}
        labels = {by_name[end] for end in ends if end in by_name}
        return labels.pop() if len(labels) == 1 else None

    def __repr__(self) -> str:
        return f"<Judge {self.fields.get('model') or 'of the default model'}: {self.prompt!r}>"


def judge(
    prompt: str,
    *,
    labels: Mapping[str, float] = _YES_OR_NO,
    human: str | Mapping[str, Any] | None = None,
    **fields: Any,
) -> Judge:
    """Let a model judge each answer.

    `prompt` is a template on the row's variables and ``{{ reply }}``, what was answered. `labels`
    says what its replies count, "yes" 1 and "no" 0 if not given; a reply that is none of them is
    no score. `human` has labels by people, with which the judge is then compared: the name of a
    column of the data, or row id -> label. All else is what `nbchat.chat` takes: model, profile,
    temperature, …

    Its requests are a sweep of their own in the folder ``judges`` of the sweep, so that none is
    paid for twice; a notebook shows its prompt.
    """
    if "reply" not in prompt:
        raise CheckError(
            "judge() needs {{ reply }} in its prompt: that is the answer to be judged.",
            field="prompt",
            value=prompt,
        )
    if not labels:
        raise CheckError("judge() needs labels and what they count.", field="labels", value=labels)
    counted = {str(label): float(value) for label, value in labels.items()}
    scale: Scale = "right or wrong" if set(counted.values()) <= {0.0, 1.0} else "number"
    return Judge(prompt, counted, human, dict(fields), scale)
