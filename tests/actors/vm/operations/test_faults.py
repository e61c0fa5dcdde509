"""Phases of a fault, of what populates, and of what pins, one step at a time."""

from actors.messages import Allocate, CopyFrame, Frame, Resolved, Shoot, Signal, ZeroFrames
from actors.operation import KERNEL, POPULATES, USER, OpKind, OpState
from actors.vm.op import Flush
from actors.vm.operations.faults import fault, frame_wait, pin, populate
from actors.vm.operations.flushes import shootdown
from actors.vm.payloads import Dma, Fault, Mlock
from actors.vm.phases import index_of
from kernel import pte as pte_bits
from kernel.errors import Errno, FaultCause, SegvCode
from kernel.page import NOBODY
from kernel.vm_map import WIRED
from tests.support.stepped_vm import P_U, READ, SteppedVm, op_of

LOOK_UP = index_of(fault.PHASES, fault.look_up)
REPLACE = index_of(fault.PHASES, fault.replace_entry)
ENTER = index_of(fault.PHASES, fault.enter)
WRITES = P_U | pte_bits.W | pte_bits.A | pte_bits.D


def store_fault(vpn: int, behalf: int = USER):
    return op_of(OpKind.FAULT, Fault(vpn, write=True, behalf=behalf), vpn, vpn + 1)


def test_a_new_page_is_zeroed_entered_and_told() -> None:
    one = SteppedVm()
    oid = one.map(4, 6)
    op = one.step(fault.lock, store_fault(5))
    op = one.step(fault.look_up, op)
    assert (op.state, op.own.page, op.own.source) == (OpState.FRAME, (oid, 1), None)
    assert one.sent(Allocate) == [Allocate(0)]
    assert one.page_of((oid, 1)).busy == op.lane

    op = fault.got_frame(one.vm, one.space, op, Frame(0, 7, zeroed=False), one.out)
    assert (op.own.cause, op.state, op.phase) == (FaultCause.ZERO_FILL, OpState.WORK, REPLACE)
    assert one.sent(ZeroFrames)[0].frames == ((7, 0),)

    op = one.step(fault.replace_entry, op)
    assert (op.phase, op.flush.gone) == (ENTER, ())
    op = one.step(fault.enter, op)
    assert (op.phase, op.error) == (len(fault.PHASES), -1)
    assert one.pte(5) == pte_bits.make(7, WRITES)
    assert one.page_of((oid, 1)).busy == NOBODY
    assert one.sent(Resolved)[0].cause == FaultCause.ZERO_FILL
    assert one.space.lock.idle()


def test_a_store_to_an_older_copy_keeps_both_pages_busy_and_copies() -> None:
    one = SteppedVm()
    oid = one.map(4, 5)
    old = one.page(4, 7)
    one.vm.objects.by_oid[oid].one_mapping = False
    entry = one.space.map.lookup(4)
    one.vm.objects.by_oid[oid].shadows = (99,)  # somebody else sees it, too
    one.vm.objects.shadow(one.space, entry, 0)
    op = one.step(fault.look_up, one.step(fault.lock, store_fault(4)))
    top = one.space.map.lookup(4).oid
    assert (op.own.page, op.own.source) == ((top, 0), old)
    assert op.own.busy == (((top, 0), 4),)

    op = fault.got_frame(one.vm, one.space, op, Frame(0, 8, zeroed=True), one.out)
    assert op.own.cause is FaultCause.COPY
    assert one.sent(CopyFrame)[0].src == 7
    op = one.step(fault.replace_entry, op)
    assert op.flush.gone == ((4, 7),)


def test_no_frame_gives_up_both_pages() -> None:
    one = SteppedVm()
    oid = one.map(4, 6)
    source = one.page(4, 7, busy=0)
    op = one.step(fault.look_up, one.step(fault.lock, store_fault(5)))
    own = Fault(5, True, USER, page=op.own.page, source=source)
    memory = one.vm.settings.memories[0]
    op = frame_wait.no_frame(one.vm, one.space, op_of(OpKind.FAULT, own), memory, one.out)
    assert (op.state, op.phase) == (OpState.LOW_MEMORY, 0)
    assert (op.own.page, op.own.source) == (None, None)
    assert one.vm.pages.get((oid, 1)) is None
    assert one.page_of(source).busy == NOBODY


def test_whoever_asked_hears_that_the_access_is_not_permitted() -> None:
    one = SteppedVm()
    one.map(4, 5, prot=READ)
    op = one.step(fault.look_up, one.step(fault.lock, store_fault(4, KERNEL)))
    assert (op.error, one.sent(Signal)[0].code) == (-1, SegvCode.ACCERR)
    op = one.step(fault.look_up, one.step(fault.lock, store_fault(9, POPULATES)))
    assert (op.error, len(one.sent(Signal))) == (Errno.ENOMEM, 1)


def test_a_shootdown_leaves_the_cause_alone_whatever_the_order() -> None:
    for hazards in ((), ("generation-after-mask",)):
        one = SteppedVm(hazards=hazards)
        one.space.pmap.active = one.space.pmap.gens = 0b11
        one.map(4, 5)
        one.page(4, 7)
        own = Fault(4, True, USER, FaultCause.COPY)
        flush = Flush(gone=(one.vm.entries.take_entry(4),))
        op = op_of(OpKind.FAULT, own, 4, 5, flush=flush)
        op = one.step(shootdown.zero_generations, op)
        assert op.flush.active == (0b11 if hazards else 0)
        op = one.step(shootdown.interrupt_active, op)
        assert one.sent(Shoot)[0].targets == (1,)
        op = shootdown.invalidated(one.vm, op)
        assert (op.own, op.flush.active, op.flush.gone) == (own, 0, ())


def test_populate_faults_in_what_is_not_there() -> None:
    one = SteppedVm()
    one.map(4, 7)
    one.page(4, 7)
    op = op_of(OpKind.POPULATE, Fault(4, write=False, behalf=POPULATES), 4, 7)
    op = one.step(populate.next_page, op)
    assert (op.phase, op.own.vpn, op.start, op.end) == (0, 5, 4, 7)
    op = one.step(fault.look_up, one.step(fault.lock, op))
    op = fault.got_frame(one.vm, one.space, op, Frame(0, 8, zeroed=True), one.out)
    op = one.step(fault.enter, one.step(fault.replace_entry, op))
    assert (op.phase, op.cursor, op.own.page) == (len(fault.PHASES), 6, None)
    assert not one.sent(Resolved)


def test_mlock_that_failed_undoes_what_it_has_done() -> None:
    one = SteppedVm()
    one.map(4, 6, flags=WIRED)
    one.page(4, 7, WRITES)
    own = Mlock(4, write=True, behalf=POPULATES, wired=((5, 6),))
    failed = {"cursor": 5, "error": Errno.ENOMEM, "phase": populate.NEXT_PAGE}
    op = one.step(populate.next_page, op_of(OpKind.MLOCK, own, 4, 6, **failed))
    one.space.lock.acquire(0, write=True)
    op = one.step(populate.undo, op)
    assert op.phase == len(populate.MLOCK_PHASES)
    wired = {vpn: bool(one.space.map.lookup(vpn).flags & WIRED) for vpn in (4, 5)}
    assert wired == {4: False, 5: True}, "what was wired before stays so"


def test_a_transfer_pins_what_is_mapped_and_has_the_rest_faulted_in() -> None:
    one = SteppedVm(machine={"devices": 1})
    one.map(4, 6)
    key = one.page(4, 7, WRITES)
    op = op_of(OpKind.DMA, Dma(4, True, POPULATES, device=0), 4, 6)
    op = one.step(pin.hold_pages, op)
    assert (op.own.pinned, op.cursor) == ((7,), 5)
    assert one.page_of(key).pins == 1
    op = one.step(pin.hold_pages, op)
    assert (op.phase, op.own.vpn) == (0, 5)
    op = one.step(fault.look_up, one.step(fault.lock, op))
    op = fault.got_frame(one.vm, one.space, op, Frame(0, 8, zeroed=True), one.out)
    op = one.step(fault.enter, one.step(fault.replace_entry, op))
    assert (op.own.pinned, op.cursor) == ((7, 8), 6)


def test_a_transfer_with_a_device_that_is_not_there_is_an_error() -> None:
    one = SteppedVm(machine={"devices": 1})
    op = one.step(pin.hold_pages, op_of(OpKind.DMA, Dma(4, True, POPULATES, device=1), 4, 5))
    assert (op.error, op.phase) == (Errno.ENXIO, len(pin.PHASES))
