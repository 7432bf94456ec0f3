from __future__ import annotations

from email.utils import formatdate

import pytest

from nbchat.client.retry import Wait, backoff_s, checked, delay_of_server_s, is_retryable
from nbchat.errors import CheckError


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_the_reference_calls_retryable_is(status: int) -> None:
    assert is_retryable(status, {}, None)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_what_waiting_cannot_mend_is_not(status: int) -> None:
    assert not is_retryable(status, {}, None)


def test_a_429_without_credit_is_not_retried() -> None:
    assert not is_retryable(429, {}, "insufficient_quota")


def test_the_server_decides_where_it_says_so() -> None:
    assert is_retryable(400, {"x-should-retry": "true"}, None)
    assert not is_retryable(503, {"x-should-retry": "false"}, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "0"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_990, usegmt=True)}, None),
        ({"retry-after": "Fri, 31 Dec 99999999999999999999999 23:59:59 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 9999999999 23:59:59 GMT"}, None),
        ({"retry-after": "Fri, 99 Foo 2099 99:99:99 +9999999999"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_the_delay_asked_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert delay_of_server_s(headers, now_s=1_000_000.0) == seconds


def test_backoff_doubles_up_to_eight_seconds_with_jitter() -> None:
    longest = [backoff_s(n, rng=lambda: 0.0) for n in range(6)]
    shortest = [backoff_s(n, rng=lambda: 1.0) for n in range(6)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert shortest == [0.375, 0.75, 1.5, 3.0, 6.0, 6.0]


def test_a_wait_reads_as_a_sentence() -> None:
    assert str(Wait(3.0, "rate limited", 2, 5)) == "waiting 3 s, rate limited, try 2 of 5"
    assert str(Wait(0.42, "connection lost", 3, 5)) == (
        "waiting 0.4 s, connection lost, try 3 of 5"
    )


@pytest.mark.parametrize("wrong", [-1, 1.5, "2", True, None])
def test_retries_are_counted_in_whole_numbers(wrong: object) -> None:
    with pytest.raises(CheckError, match=r"max_retries is .*whole number, 0 or more"):
        checked(wrong)  # type: ignore[arg-type]
