"""The limiter against servers with limits of many kinds, on a clock of their own."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nbchat.sweep.limiter import Limiter, Permit
from tests.sweep.simulated import SimulatedServer, simulated

pytestmark = pytest.mark.long

SERVERS: dict[str, dict[str, Any]] = {
    "16 at once": {"at_once": 16},
    "100 at once": {"at_once": 100},
    "64 at once, long replies": {"at_once": 64, "mean_s": 5.0},
    "10 a second": {"per_s": 10.0},
    "50 a second": {"per_s": 50.0, "burst": 50.0},
    "50 a second, with Retry-After": {"per_s": 50.0, "burst": 50.0, "retry_after_s": 1.0},
    "3 in 100 fail": {"at_once": 64, "failing": 0.03},
}


@pytest.mark.parametrize("kind", SERVERS)
def test_the_limiter_comes_near_to_the_ideal_with_few_refusals(kind: str) -> None:
    server = SimulatedServer(**SERVERS[kind])
    seconds = 600.0
    done = simulated(server, Limiter(rng=random.Random(5).random), seconds)
    ideal = server.ideal_per_s * (1 - server.failing) * done.seconds
    assert done.answered >= 0.94 * ideal, done
    assert done.limited / done.seconds < 1, done


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("kind", "seconds"),
    [({"mean_s": 0.005}, 15.0), ({}, 300.0), ({"at_once": 16}, 300.0), ({"per_s": 50.0}, 300.0)],
)
def test_429s_that_are_drawn_do_not_bring_a_sweep_to_a_stand(
    kind: dict[str, Any], seconds: float, seed: int
) -> None:
    server = SimulatedServer(**kind, drawn=0.2, rng=random.Random(seed))
    done = simulated(server, Limiter(rng=random.Random(seed).random), seconds)
    assert done.answered / done.seconds >= 0.25 * min(server.ideal_per_s, 256, 1_000), done
    # and of a server that has a limit beside, it is kept
    assert done.limited <= 0.4 * (done.answered + done.limited), done


def test_a_limit_that_falls_to_a_tenth_is_no_drawn_429() -> None:
    limiter = Limiter(rng=random.Random(5).random)
    assert simulated(SimulatedServer(per_s=50.0), limiter, 100.0).answered > 4_500
    limiter.n_going = 0
    server = SimulatedServer(per_s=5.0)
    done = simulated(server, limiter, 300.0, begin=100.0)
    assert done.limited / (done.seconds - 100) < 1, done
    assert done.answered >= 0.9 * 5.0 * (done.seconds - 100), done


def test_requests_and_tokens_of_a_minute_are_kept() -> None:
    server = SimulatedServer()
    done = simulated(server, Limiter(requests_per_minute=600), 120.0)
    assert 0.94 * 1200 <= done.answered <= 1200 * 1.05
    done = simulated(SimulatedServer(), Limiter(tokens_per_minute=60_000), 120.0, tokens=100)
    assert 0.94 * 1200 <= done.answered <= 1200 * 1.05


@pytest.mark.parametrize("nonsense", ["-1", "0", "nan", "many", ""])
def test_headers_that_say_nonsense_are_not_believed(nonsense: str) -> None:
    limiter = Limiter(at_once=50)
    limiter.learn({"x-ratelimit-limit-requests": nonsense, "x-ratelimit-limit-tokens": nonsense})
    taken = [limiter.take(0.0, 10) for _ in range(50)]
    assert all(isinstance(permit, Permit) for permit in taken)


def test_a_limit_of_the_headers_is_learnt() -> None:
    limiter = Limiter(at_once=50)
    limiter.learn({"x-ratelimit-limit-requests": "60"})
    assert isinstance(limiter.take(0.0, 0), Permit)
    assert limiter.take(0.0, 0) == pytest.approx(1.0)


def test_a_retry_after_holds_all_back_and_a_cut_frees_its_slot() -> None:
    limiter = Limiter(at_once=2, rng=lambda: 0.5)
    first, second = limiter.take(0.0), limiter.take(0.0)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    assert limiter.take(0.0) == float("inf")
    limiter.ended(first, 0.1, "limited", retry_after_s=10.0)
    wait = limiter.take(0.1)
    assert isinstance(wait, float)
    assert 10.0 < wait <= 11.0
    limiter.ended(second, 0.2, "cut")
    limiter.ended(second, 0.2, "cut")
    assert limiter.n_going == 0
    assert isinstance(limiter.take(12.0), Permit)


def test_a_failure_of_the_server_takes_no_slots() -> None:
    limiter = Limiter()
    permits = [limiter.take(0.0) for _ in range(limiter.slots)]
    before = limiter.slots
    for permit in permits:
        assert isinstance(permit, Permit)
        limiter.ended(permit, 0.5, "failed")
    assert limiter.slots == before


def test_slots_grow_only_while_all_are_in_use() -> None:
    limiter = Limiter()
    before = limiter.slots
    for second in range(100):
        permit = limiter.take(float(second))
        assert isinstance(permit, Permit)
        limiter.ended(permit, second + 0.5, "answered")
    assert limiter.slots == before
