"""What is wrong with a draft, and what a model is known to refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from nbchat.api import support
from nbchat.api.check import all_offences
from nbchat.api.messages import message_offences
from nbchat.code.as_draft import profile_of
from nbchat.errors import CheckError, NbchatError
from nbchat.request import full_vocabulary, logit_bias
from nbchat.request.describe import describe
from nbchat.request.draft import Draft
from nbchat.request.prepare import check_model

if TYPE_CHECKING:
    from nbchat.api.explain import Offence


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A broken rule: what stands in its way to be sent.

    `field` is the declared field whose control it belongs to, else ``messages``, ``extra``,
    ``profile`` or the name that was found; `sentence` is that of `nbchat.api.check`; `path`
    names the place inside of the field (``messages[2].content``).
    """

    field: str
    sentence: str
    path: str


def problems(draft: Draft, model: str | None = None) -> list[Problem]:
    """Give every rule that a draft breaks, params first; empty where it can be sent.

    `model` is the one that answers where the draft names none; without it the profile of the
    draft must have one where its server wants it. A field that the model is known to refuse
    is no problem: the server has the last word (see `refusals`).
    """
    try:
        described = describe(draft)
    except CheckError as error:
        return [*_in_profile(draft, model), _of_error(error)]
    # what a server has to be asked about is not known to be wrong
    fields = {
        name: value
        for name, value in described.fields.items()
        if not any(step.is_needed({name: value}) for step in (logit_bias, full_vocabulary))
    }
    if full_vocabulary.is_needed(described.fields):
        fields["top_logprobs"] = 1  # the rules between fields hold for it all the same
    offences = all_offences(fields, extra=described.extra)
    offences.extend(message_offences(described.messages))
    return [*_in_profile(draft, model), *(_problem(offence) for offence in offences)]


def refusals(draft: Draft, model: str | None = None) -> dict[str, str]:
    """Give the fields that the model's family is known to refuse here, and why, set or not.

    The model is the one that the draft names, else `model`; empty where neither is known.
    Source: `nbchat.api.support`.
    """
    name = draft.fields.get("model") or model
    if not isinstance(name, str):
        return {}
    unset = dict.fromkeys(support.refusals(name))
    return dict(support.refused_here(name, {**unset, **draft.fields}))


def _of_error(error: CheckError) -> Problem:
    field = error.field.split(".")[0].split("[")[0] or "messages"
    return Problem(field=field, sentence=str(error), path=error.field)


def _problem(offence: Offence) -> Problem:
    field = offence.path.split(".")[0].split("[")[0]
    return Problem(field=field, sentence=offence.sentence, path=offence.path)


def _in_profile(draft: Draft, model: str | None) -> list[Problem]:
    """Say where there is no such profile, or none of its own names a model that is needed."""
    fields: Mapping[str, object] = {} if model is None else {"model": model}
    try:
        check_model(profile_of(draft), {**fields, **draft.fields})
    except CheckError as error:
        return [_of_error(error)]
    except NbchatError as error:
        return [Problem(field="profile", sentence=str(error), path="profile")]
    return []
