"""One limit for many workers: leases on a clock of their own, with links that are slow or cut."""

from __future__ import annotations

import pytest

from nbchat.errors import BudgetError
from nbchat.sweep.board import Board
from nbchat.sweep.leased import Allowance, LeasedBudget
from nbchat.sweep.leases import Renewal, Report, Spent, Use
from nbchat.sweep.limiter import Permit
from nbchat.sweep.shares import BudgetShares, Shares, fair, whole
from nbchat.sweep.station import Station
from tests.sweep.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("n", "per_minute"), [(2, 600), (8, 600), (8, 60), (16, 3_000)])
def test_all_workers_together_keep_the_limit_of_every_minute(n: int, per_minute: int) -> None:
    cluster = SimulatedCluster(n, requests_per_minute=per_minute).run(150)
    assert cluster.most_in(60) <= 1.05 * per_minute
    late = [at for at in cluster.sent if at >= 30]
    assert len(late) >= 0.8 * per_minute * 2  # of two minutes


def test_the_tokens_of_a_minute_are_kept_by_all_together() -> None:
    cluster = SimulatedCluster(4, tokens_per_minute=60_000)
    for worker in cluster.workers:
        worker.tokens = 100
    assert cluster.run(120).most_in(60) <= 1.05 * 600
    assert len([at for at in cluster.sent if at >= 60]) >= 0.85 * 600


@pytest.mark.parametrize("at_once", [1, 3, 16, 50])
def test_there_are_never_more_at_once_than_all_may(at_once: int) -> None:
    cluster = SimulatedCluster(4, at_once=at_once).run(40)
    assert cluster.most_going <= at_once
    assert len([at for at in cluster.sent if at >= 20]) >= 0.7 * at_once * 20 / 0.24


def test_what_a_slow_worker_does_not_use_the_others_get() -> None:
    cluster = SimulatedCluster(4, requests_per_minute=1_200, at_once=64)
    cluster.workers[0].takes_s = 20.0  # 16 slots of 20 s: less than one in a second
    cluster.run(150)
    assert cluster.most_in(60) <= 1.05 * 1_200
    assert len([at for at in cluster.sent if at >= 90]) >= 0.85 * 1_200


def test_a_worker_keeps_its_slots_between_two_tasks() -> None:
    cluster = SimulatedCluster(2, at_once=8)
    cluster.workers[0].has_rows = lambda now: now % 2.1 > 0.4
    cluster.run(60)
    between, always = (len([at for at in one.sent if at >= 20]) for one in cluster.workers)
    assert between >= 0.75 * always
    assert cluster.most_going <= 8


def test_a_worker_that_uses_its_slots_by_fits_keeps_them() -> None:
    shares = Shares(at_once=8)
    for worker in "ab":
        shares.told(0.0, worker, Use(lacks_slots=True))
    for second in range(1, 10):
        for worker in "ab":
            lease = shares.lease(second, worker)
            shares.told(second, worker, Use(going=0, most_going=4, n_requests=second))
    assert lease.slots == 4


def test_a_worker_has_its_share_before_the_rows_come_where_there_are_rows_for_all() -> None:
    for all_get_rows, slots in ((True, [4, 4]), (False, [0, 0])):
        board = Board(lease_s=10.0)
        stations = {name: Station(clock=lambda: 0.0) for name in "ab"}
        for name, station in stations.items():
            board.told(0.0, name, station.renew(board.renewal(0.0, name)))
        board.add_server(0.0, 0, Shares(at_once=8, all_get_rows=all_get_rows))
        assert [board.renewal(0.0, name).leases[0].slots for name in "ab"] == slots


def test_slots_that_a_worker_had_no_time_to_use_are_not_taken_from_it() -> None:
    shares = Shares(at_once=8)
    shares.told(0.0, "a", Use(lacks_slots=True))
    assert shares.lease(0.05, "a").slots == 8
    shares.told(0.05, "a", Use())
    assert shares.lease(0.1, "a").slots == 8
    shares.told(2.0, "a", Use())
    assert shares.lease(2.0, "a").slots == 0


def test_a_worker_that_is_cut_off_stops_within_its_lease_and_its_share_goes_to_the_others() -> None:
    cluster = SimulatedCluster(
        4,
        requests_per_minute=1_200,
        is_cut=lambda now, worker: worker == 0 and now >= 40,
    ).run(150)
    assert 45 < max(cluster.workers[0].sent) <= 40 + 15
    assert cluster.most_in(60) <= 1.05 * 1_200
    assert len([at for at in cluster.sent if at >= 90]) >= 0.85 * 1_200


def test_all_workers_stop_when_the_driver_is_lost_and_go_on_when_it_is_back() -> None:
    cluster = SimulatedCluster(
        3, requests_per_minute=600, is_cut=lambda now, _: 30 <= now < 90
    ).run(130)
    assert not [at for at in cluster.sent if 46 < at < 90]
    assert [at for at in cluster.sent if 40 < at < 44]
    assert [at for at in cluster.sent if at > 95]
    assert cluster.most_in(60) <= 1.05 * 600


def test_a_link_that_loses_one_message_in_four_keeps_the_limit() -> None:
    cluster = SimulatedCluster(
        4, requests_per_minute=600, is_cut=lambda now, worker: int(now * 7 + worker) % 4 == 0
    ).run(150)
    assert cluster.most_in(60) <= 1.05 * 600
    assert len([at for at in cluster.sent if at >= 90]) >= 0.6 * 600


def test_a_message_that_comes_late_does_not_make_a_lease_longer() -> None:
    now = 0.0
    station = Station(clock=lambda: now)
    board = Board(lease_s=10.0)
    board.servers[0] = SimulatedCluster(1, at_once=4).board.servers[0]
    grants = station.grants_of(0, is_here=False)
    board.told(now, "w", station.renew(board.renewal(now, "w")))
    grants.take(now, 1)
    for now in (1.0, 2.0):
        board.told(now, "w", station.renew(board.renewal(now, "w")))
    assert isinstance(grants.take(now, 1), Permit)
    late = board.renewal(now, "w")  # it answers what the station said at 1 s
    now = 100.0
    station.renew(late)
    assert isinstance(grants.take(now, 1), float)


def test_a_retry_after_that_one_worker_met_holds_all_back() -> None:
    limited: list[float] = []

    def answer(now: float, _: int) -> tuple[str, float | None]:
        if now > 20 and not limited:
            limited.append(now)
            return "limited", 10.0
        return "answered", None

    cluster = SimulatedCluster(4, at_once=16, answer=answer).run(45)
    at = limited[0]
    assert not [sent for sent in cluster.sent if at + 3 < sent < at + 10]
    assert [sent for sent in cluster.sent if sent > at + 14]


def test_a_limit_of_the_headers_is_one_for_all() -> None:
    cluster = SimulatedCluster(4, at_once=32)
    for worker in cluster.workers:
        worker.station.grants_of(0, is_here=False).learn({"x-ratelimit-limit-requests": "600"})
    cluster.run(100)
    late = [at for at in cluster.sent if at >= 40]
    assert 0.8 * 600 <= len(late) <= 1.05 * 600


def test_workers_with_servers_of_their_own_share_nothing() -> None:
    cluster = SimulatedCluster(5, each=4).run(20)
    assert cluster.most_going == 20


def test_an_allowance_begins_empty_and_saves_up_half_a_second() -> None:
    allowance = Allowance()
    allowance.set(0.0, 10.0)
    assert allowance.wait_s(0.0, 1) == pytest.approx(0.1)
    assert allowance.wait_s(100.0, 5) == 0
    allowance.take(100.0, 5)
    assert allowance.wait_s(100.0, 1) == pytest.approx(0.1)
    allowance.set(100.0, 0.0)
    assert allowance.wait_s(200.0, 1) == float("inf")


def test_shares_are_fair_and_whole() -> None:
    assert fair(10, [1, 100, 100]) == [1, 4.5, 4.5]
    assert fair(10, [1, 2]) == [4.5, 5.5]
    assert whole(10, fair(10, [1, 100, 100])) in ([1, 5, 4], [1, 4, 5])
    assert sum(whole(7, fair(7, [3.0] * 4))) == 7


def test_a_budget_is_never_given_away_twice_and_comes_back_from_those_that_need_none() -> None:
    total = 1.0
    shares, budgets = BudgetShares(total), {name: LeasedBudget() for name in "abc"}

    def renew(name: str) -> None:
        limit, is_all = shares.part(name)
        budgets[name].renew(limit or 0.0, is_all=is_all)
        shares.told(name, budgets[name].spent())

    n_paid = 0
    for turn in range(400):
        name = "abc"[turn % 3]
        if name != "c" or turn < 60:  # the last one has no more rows after a while
            try:
                budgets[name].settle(budgets[name].reserve(0.01), 0.01)
                n_paid += 1
            except BudgetError:
                pass
        renew(name)
        assert sum(one.limit_usd or 0.0 for one in budgets.values()) <= total + 1e-9
    assert n_paid in (99, 100)
    assert not budgets["a"].may_grow
    assert not budgets["b"].may_grow


def test_what_a_lost_worker_had_set_aside_counts_as_spent() -> None:
    shares = BudgetShares(1.0)
    shares.told("a", Spent(limit_usd=0.6, used_usd=0.1, reserved_usd=0.2))
    shares.told("b", Spent(lacks_usd=0.5))
    assert shares.part("b")[0] == pytest.approx(0.4)
    shares.over("a")
    assert shares.part("b")[0] == pytest.approx(0.7)
    assert shares.used_usd == pytest.approx(0.3)


def test_rows_are_told_again_until_they_were_received() -> None:
    from nbchat.sweep.records import Record

    station, board = Station(), Board(lease_s=10.0)
    station._keep([Record(row_id=f"row {n}", status="answered", item=n, sample=0) for n in (1, 2)])
    lost = station.renew(board.renewal(0.0, "w"))
    assert [row.row_id for row in lost.rows] == ["row 1", "row 2"]
    rows = board.told(1.0, "w", station.renew(board.renewal(1.0, "w")))
    assert [row.row_id for row in rows] == ["row 1", "row 2"]
    station._keep([Record(row_id="row 3", status="answered", item=3, sample=0)])
    rows = board.told(2.0, "w", station.renew(board.renewal(2.0, "w")))
    assert [row.row_id for row in rows] == ["row 3"]


def test_another_process_at_the_same_address_has_no_part_in_the_old_lease() -> None:
    board = Board(lease_s=10.0)
    board.servers[0] = SimulatedCluster(1, at_once=4).board.servers[0]
    first, now = Station(clock=lambda: 0.0), 0.0
    grants = first.grants_of(0, is_here=False)
    for now in (0.0, 0.1, 0.2):
        grants.take(0.0, 1)
        board.told(now, "w", first.renew(board.renewal(now, "w")))
    assert board.servers[0].held(now, "slots") == 4
    second = Station(clock=lambda: 0.0)
    second.grants_of(0, is_here=False).take(0.0, 1)
    for now in (1.0, 1.1, 1.2, 5.0):
        report: Report = second.renew(board.renewal(now, "w"))
        board.told(now, "w", report)
    assert board.renewal(9.0, "w").leases[0].slots == 0
    second.grants_of(0, is_here=False).take(0.0, 1)
    board.told(10.0, "w", second.renew(board.renewal(10.0, "w")))
    renewal: Renewal = board.renewal(10.5, "w")
    assert renewal.leases[0].slots == 4


def test_files_of_tasks_that_are_over_are_named_until_their_station_has_heard_of_it() -> None:
    board, station, other = Board(lease_s=10.0), Station(), Station()
    board.told(0.0, "w", station.renew(board.renewal(0.0, "w")))
    board.told(0.0, "o", other.renew(board.renewal(0.0, "o")))
    board.gathered(station.id, ["task-1-0"])
    assert board.renewal(1.0, "w").gathered == ["task-1-0"]  # it is lost on its way
    board.gathered(station.id, ["task-2-0", "task-2-1"])
    renewal = board.renewal(2.0, "w")
    assert renewal.gathered == ["task-1-0", "task-2-0", "task-2-1"]
    board.gathered(station.id, ["task-3-0"])
    board.told(2.0, "w", station.renew(renewal))
    assert board.renewal(3.0, "w").gathered == ["task-3-0"]
    assert board.renewal(3.0, "o").gathered == []
