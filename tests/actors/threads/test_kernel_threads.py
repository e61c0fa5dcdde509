"""Kernel threads alone: work charged to them, rounds, and clones that go their own way."""

import pytest

from actors.machine import Send, Spend
from actors.messages import (
    Ceded,
    ChunkZeroed,
    IpiAck,
    PageZeroed,
    PassEnded,
    Pressure,
    Scan,
    Scanned,
    Shoot,
    Steal,
    Step,
    Take,
    Taken,
    Watch,
    Work,
    ZeroChunk,
    ZeroJob,
)
from actors.settings import KERNEL_LANE
from actors.threads.pagedaemon import PageDaemon, Stage
from actors.threads.zeroer import Zeroer
from tests.support.core_parts import DAEMON, MEMORY, VM, ZEROER, settings

ONE, TWO = (0, 1), (0, 2)
LANE = KERNEL_LANE + ZEROER


def zeroer(**changes: object) -> Zeroer:
    return Zeroer(ZEROER, settings(**changes))


def daemon() -> PageDaemon:
    return PageDaemon(DAEMON, settings())


@pytest.mark.parametrize("thread", [zeroer(), daemon()], ids=["zeroer", "pagedaemon"])
def test_a_kernel_thread_is_charged_and_initiates(thread: Zeroer | PageDaemon):
    assert thread.on(VM, Work(thread.lane, 70)) == [Spend(70), Send(VM, Step(thread.lane))]
    out = thread.on(VM, Shoot(thread.lane, 1, 0, (), (0, 1), 7))
    assert out[0] == Spend(7)
    before = thread.freeze()
    thread.on(0, IpiAck(thread.lane, 1))
    assert thread.freeze() != before


def test_pages_are_taken_zeroed_together_and_reported():
    one = zeroer()
    assert one.on(VM, ZeroJob(LANE, (ONE, TWO))) == [Send(VM, Take(LANE, (ONE, TWO)))]
    out = one.on(VM, Taken(LANE, ((ONE, 10), (TWO, 11)), 0))
    assert out[-1] == Send(MEMORY, ZeroChunk(LANE, (10, 11), 0))
    assert one.waiting() == ["0 pages queued, 2 in hand"]
    assert one.on(MEMORY, ChunkZeroed(LANE, 0)) == [Send(VM, PageZeroed(LANE, (ONE, TWO)))]
    assert one.waiting() == []


def test_a_page_is_ceded_only_when_its_chunk_is_acknowledged():
    one = zeroer(fine=True)
    one.on(VM, ZeroJob(LANE, (ONE, TWO)))
    one.on(VM, Taken(LANE, ((ONE, 10), (TWO, 11)), 0))
    assert one.on(VM, Steal(LANE, 3, (TWO,))) == [Send(VM, Ceded(LANE, 3, ((TWO, 0),)))]
    assert one.on(VM, Steal(LANE, 3, (ONE,))) == []
    out = one.on(MEMORY, ChunkZeroed(LANE, 0))
    assert out == [Send(VM, Ceded(LANE, 3, ((ONE, 1),)))]


def test_a_page_daemon_scans_until_frames_are_not_short():
    one = daemon()
    lane = KERNEL_LANE + DAEMON
    assert one.on(MEMORY, Pressure(lane, 5, 0, 1)) == [Send(VM, Scan(lane, 0, 5, 5))]
    assert one.stage is Stage.SCAN
    out = one.on(VM, Scanned(lane, 5, 0, (0,) * 5, 7))
    assert out == [Spend(7), Send(MEMORY, PassEnded(lane, False))]
    assert one.on(MEMORY, Pressure(lane, 0, 0, 9)) == []
    assert one.stage is Stage.IDLE


def test_a_clone_of_a_zeroer_goes_its_own_way():
    one = zeroer()
    one.on(VM, ZeroJob(LANE, (ONE,)))
    one.on(VM, Watch(LANE, 4))
    one.on(VM, Shoot(LANE, 1, 0, (), (0,), 0))
    twin = one.clone()
    before = one.freeze()
    assert twin.freeze() == before
    twin.on(VM, Taken(LANE, ((ONE, 10),), 0))
    twin.on(VM, Watch(LANE, 5))
    twin.on(VM, ZeroJob(LANE, (TWO,)))
    twin.on(0, IpiAck(LANE, 1))
    assert one.freeze() == before
    assert twin.freeze() != before


def test_a_clone_of_a_page_daemon_goes_its_own_way():
    one = daemon()
    lane = KERNEL_LANE + DAEMON
    one.on(MEMORY, Pressure(lane, 5, 0, 1))
    twin = one.clone()
    before = one.freeze()
    assert twin.freeze() == before
    twin.on(VM, Scanned(lane, 5, 0, (0,) * 5, 7))
    assert one.freeze() == before
    assert twin.freeze() != before
