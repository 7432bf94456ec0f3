"""`tree`: the likeliest ways on from a position of a reply, each written to its end."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from math import exp, isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from nbchat.analysis.branch import Branch, start
from nbchat.analysis.position import position_of
from nbchat.analysis.written_tokens import rows_of
from nbchat.api.json_values import is_whole_number, shown
from nbchat.display.characters import visible
from nbchat.errors import CheckError, NotAvailableError
from nbchat.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from nbchat.analysis.branch import Started
    from nbchat.analysis.branch_methods import Method
    from nbchat.analysis.position import Position
    from nbchat.client.profiles import Profile


class Tree(msgspec.Struct, frozen=True, eq=False):
    """A reply, and those that part from it in the tokens of some positions.

    - `run`, `choice`: the reply that they part from; `position`, `depth`: of the first position
      of the tree, and how many there are
    - `branches`: list of `nbchat.analysis.Branch`, in the order in which they were made, the
      likeliest first; each has one run. A branch may part from the run of another one
    - `masses`: list of float, the probability of the tokens that the reply, and then each branch,
      has at the tree's positions; NaN where one is not known
    - `coverage`: their sum, the share of all that the model could have written there; at least
      that where a mass is not known
    - `label`: a sentence that says so
    """

    run: Run
    choice: int
    position: int
    depth: int
    branches: list[Branch]
    masses: list[float]

    @property
    def runs(self) -> list[Run]:
        """The reply that they part from, and theirs."""
        return [self.run, *(branch.run for branch in self.branches)]

    @property
    def coverage(self) -> float:
        """The sum of the masses that are known."""
        return min(1.0, sum(mass for mass in self.masses if not isnan(mass)))

    @property
    def label(self) -> str:
        """What it covers, as a sentence."""
        last = self.position + self.depth - 1
        where = f"position {last}" if self.depth == 1 else f"positions {self.position} to {last}"
        least = "at least " if any(map(isnan, self.masses)) else ""
        return f"{least}{self.coverage:.1%} of what could stand at {where}"

    def frame(self) -> pd.DataFrame:
        """Give one row for each branch (`nbchat.frames.branches`), with its `mass`."""
        from nbchat.frames.branches import branches

        return branches(nodes_of(self))

    def __repr__(self) -> str:
        n = len(self.branches)
        lines = [f"<Tree of {n} branch{'' if n == 1 else 'es'}, {self.label}>"]
        for mass, run in zip(self.masses, self.runs, strict=True):
            share = "not known" if isnan(mass) else f"{mass:.3g}"
            lines.append(f"{share:>9}  {shown(run.text)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        made: str = self.frame().to_html(notebook=True)
        return f"<div><p>{self.label[0].upper()}{self.label[1:]}.</p>{made}</div>"


class TreeNode(NamedTuple):
    """A branch as the branches frame has it: see `nbchat.frames.columns`."""

    branch_id: int
    parent_id: int | None
    run: Run
    position: int
    token: str
    display: str
    prob: float
    logprob: float
    method: str
    depth: int
    mass: float


def nodes_of(tree: Tree) -> list[TreeNode]:
    """Give each branch with its number, from 1, and that of the one that it parts from."""
    made: dict[str, TreeNode] = {}
    for number, (branch, mass) in enumerate(zip(tree.branches, tree.masses[1:], strict=True), 1):
        above = made.get(branch.parent.id)
        place = position_of(branch.parent, branch.position, branch.choice)
        option = next((o for o in place.options if o.token == branch.alternative), None)
        logprob = nan if option is None else option.logprob
        made[branch.run.id] = TreeNode(
            branch_id=number,
            parent_id=None if above is None else above.branch_id,
            run=branch.run,
            position=branch.position,
            token=branch.alternative,
            display=visible(branch.alternative) or "∅",
            prob=exp(logprob),
            logprob=logprob,
            method=branch.method,
            depth=1 if above is None else above.depth + 1,
            mass=mass,
        )
    return list(made.values())


def tree(
    run: Run,
    *,
    position: int = 0,
    depth: int = 2,
    width: int = 3,
    min_prob: float = 0.02,
    max_branches: int = 50,
    choice: int = 0,
    method: Method | None = None,
    profile: str | Profile | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    **params: Any,
) -> Tree:
    """Write what the model would likeliest have written instead, from a position of a reply on.

    At each of `depth` positions the `width` likeliest tokens are taken that, with those before them
    in the tree, have a probability of `min_prob` or more. For each way there is a branch, which
    goes on to its end with the likeliest tokens; the reply itself belongs to the tree as it came.
    The likeliest ways come first, and `max_branches` ends it.

    - `position`: the first one, from 0; negative from the end
    - `choice`, `method`, `profile`, `timeout`, `max_retries`, `params`: as `nbchat.branch` takes
      them. On llama.cpp the branches are exact; ``max_completion_tokens=5`` keeps them short

    The run needs as many alternatives as the tree is wide (`top_logprobs`). A character of
    several tokens in one row ends the tree there: `nbchat.rescore` gives it its rows.

    Raise CheckError for arguments that are none, before anything is sent; NotAvailableError
    where the server goes on with no reply that was begun; the error of a branch that failed. All
    runs are in `nbchat.runs()`.
    """
    return Growing(
        run,
        position=position,
        depth=depth,
        width=width,
        min_prob=min_prob,
        max_branches=max_branches,
        choice=choice,
        method=method,
        profile=profile,
        timeout=timeout,
        max_retries=max_retries,
        **params,
    ).play()


class _Way(NamedTuple):
    """A run of the tree: where its own positions begin, and ln of the probability before them."""

    run: Run
    choice: int
    first: int
    logprob: float


class Growing:
    """A tree that is begun. `play` makes its branches, and tells of each that begins."""

    def __init__(
        self,
        run: Run,
        *,
        position: int = 0,
        depth: int = 2,
        width: int = 3,
        min_prob: float = 0.02,
        max_branches: int = 50,
        choice: int = 0,
        on_begin: Callable[[Started], None] = lambda _: None,
        on_end: Callable[[Branch], None] = lambda _: None,
        **branching: Any,
    ):
        _check(depth=depth, width=width, max_branches=max_branches)
        if isinstance(min_prob, bool) or not isinstance(min_prob, (int, float)) or min_prob < 0:
            rule = "a probability, 0 or more"
            raise CheckError(
                f"min_prob is {shown(min_prob)}, but must be {rule}.", field="min_prob", rule=rule
            )
        if not isinstance(run, Run):
            raise TypeError(
                f"tree() grows from a run, such as nbchat.chat gives, not {shown(run)}."
            )
        self.position = position_of(run, position, choice).position
        self._run, self._choice, self._depth = run, choice, depth
        self._width, self._min_prob, self._most = width, min_prob, max_branches
        self._on_begin, self._on_end = on_begin, on_end
        # a stream of llama.cpp lacks the row of the end, which is a position as any other
        self._branching = {"temperature": 0, "stream": False, **branching}
        self._order = count()
        self._open: list[tuple[float, int, _Way, int, int, float]] = []
        self._masses: list[float] = []
        self._started: Started | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """Stop from another thread. What has come is kept."""
        self._is_cancelled = True
        if self._started is not None:
            self._started.cancel()

    def play(self) -> Tree:
        """Make the branches, the likeliest first. Raise as `tree` does."""
        branches: list[Branch] = []
        self._take(_Way(self._run, self._choice, self.position, 0.0))
        while self._open and len(branches) < self._most and not self._is_cancelled:
            _, _, way, place, row, logprob = heapq.heappop(self._open)
            self._started = started = start(
                way.run, place, row, choice=way.choice, **self._branching
            )
            if started.method == "resampling":
                raise NotAvailableError(
                    f"A tree needs a server that goes on with a reply that was begun. "
                    f"{started.label} nbchat.branch(run, {place}, n=10) draws some anew."
                )
            self._on_begin(started)
            branch = started.play(1)
            branches.append(branch)
            self._take(_Way(branch.run, 0, place + 1, logprob))
            self._on_end(branch)
        return Tree(self._run, self._choice, self.position, self._depth, branches, self._masses)

    def _take(self, way: _Way) -> None:
        """Note what a run has at the tree's positions, and what else could stand there."""
        table = rows_of(way.run, way.choice) or ()
        tokens = way.run.tokens()
        is_own = (tokens["choice"] == way.choice) & (tokens["channel"] == "content")
        logprobs = tokens.loc[is_own, "logprob"].tolist()
        has_end = tokens.loc[is_own, "is_special"].tolist()[-1:] == [True]
        before = way.logprob
        for place in range(way.first, self.position + self._depth):
            if place >= len(table):
                # where it ended without a row of the end, how likely that was is not known
                is_known = has_end or way.run.finish_reason == "length"
                before = before if is_known else nan
                break
            self._offer(way, position_of(way.run, place, way.choice), before)
            before += logprobs[place]
            if isnan(before):
                break
        self._masses.append(exp(before))

    def _offer(self, way: _Way, place: Position, before: float) -> None:
        options = [option for option in place.options if option.is_listed]
        for row, option in enumerate(options[: self._width]):
            logprob = before + option.logprob
            if not option.is_sampled and exp(logprob) >= self._min_prob:
                offer = (-logprob, next(self._order), way, place.position, row, logprob)
                heapq.heappush(self._open, offer)


def _check(**counts: Any) -> None:
    for name, value in counts.items():
        if not is_whole_number(value) or value < 1:
            rule = "a whole number, 1 or more"
            raise CheckError(
                f"{name} is {shown(value)}, but must be {rule}.", field=name, rule=rule
            )
