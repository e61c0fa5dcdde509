"""Accesses: stretches of TLB hits, misses, loads, walks, entries that go."""

import pytest

from actors.core.accesses import Accesses
from actors.core.values import CALL, DRAIN, FAULT, LOAD, RUN, WALK, Buffered
from actors.facts import CallEnded, CallStarted, Flushed, Refilled, Touched
from actors.guest.program import Access, Copy
from actors.machine import Note, ProtocolError, Send, Spend, Timer
from actors.messages import (
    CatchUp,
    CaughtUp,
    Evict,
    Fault,
    Flush,
    Ipi,
    Load,
    PageFault,
    SetDirty,
    Signal,
    Switched,
    Translation,
    Walk,
)
from actors.operation import OpKind
from actors.settings import TLB_LANE
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.pte import A, D, P, U, W, make
from kernel.stamp import stamp
from kernel.tlb import Tlb
from kernel.units import ASID_SHIFT, CELLS_PER_PAGE
from tests.support.core_parts import (
    COSTS,
    FAR_FRAME,
    MEMORY,
    PAGE,
    VM,
    Asked,
    OnCore,
    loads,
    settings,
    stores,
)

RW = P | U | W | D | A


def accesses(running: OnCore, *entries: tuple[int, int], **changes: object) -> Accesses:
    """Make one whose TLB has (page, entry) of the running thread's space."""
    tlb = Tlb(16)
    for vpn, pte in entries:
        tlb.load(running.asid, vpn, pte)
    return Accesses(settings(**changes), running, Asked(entries=[]), tlb)


def test_stores_that_hit_retire_together_into_the_buffer():
    i = stores(1, 2)
    one = accesses(OnCore(i), (1, make(10, RW)), (2, make(11, RW)))
    out = []
    assert one.access(i, out)
    items = ((CELLS_PER_PAGE, 10, stamp(0, 5, 0)), (2 * CELLS_PER_PAGE, 11, stamp(0, 5, 1)))
    assert out == [
        Note(Touched(0, 2, write=True, first=stamp(0, 5, 0))),
        Spend(2 * COSTS.access_ns),
    ]
    assert one.buffer.asked == [("push", Buffered(0, 0, items))]
    assert (one.running.pc, one.running.part) == (6, 0)


def test_exploring_a_stretch_is_one_granule_and_ends_before_the_next_instruction():
    i = stores(1, 2)
    one = accesses(OnCore(i), (1, make(10, RW)), (2, make(11, RW)), fine=True)
    assert one.access(i, [])
    assert one.access(i, [])
    assert (one.running.pc, one.running.part) == (5, 2)
    assert one.access(i, [])
    assert one.running.pc == 6


def test_a_stretch_ends_at_the_first_miss():
    i = stores(1, 3)
    one = accesses(OnCore(i), (1, make(10, RW)), (3, make(12, RW)))
    assert one.access(i, [])
    assert one.running.part == 1
    out = []
    assert not one.access(i, out)
    assert out == [Send(VM, Walk(0, 0, 2, write=True, kernel=False))]
    assert (one.running.doing, one.walk_vpn, one.walk_killed) == (WALK, 2, False)


def test_a_stretch_stays_within_one_memory_and_within_the_quantum():
    i = stores(1, 2)
    one = accesses(OnCore(i), (1, make(10, RW)), (2, make(FAR_FRAME, RW)))
    one.access(i, [])
    assert one.running.part == 1
    i = stores(1, 100, 16)
    one = accesses(OnCore(i), (1, make(10, RW)), interrupt_quantum_ns=3 * COSTS.access_ns)
    one.access(i, [])
    assert one.running.part == 3


def test_a_store_through_a_clean_entry_asks_for_the_dirty_bit():
    i = stores(1)
    one, out = accesses(OnCore(i), (1, make(10, P | U | W | A))), []
    assert not one.access(i, out)
    assert out == [Send(VM, SetDirty(0, 0, 1, 10, kernel=False))]


def test_an_entry_of_another_space_does_not_count():
    i = loads(1)
    one = accesses(OnCore(i), (1, make(10, RW)))
    one.running.asid = 1
    out = []
    assert not one.access(i, out)
    assert out == [Send(VM, Walk(0, 1, 1, write=False, kernel=False))]


def test_a_full_buffer_makes_a_store_wait_and_not_a_load():
    one = accesses(OnCore(), (1, make(10, RW)), store_buffer=1)
    one.buffer.entries.append(Buffered(0, 0, ((999, 10, 1),)))
    assert not one.access(stores(1), [])
    assert one.running.doing is DRAIN
    assert one.buffer.asked == []
    assert not one.access(loads(1), [])
    assert one.running.doing is LOAD


def test_a_load_waits_for_memory_unless_an_own_store_answers_it():
    one, out = accesses(OnCore(), (1, make(10, RW)), (2, make(11, RW))), []
    one.buffer.entries.append(Buffered(0, 0, ((CELLS_PER_PAGE, 10, 1),)))
    assert one.access(loads(1), out)
    assert one.running.pc == 6
    assert not one.access(loads(1, 2), out)
    assert out[-1] == Send(MEMORY, Load(0, 0, ((2 * CELLS_PER_PAGE, 11),)))
    assert (one.running.doing, one.running.part) == (LOAD, 2)


def test_another_space_s_store_answers_no_load():
    one = accesses(OnCore(), (1, make(10, RW)))
    one.buffer.entries.append(Buffered(0, 1, ((CELLS_PER_PAGE, 10, 1),)))
    assert not one.access(loads(1), [])


def test_the_kernel_copies_where_user_code_may_not():
    i = Copy(PAGE, 1, PAGE, write=True)
    one, out = accesses(OnCore(i), (1, make(10, P | W | D))), []
    assert not one.access(stores(1), [])
    assert one.copy(i, out)
    assert out[:2] == [Note(CallStarted(0, OpKind.COPYOUT, 1)), Spend(COSTS.syscall_ns)]
    assert one.running.part == 2
    assert one.copy(i, out)
    assert out[-1] == Note(CallEnded(0, OpKind.COPYOUT, Errno.OK))
    assert one.running.pc == 6


def test_a_copy_enters_the_kernel_only_with_an_empty_buffer():
    i = Copy(PAGE, 1, PAGE, write=False)
    one, out = accesses(OnCore(i), (1, make(10, RW))), []
    one.buffer.entries.append(Buffered(0, 0))
    assert not one.copy(i, out)
    assert (one.running.doing, one.running.part, out) == (DRAIN, 0, [])


def walking(i: Access | Copy, **changes: object) -> Accesses:
    one = accesses(OnCore(i), **changes)
    one.access(i, []) if isinstance(i, Access) else one.copy(i, [])
    assert one.running.doing is WALK
    return one


def test_a_translation_is_cached_and_the_thread_goes_on():
    one = walking(loads(1))
    assert one.translated(Translation(0, 1, make(10, RW), 7, 0)) is None
    assert one.tlb.rows() == [(0, 1, make(10, RW))]
    assert (one.running.doing, one.walk_vpn) == (RUN, -1)


def test_an_entry_leaves_after_its_time():
    one = walking(loads(1), tlb_life_ns=30)
    one.running.asid = 1
    lane = TLB_LANE + (1 << ASID_SHIFT | 1)
    assert one.translated(Translation(0, 1, make(10, RW), 7, 0)) == Timer(30, Evict(lane, 1, 1))
    assert one.evict(Evict(lane, 1, 1)) == []
    assert one.tlb.rows() == []


@pytest.mark.parametrize("vpns", [(), (1,), (4, 1)])
def test_an_invalidation_kills_the_walk_in_flight(vpns: tuple[int, ...]):
    one, out = walking(loads(1), tlb_life_ns=30), []
    one.drop(Ipi(9, 1, 0, vpns), out)
    assert out == [Note(Flushed(9, 0, vpns))]
    assert one.translated(Translation(0, 1, make(10, RW), 7, 0)) is None
    assert one.tlb.rows() == []
    assert one.running.doing is RUN


@pytest.mark.parametrize(("asid", "vpns"), [(0, (2,)), (1, ()), (1, (1,))])
def test_an_invalidation_of_something_else_does_not(asid: int, vpns: tuple[int, ...]):
    one = walking(loads(1))
    one.drop(Ipi(9, 1, asid, vpns), [])
    assert not one.walk_killed


def test_with_the_hazard_the_walk_survives():
    one = walking(loads(1), hazards=Hazard.WALK_SURVIVES_FLUSH)
    one.drop(Ipi(9, 1, 0, (1,)), [])
    assert not one.walk_killed


def test_a_translation_that_nobody_waits_for_is_refused():
    one = accesses(OnCore(doing=CALL))
    with pytest.raises(ProtocolError):
        one.translated(Translation(0, 1, make(10, RW), 7, 0))


def test_a_page_fault_drops_the_entry_and_enters_the_kernel():
    i = stores(1)
    one = walking(i)
    one.tlb.load(0, 1, make(10, P | U))
    assert one.faulted(PageFault(0, 1)) == [Send(VM, Fault(0, 0, 1, write=True, kernel=False))]
    assert (one.running.doing, one.walk_vpn, one.tlb.rows()) == (FAULT, -1, [])


def test_a_signal_skips_the_access_and_ends_a_copy():
    i = stores(1, 3)
    one = walking(i)
    one.signalled(Signal(0, 1, 0, 7), [])
    assert (one.running.doing, one.running.part, one.running.pc) == (RUN, 1, 5)
    copy = Copy(PAGE, 3, PAGE, write=False)
    one, out = walking(copy), []
    one.signalled(Signal(0, 1, 0, 7), out)
    assert out == [Note(CallEnded(0, OpKind.COPYIN, Errno.EFAULT))]
    assert one.running.pc == 6


def test_a_flush_costs_by_the_page_or_as_a_whole():
    one, out = accesses(OnCore(), (1, make(10, RW)), (2, make(11, RW))), []
    one.flush(Flush(9, 0, (1,)), out)
    assert out[-1] == Spend(COSTS.local_invalidate_page_ns)
    assert [vpn for _, vpn, _ in one.tlb.rows()] == [2]
    one.flush(Flush(9, 0, ()), out)
    assert out[-1] == Spend(COSTS.local_flush_ns)
    assert one.tlb.rows() == []


def test_a_full_flush_loses_what_it_is_not_about() -> None:
    """The thread pays for the share that it uses again, at its next instruction."""
    pages = [(vpn, make(10 + vpn, RW)) for vpn in range(1, 9)]
    one, out = accesses(OnCore(), *pages, refill_percent=50), []
    one.flush(Flush(9, 0, (), (3, 5)), out)
    assert (one.tlb.rows(), one.lost) == ([], 6)
    out = []
    one.refill(out)
    assert out == [Note(Refilled(0, 3)), Spend(3 * COSTS.walk_ns)]
    assert one.lost == 0
    one = accesses(OnCore(), *pages)
    one.flush(Flush(9, 0, (), (3, 5)), [])
    assert one.lost == 0, "the guest's own accesses walk again"


def test_a_switch_drops_all_what_is_named_or_nothing():
    for keep, vpns, left in ((True, (), [1, 2]), (True, (1,), [2]), (False, (), [])):
        one = accesses(OnCore(), (1, make(10, RW)), (2, make(11, RW)))
        one.catch_up(Switched(0, 0, keep, vpns, 0), [])
        assert [vpn for _, vpn, _ in one.tlb.rows()] == left


def test_the_core_catches_up_in_the_kernel_when_nothing_is_in_flight():
    m = CatchUp(9, 0, (1,), 4)
    one = accesses(OnCore(doing=CALL), (1, make(10, RW)))
    out = one.catch_up_in_kernel(VM, m)
    assert out[-1] == Send(VM, CaughtUp(9, 0, 4))
    assert one.tlb.rows() == []
    assert accesses(OnCore(doing=LOAD)).catch_up_in_kernel(VM, m) == []
    assert accesses(OnCore(asid=1)).catch_up_in_kernel(VM, m) == []
    busy = accesses(OnCore())
    busy.buffer.entries.append(Buffered(0, 0))
    assert busy.catch_up_in_kernel(VM, m) == []


def test_who_was_woken_walks_again():
    one = walking(loads(1))
    one.forget_walk()
    assert one.walk_vpn == -1
    one.walk_again()
    assert one.translated(Translation(0, 1, make(10, RW), 7, 0)) is None
    assert one.tlb.rows() == []


def test_a_clone_has_a_tlb_and_a_walk_of_its_own():
    one = walking(loads(1))
    theirs, buffer = OnCore(doing=WALK), Asked(entries=[])
    twin = one.clone(theirs, buffer)
    assert twin.freeze() == one.freeze()
    assert twin.running is theirs
    assert twin.buffer is buffer
    twin.translated(Translation(0, 1, make(10, RW), 7, 0))
    assert (one.walk_vpn, one.tlb.rows()) == (1, [])
    assert twin.freeze() != one.freeze()
    killed = one.clone(theirs, buffer)
    killed.drop(Ipi(9, 1, 0, ()), [])
    assert killed.freeze() != one.freeze()
