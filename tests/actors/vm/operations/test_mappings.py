"""Phases that change what is mapped: munmap(2), mprotect(2), fork(2), mremap(2) and the like."""

from actors.facts import Residency
from actors.messages import Allocate, CopyFrame, Frame, Free
from actors.operation import OpKind, OpState
from actors.vm.operations.mappings import (
    discard,
    fork,
    fork_pinned,
    incore,
    inherit,
    object_chain,
    protect,
    remap,
)
from actors.vm.payloads import NOTHING, Discard, Fork, Inherit, Map, Protect, Remap
from actors.vm.phases import index_of
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.page import NOBODY
from kernel.vm_map import NEEDS_COPY, NOT_INHERITED, SHARED
from tests.support.stepped_vm import P_U, READ, WRITE, SteppedVm, op_of, va

USED = P_U | pte_bits.W | pte_bits.A | pte_bits.D
LET_PAGES_GO = discard.let_pages_go(discard.private)


def test_munmap_frees_frames_after_the_flush_only() -> None:
    one = SteppedVm()
    oid = one.map(4, 5)
    key = one.page(4, 7, USED)
    op = op_of(OpKind.MUNMAP, Discard(), 4, 5)
    assert not LET_PAGES_GO.idle(one.vm, one.space, op)
    op = one.step(LET_PAGES_GO.step, op)
    assert (op.flush.gone, op.flush.frames) == (((4, 7),), (7,))
    assert one.vm.pages.get(key) is None
    assert LET_PAGES_GO.idle(one.vm, one.space, op)
    assert not one.sent(Free)
    op = one.step(discard.free_frames, op)
    assert (one.sent(Free)[0].pfns, op.flush.frames) == ((7,), ())
    op = one.step(object_chain.settle, one.step(discard.unmap, op))
    assert (op.drops, oid in one.vm.objects.by_oid) == ((), False)


def test_with_the_hazard_a_page_is_let_go_as_it_was_seen_before_the_sleep() -> None:
    one = SteppedVm(hazards=("no-restart-after-busy",))
    one.map(4, 5)
    key = one.page(4, 7, 0, busy=9)
    op = one.step(LET_PAGES_GO.step, op_of(OpKind.MUNMAP, Discard(), 4, 5))
    assert (op.state, op.own.seen) == (OpState.PAGE_BUSY, (4,))
    one.vm.entries.enter(4, key, one.page_of(key).with_busy(NOBODY), USED)
    op = one.step(LET_PAGES_GO.step, op)
    assert (op.flush.gone, bool(one.pte(4))) == ((), True)


def test_mmap_extends_a_neighbour_that_is_like_it() -> None:
    one = SteppedVm()
    oid = one.map(4, 5)
    own = Map(prot=READ | WRITE, shared=False, file=-1, first=0)
    one.step(discard.map_memory, op_of(OpKind.MMAP, own, 5, 7))
    assert one.space.map.lookup(6).oid == oid
    shared = Map(prot=READ, shared=True, file=-1, first=0)
    one.step(discard.map_memory, op_of(OpKind.MMAP, shared, 7, 8))
    assert one.space.map.lookup(7).flags == SHARED
    of_file = Map(prot=READ, shared=False, file=3, first=9)
    one.step(discard.map_memory, op_of(OpKind.MMAP, of_file, 8, 9))
    entry = one.space.map.lookup(8)
    assert (one.vm.objects.by_oid[entry.oid].file, entry.offset, entry.flags) == (3, 9, NEEDS_COPY)


def test_mprotect_takes_w_away_one_entry_a_step() -> None:
    one = SteppedVm()
    one.map(4, 6)
    for vpn in (4, 5):
        one.page(vpn, vpn, USED)
    op = op_of(OpKind.MPROTECT, Protect(READ), 4, 6)
    op = one.step(protect.change_entries, op)
    assert (op.flush.gone, op.cursor, op.phase) == (((4, 4),), 5, 0)
    op = one.step(protect.change_entries, op)
    assert (len(op.flush.gone), op.phase) == (2, 1)
    assert not (one.pte(4) | one.pte(5)) & pte_bits.W
    one.step(protect.change_map, op)
    assert one.space.map.lookup(4).prot == READ


def test_mincore_and_minherit_say_and_set_what_they_are_asked_for() -> None:
    one = SteppedVm()
    one.map(4, 6)
    one.page(5, 7)
    one.step(incore.look, op_of(OpKind.MINCORE, NOTHING, 4, 6))
    assert one.noted(Residency)[0].vec == "01"
    assert one.step(incore.look, op_of(OpKind.MINCORE, NOTHING, 4, 7)).error == Errno.ENOMEM
    op = op_of(OpKind.MINHERIT, Inherit(on=NOT_INHERITED, off=0), 4, 6)
    one.step(inherit.change_entries, op)
    assert one.space.map.lookup(4).flags == NOT_INHERITED


def test_fork_takes_w_away_and_gives_the_child_what_is_mapped() -> None:
    one = SteppedVm()
    one.map(4, 5)
    one.page(4, 7, USED)
    op = one.step(fork.lock, op_of(OpKind.FORK, Fork(child=1)))
    op = one.step(fork.write_protect, op)
    assert (op.flush.gone, op.cursor) == (((4, 7),), 5)
    op = one.step(fork.write_protect, op)
    one.step(fork.copy_entries, op)
    assert one.vm.spaces[1].map.lookup(4).flags == NEEDS_COPY
    assert one.pte(4, asid=1) == pte_bits.make(7, P_U)


def test_fork_copies_an_entry_that_has_merged_with_what_is_copied() -> None:
    one = SteppedVm()
    oid = one.map(4, 8)
    one.page(7, 7)
    one.vm.objects.by_oid[oid].one_mapping = False
    one.space.map.change(6, 8, lambda e: e.with_flags(on=NEEDS_COPY))  # until the rest has it too
    op = one.step(fork.lock, op_of(OpKind.FORK, Fork(child=1)))
    for copied in (6, 8):
        op = one.step(fork.copy_entries, op)
        assert op.cursor == copied
        assert [(e.start, e.end) for e in one.space.map.entries] == [(4, 8)]
        assert [(e.start, e.end) for e in one.vm.spaces[1].map.entries] == [(4, copied)]
    assert one.pte(7, asid=1)
    assert one.step(fork.copy_entries, op).phase == op.phase + 1


def test_fork_copies_what_a_device_has_pinned() -> None:
    one = SteppedVm(machine={"devices": 1})
    one.map(4, 5)
    pinned = one.page(4, 7, USED, pins=1)
    op = one.step(fork.lock, op_of(OpKind.FORK, Fork(child=1)))
    op = one.step(fork.copy_entries, op)
    assert (op.state, one.sent(Allocate)) == (OpState.FRAME, [Allocate(0)])
    op = fork_pinned.got_frame(op, Frame(0, 8, zeroed=True))
    assert (op.state, op.own.spare) == (OpState.READY, (8,))
    for _ in range(2):  # an entry, and no more entries
        op = one.step(fork.copy_entries, op)

    op = one.step(fork_pinned.keep_pinned, op)
    kept = one.space.map.lookup(4).oid, 0
    assert (op.own.copying, op.own.spare, op.state) == ((pinned, kept), (), OpState.WORK)
    assert op.own.busy == ((pinned, 0),)
    assert (one.sent(CopyFrame)[0].src, one.sent(CopyFrame)[0].dst) == (7, 8)
    op = one.step(fork_pinned.copied, op)
    assert op.own.copying is None
    assert [one.page_of(key).busy for key in (pinned, kept)] == [NOBODY, NOBODY]


def test_mremap_moves_one_run_of_pages_after_another() -> None:
    one = SteppedVm()
    one.map(4, 5)
    one.map(6, 8)
    one.page(4, 4, USED)
    own = Remap(old=4, old_end=8, new=20, new_end=24, keep=False, end=8)
    op = one.step(remap.check, op_of(OpKind.MREMAP, own, 4, 8))
    run = op.own
    assert (run.old, run.old_end, run.new, run.new_end) == (4, 5, 20, 21)
    op = one.step(remap.aim_at_target, op)
    assert (op.start, op.end) == (20, 21)
    op = one.step(remap.aim_at_cut, op)
    assert op.start == op.end
    op = one.step(remap.take_entries, one.step(remap.aim_at_moved, op))
    assert (op.own.moved, op.flush.gone) == (((4, pte_bits.make(4, USED)),), ((va(4), 4),))

    op = one.step(remap.move_entries, op)
    assert one.pte(20) == pte_bits.make(4, USED)
    assert (op.own.old, op.own.old_end, op.own.new, op.own.moved) == (6, 8, 22, ())
    assert op.phase == index_of(remap.PHASES, remap.aim_at_target)


def test_mremap_that_makes_a_range_shorter_cuts_it() -> None:
    one = SteppedVm()
    one.map(4, 8)
    own = Remap(old=4, old_end=8, new=20, new_end=22, keep=True, end=8)
    op = one.step(remap.check, op_of(OpKind.MREMAP, own, 4, 8))
    assert op.own == own
    op = one.step(remap.aim_at_cut, op)
    assert (op.start, op.end) == (6, 8)
    op = one.step(remap.aim_at_moved, op)
    assert (op.start, op.end) == (4, 6)
    one.space.lock.acquire(0, write=True)
    op = one.step(remap.check, op_of(OpKind.MREMAP, own, 9, 10))
    assert (op.error, op.phase) == (Errno.EFAULT, len(remap.PHASES))
