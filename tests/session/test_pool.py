"""Many runs at once: the limit, the order, the stop, and one that fails alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.errors import AuthenticationError, BadRequestError, CheckError, ServerError
from nbchat.session.pool import AT_ONCE, Pool, is_hopeless, is_of_the_server, play
from tests.scripted import ScriptedServer, error, speaking


class Job:
    """A job that goes on until it is let go, and counts how many run beside it."""

    running: list[Job] = []  # noqa: RUF012 - of the test that runs
    most = 0

    def __init__(self, number: int, fails: BaseException | None = None):
        self.number = number
        self.fails = fails
        self.go = threading.Event()
        self.began = threading.Event()
        self.is_cancelled = False

    def __iter__(self) -> Iterator[None]:
        Job.running.append(self)
        Job.most = max(Job.most, len(Job.running))
        self.began.set()
        try:
            assert self.go.wait(10)
            if self.fails is not None:
                raise self.fails
            yield
        finally:
            Job.running.remove(self)

    def cancel(self) -> None:
        self.is_cancelled = True
        self.go.set()


@pytest.fixture(autouse=True)
def nothing_runs() -> None:
    Job.running.clear()
    Job.most = 0


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_no_more_than_the_limit_run_at_once_and_in_their_order(at_once: int) -> None:
    begun: list[int] = []
    pool: Pool[Job] = Pool(at_once=at_once, on_begin=lambda job: begun.append(job.number))
    jobs = [Job(number) for number in range(9)]
    pool.add(jobs)
    for job in jobs[:at_once]:
        assert job.began.wait(10)
    assert not any(job.began.is_set() for job in jobs[at_once:])
    for job in jobs:
        job.go.set()
    pool.wait()
    assert (begun, Job.most) == (list(range(9)), at_once)
    assert not pool.is_running


def test_what_one_raises_is_told_with_it_and_ends_no_other() -> None:
    told: dict[int, BaseException | None] = {}
    pool: Pool[Job] = Pool(on_end=lambda job, raised: told.update({job.number: raised}))
    failure = ServerError("overloaded", status=503)
    jobs = [Job(0), Job(1, failure), Job(2)]
    pool.add(jobs)
    for job in jobs:
        job.go.set()
    pool.wait()
    assert told == {0: None, 1: failure, 2: None}


def test_a_stop_cancels_what_runs_and_begins_no_more() -> None:
    skipped: list[tuple[int, object]] = []
    pool: Pool[Job] = Pool(at_once=1, on_skip=lambda job, why: skipped.append((job.number, why)))
    jobs = [Job(0), Job(1), Job(2)]
    pool.add(jobs)
    assert jobs[0].began.wait(10)
    pool.stop()
    pool.wait()
    assert [job.is_cancelled for job in jobs] == [True, False, False]
    assert skipped == [(1, None), (2, None)]


def test_what_a_listener_raises_is_no_error_of_the_job_and_is_raised_to_who_waits() -> None:
    def listens_badly(job: Job, raised: BaseException | None) -> None:
        assert raised is None
        raise RuntimeError("the listener")

    pool: Pool[Job] = Pool(on_end=listens_badly)
    job = Job(0)
    job.go.set()
    pool.add([job])
    with pytest.raises(RuntimeError, match="the listener"):
        pool.wait()


def test_jobs_can_be_added_while_others_run_and_after_all_are_over() -> None:
    pool: Pool[Job] = Pool(at_once=2)
    first, second, third = Job(0), Job(1), Job(2)
    pool.add([first])
    assert first.began.wait(10)
    pool.add([second])
    assert second.began.wait(10)
    for job in (first, second, third):
        job.go.set()
    pool.wait()
    pool.add([third])
    pool.wait()
    assert third.began.is_set()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "4", None])
def test_the_limit_is_a_number_from_1(server: ScriptedServer, wrong: Any) -> None:
    with pytest.raises(CheckError, match="at_once"):
        nbchat.repeat("Hi", times=2, at_once=wrong, model="m")
    assert server.requests == []


def refused() -> Any:
    return error(401, "wrong key", code="invalid_api_key")


def test_a_wrong_key_ends_all_that_waits_wherever_many_are_asked(server: ScriptedServer) -> None:
    server.default = refused()
    with pytest.raises(AuthenticationError):
        nbchat.repeat("Hi", times=24, model="m")
    assert len(server.requests) <= AT_ONCE
    server.requests.clear()
    panel = nbchat.explore("Hi", profile=server.url, model="m")
    panel.vary("temperature", [k / 24 for k in range(24)])
    panel.wait()
    assert len(server.requests) <= AT_ONCE
    states = [entry.state for entry in panel._desk.screen.entries]
    assert set(states) == {"error"}
    assert "It was not sent: " in panel._desk.screen.entries[-1].sentence
    panel.close()


def test_one_value_that_is_refused_ends_no_other(server: ScriptedServer) -> None:
    server.default = lambda request: (
        error(400, "too hot") if request.body["temperature"] == 2 else speaking("Yes.")(request)
    )
    panel = nbchat.explore("Hi", profile=server.url, model="m")
    panel.vary("temperature", [2, 0, 1], at_once=1)
    panel.wait()
    assert [entry.run.status for entry in panel._desk.screen.entries if entry.run] == [
        "error",
        "complete",
        "complete",
    ]
    panel.close()


def test_the_timeout_of_the_notebook_reaches_the_panel(server: ScriptedServer) -> None:
    panel = nbchat.explore("Hi", profile=server.url, model="m", timeout=7, max_retries=0)
    assert panel.opening["form"]["fields"]["timeout"] == 7
    server.default = error(503)
    panel.run()
    panel.wait()
    assert len(server.requests) == 1
    panel.close()


def test_no_more_are_begun_once_it_is_enough(server: ScriptedServer) -> None:
    draft = nbchat.Draft(messages=[{"role": "user", "content": "Hi"}], fields={"model": "m"})
    executions = [session.Execution(session.prepare(draft)) for _ in range(10)]
    ended: list[session.Execution] = []
    play(executions, at_once=1, on_end=ended.append, is_enough=lambda: len(ended) == 3)
    assert len(server.requests) == 3
    assert [execution.was_begun for execution in executions] == [True] * 3 + [False] * 7


@pytest.mark.parametrize(
    ("raised", "of_the_same", "of_any"),
    [
        (AuthenticationError("no", status=401), True, True),
        (BadRequestError("no", status=400), True, False),
        (ServerError("no", status=500), False, False),
        (CheckError("no"), True, False),
    ],
)
def test_what_ends_all_depends_on_whether_they_are_the_same(
    raised: Exception, of_the_same: bool, of_any: bool
) -> None:
    assert (is_hopeless(raised), is_of_the_server(raised)) == (of_the_same, of_any)
