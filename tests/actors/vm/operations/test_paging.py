"""Phases of the page daemon's scans, and the process that is killed."""

from actors.messages import Die, Free, Kill, PageOut, Scanned
from actors.operation import POPULATES, OpKind, OpState
from actors.vm.operations.paging import age, kill, launder, page_scan, reclaim
from actors.vm.payloads import Discard, Dma, Fork, Scan
from actors.vm.phases import index_of
from kernel import pte as pte_bits
from kernel.hole import HoleState
from kernel.page import DIRTY, NOBODY
from kernel.page_queue import Queue
from kernel.vmspace import Ending
from tests.support.stepped_vm import P_U, SteppedVm, op_of

CLEAN = P_U | pte_bits.W
STORED = CLEAN | pte_bits.A | pte_bits.D


def scan(one: SteppedVm, queue: Queue, target: int = 9, *, short: int = 0):
    daemon = one.vm.settings.daemons[0]
    return page_scan.begin(one.vm, 0, daemon, queue, target, short)


def queued(one: SteppedVm, queue: Queue, bits: int, vpn: int = 4, **page: int):
    if one.space.map.lookup(vpn) is None:
        one.map(vpn, vpn + 1)
    key = one.page(vpn, vpn, bits, **page)
    one.vm.pages.enqueue(vpn, queue, activity=2)
    return key


def test_a_batch_comes_off_the_queue_with_its_activities() -> None:
    one = SteppedVm(machine={"grain": "fused"})
    keys = [queued(one, Queue.INACTIVE, CLEAN, vpn) for vpn in (4, 5)]
    op = scan(one, Queue.INACTIVE)
    assert (op.own.target, op.own.most, op.own.short) == (9, 2, False)
    op = one.step(page_scan.collect, op)
    assert op.own.batch == ((keys[0], 4, 2), (keys[1], 5, 2))
    assert (op.own.looked, op.phase) == (2, 1)
    op, key, page, activity = page_scan.next_page(one.vm, op)
    assert (key, page.pfn, activity, len(op.own.batch)) == (keys[0], 4, 2, 1)


def test_the_tally_ends_the_scan_and_is_reported() -> None:
    one = SteppedVm()
    queued(one, Queue.INACTIVE, CLEAN)
    op = page_scan.count(scan(one, Queue.INACTIVE, target=3), freed=1, moved=2)
    op = one.step(page_scan.collect, op)
    assert op.error == -1
    told = one.sent(Scanned)[0]
    assert (told.freed, told.moved) == (1, 2)


def test_reclaim_frees_a_clean_page_after_its_flush() -> None:
    one = SteppedVm()
    key = queued(one, Queue.INACTIVE, CLEAN)
    op = one.step(page_scan.collect, scan(one, Queue.INACTIVE))
    op = one.step(reclaim.take_pages, op)
    assert (op.own.taken, op.own.batch, op.flush.gone) == ((key,), (), ((4, 4),))
    assert op.own.busy == ((key, 0),)
    op = one.step(reclaim.free_pages, op)
    assert (op.own.taken, op.own.freed) == ((), 1)
    assert one.sent(Free)[0].pfns == (4,)


def test_reclaim_sends_a_dirty_page_to_the_laundry_and_takes_one_of_a_hole() -> None:
    one = SteppedVm()
    queued(one, Queue.INACTIVE, CLEAN, flags=DIRTY)
    op = one.step(page_scan.collect, scan(one, Queue.INACTIVE))
    assert one.step(reclaim.take_pages, op).own.taken == ()
    assert one.vm.pages.queues.where[4] == Queue.LAUNDRY
    hole = queued(one, Queue.HOLES, 0, 5, hole=HoleState.IDLE, flags=DIRTY)
    op = one.step(page_scan.collect, scan(one, Queue.HOLES))
    assert one.step(reclaim.take_pages, op).own.taken == (hole,)


def test_laundering_writes_a_cluster_and_keeps_where_it_went() -> None:
    one = SteppedVm(machine={"swap_slots": 4})
    key = queued(one, Queue.LAUNDRY, CLEAN | pte_bits.D)
    op = one.step(page_scan.collect, scan(one, Queue.LAUNDRY))
    op = one.step(launder.protect_pages, op)
    assert (op.own.taken, op.flush.gone) == ((key,), ((4, 4),))
    assert not one.pte(4) & (pte_bits.W | pte_bits.D)
    op = one.step(launder.write_out, op)
    assert (op.state, one.sent(PageOut)[0].pfns) == (OpState.PAGER, (4,))
    op = launder.paged_out(op, (2,))
    assert op.own.slots == (2,)
    op = one.step(launder.written, op)
    assert (op.own.taken, op.own.slots, op.own.moved) == ((), (), 1)
    assert one.vm.objects.by_oid[key[0]].swap == {key[1]: 2}
    assert (one.page_of(key).busy, one.page_of(key).flags) == (NOBODY, 0)


def test_with_the_hazard_pages_are_written_before_the_flush() -> None:
    one = SteppedVm(machine={"swap_slots": 4}, hazards=("page-out-before-acks",))
    op = op_of(OpKind.LAUNDER, Scan())
    phases = launder.phases(one.vm, op)
    assert index_of(phases, launder.write_out) < index_of(phases, launder.written) - 1


def test_an_active_page_ages_until_it_is_inactive() -> None:
    one = SteppedVm()
    queued(one, Queue.ACTIVE, STORED)
    op = one.step(page_scan.collect, scan(one, Queue.ACTIVE))
    op = one.step(age.age_pages, op)
    assert (op.own.moved, op.flush.gone) == (0, ((4, -1),))
    assert one.vm.pages.queues.where[4] == Queue.ACTIVE
    one.vm.pages.enqueue(4, Queue.ACTIVE, activity=1)
    op = one.step(page_scan.collect, scan(one, Queue.ACTIVE, short=1))
    op = one.step(age.age_pages, op)
    assert (op.own.short, op.own.moved) == (True, 1)
    assert one.vm.pages.queues.where[4] == Queue.LAUNDRY


def test_frames_that_operations_hold_count_for_a_process() -> None:
    one = SteppedVm()
    one.map(4, 5)
    one.page(4, 7, CLEAN)
    pinned = Dma(4, True, POPULATES, pinned=(7, 8))  # 8: its page is gone
    one.vm.in_flight.ops = {
        0: op_of(OpKind.DMA, pinned),
        1: op_of(OpKind.FORK, Fork(child=1, spare=(9,))),
        2: op_of(OpKind.MUNMAP, Discard()),
    }
    assert kill.sizes(one.vm)[0] == (0, 3, 0)


def test_killing_tears_the_space_down_as_exit_does() -> None:
    one = SteppedVm()
    op = kill.begin(one.vm, 5, Kill(7, 0, 3), one.out)
    assert (op.kind, op.by, op.own) == (OpKind.EXIT, 5, Discard())
    assert one.space.ending is Ending.KILLED
    assert [m.op for m in one.sent(Die)] == [0]
