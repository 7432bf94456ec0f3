"""How far apart two distributions are of which only the most likely tokens are known."""

from __future__ import annotations

from math import inf, isnan, log
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbchat.measures.rounding import ROUNDING_OF_ROWS, rounding_of_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LN2 = log(2)
# a rest that 64-bit sums leave over is none
_NO_MASS = 1e-9
# no server lists so many alternatives and not the whole vocabulary
_WHOLE = 1000


class DivergenceBounds(NamedTuple):
    """`kl`, `jsd`, `tv` are lower bounds, `jsd_hi` and `tv_hi` upper ones.

    KL and Jensen-Shannon in nats (`jsd_hi` at most ln 2), total variation from 0 to 1.
    """

    kl: float
    jsd: float
    tv: float
    jsd_hi: float
    tv_hi: float


def divergence_bounds(
    p: Mapping[Any, float],
    q: Mapping[Any, float],
    *,
    most_unseen: tuple[float | None, float | None] = (None, None),
    rounding: float | None = None,
) -> DivergenceBounds:
    """Give bounds of the divergences of two truncated distributions, on both sides.

    `p` and `q` map tokens to probabilities, in any order. KL = sum of p ln(p / q) (infinite
    where q has 0 and p has not), JSD = half KL(p‖mean) + half KL(q‖mean), total variation =
    half the sum of abs(p - q).

    A token that one side lists and the other does not has there at least 0 and at most
    min(p_K, r): the smallest listed probability, and the unseen mass. Lower bounds are the
    least that these ranges allow, with each side's masses summing to 1 and all tokens that
    neither lists as one lump (the data-processing inequality); all three are least at the same
    masses. Upper bounds are their other ends: unlisted tokens have nothing, and the unseen
    masses have no token in common. Nothing is renormalised.

    - `most_unseen`: for each side the probability that no unseen token exceeds, where that is
      not the smallest listed one (a token drawn from far below stands in the list)
    - `rounding`: e, how far a side's mass can be off; None: what the numbers tell
      (`rounding_of`): 3e-4 where they came in 32 bits, else 0. With e the bounds are those of
      the true distributions all the same, and wider

    A NaN counts as not listed. Raise ValueError for a negative number: it is a log
    probability. Sources: Lin, IEEE Trans. Inf. Theory 37 (1991), 145-151 (JSD); Csiszár 1967
    (data processing of f-divergences).
    """
    if rounding is None:
        rounding = max(rounding_of_probabilities([*side.values()]) for side in (p, q))
    e = rounding
    left, right = (_Side.of(side, most, e) for side, most in zip((p, q), most_unseen, strict=True))
    if e and left.is_whole and right.is_whole:
        # nothing is unseen: they are taken as they are, and are off by no more than e of the value
        left, right, e = left.all_there(), right.all_there(), 0.0
    near_p, near_q = _nearest(left, right)
    far_p, far_q = _farthest(left, right)
    return DivergenceBounds(
        # the masses of the two are 1 up to e, and these depend on them by e times themselves
        kl=max(0.0, _kl(near_p, near_q) / (1 + e) - 4 * e**2),
        jsd=max(0.0, _jsd(near_p, near_q) / (1 + e) - e**2),
        tv=max(0.0, _tv(near_p, near_q) - e),
        jsd_hi=min(_LN2, _jsd(far_p, far_q) / (1 - e) + e**2),
        tv_hi=min(1.0, _tv(far_p, far_q) + e),
    )


class _Side(NamedTuple):
    """One distribution: its unseen mass, `least` to `most`; no unseen token has more than `cap`."""

    listed: dict[Any, float]
    least: float
    most: float
    cap: float

    @classmethod
    def of(cls, side: Mapping[Any, float], most: float | None, rounding: float) -> _Side:
        # the same sums in whatever order they came
        known = sorted(
            ((token, float(value)) for token, value in side.items() if not isnan(value)),
            key=lambda item: (-item[1], repr(item[0])),
        )
        values = [value for _, value in known]
        if values and values[-1] < 0:
            raise ValueError("a probability cannot be negative: these look like log probabilities")
        unseen = max(0.0, 1.0 - sum(values))
        least, most_mass = (
            mass if mass > _NO_MASS else 0.0 for mass in (unseen - rounding, unseen + rounding)
        )
        smallest = min((value for value in values if value > 0), default=1.0)
        return cls(dict(known), least, most_mass, min(most or smallest, most_mass))

    @property
    def is_whole(self) -> bool:
        """Whether a million tokens as likely as the least listed one would be no mass at all."""
        return len(self.listed) >= _WHOLE and self.cap * 1e6 <= ROUNDING_OF_ROWS

    def all_there(self) -> _Side:
        return self._replace(least=0.0, most=0.0, cap=0.0)

    def without(self, other: _Side) -> Floats:
        """Give the probabilities of what the other side does not list."""
        return np.array(
            [value for token, value in self.listed.items() if token not in other.listed]
        )

    def filled(self, of_other: Floats, ratio: float) -> Floats:
        """Give `ratio` times the other side's probabilities, as far as a token unseen here goes."""
        if ratio == inf:
            return np.where(of_other > 0, self.cap, 0.0)
        return np.minimum(self.cap, ratio * of_other)

    def best(self, of_other: Floats) -> Floats:
        """Give the nearest to the other side's where the whole unseen mass is on these tokens."""
        unseen = self.filled(of_other, 1.0)
        mass = min(max(float(unseen.sum()), self.least), self.most)
        bends = self.cap / of_other[of_other > 0]
        return self.filled(
            of_other, _crossing(lambda ratio: mass - self.filled(of_other, ratio).sum(), bends)
        )


def _nearest(left: _Side, right: _Side) -> tuple[Floats, Floats]:
    """Give the nearest two distributions: what both list, only p, only q, and the rest.

    f-divergences are convex and homogeneous, so that at their least all that is free to move
    has one ratio q / p: a token that one side does not list has there what this ratio gives, as
    far as it is allowed, and so has the rest.
    """
    of_left, of_right = left.without(right), right.without(left)
    ratio, unseen_p, unseen_q = _ratio(left, right)
    at_q = right.filled(of_left, ratio)
    at_p = left.filled(of_right, 1 / ratio if ratio else inf)
    rest_p, rest_q = unseen_p - float(at_p.sum()), unseen_q - float(at_q.sum())
    if min(rest_p, rest_q) < -_NO_MASS:
        # there is no rest: all that is unseen is on the tokens that the other side lists
        rest_p = rest_q = 0.0
        at_q, at_p = right.best(of_left), left.best(of_right)
    elif ratio == 1:
        rest_p = rest_q = min(rest_p, rest_q)  # of any size, they make no difference
    both = [t for t in left.listed if t in right.listed]
    return (
        np.array([*(left.listed[t] for t in both), *of_left, *at_p, max(0.0, rest_p)]),
        np.array([*(right.listed[t] for t in both), *at_q, *of_right, max(0.0, rest_q)]),
    )


def _ratio(left: _Side, right: _Side) -> tuple[float, float, float]:
    """Give the ratio of the rests, and the unseen masses: those that bring it nearest to 1."""
    ratio = _ratio_of(left, right, left.most, right.least)
    if ratio > 1 or left.least == left.most:
        return ratio, left.most, right.least
    ratio = _ratio_of(left, right, left.least, right.most)
    return (ratio, left.least, right.most) if ratio < 1 else (1.0, left.most, right.most)


def _ratio_of(left: _Side, right: _Side, unseen_p: float, unseen_q: float) -> float:
    of_left, of_right = left.without(right), right.without(left)
    of_left, of_right = of_left[of_left > 0], of_right[of_right > 0]

    def excess(ratio: float) -> float:
        """Give q's rest less ratio · p's; it falls where both are possible."""
        at_q = np.minimum(right.cap, ratio * of_left).sum()
        at_p = np.minimum(ratio * left.cap, of_right).sum()
        return float(unseen_q - at_q - ratio * unseen_p + at_p)

    bends = [right.cap / of_left]
    if left.cap > 0:
        bends.append(of_right / left.cap)
    return _crossing(excess, np.concatenate(bends))


def _crossing(falls: Callable[[float], float], bends: Floats) -> float:
    """Give where a function that is straight between its bends falls to 0; inf where nowhere."""
    x, at_x = 0.0, falls(0.0)
    last = float(bends.max(initial=0.0))
    for to in [*np.unique(bends).tolist(), 2 * last + 1]:
        at_to = falls(to)
        if at_to <= 0:
            return x if at_x <= 0 else x + (to - x) * at_x / (at_x - at_to)
        if to <= last:
            x, at_x = to, at_to
    slope = (at_to - at_x) / (to - x)
    return x - at_x / slope if slope < 0 else inf


def _farthest(left: _Side, right: _Side) -> tuple[Floats, Floats]:
    """Give the two that have nothing in common but what both list."""
    both = [token for token in left.listed if token in right.listed]
    of_left, of_right = left.without(right), right.without(left)
    nothing_p, nothing_q = np.zeros(len(of_left)), np.zeros(len(of_right))
    return (
        np.array([*(left.listed[t] for t in both), *of_left, *nothing_q, left.most, 0.0]),
        np.array([*(right.listed[t] for t in both), *nothing_p, *of_right, 0.0, right.most]),
    )


def _kl(p: Floats, q: Floats) -> float:
    """Give sum of p ln(p / q) - p + q, which is KL where both have the same mass."""
    counted = p > 0
    counted[-1] = p[-1] > _NO_MASS  # a rest that is rounding would make it infinite
    with np.errstate(divide="ignore"):
        terms = p[counted] * np.log(p[counted] / q[counted])
    return float(terms.sum() - p.sum() + q.sum())


def _jsd(p: Floats, q: Floats) -> float:
    mean = (p + q) / 2
    return float(sum((x[x > 0] * np.log(x[x > 0] / mean[x > 0])).sum() for x in (p, q)) / 2)


def _tv(p: Floats, q: Floats) -> float:
    return float(np.abs(p - q).sum() / 2)
