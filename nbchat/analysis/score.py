"""`score`: the log probability of given texts as the reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat.analysis.batch import answered, executions_of
from nbchat.analysis.forced_decoding import FromPieces, forced_fields, is_whole
from nbchat.analysis.prompt_logprobs import FromPromptLogprobs
from nbchat.analysis.reply_ends import WithEnds
from nbchat.api.json_values import is_whole_number, shown
from nbchat.api.logprobs import VOCABULARY
from nbchat.api.messages import check_messages
from nbchat.client import native
from nbchat.client.presets import LOCAL
from nbchat.errors import ApiError, CheckError, NotAvailableError
from nbchat.measures.sentinels import without_sentinels
from nbchat.request.arguments import as_messages
from nbchat.request.draft import Draft
from nbchat.session.in_steps import FromServerInSteps, client_in_steps
from nbchat.session.pool import AT_ONCE
from nbchat.session.server_kind import end_tokens_of, kind_of, vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client.native import Token
    from nbchat.client.profiles import Profile
    from nbchat.frames.word_breaks import WordRule
    from nbchat.run import Run
    from nbchat.session.sources import Source

_DEFAULT_TOP = 5
#: tokens: for shorter texts the server is not asked how many it has room for
_SURELY_FITS = 500
_PROGRESS = ("scoring", "text")
_ALONE = "text without a template: its first token is conditional on the beginning of a text alone"


class Score(msgspec.Struct, frozen=True):
    """A text as the reply to a prompt.

    - `logprobs`: nats, one for each token, the end token aside
    - `end_logprob`: that the reply ends behind them, the sum over all tokens of the model that
      end a generation (on vLLM the one that the chat's template has); NaN where the server did
      not tell
    """

    text: str
    run: Run
    logprobs: tuple[float, ...]
    end_logprob: float

    @property
    def sum_logprob(self) -> float:
        """The sum over the tokens, the end token aside."""
        return sum(self.logprobs)


class Scores(msgspec.Struct, frozen=True, eq=False):
    """Texts as replies to one prompt, and how likely each is.

    `frame()` has one row for each text, `tokens()` one for each token; `runs` are what was
    asked, one for each text. Each run's reply is the text.
    """

    scores: list[Score]

    @property
    def runs(self) -> list[Run]:
        """The runs, in the order of the texts."""
        return [score.run for score in self.scores]

    def frame(self) -> pd.DataFrame:
        """Give one row for each text, in the order given.

        `text`; `n_tokens`, the end token aside; `n_bytes` (UTF-8); in nats `sum_logprob`,
        `mean_logprob` (by token), `logprob_per_byte`; `prob`, exp of the sum: that a reply
        begins with the text; `end_logprob`, that it ends there; `sum_logprob_with_end`,
        `mean_logprob_with_end`: that the reply is the text and nothing more; `run_id`. NaN where
        a log probability is missing.
        """
        from nbchat.frames.scored import scores

        return scores(self.scores)

    def tokens(self) -> pd.DataFrame:
        """Give one row for each token of each text, and its end (see `nbchat.tokens`)."""
        from nbchat.frames import tokens

        return tokens(self)

    def words(self, by: WordRule = "space") -> pd.DataFrame:
        """Give one row for each word of each text, with its surprisal (see `nbchat.words`)."""
        from nbchat.frames import words

        return words(self, by)

    def __repr__(self) -> str:
        return repr(self.frame())

    def _repr_html_(self) -> str:
        made: str = self.frame().to_html(notebook=True)
        return made


def score(
    prompt: Any,
    texts: str | Iterable[str],
    *,
    profile: str | Profile | None = None,
    model: str | None = None,
    system: str | None = None,
    top_logprobs: int = _DEFAULT_TOP,
    timeout: float | None = None,
    max_retries: int | None = None,
    extra: Mapping[str, Any] | None = None,
    at_once: int = AT_ONCE,
) -> Scores:
    """Tell how likely each text is as the assistant's reply, token by token.

    - `prompt`: the user's text, or a message or list of messages; `system` goes before it. Where
      the last message is the assistant's, the texts continue it. None: the texts stand alone,
      without any template, behind the token that begins a text for the model (llama.cpp alone);
      the first token's figure is conditional on that beginning alone
    - `texts`: a text, or several
    - `profile`, `model`, `timeout`, `max_retries`, `extra`: as `nbchat.chat` takes them
    - `top_logprobs`: alternatives kept for each token, 1 to 20

    A text is tokenised as it stands, alone, as the model would generate it behind the chat's
    template. ``"Paris"`` and ``" Paris"`` are two replies: after a template the model mostly
    begins without a blank, and in the middle of a text words have one in front.

    Exact on llama.cpp's server, the embedded model's too (one request for each text, `at_once`
    of them together; the tokens of a character that is split over tokens are read out of whole
    rows), and on vLLM's by its `prompt_logprobs`. The log probabilities are those of the model at
    temperature 1, whatever the sampling would be.

    The runs are in `nbchat.runs()` too. Raise `NotAvailableError` on other servers, with what
    can be done there; CheckError for a wrong argument; the first error where a request failed.
    """
    wanted = [texts] if isinstance(texts, str) else list(texts)
    if prompt is None and system is not None:
        rule = "a text without a template has no system message: give a prompt, or no system"
        raise CheckError(f"system is given, and {rule}.", field="system", rule=rule)
    messages = None if prompt is None else [*_system(system), *check_messages(as_messages(prompt))]
    base = Draft(
        profile=profile,
        fields={"model": model} if model else {},
        extra=dict(extra or {}),
        timeout=timeout,
        max_retries=max_retries,
    )
    pairs = [(messages, text) for text in wanted]
    return Scores(scores_of(pairs, base, top=top_logprobs, at_once=at_once))


def _system(system: str | None) -> list[dict[str, Any]]:
    return [] if system is None else [{"role": "system", "content": system}]


def scores_of(
    pairs: Sequence[tuple[list[dict[str, Any]] | None, str]],
    base: Draft,
    *,
    top: int = _DEFAULT_TOP,
    at_once: int = AT_ONCE,
) -> list[Score]:
    """Give the score of each pair of messages and reply, in their order; some at a time.

    Without messages the text stands alone. `base` says where and how to ask.
    """
    _check(pairs, top)
    profile = resolved(base.profile, PrintingWatcher().status)
    kind = kind_of(profile)
    if kind == "other":
        raise NotAvailableError(scored_elsewhere(profile))
    base = msgspec.structs.replace(base, profile=LOCAL if profile.name == LOCAL else profile)
    if kind == "vllm":
        chats = [(messages, text) for messages, text in pairs if messages is not None]
        if len(chats) < len(pairs):
            raise NotAvailableError(
                f"A text without a template can be scored by servers of llama.cpp, and "
                f"{profile.name} at {profile.base_url} is none: give a prompt."
            )
        return _by_prompt(chats, base, top, at_once)
    size = vocabulary_size_of(profile)
    tokens = {
        text: tokens_of_text(profile, text) for text in dict.fromkeys(text for _, text in pairs)
    }
    check_room(profile, tokens)
    model = base.fields.get("model") or profile.model
    ends = end_tokens_of(profile, model) if tokens else []
    beginning = _beginning(profile) if any(messages is None for messages, _ in pairs) else None
    drafts: list[Draft] = []
    sources: list[WithEnds] = []
    for messages, text in pairs:
        pieces = tokens[text]
        fields, extra = forced_fields(pieces, top)
        drafts.append(
            msgspec.structs.replace(
                base,
                # what is sent without a template has no messages; a draft must have one
                messages=[{"role": "assistant", "content": text}] if messages is None else messages,
                fields={**base.fields, **fields},
                extra={**base.extra, **extra},
            )
        )
        prompt = [beginning.id] if messages is None and beginning is not None else None
        is_plain = prompt is None and all(map(is_whole, pieces))
        source: Source = FromServerInSteps() if is_plain else FromPieces(pieces, size or 1, prompt)
        sources.append(WithEnds(source, pieces, ends, prompt))
    executions = executions_of(drafts, by="score", source_of=sources.__getitem__)
    for execution, (messages, _) in zip(executions, pairs, strict=True):
        execution.run.vocab_size = size
        if messages is None:
            execution.run.messages = []
            execution.run.notes.append(_ALONE)
    runs = answered(executions, needs="all", at_once=at_once, progress=_PROGRESS)
    return [
        msgspec.structs.replace(
            _score(text, run, len(tokens[text]), tokens[text]), end_logprob=source.logprob
        )
        for (_, text), run, source in zip(pairs, runs, sources, strict=True)
    ]


def _by_prompt(
    pairs: Sequence[tuple[list[dict[str, Any]], str]], base: Draft, top: int, at_once: int
) -> list[Score]:
    plain = {"temperature": 0, "logprobs": True, "max_tokens": 1, "stream": False}
    fields = {**base.fields, **plain, "top_logprobs": top}
    drafts = [
        msgspec.structs.replace(base, messages=messages, fields=fields) for messages, _ in pairs
    ]
    sources = [FromPromptLogprobs(text) for _, text in pairs]
    executions = executions_of(drafts, by="score", source_of=sources.__getitem__)
    runs = answered(executions, needs="all", at_once=at_once, progress=_PROGRESS)
    for run, source in zip(runs, sources, strict=True):
        run.n_begun = source.n_begun
    return [
        _score(text, run, source.n_tokens, None)
        for (_, text), run, source in zip(pairs, runs, sources, strict=True)
    ]


def _check(pairs: Sequence[tuple[Any, str]], top: int) -> None:
    for _, text in pairs:
        if not isinstance(text, str):
            rule = "a text"
            raise CheckError(
                f"A text to score is {shown(text)}, but must be {rule}.", field="texts", rule=rule
            )
        if "\0" in text or not _is_encodable(text):
            rule = "a text without NUL and without lone surrogates, which no server can tokenise"
            raise CheckError(
                f"A text to score is {shown(text)}, but must be {rule}.", field="texts", rule=rule
            )
    if not is_whole_number(top) or not 1 <= top <= 20:
        rule = "a whole number from 1 to 20"
        raise CheckError(
            f"top_logprobs is {shown(top)}, but must be {rule}.", field="top_logprobs", rule=rule
        )


def check_room(profile: Profile, tokens: Mapping[str, Sequence[Token]]) -> None:
    """Refuse a text, of these tokens, that a llama.cpp server has no room for."""
    text, longest = max(tokens.items(), key=lambda item: len(item[1]), default=("", ()))
    if len(longest) < _SURELY_FITS:
        return
    room = native.context_size(client_in_steps(profile))
    if room is not None and len(longest) >= room:
        rule = f"fewer than {room:,}, all that this server has room for"
        raise CheckError(
            f"A text to score is {len(longest):,} tokens ({shown(text)}), but must be {rule}.",
            field="texts",
            rule=rule,
        )


def _beginning(profile: Profile) -> Token:
    token = native.beginning(client_in_steps(profile))
    if token is None:
        raise NotAvailableError(
            f"The model of {profile.name} at {profile.base_url} has no token that begins a text, "
            "and a text's first token needs something before it: give a prompt."
        )
    return token


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def tokens_of_text(profile: Profile, text: str) -> list[Token]:
    """Give llama.cpp's tokens of a text as it stands, alone. Raise ApiError where some is lost."""
    tokens = native.tokenized(client_in_steps(profile), text)
    data = b"".join(token.data for token in tokens)
    # tokenizers of the SentencePiece kind put a blank before a text, as their models do
    if data not in (text.encode(), b" " + text.encode()):
        raise ApiError(f"The server's tokens of {shown(text)} do not make this text again.")
    return tokens


def _score(text: str, run: Run, n: int, tokens: Sequence[Token] | None) -> Score:
    """Read the score of a text of `n` tokens; `tokens` are those that it has to be."""
    completion = run.completion
    logprobs = completion.choices[0].logprobs if completion and completion.choices else None
    table = logprobs.content if logprobs is not None else None
    if table is None:
        raise ApiError(f"The server sent no log probabilities for {shown(text)}.")
    if tokens is not None:
        ids = [VOCABULARY.ids[code] for code in table.codes[:n]]
        if ids != [token.id for token in tokens]:
            raise ApiError(f"The server did not hold to the tokens of {shown(text)}.")
    known = without_sentinels(table.logprobs).tolist()
    return Score(text, run, tuple(known[:n]), known[n] if len(known) > n else nan)


def scored_elsewhere(profile: Profile) -> str:
    """Say what there is instead on a server that scores no given text."""
    return (
        f"A given text can be scored by servers of llama.cpp and vLLM, and {profile.name} at "
        f"{profile.base_url} is neither. There a reply that was drawn has its log probabilities "
        '(logprobs=True), and nbchat.classify(…, method="first_token") compares labels by their '
        'first token; profile="local" scores with the embedded model.'
    )
