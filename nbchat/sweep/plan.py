"""What a sweep would send, and what that costs, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nbchat import prices
from nbchat.plots.axes import counted
from nbchat.request.token_counter import token_counter
from nbchat.session.budget import dollars
from nbchat.session.state import STATE
from nbchat.session.worst_case import worst_case
from nbchat.sweep.progress import duration
from nbchat.sweep.request_size import order_of, prompt_size, reply_limit

if TYPE_CHECKING:
    from nbchat.request.prepare import Prepared
    from nbchat.statistics import Detectable
    from nbchat.sweep.design import Design
    from nbchat.sweep.folder import Standing
    from nbchat.sweep.judging import Judging
    from nbchat.sweep.limits import Limits

#: the variance of one right-or-wrong answer is at most this
_MOST_VARIANCE = 0.25


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent.

    - `items`, `points`, `repeats`, `rows`: items × points × repeats; `ended`: rows that are in
      the folder already; `requests`: the rest, each sent once, retries apart
    - `prompt_tokens`: of these requests, an estimate (a token for four characters) unless
      `is_counted`; `completion_tokens`: what their replies have at most, None without a limit
    - `cost_usd`: of the prompts alone; `worst_usd`: where each prompt has as many tokens as
      bytes, and each reply its full length; None where a price is not known. `are_here`: whether
      all go to servers of this machine, for which there is no price
    - `judge_requests`, `judges_usd`: requests of judges to come, at most, and what they cost,
      about, where each answer has its full length; None where that is not known
    - `least_s`: seconds that the limits which were given leave, None where none was
    - `detectable`: score -> smallest difference of two points that this many items and repeats
      show in four of five cases, and that with twice the items or twice the repeats
    """

    items: int
    points: int
    repeats: int
    rows: int
    ended: int
    requests: int
    prompt_tokens: int
    is_counted: bool
    completion_tokens: int | None
    cost_usd: float | None
    worst_usd: float | None
    least_s: float | None
    detectable: dict[str, Detectable]
    are_here: bool = False
    judge_requests: int = 0
    judges_usd: float | None = 0.0

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        sizes = ((self.items, "item"), (self.points, "point"), (self.repeats, "repeat"))
        product = " × ".join(counted(n, noun) for n, noun in sizes)
        lines = [f"{counted(self.rows, 'row')}: {product}"]
        have = "has" if self.ended == 1 else "have"
        there = f", {counted(self.ended, 'row')} {have} ended already" if self.ended else ""
        lines.append(f"{counted(self.requests, 'request')} to be sent{there}")
        how = "counted" if self.is_counted else "estimated: four characters a token"
        most = "no limit is set" if self.completion_tokens is None else (
            f"at most {self.completion_tokens:,}"
        )  # fmt: skip
        lines.append(f"tokens in: {self.prompt_tokens:,} ({how}); out: {most}")
        if self.are_here and self.requests:
            lines.append("cost: none, the server is on this machine")
        elif self.worst_usd is None:
            lines.append("cost: not known")
        else:
            prompts = "" if self.cost_usd is None else f"prompts {dollars(self.cost_usd)}, "
            lines.append(f"cost: {prompts}all at most {dollars(self.worst_usd)}")
        if self.judge_requests:
            usd = "cost not known" if self.judges_usd is None else (
                f"about {dollars(self.judges_usd)}"
            )  # fmt: skip
            lines.append(f"judges: at most {counted(self.judge_requests, 'request')}, {usd}")
        if self.least_s is not None:
            lines.append(f"time: at least {duration(self.least_s)} at the limits that were given")
        lines += [_sentence(name, detectable) for name, detectable in self.detectable.items()]
        return lines


def plan_of(
    design: Design,
    standings: Mapping[str, Standing],
    limits: Limits,
    evaluators: Mapping[str, Any],
    judges: Mapping[str, Judging] | None = None,
) -> Plan:
    """Reckon what is missing of a design. Raise CheckError where it cannot be asked."""
    sums = _Sums()
    for cell in design.cells(is_wanted=lambda key: key not in standings):
        for row, prepared in zip(cell.rows, cell.prepared, strict=True):
            if row.id not in standings:
                sums.add(prepared)
    rows = design.n_rows
    ahead = [judging.ahead() for judging in (judges or {}).values()]
    return Plan(
        items=len(design.items),
        points=len(design.grid.points),
        repeats=design.repeats,
        rows=rows,
        ended=rows - sums.n,
        requests=sums.n,
        prompt_tokens=sums.prompt_tokens,
        is_counted=sums.is_counted,
        completion_tokens=sums.completion_tokens,
        cost_usd=sums.cost_usd,
        worst_usd=sums.worst_usd,
        are_here=sums.are_here,
        least_s=_least_s(sums, limits),
        detectable=_detectable(design, evaluators),
        judge_requests=sum(one.n for one in ahead),
        judges_usd=_sum(one.usd for one in ahead),
    )


class _Sums:
    """Adds up what requests are; equal ones in a row are looked at once."""

    def __init__(self) -> None:
        self.n = self.prompt_tokens = self.most_tokens = 0
        self.completion_tokens: int | None = 0
        self.cost_usd: float | None = 0.0
        self.worst_usd: float | None = 0.0
        self.is_counted = self.are_here = True
        self._counters: dict[str, Any] = {}
        self._last: tuple[Prepared, int, int | None, float | None, float | None] | None = None

    def add(self, prepared: Prepared) -> None:
        if self._last is None or self._last[0] is not prepared:
            size = prompt_size(prepared, self._counter(prepared))
            case = worst_case(order_of(prepared))
            worst, is_here = case.usd, case.is_here
            self.are_here &= is_here
            cost = 0.0 if is_here else _cost(prepared, size)
            self._last = (prepared, size, reply_limit(prepared), cost, worst)
        _, size, limit, cost, worst = self._last
        self.n += 1
        self.prompt_tokens += size
        self.most_tokens += size + (limit or 0)
        self.completion_tokens = _sum((self.completion_tokens, limit))
        self.cost_usd = _sum((self.cost_usd, cost))
        self.worst_usd = _sum((self.worst_usd, worst))

    def _counter(self, prepared: Prepared) -> Callable[[str], int] | None:
        model = _model_of(prepared)
        if model not in self._counters:
            self._counters[model] = token_counter(model)
        counter: Callable[[str], int] | None = self._counters[model]
        self.is_counted &= counter is not None
        return counter


def _model_of(prepared: Prepared) -> str:
    return str(prepared.params.given().get("model") or prepared.profile.model or "")


def _sum(terms: Iterable[Any]) -> Any:
    """Add up; what is not known makes the sum unknown."""
    known = list(terms)
    return None if any(term is None for term in known) else sum(known)


def _cost(prepared: Prepared, prompt_tokens: int) -> float | None:
    fields = prepared.params.given()
    most = prices.most(
        _model_of(prepared),
        prepared.profile.base_url,
        prompt_tokens=prompt_tokens,
        completion_tokens=0,
        service_tier=fields.get("service_tier"),
        own_prices=STATE.settings.prices,
    )
    return None if most is None else most.usd


def _least_s(sums: _Sums, limits: Limits) -> float | None:
    minutes = [
        amount / limit
        for amount, limit in (
            (sums.n, limits.requests_per_minute),
            (sums.most_tokens, limits.tokens_per_minute),
        )
        if limit is not None
    ]
    return 60 * max(minutes) if minutes else None


def _detectable(design: Design, evaluators: Mapping[str, Any]) -> dict[str, Detectable]:
    """Reckon with the most variance that there can be, half of it within items."""
    if len(design.grid.points) < 2 or not evaluators:
        return {}
    from nbchat.statistics import detectable_difference

    detectable = detectable_difference(
        len(design.items),
        design.repeats,
        of_differences=_MOST_VARIANCE / 2,
        within=_MOST_VARIANCE / 2,
    )
    scales = {name: getattr(one, "scale", "unknown") for name, one in evaluators.items()}
    return {name: detectable for name, scale in scales.items() if scale == "right or wrong"}


def _sentence(name: str, detectable: Detectable) -> str:
    better = "items" if detectable.twice_items <= detectable.twice_repeats else "repeats"
    values = (detectable.difference, detectable.twice_items, detectable.twice_repeats)
    least, items, repeats = (f"{100 * v:.1f}" if v <= 1 else "none" for v in values)
    seen = f"a paired difference of {least} points" if values[0] <= 1 else (
        "with so few items and repeats no paired difference, not even one of 100 points,"
    )  # fmt: skip
    return (
        f"{name}: {seen} is seen in four of five cases (twice the "
        f"items: {items}, twice the repeats: {repeats}; more {better} help more), if half of the "
        "variance lies within items"
    )
