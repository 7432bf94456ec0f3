"""What the columns of the frames are: frame, name, dtype, unit, meaning; each declared once.

Missing is NA in every dtype; in float64 that is NaN. Definitions behind the numbers:
`nbchat.measures`. A figure that a page in the browser shows has its formula here too, and how
the page is given it: the page is told, and repeats nothing of it.
"""

from __future__ import annotations

from math import log
from typing import Any, Literal, NamedTuple

from nbchat.api.fields import FIELDS
from nbchat.options import OPTIONS

FrameName = Literal[
    "runs",
    "choices",
    "tokens",
    "alternatives",
    "words",
    "usage",
    "citations",
    "fields",
    "comparison",
    "branches",
]


class Figure(NamedTuple):
    """How a page shows a column: `factor` times the packed column `of`, or exp of that.

    - `label`, `formula`: what a reader is told; the formula names columns, l is the logprob
    - `type`: numpy's name of what the column is packed as; "" where it comes of another one, `of`
    - `unit`: that of what is shown, None where it is the column's own
    - `missing`: the number that is packed for NA where the type has none
    """

    label: str
    formula: str
    type: str = ""
    of: str = ""
    factor: float = 1.0
    is_exp: bool = False
    unit: str | None = None
    missing: float | None = None


class Flag(NamedTuple):
    """A column of truth values that a page is given as this bit of its flags."""

    bit: int


class Column(NamedTuple):
    """One column of a frame. `unit` is "" for what is not a quantity.

    `page`: how a page in the browser has it, None where it does not.
    """

    frame: FrameName
    name: str
    dtype: str
    unit: str
    meaning: str
    page: Figure | Flag | None = None


_RUN = ("run_id", "category", "", "the run's id; sorts by time")
_CHOICE = ("choice", "int32", "", "the choice's index, from 0")
_TOKEN_KEY = (
    _RUN,
    _CHOICE,
    ("channel", "category", "", "content or refusal: which list of logprobs"),
    ("position", "int32", "", "place in that list, from 0"),
)
_DISPLAY = (
    "display",
    "category",
    "",
    "to be looked at: space ␣, newline ⏎, tab ⇥, nothing ∅, stray bytes \\xNN, invisible \\uNNNN",
)

_BITS = 1 / log(2)  # in a nat
_PROB = Figure("probability", "exp(l)", of="logprob", is_exp=True)


def _entropy(which: str, rest: str) -> Figure:
    """Give an entropy as a page shows it: in bits, as surprisal is."""
    formula = f"-sum of p log2 p over the list; {rest}"
    return Figure(f"entropy, {which}", formula, "float32", factor=_BITS, unit="bits")


_DECLARED: dict[FrameName, tuple[tuple[Any, ...], ...]] = {
    "tokens": (
        *_TOKEN_KEY,
        ("token_id", "Int64", "", "number in the tokenizer; NA where the server sent none"),
        ("token", "category", "", "as sent"),
        ("bytes", "category", "", "UTF-8 bytes as sent; NA where the server sent none"),
        (
            "text",
            "string",
            "",
            "its share of the text; a character split over tokens belongs to the last of them",
        ),
        _DISPLAY,
        ("byte_start", "int64", "bytes", "where the token begins in the UTF-8 text"),
        ("byte_end", "int64", "bytes", "where it ends"),
        ("char_start", "int64", "characters", "where `text` begins in the text"),
        ("char_end", "int64", "characters", "where it ends: the text from start to end is `text`"),
        (
            "logprob",
            "float64",
            "nats",
            "as sent; NA for a sentinel, and where is_merged",
            Figure("log probability", "l", "float64"),
        ),
        ("prob", "float64", "", "exp(logprob)", _PROB),
        (
            "surprisal_bits",
            "float64",
            "bits",
            "-logprob / ln 2",
            Figure("surprisal", "-l / ln 2", of="logprob", factor=-_BITS),
        ),
        (
            "rank",
            "Int64",
            "",
            "1 + alternatives with a larger logprob; NA outside the list",
            Figure("rank", "1 + alternatives with a larger l", "int32", missing=0),
        ),
        ("rank_min", "int64", "", "the least rank possible: `rank`, else top_k + 1"),
        (
            "top_k",
            "int64",
            "",
            "K, the alternatives returned, doubles removed",
            Figure("alternatives listed", "K", "int32"),
        ),
        ("in_top", "bool", "", "whether the token is among them", Flag(3)),
        ("top_mass", "float64", "", "m, the sum of their probabilities, as sent; NA of none"),
        (
            "tail_mass",
            "float64",
            "",
            "the mass outside the list: 1 - m, at least 0; NA of no list",
            Figure("unseen mass", "1 - sum of p over the list", "float32"),
        ),
        (
            "margin",
            "float64",
            "",
            "p1 - p2 of the two most likely; NA of fewer than two",
            Figure("margin", "p1 - p2 of the two most likely", "float32"),
        ),
        ("log_margin", "float64", "nats", "l1 - l2 of the same"),
        (
            "entropy_lo",
            "float64",
            "nats",
            "lower bound of the entropy (off by up to 4e-4 of it where a row of 32 bits is whole)",
            _entropy("at least", "unseen mass in pieces of the least listed p"),
        ),
        (
            "entropy_hi",
            "float64",
            "nats",
            "upper bound; NA where the vocabulary's size is unknown",
            _entropy("at most", "unseen mass spread evenly over V - K tokens"),
        ),
        (
            "entropy_top",
            "float64",
            "nats",
            "-sum of p ln p over the list alone, not renormalised: no estimate of the entropy",
        ),
        (
            "is_special",
            "bool",
            "",
            "a control token, as the end token: no part of the text",
            Flag(0),
        ),
        ("is_partial_utf8", "bool", "", "the token's bytes are not whole characters", Flag(1)),
        (
            "is_merged",
            "bool",
            "",
            "a character of several tokens in one row: no probability of its own is known",
            Flag(4),
        ),
        ("censored", "bool", "", "the server sent no usable logprob (a sentinel)", Flag(2)),
        ("arrival_s", "float64", "s", "from sending the request to the token's chunk"),
    ),
    "alternatives": (
        *_TOKEN_KEY,
        ("alternative", "int32", "", "0 = most likely at this position"),
        ("token_id", "Int64", "", "number in the tokenizer; NA where the server sent none"),
        ("token", "category", "", "as sent"),
        ("bytes", "category", "", "UTF-8 bytes as sent; NA where the server sent none"),
        _DISPLAY,
        (
            "logprob",
            "float64",
            "nats",
            "as sent; NA for a sentinel",
            Figure("log probability", "l", "float64"),
        ),
        ("prob", "float64", "", "exp(logprob)", _PROB),
        ("cum_prob", "float64", "", "sum of prob up to and with this alternative"),
        ("is_sampled", "bool", "", "the token that stands at this position", Flag(0)),
        (
            "is_listed",
            "bool",
            "",
            "false for a sampled token that the list does not have",
            Flag(1),
        ),
        ("censored", "bool", "", "the server sent no usable logprob (a sentinel)"),
    ),
    "words": (
        _RUN,
        _CHOICE,
        ("word", "int32", "", "place among the words of the choice, from 0"),
        ("text", "string", "", "the word, without the blanks before it"),
        ("byte_start", "int64", "bytes", "where it begins in the UTF-8 text, its blanks aside"),
        ("byte_end", "int64", "bytes", "where it ends"),
        ("n_tokens", "int64", "tokens", "those that are its own, blanks before it included"),
        ("logprob", "float64", "nats", "the sum over them"),
        ("surprisal_bits", "float64", "bits", "-logprob / ln 2: of the word or any longer one"),
        (
            "surprisal_bits_corrected",
            "float64",
            "bits",
            "of the word and its end; NA without whole rows at it and after it",
        ),
        ("spans_border", "bool", "", "one of its tokens writes a part of another word, too"),
        ("is_bound", "bool", "", "a token has no logprob: the surprisal is a lower bound"),
    ),
    "choices": (
        _RUN,
        _CHOICE,
        ("finish_reason", "category", "", "as sent; NA where the choice is not finished"),
        ("text", "string", "", "the message's content, or the transcript of its sound"),
        ("refusal", "string", "", "the message's refusal"),
        ("n_tokens", "Int64", "tokens", "rows in the tokens frame; NA without logprobs"),
        (
            "n_missing",
            "Int64",
            "tokens",
            "of the whole run: tokens without a row, reasoning and ends aside; below 0: too many",
        ),
        (
            "is_aligned",
            "boolean",
            "",
            "whether rows and usage count the same tokens, reasoning and end tokens aside",
        ),
        ("sum_logprob", "float64", "nats", "L of the known ones, the end token aside"),
        ("mean_nll", "float64", "nats", "-L / T; where tokens lack a row, T counts them"),
        ("perplexity", "float64", "", "exp(mean_nll)"),
        (
            "perplexity_with_eos",
            "float64",
            "",
            "the same with the end, by all tokens in its row that end a reply; NA without a row",
        ),
        (
            "is_eos_bound",
            "boolean",
            "",
            "its row lacks a token that ends a reply, too: perplexity_with_eos is at most this",
        ),
        ("bits_per_byte", "float64", "bits", "-L / (ln 2 · UTF-8 bytes)"),
        ("min_prob", "float64", "", "the smallest probability of a token, the end token aside"),
        ("n_censored", "Int64", "tokens", "tokens without a usable logprob"),
        (
            "perplexity_is_bound",
            "boolean",
            "",
            "tokens are censored, merged or missing: sum_logprob is at most this, the others least",
        ),
    ),
    "branches": (
        ("branch_id", "int32", "", "counts the branches of one inspector, from 1"),
        ("parent_id", "Int64", "", "the branch that it parts from; NA for a run that was given"),
        _RUN,
        ("position", "int32", "", "where it parts from it: place in the list of tokens, from 0"),
        ("token", "category", "", "what stands there instead, as sent"),
        _DISPLAY,
        ("prob", "float64", "", "its probability there; NA where it is not known"),
        ("logprob", "float64", "nats", "as sent"),
        (
            "method",
            "category",
            "",
            "exact or prefill (by token ids), text (the server goes on with it) or resampling",
        ),
        ("depth", "int32", "", "1 for a branch of a run that was given, 2 for one of that"),
        (
            "mass",
            "float64",
            "",
            "the probability of its tokens at the positions of a tree; NA outside of one",
        ),
        ("text", "string", "", "the content of the run, with what stands before the branch"),
    ),
    "citations": (
        _RUN,
        _CHOICE,
        ("number", "int32", "", "of the page among those of the reply, from 1; that of its link"),
        ("url", "string", "", "as sent"),
        ("title", "string", "", "as sent"),
        ("start_index", "Int64", "characters", "where the cited text begins in the content"),
        ("end_index", "Int64", "characters", "where it ends"),
        ("text", "string", "", "the content from start to end; NA where nothing stands there"),
    ),
    "fields": (
        _RUN,
        _CHOICE,
        (
            "path",
            "string",
            "",
            'as a.b[0].c, "" for the whole; the second of two equal keys is a#2',
        ),
        ("key", "string", "", "its key; NA in a list and for the whole"),
        ("value", "string", "", "as text; of a string without quotes and escapes"),
        ("type", "category", "", "string, number, boolean, null, object or array"),
        ("byte_start", "int64", "bytes", "where its JSON begins in the UTF-8 text, with quotes"),
        ("byte_end", "int64", "bytes", "where it ends"),
        ("char_start", "int64", "characters", "where it begins in the text"),
        ("char_end", "int64", "characters", "where it ends"),
        ("n_tokens", "Int64", "tokens", "its own tokens: wholly inside, and more than a quote"),
        ("logprob", "float64", "nats", "the sum of theirs"),
        ("prob", "float64", "", "exp(logprob)"),
        (
            "logprob_with_boundary",
            "float64",
            "nats",
            "the sum over all tokens up to the byte that ends it, neighbours of it included",
        ),
        ("prob_with_boundary", "float64", "", "exp(logprob_with_boundary)"),
        ("min_prob", "float64", "", "the smallest probability of one of its own tokens"),
        ("is_censored", "boolean", "", "one of these tokens has no usable logprob"),
        (
            "is_bound",
            "boolean",
            "",
            "a token is left out, censored or without a row: the figures are upper bounds",
        ),
        (
            "prob_allowed_lo",
            "float64",
            "",
            "lower bound of its probability among the values that the schema allowed here",
        ),
        ("prob_allowed_hi", "float64", "", "upper bound of the same; NA where not known"),
        ("note", "string", "", "why figures are missing or bounds; NA where all is well"),
    ),
    "comparison": (
        ("op", "category", "", "same, only_a or only_b: which of two replies has these bytes"),
        ("position_a", "Int64", "", "of the first token in its list; NA where a has none"),
        ("position_b", "Int64", "", "the same in b"),
        ("n_tokens_a", "int64", "tokens", "several where b was cut at other places"),
        ("n_tokens_b", "int64", "tokens", "the same in b"),
        ("display_a", "string", "", "the tokens to be looked at, as in the tokens frame"),
        ("display_b", "string", "", "the same in b"),
        ("byte_start_a", "Int64", "bytes", "where the first token begins"),
        ("byte_start_b", "Int64", "bytes", "the same in b"),
        ("surprisal_bits_a", "float64", "bits", "the sum over the tokens; NA if one is censored"),
        ("surprisal_bits_b", "float64", "bits", "the same in b"),
        ("delta_bits", "float64", "bits", "b - a; NA where only one has these bytes"),
        (
            "has_same_prefix",
            "bool",
            "",
            "the reply before is the same in both, cut into the same tokens; prompts may differ",
        ),
        ("kl_lo", "float64", "nats", "lower bound of KL(a‖b) of the two distributions here"),
        ("jsd_lo", "float64", "nats", "lower bound of their Jensen-Shannon divergence"),
        ("tv_lo", "float64", "", "lower bound of their total variation distance"),
        ("jsd_hi", "float64", "nats", "upper bound of the Jensen-Shannon divergence, at most ln 2"),
        ("tv_hi", "float64", "", "upper bound of the total variation distance, at most 1"),
    ),
    "usage": (
        _RUN,
        ("prompt_tokens", "Int64", "tokens", "as the server counts"),
        ("completion_tokens", "Int64", "tokens", "with reasoning and rejected prediction tokens"),
        ("total_tokens", "Int64", "tokens", "as the server counts"),
        ("cached_tokens", "Int64", "tokens", "prompt tokens that the server had in its cache"),
        ("cache_write_tokens", "Int64", "tokens", "prompt tokens that it put into its cache"),
        ("reasoning_tokens", "Int64", "tokens", "completion tokens spent on reasoning"),
        ("text_tokens", "Int64", "tokens", "of prompt and completion"),
        ("image_tokens", "Int64", "tokens", "of prompt and completion"),
        ("audio_tokens", "Int64", "tokens", "of prompt and completion"),
        ("accepted_prediction_tokens", "Int64", "tokens", "of the prediction, in the completion"),
        ("rejected_prediction_tokens", "Int64", "tokens", "of the prediction, not in it"),
        ("ttft_s", "float64", "s", "from sending to the first content"),
        ("elapsed_s", "float64", "s", "from sending to the end"),
        (
            "tokens_per_s",
            "float64",
            "tokens/s",
            "after the first token; of an answer that came whole, over all of elapsed_s",
        ),
        ("cost_usd", "float64", "US dollars", "NA where unknown"),
        ("cost_source", "category", "", "whose prices these are, and of which version"),
        ("model", "category", "", "the model that answered, else the one that was asked"),
        ("model_asked", "category", "", "the model that was asked for; NA where none was"),
        ("service_tier", "category", "", "as sent"),
        ("system_fingerprint", "category", "", "as sent"),
        (
            "logprob_basis",
            "category",
            "",
            "whether logprobs are from before (raw) or after (tempered) temperature",
        ),
    ),
    "runs": (
        ("created_at", "datetime64[us, UTC]", "", "when the request was made"),
        ("thread", "category", "", "the conversation that it belongs to; NA where it has none"),
        ("turn", "Int64", "", "its place there, from 1"),
        ("model", "category", "", "the model that answered, else the one that was asked"),
        ("status", "category", "", "running, complete, interrupted or error"),
        ("text", "string", "", "the content of the first choice, or the transcript of its sound"),
        ("prompt_tokens", "Int64", "tokens", "as the server counts"),
        ("completion_tokens", "Int64", "tokens", "with reasoning and rejected prediction tokens"),
        ("cost_usd", "float64", "US dollars", "NA where unknown"),
        ("run_id", "category", "", "the run's id; sorts by time"),
        ("profile", "category", "", "where it went"),
        ("elapsed_s", "float64", "s", "from sending to the end"),
        ("error", "string", "", "the error that ended it; NA where none did"),
        ("model_asked", "category", "", "the model that was asked for; NA where none was"),
        ("is_replayed", "bool", "", "whether the answer came from a record"),
    ),
}
#: the last of the runs frame's columns that always come first
LAST_OF_HEAD = "cost_usd"
_DTYPE_OF_KIND = {
    "number": "float64",
    "integer": "Int64",
    "boolean": "boolean",
    "string": "category",
    "choice": "category",
}


def columns_of(frame: FrameName) -> tuple[Column, ...]:
    """Give the columns of a frame, in their order; last those of `runs` for what can be asked."""
    columns = [Column(frame, *declared) for declared in _DECLARED[frame]]
    if frame == "runs":
        columns += [*_option_columns(), *_param_columns()]
    return tuple(columns)


def columns_of_requests() -> frozenset[str]:
    """Name the columns of `runs` that a frame has only where one of its runs has set them."""
    return frozenset(column.name for column in [*_option_columns(), *_param_columns()])


def _option_columns() -> list[Column]:
    """Give the columns of nbchat's own options that a run keeps and that have one."""
    return [
        Column("runs", option.name, option.dtype, "", option.help)
        for option in OPTIONS().values()
        if option.dtype is not None
    ]


def _param_columns() -> list[Column]:
    return [
        Column("runs", f.name, _DTYPE_OF_KIND.get(f.kind, "object"), "", f.description)
        for f in FIELDS().values()
        if f.name not in {declared[0] for declared in _DECLARED["runs"]}
    ]
