"""The request, declared once.

A field of the API is one statement here: its type with bounds on the bare type, null
where the reference allows it, its group, what it does, its default, and what replaces it.
Validation, flags, the signature of `nbchat.chat`, the controls of the explorer, the
parameter table and the columns of the `runs` frame all come from these statements.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nbchat.api import shapes


def about(
    group: str,
    description: str,
    *,
    default: str = "",
    deprecated: bool = False,
    successor: str = "",
) -> Meta:
    """Give what a field's type cannot say; `nbchat.api.fields` reads it back.

    `default` is what the API does when the field is not sent. A field with a `successor`
    is deprecated.
    """
    facts = {
        "group": group,
        "default": default,
        "deprecated": deprecated or bool(successor),
        "successor": successor or None,
    }
    return Meta(description=description, extra=facts)


class ChatParams(Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """The declared request fields, `messages` aside; ``nbchat.parameters()`` is their table.

    A field that was not set is `msgspec.UNSET` and is not sent; None is sent as null.
    `extra` carries fields that the reference does not have, or declared ones unchecked.
    Constructing checks nothing: `nbchat.api.check` is the door.
    """

    model: Annotated[
        str | UnsetType,
        about("Model", "Name of the model that answers, as the server spells it."),
    ] = UNSET
    store: Annotated[
        bool | UnsetType | None,
        about(
            "Service", "Keep the completion on the server, to be fetched later.", default="false"
        ),
    ] = UNSET
    metadata: Annotated[
        Annotated[
            dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
            Meta(max_length=16),
        ]
        | UnsetType
        | None,
        about("Service", "Labels of your own, kept beside a stored completion."),
    ] = UNSET
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | UnsetType | None,
        about(
            "Model", "How long a reasoning model thinks; each takes only some.", default="medium"
        ),
    ] = UNSET
    modalities: Annotated[
        list[Literal["text", "audio"]] | UnsetType | None,
        about(
            "Audio", "Kinds of output wanted; audio needs the audio field too.", default='["text"]'
        ),
    ] = UNSET
    prediction: Annotated[
        shapes.Prediction | UnsetType | None,
        about("Output format", "Text that most of the reply will repeat, so that it comes sooner."),
    ] = UNSET
    audio: Annotated[
        shapes.Audio | UnsetType | None,
        about("Audio", "Voice and file format of a spoken reply."),
    ] = UNSET
    web_search_options: Annotated[
        shapes.WebSearchOptions | UnsetType,
        about("Search", "How much a search model reads on the web, and where you are."),
    ] = UNSET
    frequency_penalty: Annotated[
        Annotated[float, Meta(ge=-2, le=2)] | UnsetType | None,
        about("Sampling", "Above 0, a token loses more each time it is repeated.", default="0"),
    ] = UNSET
    presence_penalty: Annotated[
        Annotated[float, Meta(ge=-2, le=2)] | UnsetType | None,
        about("Sampling", "Above 0, a token loses once as soon as it has been used.", default="0"),
    ] = UNSET
    logit_bias: Annotated[
        dict[shapes.TokenId, Annotated[int, Meta(ge=-100, le=100)]] | UnsetType | None,
        about("Sampling", "Amounts added to the logits of tokens; -100 bans one, 100 forces it."),
    ] = UNSET
    logprobs: Annotated[
        bool | UnsetType | None,
        about(
            "Log probabilities", "Send the log probability of each reply token.", default="false"
        ),
    ] = UNSET
    top_logprobs: Annotated[
        Annotated[int, Meta(ge=0, le=20)] | UnsetType | None,
        about("Log probabilities", "Most alternatives sent for each position; needs logprobs."),
    ] = UNSET
    max_tokens: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType | None,
        about(
            "Length",
            "Most tokens of a reply; reasoning models refuse it, many compatible servers want it.",
            successor="max_completion_tokens",
        ),
    ] = UNSET
    max_completion_tokens: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType | None,
        about("Length", "Most tokens that may be generated, hidden reasoning included."),
    ] = UNSET
    n: Annotated[
        Annotated[int, Meta(ge=1, le=128)] | UnsetType | None,
        about("Sampling", "How many replies to draw; the tokens of all are paid.", default="1"),
    ] = UNSET
    response_format: Annotated[
        shapes.ResponseFormat | UnsetType,
        about("Output format", "Free text, any JSON, or JSON by your schema.", default="text"),
    ] = UNSET
    seed: Annotated[
        Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | UnsetType | None,
        about("Sampling", "Start of the random draw; equal seeds mostly agree.", deprecated=True),
    ] = UNSET
    service_tier: Annotated[
        Literal["auto", "default", "flex", "scale", "priority", "fast"] | UnsetType | None,
        about("Service", "Speed and price class that handles the request.", default="auto"),
    ] = UNSET
    stop: Annotated[
        str | Annotated[list[str], Meta(min_length=1, max_length=4)] | UnsetType | None,
        about("Length", "Texts at which a reply ends; the text itself is left out."),
    ] = UNSET
    stream: Annotated[
        bool | UnsetType | None,
        about("Service", "Send the reply in pieces while it is written.", default="false"),
    ] = UNSET
    stream_options: Annotated[
        shapes.StreamOptions | UnsetType | None,
        about("Service", "What a stream carries besides text: the usage, random padding."),
    ] = UNSET
    temperature: Annotated[
        Annotated[float, Meta(ge=0, le=2)] | UnsetType | None,
        about("Sampling", "Flattens (above 1) or sharpens (below 1) the odds.", default="1"),
    ] = UNSET
    top_p: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | UnsetType | None,
        about("Sampling", "Draws only from the likeliest tokens with this share.", default="1"),
    ] = UNSET
    tools: Annotated[
        Annotated[list[shapes.Tool], Meta(min_length=1)] | UnsetType,
        about("Tools", "Functions and free-form tools that the model may ask to have called."),
    ] = UNSET
    tool_choice: Annotated[
        Literal["none", "auto", "required"] | shapes.ToolChoice | UnsetType,
        about(
            "Tools",
            "Whether a tool may, must or must not be called, or which one.",
            default="none without tools, else auto",
        ),
    ] = UNSET
    parallel_tool_calls: Annotated[
        bool | UnsetType,
        about("Tools", "Let one reply ask for several tool calls.", default="true"),
    ] = UNSET
    functions: Annotated[
        Annotated[list[shapes.LegacyFunction], Meta(min_length=1, max_length=128)] | UnsetType,
        about("Tools", "Older way to declare function tools.", successor="tools"),
    ] = UNSET
    function_call: Annotated[
        Literal["none", "auto"] | shapes.Named | UnsetType,
        about(
            "Tools",
            "Older way to say whether a function is called, or which.",
            default="none without functions, else auto",
            successor="tool_choice",
        ),
    ] = UNSET
    user: Annotated[
        str | UnsetType,
        about(
            "Caching and safety",
            "Mark of the person behind the request; now split into two fields.",
            successor="safety_identifier, prompt_cache_key",
        ),
    ] = UNSET
    verbosity: Annotated[
        Literal["low", "medium", "high"] | UnsetType | None,
        about("Output format", "How wordy the reply should be.", default="medium"),
    ] = UNSET
    safety_identifier: Annotated[
        Annotated[str, Meta(max_length=128)] | UnsetType | None,
        about("Caching and safety", "Stable mark of an end user (hash it), to trace misuse."),
    ] = UNSET
    prompt_cache_key: Annotated[
        str | UnsetType | None,
        about("Caching and safety", "Requests with the same key are sent where their cache is."),
    ] = UNSET
    prompt_cache_options: Annotated[
        shapes.PromptCacheOptions | UnsetType,
        about(
            "Caching and safety", "Who sets the cache points and how long a cached prompt lives."
        ),
    ] = UNSET
    prompt_cache_retention: Annotated[
        Literal["in_memory", "24h"] | UnsetType | None,
        about(
            "Caching and safety",
            "Older way to say how long a cached prompt lives.",
            default="set by the organisation",
            successor="prompt_cache_options.ttl",
        ),
    ] = UNSET
    moderation: Annotated[
        shapes.Moderation | UnsetType | None,
        about("Caching and safety", "Score or block what goes in and comes out, by which model."),
    ] = UNSET

    extra: dict[str, Any] = {}

    def given(self) -> dict[str, Any]:
        """Give the fields that were set, as JSON would have them, in declared order.

        None stands for null; `extra` is not included.
        """
        fields: dict[str, Any] = msgspec.to_builtins(self)
        del fields["extra"]
        return fields


def request_body(messages: Sequence[dict[str, Any]], params: ChatParams) -> dict[str, Any]:
    """Compose the body: model, messages, the other set fields, then `params.extra`.

    Nothing is checked here and nothing is added that was not set.
    """
    fields = params.given()
    model = {"model": fields.pop("model")} if "model" in fields else {}
    return model | {"messages": list(messages)} | fields | params.extra
