"""A page fault.

    lock the map shared; look up: fatal, sleep on a busy page, resident, or a new page (busy, no
    frame yet); frame; zero it unless it is known to be zero; enter it in the page table; unlock

Source: FreeBSD vm_fault: the page is allocated busy in the first object, zero-filled, entered and
unbusied; who meets a busy page drops everything, sleeps and starts over from the map lookup.
"""

from actors.facts import Faulted, Segv
from actors.machine import Effect, Note, Send
from actors.message import Message, PageKey
from actors.messages import (
    Allocate,
    Frame,
    Resolved,
    Signal,
    Translation,
    ZeroFrames,
)
from actors.operations.operation import Op, OpState, advance, replace
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.errors import FaultCause, SegvCode
from kernel.hazards import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import Page
from kernel.policy import HoleAccess, Rogue
from kernel.units import ASID_SHIFT
from kernel.vm_map import MapEntry
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2
#: last phases, by number: enter the page; end
ENTER = 4


def look_up(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: find the entry and the page, and decide."""
    entry = space.map.lookup(op.start)
    if entry is None:
        return _fatal(vm, space, op, SegvCode.MAPERR, out)
    if not entry.prot & (_WRITE if op.args[0] else _READ):
        return _fatal(vm, space, op, SegvCode.ACCERR, out)
    if entry.hole and vm.settings.policy.hole_access is HoleAccess.FATAL:
        return _fatal(vm, space, op, SegvCode.HOLE, out)
    costs = vm.settings.costs
    key = (entry.oid, entry.pindex(op.start))
    page = vm.get(key)
    if page is None:
        return _new_page(vm, replace(op, ns=op.ns + costs.fault_ns), entry, key, out)
    if vm.must_wait(page, _touch_event(vm)):
        vm.unlock_map(space, op, out)
        return vm.sleep_on_page(replace(op, phase=0), key, out)
    vm.put(key, page.with_busy(op.op))  # until it is entered: nobody may take it meanwhile
    pte = space.pmap.ptes.get(op.start, 0)
    if pte_bits.permits(pte, write=bool(op.args[0])):
        ns = op.ns + costs.spurious_fault_ns
        return replace(op, value=FaultCause.SPURIOUS, phase=ENTER, ns=ns)
    cause = FaultCause.PERMISSION if pte else FaultCause.SOFT
    if page.hole is not HoleState.LIVE:
        cause = FaultCause.ROGUE
        _touch(vm, key, op)
    return replace(op, value=cause, phase=ENTER, ns=op.ns + costs.fault_ns)


def _fatal(vm: VmState, space: VmSpace, op: Op, code: SegvCode, out: list[Effect]) -> Op:
    vm.unlock_map(space, op, out)
    out.append(Note(Segv(op.op, op.asid, op.start, code)))
    out.append(Send(op.by, Signal(op.op, op.start, code, op.ns + vm.settings.costs.signal_ns)))
    return replace(op, phase=len(PHASES), error=-1)


def _touch_event(vm: VmState) -> HoleEvent:
    reuses = vm.settings.policy.rogue is Rogue.REUSE_PAGE
    return HoleEvent.ROGUE if reuses else HoleEvent.TOUCH


def _touch(vm: VmState, key: PageKey, op: Op) -> None:
    _, actions = vm.hole_event(key, _touch_event(vm), op)
    assert Action.WAIT not in actions, "a page in such a state is busy"


def _new_page(vm: VmState, op: Op, entry: MapEntry, key: PageKey, out: list[Effect]) -> Op:
    stays = vm.settings.policy.rogue is Rogue.STAY_HOLE
    hole = HoleState.IDLE if entry.hole and stays else HoleState.LIVE
    vm.put(key, Page(-1, op.op, hole))
    memory = vm.settings.memories[vm.settings.domain_of(op.by)]
    out.append(Send(memory, Allocate(op.op)))
    return replace(op, state=OpState.FRAME)


def got_frame(vm: VmState, space: VmSpace, op: Op, frame: Frame, out: list[Effect]) -> Op:
    """Take the frame that memory gave: zero it unless it is known to be zero."""
    key, page = _own_page(vm, space, op)
    vm.give_frame(key, page, frame.pfn)
    op = advance(replace(op, state=OpState.READY, value=FaultCause.ZERO_FILL))
    if frame.zeroed or vm.settings.hazards & Hazard.FOREIGN_FRAME:
        return advance(op)
    out.append(Send(op.by, ZeroFrames(op.op, ((frame.pfn, 0),), op.ns)))
    return replace(op, state=OpState.WORK, ns=0, phase=op.phase + 1)


def _own_page(vm: VmState, space: VmSpace, op: Op) -> tuple[PageKey, Page]:
    found = vm.page_at(space, op.start)
    assert found is not None, "the map is locked, the page is busy"
    return found


def nothing(_vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: zeroing, done by the initiator."""
    return advance(op)


def enter(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: write the entry, unbusy the page, unlock, and let the access go on."""
    key, page = _own_page(vm, space, op)
    entry = space.map.lookup(op.start)
    assert entry is not None
    bits = pte_bits.P | pte_bits.U | pte_bits.A
    if entry.prot & _WRITE:
        bits |= pte_bits.W
    old = space.pmap.ptes.get(op.start, 0)
    bits |= pte_bits.D if op.args[0] else old & pte_bits.D
    pte = vm.enter(op.asid << ASID_SHIFT | op.start, key, page, bits)
    if page.busy == op.op:
        vm.unbusy(key, vm.objects[key[0]].pages[key[1]], out)
    vm.unlock_map(space, op, out)
    out.append(Note(Faulted(op.op, op.asid, op.start, op.value, op.ns)))
    reply: Message
    if vm.settings.fine:
        reply = Resolved(op.op, op.ns, op.value)
    else:
        reply = Translation(op.op, op.start, pte, op.ns, op.value)
    out.append(Send(op.by, reply))
    return replace(op, phase=len(PHASES), error=-1)


def lock(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the map lock shared; its cost is part of `fault_ns`."""
    return vm.lock_map(space, op, out, write=False) or advance(op)


PHASES: tuple[Phase, ...] = (
    lock,
    look_up,
    nothing,
    nothing,
    enter,
)
