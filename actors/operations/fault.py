"""A page fault.

    lock the map shared; look up: fatal, sleep on a busy page, resident, copied from an older copy,
    or a new page (busy, no frame yet); frame; zero or copy it; flush what it replaces; enter it in
    the page table; unlock

Source: FreeBSD vm_fault: the page is allocated busy in the first object, zero-filled or copied,
entered and unbusied; who meets a busy page drops everything, sleeps and starts over from the map
lookup. A read maps the older copy where it is; FreeBSD allocates a page for it first, and frees it.
"""

from actors.facts import Faulted, Segv, Stalled, SwapRead
from actors.machine import Effect, Note, Send
from actors.message import Message, PageKey
from actors.messages import (
    Allocate,
    CopyFrame,
    Frame,
    PageIn,
    Resolved,
    Signal,
    Sleep,
    Translation,
    ZeroFrames,
)
from actors.operations import shootdown
from actors.operations.operation import Op, OpState, advance, replace
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.errors import FaultCause, SegvCode
from kernel.hazards import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import NOBODY, Page
from kernel.policy import HoleAccess, Rogue
from kernel.units import ASID_SHIFT
from kernel.vm_map import HOLE, NEEDS_COPY, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2


def lock(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the map lock shared; its cost is part of `fault_ns`."""
    return vm.lock_map(space, op, out, write=False) or advance(op)


def look_up(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: find the entry and the page, and decide."""
    entry = space.map.lookup(op.start)
    if entry is None or space.killed:
        code = SegvCode.KILLED if space.killed else SegvCode.MAPERR
        return _fatal(vm, space, op, code, out)
    if not entry.prot & (_WRITE if op.args[0] else _READ):
        return _fatal(vm, space, op, SegvCode.ACCERR, out)
    if entry.flags & HOLE and vm.settings.policy.hole_access is HoleAccess.FATAL:
        return _fatal(vm, space, op, SegvCode.HOLE, out)
    if entry.flags & NEEDS_COPY and op.args[0]:
        vm.unlock_map(space, op, out)
        return replace(op, phase=_UPGRADE)
    key = (entry.oid, entry.pindex(op.start))
    top = vm.objects[entry.oid]
    page = top.pages.get(key[1])
    if page is None:
        return _not_resident(vm, space, op, entry, out)
    if vm.must_wait(page, _touch_event(vm)):
        return _sleep(vm, space, op, key, out)
    return _resident(vm, space, op, key, page)


def _not_resident(vm: VmState, space: VmSpace, op: Op, entry: MapEntry, out: list[Effect]) -> Op:
    key, top = (entry.oid, entry.pindex(op.start)), vm.objects[entry.oid]
    if key[1] in top.swap:
        return _page_in(vm, op, key, out)
    if top.backing != NONE:
        return _older_copy(vm, space, op, key, out)
    return _new_page(vm, op, entry, key, out)


def _sleep(vm: VmState, space: VmSpace, op: Op, key: PageKey, out: list[Effect]) -> Op:
    vm.unlock_map(space, op, out)
    return vm.sleep_on_page(replace(op, phase=0), key, out)


def _resident(vm: VmState, space: VmSpace, op: Op, key: PageKey, page: Page) -> Op:
    """Hold a resident page busy until it is entered: nobody may take it meanwhile."""
    vm.put(key, page.with_busy(op.op))
    op = replace(op, pages=((key, op.start),))
    costs = vm.settings.costs
    pte = space.pmap.ptes.get(op.start, 0)
    if pte_bits.permits(pte, write=bool(op.args[0])) and pte_bits.pfn_of(pte) == page.pfn:
        ns = op.ns + costs.spurious_fault_ns
        return replace(op, value=op.value or FaultCause.SPURIOUS, phase=_ENTER, ns=ns)
    cause = FaultCause.PERMISSION if pte else FaultCause.SOFT
    if page.hole is not HoleState.LIVE:
        cause = FaultCause.ROGUE
        _, actions = vm.hole_event(key, _touch_event(vm), op)
        assert Action.WAIT not in actions, "a page in such a state is busy"
    return replace(op, value=op.value or cause, phase=_REPLACE, ns=op.ns + costs.fault_ns)


def _fatal(vm: VmState, space: VmSpace, op: Op, code: SegvCode, out: list[Effect]) -> Op:
    vm.unlock_map(space, op, out)
    if code is not SegvCode.KILLED:
        out.append(Note(Segv(op.op, op.asid, op.start, code)))
    out.append(Send(op.by, Signal(op.op, op.start, code, op.ns + vm.settings.costs.signal_ns)))
    return replace(op, phase=len(PHASES), error=-1)


def _touch_event(vm: VmState) -> HoleEvent:
    reuses = vm.settings.policy.rogue is Rogue.REUSE_PAGE
    return HoleEvent.ROGUE if reuses else HoleEvent.TOUCH


def _new_page(vm: VmState, op: Op, entry: MapEntry, key: PageKey, out: list[Effect]) -> Op:
    """Begin a zero-filled page, or one that is to be copied (op.wanted) to."""
    stays = vm.settings.policy.rogue is Rogue.STAY_HOLE
    hole = HoleState.IDLE if entry.flags & HOLE and stays else HoleState.LIVE
    vm.put(key, Page(-1, op.op, hole))
    memory = vm.settings.memories[vm.settings.domain_of(op.by)]
    out.append(Send(memory, Allocate(op.op)))
    ns = op.ns + vm.settings.costs.fault_ns
    return replace(op, state=OpState.FRAME, pages=((key, op.start),), ns=ns)


def _page_in(vm: VmState, op: Op, key: PageKey, out: list[Effect]) -> Op:
    """Begin to read a page from swap, into the object whose copy it is."""
    vm.put(key, Page(-1, op.op))
    memory = vm.settings.memories[vm.settings.domain_of(op.by)]
    out.append(Send(memory, Allocate(op.op)))
    ns = op.ns + vm.settings.costs.fault_ns
    return replace(op, state=OpState.FRAME, pages=((key, op.start),), ns=ns)


def paged_in(vm: VmState, op: Op, out: list[Effect]) -> Op:
    """Take in that the page was read; the fault starts over and finds it."""
    ((key, _),) = op.pages
    page = vm.get(key)
    assert page is not None, "it is busy"
    vm.activate(page)
    vm.wake(op.op, out)
    vm.unbusy(key, page, out)
    out.append(Note(SwapRead(op.op)))
    return replace(op, pages=(), value=FaultCause.PAGE_IN)


def _older_copy(vm: VmState, space: VmSpace, op: Op, top_key: PageKey, out: list[Effect]) -> Op:
    """Look down the chain: read an older copy where it is, write to a new one of one's own."""
    oid, index = top_key
    top = vm.objects[oid]
    page: Page | None = None
    while page is None and vm.objects[oid].backing != NONE:
        index += vm.objects[oid].offset
        oid = vm.objects[oid].backing
        behind = vm.objects[oid]
        if index < behind.size:
            page = behind.pages.get(index)
            if page is None and index in behind.swap:
                return _page_in(vm, op, (oid, index), out)
    entry = space.map.lookup(op.start)
    assert entry is not None
    if page is None:
        return _new_page(vm, op, entry, top_key, out)
    key = (oid, index)
    if page.busy != NOBODY:
        return _sleep(vm, space, op, key, out)
    if not op.args[0]:
        return _resident(vm, space, op, key, page)
    if oid == top.backing and vm.refs(oid) == 1 and vm.objects[oid].anonymous:
        # nobody else can see it: it moves up instead of being copied
        return _resident(vm, space, op, top_key, vm.rename(key, top_key))
    vm.put(key, page.with_busy(op.op))
    return _new_page(vm, replace(op, wanted=((key, 0),)), entry, top_key, out)


def upgrade(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the map lock exclusively, give the entry a shadow object, go on as a reader."""
    slept = vm.lock_map(space, op, out, write=True)
    if slept is not None:
        return slept
    entry = space.map.lookup(op.start)
    if entry is not None and entry.flags & NEEDS_COPY and entry.prot & _WRITE:
        vm.shadow(space, entry, op.op)
    space.lock, woken = space.lock.downgrade(op.op)
    for waiter in woken:
        vm.wake(waiter, out)
    return replace(op, phase=_LOOK_UP, ns=op.ns + vm.settings.costs.map_ns)


def got_frame(vm: VmState, space: VmSpace, op: Op, frame: Frame, out: list[Effect]) -> Op:
    """Take the frame that memory gave: copy the older page to it, or zero it unless it is zero.

    Or read it from swap: nothing is locked meanwhile, only the page is busy.
    """
    ((key, _),) = op.pages
    page = vm.get(key)
    assert page is not None, "it is busy"
    vm.give_frame(key, page, frame.pfn)
    slot = vm.objects[key[0]].swap.get(key[1])
    if slot is not None:
        (swap,) = vm.settings.swaps
        out.append(Send(swap, PageIn(op.op, slot, frame.pfn)))
        out.append(Send(op.by, Sleep(op.op, OpState.PAGER, op.ns)))
        vm.unlock_map(space, op, out)
        return replace(op, state=OpState.PAGER, phase=0, ns=0)
    cause = op.value or (FaultCause.COPY if op.wanted else FaultCause.ZERO_FILL)
    op = replace(op, state=OpState.READY, value=cause, phase=_REPLACE)
    if op.wanted:
        source = vm.get(op.wanted[0][0])
        assert source is not None, "it is busy"
        out.append(Send(op.by, CopyFrame(op.op, source.pfn, frame.pfn, op.ns)))
        return replace(op, state=OpState.WORK, ns=0)
    hazards = vm.settings.hazards
    if frame.zeroed or (hazards and hazards & Hazard.FOREIGN_FRAME):
        return op
    out.append(Send(op.by, ZeroFrames(op.op, ((frame.pfn, 0),), op.ns)))
    return replace(op, state=OpState.WORK, ns=0)


def no_frame(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Give everything up and sleep until frames are free; then the fault starts over.

    Source: FreeBSD vm_fault_allocate: unlock_and_deallocate, vm_waitpfault.
    """
    ((key, _),) = op.pages
    del vm.objects[key[0]].pages[key[1]]
    vm.wake_page(key, out)
    for held, _ in op.wanted:
        found = vm.get(held)
        assert found is not None, "it is busy"
        vm.unbusy(held, found, out)
    vm.unlock_map(space, op, out)
    out.append(Note(Stalled(op.op)))
    out.append(Send(op.by, Sleep(op.op, OpState.LOW_MEMORY, op.ns)))
    return replace(op, state=OpState.LOW_MEMORY, phase=0, pages=(), wanted=(), ns=0)


def wake_up(vm: VmState, op: Op, out: list[Effect]) -> None:
    """Wake an operation that sleeps for frames; once, whoever says so first."""
    vm.ops[op.op] = replace(op, state=OpState.READY)
    vm.wake(op.op, out)


def replace_entry(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: take away entries for another page: threads of the process may have it cached.

    Where several processes write to the object that the copy went to, all their entries for the
    older page go (CVE-2021-29626).
    """
    ((key, vpn),) = op.pages
    page, va = vm.get(key), op.asid << ASID_SHIFT | vpn
    assert page is not None, "it is busy"
    pte = space.pmap.ptes.get(vpn, 0)
    places = (va,) if pte and pte_bits.pfn_of(pte) != page.pfn else ()
    if op.wanted and not vm.objects[key[0]].one_mapping:
        source = vm.get(op.wanted[0][0])
        assert source is not None, "it is busy"
        places = (*places, *(at for at in source.mappings if at != va))
    gone = tuple(one for at in places if (one := vm.take_entry(at)) is not None)
    return advance(replace(op, gone=gone)) if gone else replace(op, phase=_ENTER)


def enter(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: write the entry, unbusy the page, unlock, and let the access go on."""
    ((key, vpn),) = op.pages
    page, entry = vm.get(key), space.map.lookup(vpn)
    assert page is not None, "it is busy"
    assert entry is not None, "the map is locked"
    bits = pte_bits.P | pte_bits.U | pte_bits.A
    if entry.prot & _WRITE and key[0] == entry.oid and not entry.flags & NEEDS_COPY:
        bits |= pte_bits.W
    old = space.pmap.ptes.get(vpn, 0)
    bits |= pte_bits.D if op.args[0] else old & pte_bits.D
    pte = vm.enter(op.asid << ASID_SHIFT | vpn, key, page, bits)
    if page.pfn in vm.queues.where:  # a new page is queued when the page daemon comes
        vm.activate(page)
    if op.args[0] and key[1] in vm.objects[key[0]].swap:
        vm.drop_slot(key)  # it is older from now on
    for held, _ in (*op.pages, *op.wanted):
        found = vm.get(held)
        assert found is not None, "it is busy"
        vm.unbusy(held, found, out)
    vm.unlock_map(space, op, out)
    out.append(Note(Faulted(op.op, op.asid, vpn, op.value, op.ns)))
    reply: Message
    if vm.settings.fine:
        reply = Resolved(op.op, op.ns, op.value)
    else:
        reply = Translation(op.op, vpn, pte, op.ns, op.value)
    out.append(Send(op.by, reply))
    return replace(op, phase=len(PHASES), error=-1)


PHASES: tuple[Phase, ...] = (
    lock,
    look_up,
    upgrade,
    replace_entry,
    *shootdown.PHASES,
    enter,
)
_LOOK_UP = PHASES.index(look_up)
_UPGRADE = PHASES.index(upgrade)
_REPLACE = PHASES.index(replace_entry)
_ENTER = PHASES.index(enter)
