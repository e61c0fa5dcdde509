"""Phases of madvise(2): HOLE, ZERO, MADV_FREE, MADV_PAGEOUT, and the others."""

import pytest

from actors.facts import Granted, HoleSettled
from actors.messages import Steal, ZeroFrames, ZeroJob
from actors.operation import OpKind, OpState
from actors.vm.operations.advice import (
    advise_free,
    advise_hole,
    advise_pageout,
    advise_pages,
    advise_remove,
    advise_reuse,
    advise_zero,
    zero_grant,
)
from actors.vm.payloads import NO_QUEUE, NOTHING, Free, Hole, Pageout, Zero
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hole import HoleState
from kernel.page import DIRTY, LAZY_FREE, NOBODY
from kernel.page_queue import Queue
from kernel.vm_map import SHARED, WIRED
from tests.support.stepped_vm import P_U, SteppedVm, op_of

USED = P_U | pte_bits.W | pte_bits.A | pte_bits.D


def test_hole_takes_pages_busy_and_settles_them_after_the_flush() -> None:
    one = SteppedVm()
    one.map(4, 6)
    key = one.page(4, 7, USED)
    op = one.step(advise_hole.mark_range, op_of(OpKind.HOLE, Hole(), 4, 6))
    op = one.step(advise_hole.take_pages, op)
    assert op.own == Hole(pages=((key, 4),))
    assert op.own.busy == ((key, 4),)
    assert op.flush.gone == ((4, 7),)
    page = one.page_of(key)
    assert (page.hole, page.busy) == (HoleState.FLUSHING, op.lane)

    op = one.step(advise_hole.flushed, op)
    assert op.own == Hole()
    page = one.page_of(key)
    assert (page.hole, page.busy) == (HoleState.QUEUED, NOBODY)
    assert one.sent(ZeroJob)[0].keys == (key,)
    assert [(f.start, f.end) for f in one.noted(HoleSettled)] == [(4, 6)]


def test_hole_passes_over_a_wired_page() -> None:
    one = SteppedVm()
    one.map(4, 5, flags=WIRED)
    key = one.page(4, 7, USED)
    op = one.step(advise_hole.take_pages, op_of(OpKind.HOLE, Hole(), 4, 5))
    assert (op.own, op.flush.gone) == (Hole(), ())
    assert one.page_of(key).hole is HoleState.LIVE


@pytest.mark.parametrize("errno", [Errno.EPERM, Errno.ENOMEM])
def test_zero_of_nothing_keeps_the_error_that_cut_it_off(errno: Errno) -> None:
    one = SteppedVm()
    one.map(4, 5)
    op = one.step(zero_grant.grant, op_of(OpKind.ZERO, Zero(), 4, 4, error=errno))
    assert op.error is errno


def zero(one: SteppedVm, end: int, own: Zero | None = None):
    return op_of(OpKind.ZERO, own or Zero(), 4, end)


def test_zero_decides_page_by_page() -> None:
    one = SteppedVm(machine={"grain": "fused"}, zeroing="background-steal")
    one.map(4, 8)
    idle = one.page(4, 4, 0, hole=HoleState.IDLE)
    zeroing = one.page(5, 5, 0, hole=HoleState.ZEROING, busy=99)
    zeroed = one.page(6, 6, 0, hole=HoleState.ZEROED)
    one.page(7, 7, hole=HoleState.LIVE, pins=1)
    op = one.step(advise_zero.claim_pages, zero(one, 8))
    assert op.own.pages == ((idle, 4), (zeroed, 6))
    assert op.own.inline == ((4, 0),)
    assert op.own.wanted == ((zeroing, 5),)
    assert op.own.left == (7,)

    op = one.step(advise_zero.ask_zeroer, op)
    assert (op.state, one.sent(Steal)[0].keys) == (OpState.ZEROING, (zeroing,))
    op = advise_zero.ceded(one.vm, op, ((zeroing, 0),), one.out)
    assert (op.state, op.own.wanted) == (OpState.READY, ())
    assert op.own.inline == ((4, 0), (5, 0))
    op = one.step(advise_zero.zero_inline, op)
    assert one.sent(ZeroFrames)[0].frames == ((4, 0), (5, 0))
    assert (op.state, op.own.inline) == (OpState.WORK, ())


def test_zero_goes_back_for_a_page_that_is_out_of_the_hole_again() -> None:
    one = SteppedVm()
    one.map(4, 7)
    key = one.page(4, 4, 0, hole=HoleState.IDLE)
    one.page(5, 5, 0)
    op = one.step(advise_zero.claim_pages, zero(one, 7))
    assert op.own.pages == ((key, 4),)
    back = one.step(advise_zero.claim_pages, op)
    assert (back.cursor, back.own.upto, back.end) == (5, 5, 7)
    assert advise_zero.PHASES[back.phase].step is advise_zero.hole_live_pages
    assert back.own.pages == op.own.pages


def test_zero_without_hole_gives_its_pages_back_when_they_are_flushed() -> None:
    one = SteppedVm()
    one.map(4, 5)
    key = one.page(4, 7, USED)
    op = one.step(advise_zero.hole_live_pages, zero(one, 5))
    assert (op.own.pages, op.flush.gone) == (((key, 4),), ((4, 7),))
    op = one.step(advise_zero.own_flushed, op)
    assert op.own.pages == ()
    page = one.page_of(key)
    assert (page.hole, page.busy) == (HoleState.IDLE, NOBODY)


def test_the_grant_lets_pages_go_and_says_what_it_left() -> None:
    one = SteppedVm()
    one.map(4, 7)
    key = one.page(4, 4, 0, hole=HoleState.INLINE, busy=0)
    one.page(5, 5, pins=1)
    op = one.step(zero_grant.grant, zero(one, 7, Zero(pages=((key, 4),), left=(5,))))
    assert (op.own.pages, op.error) == ((), Errno.EINVAL)
    assert one.page_of(key).hole is HoleState.LIVE
    assert [(f.start, f.end) for f in one.noted(Granted)] == [(4, 5), (6, 7)]


def test_free_marks_pages_and_hints_them_when_they_are_flushed() -> None:
    one = SteppedVm()
    one.map(4, 5)
    key = one.page(4, 7, USED)
    op = one.step(advise_free.mark_pages, op_of(OpKind.ADVISE_FREE, Free(), 4, 5))
    assert (op.own.marked, op.own.busy) == (((key, 4),), ())
    assert op.flush.gone == ((4, 7),)
    assert one.page_of(key).flags == LAZY_FREE
    op = one.step(advise_free.hint, op)
    assert op.own.marked == ()
    assert one.vm.pages.queues.where[7] == Queue.NOREUSE


def test_deactivating_keeps_what_was_stored() -> None:
    one = SteppedVm()
    one.map(4, 5)
    key = one.page(4, 7, USED)
    op = one.step(advise_free.deactivate_pages, op_of(OpKind.ADVISE_DONTNEED, Free(), 4, 5))
    assert op.own.marked == ((key, 4),)
    assert one.page_of(key).flags == DIRTY
    assert not one.pte(4) & (pte_bits.A | pte_bits.D)


def choose(name: str):
    return next(p.step for p in advise_pageout.PHASES if p.name == name)


def test_pageout_takes_batches_from_its_range() -> None:
    one = SteppedVm(machine={"swap_slots": 4})
    one.map(4, 7)
    keys = [one.page(vpn, vpn, USED) for vpn in (4, 5)]
    op = op_of(OpKind.ADVISE_PAGEOUT, Pageout(), 4, 7)
    assert op.own.queue == NO_QUEUE
    op = one.step(choose("choose_dirty"), op)
    assert op.own == Pageout(queue=Queue.INACTIVE, batch=((keys[0], 4, 0),), upto=5)
    op = one.step(choose("choose_dirty"), op)
    assert (op.own.batch, op.own.upto) == (((keys[1], 5, 0),), 6)
    before = op.phase
    op = one.step(choose("choose_dirty"), op)
    assert (op.own.upto, op.phase > before + 1) == (0, True)


def test_cold_makes_pages_look_unused() -> None:
    one = SteppedVm()
    one.map(4, 5)
    one.page(4, 7, USED)
    op = one.step(advise_pages.cool_pages, op_of(OpKind.ADVISE_COLD, NOTHING, 4, 5))
    assert op.flush.gone == ((4, 7),)
    assert not one.pte(4) & pte_bits.A
    assert one.vm.pages.queues.where[7] == Queue.INACTIVE


def test_remove_takes_every_entry_of_shared_pages() -> None:
    one = SteppedVm()
    one.map(4, 5, flags=SHARED)
    key = one.page(4, 7, USED)
    op = one.step(advise_remove.remove_pages, op_of(OpKind.ADVISE_REMOVE, NOTHING, 4, 5))
    assert (op.flush.gone, op.flush.frames) == (((4, 7),), (7,))
    assert one.vm.pages.get(key) is None


def test_reuse_takes_pages_out_of_the_hole_as_they_are() -> None:
    one = SteppedVm(preset="apple")
    one.map(4, 5)
    key = one.page(4, 7, USED, hole=HoleState.IDLE)
    op = one.step(advise_reuse.reuse_pages, op_of(OpKind.REUSE, NOTHING, 4, 5))
    assert (one.page_of(key).hole, op.flush.gone) == (HoleState.LIVE, ())
