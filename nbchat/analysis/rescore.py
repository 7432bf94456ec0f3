"""`rescore`: each token of a reply that is there, by the model that wrote it or by another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from nbchat.analysis.batch import answered, executions_of
from nbchat.analysis.branch_by_token_ids import EXACT
from nbchat.analysis.forced_decoding import FromPieces
from nbchat.analysis.prompt_ids import prompt_ids
from nbchat.analysis.prompt_logprobs import FromPromptLogprobs
from nbchat.analysis.reply_ends import WithEnds
from nbchat.analysis.rescored import Rescored
from nbchat.analysis.run_origin import origin_of
from nbchat.analysis.score import check_room, scored_elsewhere, tokens_of_text
from nbchat.analysis.written_tokens import rows_of, written_tokens
from nbchat.api.json_values import is_whole_number, shown
from nbchat.api.logprobs import TokenTable
from nbchat.api.response import Choice, Completion
from nbchat.client.presets import LOCAL
from nbchat.errors import CheckError, NotAvailableError
from nbchat.measures.sentinels import is_known
from nbchat.request.draft import Draft
from nbchat.run import Run
from nbchat.session.in_steps import client_in_steps
from nbchat.session.server_kind import end_tokens_of, kind_of, vocabulary_size_of
from nbchat.session.settings import resolved
from nbchat.session.sources import Rewritten
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    from nbchat.client.native import Token
    from nbchat.client.profiles import Profile
    from nbchat.session.sources import Answer, Order, Source

_DEFAULT_TOP = 5
#: nats: another model, or another prompt, differs by more somewhere
_SAME_MODEL = 0.5
_NOT_TAKEN_OVER = {"n", "stream", "stream_options"}


def rescore(
    run: Run,
    *,
    profile: str | Profile | None = None,
    model: str | None = None,
    choice: int = 0,
    top_logprobs: int | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
) -> Rescored:
    """Give a reply that is there a row for each of its tokens: by its own model, or by another.

    By its own (no `profile` and no `model`) it fills what is missing: a character that llama.cpp
    wrote in several tokens comes in one row, which has no probability of its own; here each of
    its tokens has one. Those tokens are asked for that were written, by their ids. By another
    model the reply's text is cut as that one cuts it, and read behind the same messages: what one
    model finds surprising in what another wrote.

    - `profile`, `model`: who reads the reply; what is not given is that of the run
    - `choice`: the index of the choice; its row of the end comes too where the reply ended there
    - `top_logprobs`: alternatives for each token, by default as many as the run has, or 5

    By servers of llama.cpp, the embedded model's too, and of vLLM. On llama.cpp a reply takes one
    request, and one more for each part of a character. The log probabilities are those of the
    model at temperature 1, whatever the sampling was. The new run is in `nbchat.runs()`, too.

    Raise CheckError where the run has no such reply, before anything is sent;
    `NotAvailableError` on other servers; the error of a request that failed.
    """
    return start(
        run,
        profile=profile,
        model=model,
        choice=choice,
        top_logprobs=top_logprobs,
        timeout=timeout,
        max_retries=max_retries,
    ).play()


def start(
    run: Run,
    *,
    profile: str | Profile | None = None,
    model: str | None = None,
    choice: int = 0,
    top_logprobs: int | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
) -> Started:
    """Begin to read a reply, for those who want to stop it; as `rescore`."""
    reply = _reply_of(run, choice)
    if top_logprobs is not None and (not is_whole_number(top_logprobs) or top_logprobs < 1):
        rule = "a whole number, 1 or more"
        raise CheckError(
            f"top_logprobs is {shown(top_logprobs)}, but must be {rule}.",
            field="top_logprobs",
            rule=rule,
        )
    say = PrintingWatcher().status
    there = resolved(origin_of(run) if profile is None else profile, say)
    is_own = there.base_url == run.base_url or (there.name == LOCAL and run.profile == LOCAL)
    is_own = is_own and model in (None, run.model, run.model_asked)
    settings = run.params.given()
    top = top_logprobs or settings.get("top_logprobs") or _DEFAULT_TOP
    fields = {**settings, "logprobs": True, "top_logprobs": top}
    if not is_own:
        fields.pop("model", None)
    draft = Draft(
        messages=run.messages,
        fields={n: v for n, v in fields.items() if n not in _NOT_TAKEN_OVER}
        | ({"model": model} if model else {}),
        extra=run.params.extra if is_own else {},
        profile=LOCAL if there.name == LOCAL else there,
        timeout=timeout,
        max_retries=max_retries,
    )
    kind = kind_of(there)
    if kind == "other":
        raise NotAvailableError(scored_elsewhere(there))
    reader = _ByIds if kind == "llama.cpp" else _ByPrompt
    return reader(_Wanted(run, reply, there, draft, is_own))


class _Wanted(NamedTuple):
    """What is to be read, where, and how it is asked for; `is_own`: by the model that wrote it."""

    run: Run
    reply: Choice
    there: Profile
    draft: Draft
    is_own: bool

    @property
    def text(self) -> str:
        return self.reply.message.content or ""

    @property
    def note(self) -> str:
        if self.is_own:
            return f"the reply of run {self.run.id}, with a row for each of its tokens"
        return f"the reply of run {self.run.id}, which {self.run.model} wrote, read by another"

    def placed(self, came: Completion) -> Completion:
        """Give what has come as the reply that it is of."""
        rows = came.choices[0].logprobs if came.choices else None
        reply = msgspec.structs.replace(self.reply, logprobs=rows)
        if not self.is_own or self.run.completion is None:
            message = msgspec.structs.replace(reply.message, extra={})
            whole = msgspec.structs.replace(reply, message=message)
            return msgspec.structs.replace(came, choices=[whole])
        others = self.run.completion.choices
        return msgspec.structs.replace(
            came,
            model=self.run.completion.model,
            system_fingerprint=self.run.completion.system_fingerprint,
            choices=[reply if one.index == reply.index else one for one in others],
        )


class _Placed(msgspec.Struct, frozen=True):
    """Answers as `source` does, with the reply in the place that it has in its run."""

    source: Source
    wanted: _Wanted
    needs_server: bool = True

    def open(self, order: Order) -> Answer:
        return Rewritten(self.source.open(order), self.wanted.placed)


class Started(ABC):
    """A reply that is begun to be read: its rows are not asked for until `play`."""

    def __init__(self, wanted: _Wanted, source: Source, size: int | None):
        (self._execution,) = executions_of(
            [wanted.draft], by="rescore", source_of=lambda _: _Placed(source, wanted)
        )
        self._wanted = wanted
        run = self._execution.run
        run.notes.append(wanted.note)
        run.vocab_size = size
        if wanted.is_own:
            run.structure = wanted.run.structure

    def play(self) -> Rescored:
        """Ask for the rows, and give them. Raise as `rescore` does."""
        made = answered([self._execution], needs="all")
        if not made:
            raise NotAvailableError("The rows are not all here: asking for them was stopped.")
        return self._read(made[0])

    def cancel(self) -> None:
        """Stop from another thread."""
        self._execution.cancel()

    @abstractmethod
    def _read(self, made: Run) -> Rescored:
        """Give the rows of the reply that this run has asked for."""


class _ByIds(Started):
    """On llama.cpp, by token ids."""

    def __init__(self, wanted: _Wanted):
        run, there = wanted.run, wanted.there
        client = client_in_steps(there)
        self._each = written_tokens(client, wanted.reply) if wanted.is_own else None
        if self._each is None:
            tokens = tokens_of_text(there, wanted.text)
            check_room(there, {wanted.text: tokens})
        else:
            tokens = [token for some in self._each for token in some]
        fields = {**wanted.draft.fields, **wanted.draft.extra}
        usage = run.completion.usage if run.completion is not None else None
        is_counted = usage is not None and wanted.is_own and not run.n_begun
        n_prompt = usage.prompt_tokens if usage is not None and is_counted else None
        prompt = prompt_ids(client, run.messages, fields, n_prompt)
        size = vocabulary_size_of(there)
        ends = _has_end(wanted)
        pieces = FromPieces(tokens, size or 1, prompt, ends=ends)
        end_ids = end_tokens_of(there, fields.get("model") or there.model) if ends else []
        self._source = WithEnds(pieces, tokens, end_ids, prompt)
        super().__init__(wanted, self._source, size)

    def _read(self, made: Run) -> Rescored:
        wanted = self._wanted
        new = rows_of(made, wanted.reply.index) or TokenTable()
        difference = _difference(wanted, self._each or [], new)
        return Rescored(
            wanted.run,
            made,
            wanted.reply.index,
            label=_label(wanted, difference, is_cut_anew=self._each is None),
            end_logprob=self._source.logprob,
            difference=difference,
        )


class _ByPrompt(Started):
    """On vLLM, by the log probabilities of its prompt."""

    def __init__(self, wanted: _Wanted):
        self._source = FromPromptLogprobs(wanted.text)
        super().__init__(wanted, self._source, None)

    def _read(self, made: Run) -> Rescored:
        made.n_begun = self._source.n_begun
        return Rescored(
            self._wanted.run,
            made,
            self._wanted.reply.index,
            label=_label(self._wanted, nan, is_cut_anew=True),
            end_logprob=nan,
            difference=nan,
        )


def _reply_of(run: Run, choice: int) -> Choice:
    if not isinstance(run, Run):
        raise TypeError(
            f"rescore() reads the reply of a run, such as nbchat.chat gives, not {shown(run)}."
        )
    there = run.completion.choices if run.completion is not None else []
    reply = next((one for one in there if one.index == choice), None)
    if run.status == "running":
        raise CheckError(
            "This run still goes on: its reply can be read when it is whole.", field="run"
        )
    if reply is None:
        rule = f"a choice of the run, which has {len(there)}"
        raise CheckError(
            f"choice is {choice!r}, but must be {rule}.", field="choice", value=choice, rule=rule
        )
    if not run.messages:
        rule = "has no messages that its reply answers: nbchat.score(None, run.text) reads it alone"
        raise CheckError(f"This run {rule}.", field="run", rule=rule)
    if not reply.message.content:
        raise CheckError("This reply has no text whose tokens could have rows.", field="run")
    return reply


def _has_end(wanted: _Wanted) -> bool:
    """Tell whether the model ended the reply, and no limit, stop string or call did."""
    has_stop = "stop" in {**wanted.run.params.given(), **wanted.run.params.extra}
    return wanted.reply.finish_reason == "stop" and not has_stop


def _difference(wanted: _Wanted, each: Sequence[Sequence[Token]], new: TokenTable) -> float:
    """Give the largest difference between the rows of both; NaN where none can be compared."""
    old = rows_of(wanted.run, wanted.reply.index)
    if old is None or not each:
        return nan
    largest, at = nan, 0
    for position, tokens in enumerate(each):
        pair = old.logprobs[position], new.logprobs[at] if at < len(new) else nan
        # of several tokens the run has the last one's, as a part of a character
        if len(tokens) == 1 and all(map(is_known, pair)):
            apart = abs(pair[0] - pair[1])
            largest = apart if isnan(largest) else max(largest, apart)
        at += len(tokens)
    return largest


def _label(wanted: _Wanted, difference: float, *, is_cut_anew: bool) -> str:
    if not wanted.is_own:
        return (
            f"Read by another model: the reply's text, cut into tokens as {wanted.there.name} cuts "
            "it, behind the same messages."
        )
    if is_cut_anew:
        return (
            "Each token of the reply by the model that wrote it, cut into tokens anew: those that "
            "it was written in are not known."
        )
    if isnan(difference):
        return "Each token of the reply as it was written, by the model that wrote it."
    if difference <= _SAME_MODEL:
        how = "the same as" if difference <= EXACT else f"up to {difference:.4f} nats from"
        return f"Each token of the reply as it was written; log probabilities are {how} the run's."
    return (
        f"Not as it was written: log probabilities are up to {difference:.3f} nats from the run's. "
        "Another model, template or option of the server is in force now."
    )
