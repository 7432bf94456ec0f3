"""`classify`: which of some labels a model would give, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log, nan
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from nbchat.analysis.classify_first_token import first_tokens
from nbchat.analysis.score import scores_of
from nbchat.api.json_values import shown
from nbchat.api.messages import check_messages
from nbchat.errors import CheckError
from nbchat.measures import class_probabilities
from nbchat.request.arguments import as_messages
from nbchat.request.draft import Draft
from nbchat.session.pool import AT_ONCE

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.analysis.score import Score
    from nbchat.client.profiles import Profile

Method = Literal["exact", "first_token", "pmi"]
Per = Literal["label", "token", "character", "byte"]
_NEUTRAL = "N/A"
_MOST_LISTED = 20


class Class(msgspec.Struct, frozen=True):
    """A label of one prompt: a row of the frame."""

    prompt: int
    prompt_text: str
    label: str
    logprob: float
    n_tokens: int
    prob: float
    prob_lo: float
    prob_hi: float
    coverage: float
    logprob_neutral: float = nan


class _Task(msgspec.Struct, frozen=True):
    """The prompts as messages and as text, and the text of each label."""

    messages: list[list[dict[str, Any]]]
    texts: list[str]
    labels: dict[str, str]


def classify(
    prompts: Any,
    labels: Iterable[str] | Mapping[str, str],
    method: Method = "exact",
    *,
    truth: Iterable[str | None] | str | None = None,
    neutral: Any = _NEUTRAL,
    per: Per = "label",
    profile: str | Profile | None = None,
    model: str | None = None,
    system: str | None = None,
    top_logprobs: int | str = _MOST_LISTED,
    timeout: float | None = None,
    max_retries: int | None = None,
    extra: Mapping[str, Any] | None = None,
    at_once: int = AT_ONCE,
) -> pd.DataFrame:
    """Tell how likely each label is as the reply to each prompt.

    - `prompts`: a text, or several; each may be a list of messages, too. `system` goes before
    - `labels`: the replies to choose among, or a mapping of label to the reply that stands for it
    - `method`: "exact" scores each label whole (`nbchat.score`: llama.cpp, the embedded model's
      server too, and vLLM). "pmi" does so, and against the prompt `neutral`, which takes out that
      some labels are likelier whatever is asked (Holtzman et al., arXiv 2104.08315). "first_token"
      asks each prompt once and looks at the first token's alternatives; it works wherever there
      are log probabilities, and cannot part labels that begin alike
    - `truth`: the right label of each prompt; None where it is not known
    - `per`: what a label's log probability is divided by before labels are compared: "label" (by
      nothing), "token", "character" or "byte", against the advantage of short labels
    - `top_logprobs`: of "first_token": how many alternatives to ask for, at most 20, or "all"
    - `profile`, `model`, `timeout`, `max_retries`, `extra`: as `nbchat.chat` takes them

    Give one row for each prompt and label:

    - `prompt` (int64, from 0), `prompt_text`, `label`, `method`
    - `logprob`: s(c), nats: the sum over the label's tokens, with the end of the reply where one
      label is the beginning of another (then for all of them; it is the sum over all tokens that
      end a generation, and counts as one token); of "first_token", ln of the mass of the
      pieces that begin it. `n_tokens` counts what was summed
    - `prob`: exp(s(c)) over the sum of all labels': how they compare. `prob_lo`, `prob_hi`: where
      it lies, if a piece begins several labels; `prob` then has the piece shared out evenly
    - `coverage`: the sum of exp(s(c)), the same for all labels of a prompt. Where it is small, the
      model would rather have answered something else
    - `is_predicted`: the label with the largest `prob`, of equals the first
    - of "pmi": `logprob_neutral`, s(c) behind the neutral prompt, and `pmi`, `logprob` less that:
      nats, what labels are compared by
    - with `truth`: `truth` and `is_correct`, whether this row's label is the right one

    For "first_token", upper and lower case and a leading blank count for the same label; blank
    and end tokens, and what lies outside the list, count for none, so that a label none of
    whose pieces is listed has `prob` 0 and no `logprob`. Where that is so of all of them, no
    `prob` is known (NaN), and none is predicted.

    `at_once` requests go on at a time, and the runs are in `nbchat.runs()` too. Raise
    `CheckError` for a wrong argument; `NotAvailableError` where "exact" and "pmi" are not
    available; the first error where a request failed.
    """
    _check_word("method", method, get_args(Method))
    _check_word("per", per, get_args(Per))
    task = _task(prompts, labels, system)
    right = _truth(truth, task)
    base = Draft(
        profile=profile,
        fields={"model": model} if model else {},
        extra=dict(extra or {}),
        timeout=timeout,
        max_retries=max_retries,
    )
    if method == "first_token":
        scored = _by_first_token(task, top_logprobs, base, at_once)
    else:
        scored = _by_score(
            task, _messages(neutral, system) if method == "pmi" else None, per, base, at_once
        )
    from nbchat.frames.scored import classes

    return classes(scored, method, right)


def _by_score(
    task: _Task,
    neutral: list[dict[str, Any]] | None,
    per: Per,
    base: Draft,
    at_once: int,
) -> list[Class]:
    replies = list(task.labels.values())
    conversations = [*task.messages, *([neutral] if neutral is not None else [])]
    pairs = [(messages, reply) for messages in conversations for reply in replies]
    with_end = _one_begins_another(replies)
    n = len(replies)
    scores = scores_of(pairs, base, at_once=at_once)
    sums = [score.sum_logprob + (score.end_logprob if with_end else 0.0) for score in scores]
    neutral_sums = sums[-n:] if neutral is not None else [0.0] * n
    sizes = [_size(score, per, with_end=with_end) for score in scores[:n]]
    classified = []
    for number, text in enumerate(task.texts):
        logprobs = dict(zip(task.labels, sums[number * n : (number + 1) * n], strict=True))
        weights = {
            label: (logprobs[label] - neutral_sums[i]) / sizes[i]
            for i, label in enumerate(task.labels)
        }
        probs = class_probabilities(weights).probability
        coverage = class_probabilities(logprobs).coverage
        for i, label in enumerate(task.labels):
            n_tokens = len(scores[i].logprobs) + with_end
            prob = probs[label]
            classified.append(
                Class(
                    number,
                    text,
                    label,
                    logprobs[label],
                    n_tokens,
                    prob,
                    prob,
                    prob,
                    coverage,
                    neutral_sums[i],
                )
            )
    return classified


def _size(score: Score, per: Per, *, with_end: bool) -> int:
    sizes = {
        "label": 1,
        "token": len(score.logprobs) + with_end,
        "character": len(score.text),
        "byte": len(score.text.encode()),
    }
    return max(sizes[per], 1)


def _one_begins_another(replies: Sequence[str]) -> bool:
    return any(
        i != j and other.startswith(reply)
        for i, reply in enumerate(replies)
        for j, other in enumerate(replies)
    )


def _by_first_token(task: _Task, top: int | str, base: Draft, at_once: int) -> list[Class]:
    classified = []
    replies = list(task.labels.values())
    for number, masses in enumerate(first_tokens(task.messages, replies, top, base, at_once)):
        total = sum(mass.sure + mass.share for mass in masses)
        for label, mass in zip(task.labels, masses, strict=True):
            of_label = mass.sure + mass.share
            prob, low, high = (
                value / total if total else nan for value in (of_label, mass.sure, mass.most)
            )
            logprob = log(of_label) if of_label else nan
            classified.append(
                Class(number, task.texts[number], label, logprob, 1, prob, low, high, total)
            )
    return classified


def _task(prompts: Any, labels: Any, system: str | None) -> _Task:
    is_one = isinstance(prompts, (str, dict)) or (
        isinstance(prompts, list) and bool(prompts) and all(isinstance(m, dict) for m in prompts)
    )
    each = [prompts] if is_one else list(prompts)
    replies = dict(labels) if isinstance(labels, Mapping) else {label: label for label in labels}
    wrong = isinstance(labels, str) or not all(
        isinstance(text, str) and text.strip() for text in (*replies, *replies.values())
    )
    if wrong or len(replies) < 2 or len(set(replies.values())) < len(replies):
        rule = "two texts or more, no two alike and none blank"
        raise CheckError(
            f"labels is {shown(labels)}, but must be {rule}.", field="labels", rule=rule
        )
    messages = [_messages(prompt, system) for prompt in each]
    return _Task(messages, [_text_of(m) for m in messages], replies)


def _messages(prompt: Any, system: str | None) -> list[dict[str, Any]]:
    lead = [] if system is None else [{"role": "system", "content": system}]
    return [*lead, *check_messages(as_messages(prompt))]


def _text_of(messages: list[dict[str, Any]]) -> str:
    content = messages[-1].get("content")
    return content if isinstance(content, str) else shown(content)


def _truth(truth: Any, task: _Task) -> list[str | None] | None:
    if truth is None:
        return None
    told = [truth] if isinstance(truth, str) else list(truth)
    right = [label if isinstance(label, str) else None for label in told]
    if len(right) != len(task.texts):
        rule = f"a label for each of the {len(task.texts)} prompts, and there are {len(right)}"
        raise CheckError(f"truth must have {rule}.", field="truth", rule=rule)
    unknown = [label for label in right if label is not None and label not in task.labels]
    if unknown:
        rule = f"one of the labels ({', '.join(map(shown, task.labels))})"
        raise CheckError(
            f"truth has {shown(unknown[0])}, which is not {rule}.",
            field="truth",
            value=unknown[0],
            rule=rule,
        )
    return right


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        rule = f"one of {', '.join(words)}"
        raise CheckError(
            f"{name} is {shown(value)}, but must be {rule}.", field=name, value=value, rule=rule
        )
