"""A draft as data: what Python gave a meaning becomes what the API has for it, asking nobody."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.api.json_values import prediction_of
from nbchat.options import Options
from nbchat.request.draft import Draft
from nbchat.request.toolbox import take_functions

if TYPE_CHECKING:
    from nbchat.structured import Structure
    from nbchat.tools import Tool

ATTACHED = ("images", "detail", "audio_in", "files")
_attached = attrgetter(*ATTACHED)


class Described(msgspec.Struct):
    """A draft whose functions, types, texts and media are in the words of the API.

    - `messages`: those that are asked, attachments included, the system's not; unchecked
    - `fields`, `extra`: as data; texts in `logit_bias` and "all" are still to be asked about
    - `functions`: the tools that can run, by name; `structure`: what the reply is read as
    """

    messages: Any
    fields: dict[str, Any]
    extra: dict[str, Any]
    functions: dict[str, Tool]
    structure: Structure | None


def has_attachments(options: Options) -> bool:
    """Tell whether media go with the messages, or something is said of such."""
    return set(map(type, _attached(options))) != {type(None)}


def describe(draft: Draft) -> Described:
    """Put a draft into the words of the API.

    Functions become tools, types become `response_format`, a text becomes a prediction, media
    become parts of the last message. Raise CheckError for what cannot be described.
    """
    fields, functions = take_functions(draft.fields)
    structure = None
    wanted = fields.get("response_format", msgspec.UNSET)
    if wanted is not msgspec.UNSET:
        fields["response_format"], structure = _wire_format(wanted)
    if isinstance(fields.get("prediction"), str):
        fields["prediction"] = prediction_of(fields["prediction"])
    return Described(_with_media(draft), fields, dict(draft.extra), functions, structure)


def as_data(draft: Draft) -> Draft:
    """Give a draft that is data alone: what it describes, the system's message in front."""
    described = describe(draft)
    return msgspec.structs.replace(attached(draft), fields=described.fields, extra=described.extra)


def attached(draft: Draft) -> Draft:
    """Give a draft whose system message and media stand among its messages."""
    lead = [] if draft.system is None else [{"role": "system", "content": draft.system}]
    return msgspec.structs.replace(
        draft,
        messages=[*lead, *_with_media(draft)],
        system=None,
        **dict.fromkeys(ATTACHED),
    )


def _wire_format(wanted: Any) -> tuple[Any, Structure | None]:
    """Give a `response_format` as it is sent, and what the reply is to be read as."""
    from nbchat.structured import structure_of

    structure = structure_of(wanted)
    return (wanted, None) if structure is None else (structure.wire, structure)


def _with_media(draft: Draft) -> Any:
    media = {name: getattr(draft, name) for name in ATTACHED}
    media = {name: value for name, value in media.items() if value is not None}
    if not media:
        return draft.messages
    from nbchat.media import attach

    # a recording can be the whole question
    whole = attach(draft.messages or "", **media)
    return [whole] if isinstance(whole, Mapping) else whole
