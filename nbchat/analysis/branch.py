"""`branch`: another token at a position of a reply, and how the text goes on from there."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec

from nbchat.analysis.branch_methods import LIMITS, Method, Question, Way, way_of
from nbchat.analysis.position import Option, Position, data_of, position_of
from nbchat.analysis.run_origin import origin_of
from nbchat.api.json_values import is_whole_number, shown
from nbchat.client.presets import LOCAL
from nbchat.display.characters import visible
from nbchat.errors import CheckError
from nbchat.request.draft import Draft
from nbchat.run import Run
from nbchat.session.pool import AT_ONCE, play
from nbchat.session.servers import prepare
from nbchat.session.settings import resolved
from nbchat.session.watchers import PrintingWatcher

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.client.profiles import Profile

#: fields that a branch takes over from its run with another value, or not at all
_NOT_TAKEN_OVER = {"n", "stream_options", *LIMITS}


class Branch(msgspec.Struct, frozen=True, eq=False):
    """Runs that part from a run at one position.

    - `parent`, `choice`, `position`: where they part from it; positions count tokens from 0
    - `alternative`: the token that stands there instead, as the server sends it; `token_id` its
      number, None where it is not known
    - `method`: "exact" (the same tokens by id, written again one by one with the log
      probabilities that they had, to 1e-4 nats, then this one: what the model would have written
      had it drawn it), "prefill" (the same tokens by id, but evaluated otherwise, so that log
      probabilities differ), "text" (the server goes on with the text so far, which it may
      tokenise in another way) or "resampling" (replies drawn anew from the start, of which some
      may begin like this); `label` is a sentence that says it, with the difference
    - `runs`: list of `nbchat.Run`, `run` the first of them. Each is a whole reply, in text and
      log probabilities, and can be branched again
    """

    parent: Run
    choice: int
    position: int
    alternative: str
    token_id: int | None
    method: Method
    runs: list[Run]
    label: str

    @property
    def run(self) -> Run:
        """The first run."""
        return self.runs[0]

    def shares(self) -> pd.DataFrame:
        """Give the distinct replies with their empirical shares (see `nbchat.repeat`)."""
        from nbchat.frames.distinct_answers import distinct

        return distinct(self.runs)

    def __repr__(self) -> str:
        lines = [f"{run.status}: {shown(run.text)}" for run in self.runs]
        return "\n".join([f"<Branch at {self.position}> {visible(self.label)}", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{self._text_html(run)}</li>" for run in self.runs)
        label = html.escape(visible(self.label))
        return f"<div><p><em>{label}</em></p><ol>{rows}</ol></div>"

    def _text_html(self, run: Run) -> str:
        status = "" if run.status == "complete" else f" <em>({html.escape(run.status)})</em>"
        if self.method == "resampling":
            text = _escaped(run.text)
        else:
            here = position_of(run, self.position, 0)
            before = here.data.decode("utf-8", "replace")
            token = data_of(here.table.codes[self.position]).decode("utf-8", "replace")
            after = run.text[len(before) + len(token) :]
            marked = f"<mark>{_escaped(token) or '∅'}</mark>"
            text = f'<span style="opacity: 0.6">{_escaped(before)}</span>{marked}{_escaped(after)}'
        return f'<span style="white-space: pre-wrap">{text}</span>{status}'


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def branch(
    run: Run,
    position: int,
    alternative: str | int | None = None,
    *,
    choice: int = 0,
    n: int = 1,
    method: Method | None = None,
    profile: str | Profile | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    at_once: int = AT_ONCE,
    **params: Any,
) -> Branch:
    """Put another token at a position of a reply, and let the model go on from there.

    - `position`: of the token, from 0; negative from the end (``run.tokens()`` counts the same)
    - `alternative`: the token as text (``" Lyon"``); an index into the alternatives there, as
      ``run.alternatives()`` numbers them; or a token id, which is any number beyond those. None:
      the most likely one that was not sampled. An end token ends the reply
    - `choice`: the index of the choice; `n`: how many replies, `at_once` of them together
    - `profile`: where to ask, by default where the run came from
    - `params`: fields of the request. Without them it goes on as the run was asked, with the
      rest of its `max_completion_tokens`; one that is given counts the new tokens alone. With a
      `seed`, reply i has ``seed + i``

    - `method`: None for the best that the server can, or one of

      - "exact": on llama.cpp's server, the embedded model's too, by token ids. The tokens before
        the position are written again one by one, which takes as long as writing them took, and
        each log probability on the way is compared with the run's. Branching on the token that
        was sampled, at temperature 0, gives the same rest with the same log probabilities
      - "prefill": by token ids there too, all evaluated in one batch. That is quicker, and its
        log probabilities differ (on SmolLM2 by up to 0.39 nats): `label` has the difference that
        was measured at the position. It is also what a branch is that was to be exact and
        differs, by up to 0.5 nats
      - "text": on servers that go on with a message of the assistant (`nbchat.probe` knows, else
        one or two short requests tell). It cannot start inside a character
      - "resampling": `n` replies are drawn anew, with their shares in ``branch.shares()``

    `method` and `label` of the result say which it is.

    The runs are in `nbchat.runs()` too. Raise CheckError where the position or the alternative is
    none, before anything is sent; the error of the first run where all failed, which carries
    that run as ``.run``; NotAvailableError where it cannot be by the `method` that was named.
    """
    started = start(
        run,
        position,
        alternative,
        choice=choice,
        n=n,
        method=method,
        profile=profile,
        timeout=timeout,
        max_retries=max_retries,
        **params,
    )
    return started.play(at_once)


class Started(NamedTuple):
    """A branch that is begun: nothing of the replies is asked for until `play`.

    The attributes are those of `Branch`; the `runs` fill while it plays.
    """

    parent: Run
    choice: int
    place: Position
    way: Way

    @property
    def position(self) -> int:
        return self.place.position

    @property
    def alternative(self) -> str:
        return self.way.option.token

    @property
    def token_id(self) -> int | None:
        return self.way.option.id

    @property
    def method(self) -> Method:
        return self.way.method

    @property
    def label(self) -> str:
        return self.way.label

    @property
    def runs(self) -> list[Run]:
        return [execution.run for execution in self.way.executions]

    def play(self, at_once: int = AT_ONCE) -> Branch:
        """Write the replies, and give the branch. Raise as `branch` does."""
        play(self.way.executions, at_once=at_once)
        runs, label = self.runs, self.label
        errors = [made.error for made in runs if made.error is not None]
        if len(errors) == len(runs):
            raise errors[0]
        if self.method == "resampling":
            label += _share(runs, self.place, self.way.option)
        return Branch(
            self.parent,
            self.choice,
            self.position,
            self.alternative,
            self.token_id,
            self.method,
            runs,
            label,
        )

    def cancel(self) -> None:
        """Stop from another thread. Each run ends as interrupted, with what has come."""
        for execution in self.way.executions:
            if execution.run.status == "running":
                execution.cancel()


def start(
    run: Run,
    position: int,
    alternative: str | int | None = None,
    *,
    choice: int = 0,
    n: int = 1,
    method: Method | None = None,
    profile: str | Profile | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    **params: Any,
) -> Started:
    """Begin a branch, for those who want to see it grow or to stop it; as `branch`."""
    if not is_whole_number(n) or n < 1:
        raise CheckError(f"n is {n!r}, but must be a whole number, 1 or more.", field="n", value=n)
    if method is not None and method not in get_args(Method):
        rule = f"None or one of {', '.join(get_args(Method))}"
        raise CheckError(
            f"method is {shown(method)}, but must be {rule}.", field="method", value=method
        )
    if not isinstance(run, Run):
        sentence = f"branch() goes on from a run, such as nbchat.chat gives, not {shown(run)}."
        raise TypeError(sentence)
    place = position_of(run, position, choice)
    option = place.option(alternative)
    if option.id is not None and run.vocab_size is not None and option.id >= run.vocab_size:
        rule = f"below {run.vocab_size:,}, the size of the vocabulary"
        raise CheckError(
            f"alternative is the token id {option.id}, but must be {rule}.",
            field="alternative",
            value=alternative,
            rule=rule,
        )
    say = PrintingWatcher().status
    draft = _draft(run, params, origin_of(run) if profile is None else profile)
    draft = msgspec.structs.replace(draft, timeout=timeout, max_retries=max_retries)
    prepare(draft, say=say)  # what is wrong is said before anything is asked for
    target = resolved(draft.profile, say)
    # the embedded model may have another address by the time that it is asked
    draft = msgspec.structs.replace(draft, profile=LOCAL if target.name == LOCAL else target)
    n_new = next((params[name] for name in LIMITS if name in params), None)
    way = way_of(Question(run, place, option, draft, n_new, n, target), method)
    for execution in way.executions:
        execution.run.vocab_size = run.vocab_size
    return Started(run, choice, place, way)


def _draft(run: Run, params: dict[str, Any], profile: Any) -> Draft:
    """Give what is asked: as the run was, with the fields that are given over its own."""
    extra = {**run.params.extra, **params.get("extra", {})}
    of_run = {n: v for n, v in run.params.given().items() if n not in _NOT_TAKEN_OVER}
    fields = {n: v for n, v in params.items() if n != "extra"}
    return Draft(
        messages=run.messages,
        fields={**of_run, **fields},
        extra={n: v for n, v in extra.items() if n not in fields},
        profile=profile,
    )


def _share(runs: list[Run], place: Position, option: Option) -> str:
    begun = place.data.decode("utf-8", "replace") + option.token
    drawn = [run for run in runs if run.status == "complete"]
    alike = sum(run.text.startswith(begun) for run in drawn)
    share = f"{alike / len(drawn):.0%}" if drawn else "none"
    return f" {alike} of {len(drawn)} ({share}) begin like this branch."
