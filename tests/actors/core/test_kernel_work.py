"""Kernel work: zeroing and copying in chunks, shootdowns, time, pages of files."""

from actors.core.kernel_work import KernelWork
from actors.machine import Send, Spend, Timer
from actors.messages import (
    ChunkCopied,
    CopyChunk,
    CopyFrame,
    FillFrame,
    IpiAck,
    PageRead,
    ReadPage,
    Shoot,
    Step,
    Work,
    ZeroChunk,
    ZeroFrames,
)
from kernel.policy.keys import Invalidate, Policy
from tests.support.core_parts import (
    COSTS,
    FAR_FRAME,
    MEMORY,
    OTHER_MEMORY,
    VM,
    Asked,
    settings,
)

ZERO_NS = COSTS.zero_page_ns


def work(**changes: object) -> KernelWork:
    return KernelWork(settings(**changes), Asked(), Asked())


def test_a_zero_fill_fault_is_one_chunk_and_a_step():
    one = work()
    assert one.zero_frames(VM, ZeroFrames(4, ((10, 0),), 7)) == [
        Spend(7 + ZERO_NS),
        Send(MEMORY, ZeroChunk(4, (10,), 0)),
    ]
    assert one.zero_some(4) == [Send(VM, Step(4))]
    assert one.zeroing == {}


def test_frames_are_zeroed_in_groups_of_one_memory_within_the_quantum():
    one = work(interrupt_quantum_ns=2 * ZERO_NS)
    frames = tuple((pfn, 0) for pfn in (10, 11, 12, FAR_FRAME))
    assert one.zero_frames(VM, ZeroFrames(4, frames, 7)) == [
        Spend(7),
        Spend(2 * ZERO_NS),
        Send(MEMORY, ZeroChunk(4, (10, 11), 0)),
    ]
    assert one.zero_some(4)[1] == Send(MEMORY, ZeroChunk(4, (12,), 0))
    assert one.zero_some(4)[1] == Send(OTHER_MEMORY, ZeroChunk(4, (FAR_FRAME,), 0))
    assert one.zero_some(4) == [Send(VM, Step(4))]


def test_exploring_a_frame_has_two_chunks_and_those_done_are_left_out():
    one = work(fine=True)
    out = one.zero_frames(VM, ZeroFrames(4, ((10, 1), (11, 0)), 0))
    assert out[1:] == [Spend(ZERO_NS // 2), Send(MEMORY, ZeroChunk(4, (10,), 1))]
    assert one.zero_some(4)[1] == Send(MEMORY, ZeroChunk(4, (11,), 0))
    assert one.zero_some(4)[1] == Send(MEMORY, ZeroChunk(4, (11,), 1))


def test_two_operations_are_zeroed_for_side_by_side():
    one = work()
    one.zero_frames(VM, ZeroFrames(4, ((10, 0),), 0))
    one.zero_frames(VM + 1, ZeroFrames(5, ((11, 0),), 0))
    assert one.zero_some(4) == [Send(VM, Step(4))]
    assert one.zero_some(5) == [Send(VM + 1, Step(5))]


def test_a_copy_goes_chunk_by_chunk_from_the_memory_that_has_the_frame():
    one = work(fine=True)
    out = one.copy_frame(VM, CopyFrame(4, FAR_FRAME, 10, 7))
    chunk = Spend(COSTS.copy_page_ns // 2)
    assert out == [Spend(7), chunk, Send(OTHER_MEMORY, CopyChunk(4, FAR_FRAME, 10, 0))]
    out = one.chunk_copied(ChunkCopied(4, 0))
    assert out == [chunk, Send(OTHER_MEMORY, CopyChunk(4, FAR_FRAME, 10, 1))]
    assert one.chunk_copied(ChunkCopied(4, 1)) == [Send(VM, Step(4))]
    assert one.copying == {}


def test_the_own_flush_overlaps_the_wait_for_others():
    one, m = work(), Shoot(4, 3, 0, (1, 2), (1,), 7)
    assert one.shoot_down(VM, m) == [Spend(7), Spend(2 * COSTS.local_invalidate_page_ns)]
    assert one.rounds.asked == [("shoot", VM, m)]
    assert one.accesses.asked == [("drop", m)]


def test_alone_the_own_flush_is_all():
    order = []
    rounds, accesses = Asked(), Asked()
    rounds.shoot = lambda _vm, _m, out: order.append(len(out))
    one = KernelWork(settings(), accesses, rounds)
    out = one.shoot_down(VM, Shoot(4, 3, 0, (), (), 7))
    assert out == [Spend(7), Spend(COSTS.local_flush_ns)]
    assert order == [2]


def test_a_broadcast_reaches_the_own_entries_too():
    one = work(policy=Policy(invalidate=Invalidate.BROADCAST))
    m = Shoot(4, 3, 0, (), (1,), 7)
    assert one.shoot_down(VM, m) == [Spend(7)]
    assert one.accesses.asked == [("drop", m)]


def test_acknowledgements_are_counted_by_the_rounds():
    one, m = work(), IpiAck(4, 3)
    assert one.count_ack(1, m) == []
    assert one.rounds.asked == [("acknowledge", 1, m)]


def test_time_is_spent_and_reported():
    assert work().work(VM, Work(4, 70)) == [Spend(70), Send(VM, Step(4))]


def test_a_page_of_a_file_comes_by_a_timer():
    read = PageRead(4, FAR_FRAME, 99)
    out = work().read_page(ReadPage(4, FAR_FRAME, 99, 7))
    assert out == [Spend(7), Timer(COSTS.file_read_ns, read)]
    assert work().page_read(read) == [Send(OTHER_MEMORY, FillFrame(4, FAR_FRAME, 99))]


def test_a_clone_works_on_its_own():
    one = work()
    one.zero_frames(VM, ZeroFrames(4, ((10, 0),), 0))
    one.copy_frame(VM, CopyFrame(5, 10, 11, 0))
    twin = one.clone(Asked(), Asked())
    assert twin.freeze() == one.freeze()
    twin.zero_some(4)
    assert twin.freeze() != one.freeze()
    assert list(one.zeroing) == [4]
    other = one.clone(Asked(), Asked())
    other.chunk_copied(ChunkCopied(5, 0))
    assert other.freeze() != one.freeze()
