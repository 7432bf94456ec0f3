from __future__ import annotations

import gc
import threading
import weakref

from nbchat.display.pace import Cost, Painter, Schedule, Surface
from tests.display.fakes import Clock


class Sheet:
    def __init__(self, cost: Cost | None = None) -> None:
        self.dirty = False
        self.painted: list[float] = []
        self.cost = cost or Cost(1, 700)
        self.clock = Clock()
        self.seen = threading.Event()

    def paint(self) -> Cost:
        self.dirty = False
        self.painted.append(self.clock.now)
        self.seen.set()
        return self.cost


def run_for(seconds: float, painter: Painter, clock: Clock, sheets: list[Sheet]) -> None:
    """Keep all sheets dirty for so long."""
    end = clock.now + seconds
    while clock.now < end:
        for sheet in sheets:
            painter.want(sheet)
        clock.now += painter.step() or 0.0


def painter_of(clock: Clock, sheets: list[Sheet]) -> Painter:
    for sheet in sheets:
        sheet.clock = clock
    return Painter(clock, has_thread=False)


def test_the_first_frame_comes_at_once() -> None:
    sheet = Sheet()
    painter = painter_of(Clock(), [sheet])
    painter.want(sheet)
    painter.step()
    assert sheet.painted == [0.0]


def test_one_reply_gets_at_most_twelve_frames_a_second() -> None:
    clock, sheet = Clock(), Sheet()
    run_for(10, painter_of(clock, [sheet]), clock, [sheet])
    assert 60 < len(sheet.painted) <= 120, "and not much fewer"


def test_a_large_frame_is_painted_less_often() -> None:
    clock, sheet = Clock(), Sheet(Cost(1, 20_000))
    run_for(10, painter_of(clock, [sheet]), clock, [sheet])
    assert len(sheet.painted) == 5


def test_thirty_two_replies_stay_below_sixty_messages_a_second_in_all() -> None:
    clock, sheets = Clock(), [Sheet() for _ in range(32)]
    run_for(10, painter_of(clock, sheets), clock, sheets)
    times = sorted(time for sheet in sheets for time in sheet.painted)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 60
    assert len(times) > 300


def test_thirty_two_replies_are_painted_equally_often() -> None:
    clock, sheets = Clock(), [Sheet() for _ in range(32)]
    run_for(10, painter_of(clock, sheets), clock, sheets)
    counts = [len(sheet.painted) for sheet in sheets]
    assert max(counts) - min(counts) <= 1


def test_a_reply_that_must_wait_holds_no_other_up() -> None:
    clock, slow, quick = Clock(), Sheet(Cost(1, 100_000)), Sheet()
    run_for(5, painter_of(clock, [slow, quick]), clock, [slow, quick])
    assert len(slow.painted) == 1
    assert len(quick.painted) > 30


def test_nothing_is_painted_while_nothing_is_new() -> None:
    clock, sheet = Clock(), Sheet()
    painter = painter_of(clock, [sheet])
    painter.want(sheet)
    painter.step()
    clock.now += 100
    assert painter.step() is None
    assert len(sheet.painted) == 1


def test_the_last_tokens_before_a_stall_are_painted_too() -> None:
    clock, sheet = Clock(), Sheet()
    painter = painter_of(clock, [sheet])
    painter.want(sheet)
    painter.step()
    painter.want(sheet)  # at once after a frame, and then nothing more comes
    wait_s = painter.step()
    assert wait_s is not None
    clock.now += wait_s
    painter.step()
    assert len(sheet.painted) == 2


def test_a_dropped_surface_is_painted_no_more() -> None:
    clock, sheet = Clock(), Sheet()
    painter = painter_of(clock, [sheet])
    painter.want(sheet)
    painter.drop(sheet)
    assert painter.step() is None
    assert sheet.painted == []


def test_last_frames_wait_for_their_turn_when_many_come_at_once() -> None:
    clock = Clock()
    painter = Painter(clock, has_thread=False)
    times = []
    for _ in range(120):
        clock.now += painter.reserve()
        times.append(clock.now)
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 60
    assert times[2] == 0.0, "a reply alone does not wait"


def test_a_surface_that_fails_does_not_stop_the_others() -> None:
    class Broken(Sheet):
        def paint(self) -> Cost:
            self.dirty = False
            raise OSError("the front end is gone")

    clock, sheets = Clock(), [Broken(), Sheet()]
    run_for(1, painter_of(clock, sheets), clock, sheets)
    assert sheets[1].painted


def test_one_thread_paints_for_all_and_ends_with_the_process() -> None:
    painter, sheets = Painter(), [Sheet() for _ in range(5)]
    before = set(threading.enumerate())
    for sheet in sheets:
        painter.want(sheet)
    assert all(sheet.seen.wait(5) for sheet in sheets)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon


def test_the_thread_sees_a_wish_that_comes_while_it_sleeps() -> None:
    painter, sheet = Painter(), Sheet()
    for _ in range(3):
        sheet.seen.clear()
        painter.want(sheet)
        assert sheet.seen.wait(5)


def test_a_painted_surface_is_not_kept_alive() -> None:
    schedule = Schedule()
    sheet: Surface = Sheet()
    schedule.painted(sheet, 0.0, Cost(1, 1))
    alive = weakref.ref(sheet)
    del sheet
    gc.collect()
    assert alive() is None
