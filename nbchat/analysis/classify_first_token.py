"""Labels by the first token of a reply: one request for each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from nbchat.analysis.batch import answered, executions_of
from nbchat.analysis.position import Option, position_of
from nbchat.client import native
from nbchat.client.presets import LOCAL
from nbchat.errors import ApiError
from nbchat.session.in_steps import client_in_steps
from nbchat.session.server_kind import kind_of, vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.request.draft import Draft
    from nbchat.run import Run


class Mass(NamedTuple):
    """Probability of the pieces that begin a label.

    `sure`: of those that begin no other label; `share`: its even part of the others; `most`: it
    and all of the others.
    """

    sure: float
    share: float
    most: float


def first_tokens(
    conversations: Sequence[list[dict[str, Any]]],
    labels: Sequence[str],
    top: int | str,
    base: Draft,
    at_once: int,
) -> list[list[Mass]]:
    """Give for each conversation the mass of each label, in their order.

    `base` says where and how to ask.
    """
    profile = resolved(base.profile, PrintingWatcher().status)
    fields = _fields(profile, base.fields, top)
    drafts = [
        msgspec.structs.replace(
            base,
            messages=messages,
            fields=fields,
            profile=LOCAL if profile.name == LOCAL else profile,
        )
        for messages in conversations
    ]
    executions = executions_of(drafts, by="classify")
    runs = answered(executions, needs="all", at_once=at_once, progress=("classifying", "prompt"))
    return [_masses(_options(run), labels) for run in runs]


def _fields(profile: Profile, fields: dict[str, Any], top: int | str) -> dict[str, Any]:
    # at 1 the log probabilities are those of the model even where they come after temperature
    plain = {"max_tokens": 1, "temperature": 1, "logprobs": True, "stream": False}
    params = {**fields, **plain, "top_logprobs": top}
    if kind_of(profile) == "llama.cpp":
        # a token that begins a character is held back, and its row with it: write a whole one
        whole = native.tokenized(client_in_steps(profile), "a")[0].id
        params["logit_bias"] = {str(whole): 100}
        vocabulary_size_of(profile)
    return params


def _options(run: Run) -> list[Option]:
    completion = run.completion
    logprobs = completion.choices[0].logprobs if completion and completion.choices else None
    if logprobs is None or not logprobs.content:
        raise ApiError("The server sent no log probabilities for the first token.")
    return position_of(run, 0, completion.choices[0].index if completion else 0).options


def _masses(options: Sequence[Option], labels: Sequence[str]) -> list[Mass]:
    from nbchat.frames.token_texts import is_control

    wanted = [label.strip() for label in labels]
    sure, share, shared = ([0.0] * len(labels) for _ in range(3))
    for option in options:
        if isnan(option.logprob) or is_control(option.token):
            continue
        owners = [i for i, label in enumerate(wanted) if _begins(option.data, label)]
        prob = exp(option.logprob)
        if len(owners) == 1:
            sure[owners[0]] += prob
        for owner in owners if len(owners) > 1 else ():
            share[owner] += prob / len(owners)
            shared[owner] += prob
    return [Mass(s, part, s + all_) for s, part, all_ in zip(sure, share, shared, strict=True)]


def _begins(piece: bytes, label: str) -> bool:
    """Tell whether a token begins a label, whatever its case and the blank in front of it."""
    try:
        text = piece.decode().strip()
    except UnicodeDecodeError:
        return label.encode().startswith(piece.lstrip())
    return bool(text) and label.casefold().startswith(text.casefold())
