"""A page fault.

    lock the map shared; look up: fatal, sleep on a busy page, resident, read from a file, copied
    from an older copy, or a new page (busy, no frame yet); frame; zero or copy it; flush what it
    replaces; enter it in the page table; unlock

Source: FreeBSD vm_fault: the page is allocated busy in the first object, zero-filled or copied,
entered and unbusied; whoever meets a busy page drops everything, sleeps and starts over from the
map lookup. A read maps the older copy where it is; FreeBSD allocates a page for it first, and frees
it.
"""

from typing import cast

from actors.facts import Faulted
from actors.machine import Effect, Note, Send
from actors.message import Message, PageKey
from actors.messages import (
    CopyFrame,
    Frame,
    Resolved,
    Translation,
    ZeroFrames,
)
from actors.operation import POPULATES, OpKind, OpState
from actors.vm.op import Op, advance, replace
from actors.vm.operations.faults import denial, frame_wait, pager
from actors.vm.operations.faults.hold_page import hold_page
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.ranges import range_claim
from actors.vm.payloads import Dma, Fault
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import FaultCause, SegvCode
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import KNOWN_ZERO, NOBODY, Page
from kernel.policy.keys import ReadFill, Rogue, TrackClean
from kernel.units import ASID_SHIFT
from kernel.vm_map import NEEDS_COPY, SHARED, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2
#: of an entry for loads only
_READS = pte_bits.P | pte_bits.U | pte_bits.A
#: members that most faults ask for
_READY, _WORK, _DMA = OpState.READY, OpState.WORK, OpKind.DMA
_LIVE, _IDLE = HoleState.LIVE, HoleState.IDLE
_COPY, _ZERO_FILL, _ZERO_PAGE = FaultCause.COPY, FaultCause.ZERO_FILL, FaultCause.ZERO_PAGE
_TRACK_CLEAN = TrackClean.ON
_REUSE_PAGE, _STAY_HOLE = Rogue.REUSE_PAGE, Rogue.STAY_HOLE
_SHARED_ZERO_PAGE = ReadFill.ZERO_PAGE
_ROGUE, _TOUCH = HoleEvent.ROGUE, HoleEvent.TOUCH


def lock(vm: VmState, space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Phase: take the map lock shared; its cost is part of `fault_ns`."""
    slept = vm.waiting.lock_map(space, op, out, write=False)
    return slept or replace(op, phase=op.phase + 1, cursor=op.own.vpn)


def look_up(vm: VmState, space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Phase: find the entry and the page, and decide."""
    vpn = op.own.vpn
    entry = space.map.lookup(vpn)
    denied = denial.denial(vm, space, entry, op.own)
    if denied is not None:
        vm.waiting.unlock_map(space, op, out)
        return replace(denial.fatal(vm, op, denied, out), phase=len(PHASES))
    assert entry is not None, "that would be denied"
    if (holder := range_claim.under_zero(vm, op.asid, entry, vpn)) >= 0:
        vm.waiting.unlock_map(space, op, out)
        return range_claim.sleep(vm, replace(op, phase=0), holder, out)
    if entry.flags & NEEDS_COPY and op.own.write:
        vm.waiting.unlock_map(space, op, out)
        return replace(op, phase=_UPGRADE)
    key = (entry.oid, entry.pindex(vpn))
    page = vm.objects.by_oid[entry.oid].pages.get(key[1])
    if page is None:
        return _not_here(vm, space, op, key, out)
    if vm.holes.must_wait(page, _touch_event(vm)):
        return _sleep(vm, space, op, key, out)
    if vm.settings.hazards & Hazard.FAULT_WITHOUT_FENCE and _is_resolved(space, op, page):
        vm.waiting.unlock_map(space, op, out)
        return replace(denial.fatal(vm, op, SegvCode.ACCERR, out), phase=len(PHASES))
    return _resident(vm, space, op, key, page)


def _is_resolved(space: VmSpace, op: Op[Fault], page: Page) -> bool:
    """Say whether the page table permits the access already."""
    pte = space.pmap.ptes.get(op.own.vpn, 0)
    return pte_bits.permits(pte, write=op.own.write) and pte_bits.pfn_of(pte) == page.pfn


def _sleep(
    vm: VmState, space: VmSpace, op: Op[Fault], key: PageKey, out: list[Effect]
) -> Op[Fault]:
    vm.waiting.unlock_map(space, op, out)
    return vm.waiting.sleep_on_page(replace(op, phase=0), key, out)


def _resident(vm: VmState, space: VmSpace, op: Op[Fault], key: PageKey, page: Page) -> Op[Fault]:
    """Hold a resident page busy until it is entered: nobody may take it meanwhile."""
    vm.pages.put(key, page.with_busy(op.lane))
    own, costs = op.own, vm.settings.costs
    pte = space.pmap.ptes.get(own.vpn, 0)
    if _is_resolved(space, op, page):
        own = replace(own, page=key, cause=own.cause or FaultCause.SPURIOUS)
        return replace(op, own=own, phase=_ENTER, ns=op.ns + costs.spurious_fault_ns)
    cause = FaultCause.PERMISSION if pte else FaultCause.SOFT
    if page.hole is not _LIVE:
        cause = FaultCause.ROGUE
        _, actions = vm.holes.event(key, _touch_event(vm), op)
        assert Action.WAIT not in actions, "a page in such a state is busy"
    own = replace(own, page=key, cause=own.cause or cause)
    return replace(op, own=own, phase=_REPLACE, ns=op.ns + costs.fault_ns)


def _touch_event(vm: VmState) -> HoleEvent:
    reuses = vm.settings.policy.rogue is _REUSE_PAGE
    return _ROGUE if reuses else _TOUCH


def _new_page(
    vm: VmState,
    op: Op[Fault],
    entry: MapEntry,
    key: PageKey,
    source: PageKey | None,
    out: list[Effect],
) -> Op[Fault]:
    """Begin a page that is zero-filled, or that an older one is copied to."""
    own = op.own
    stays = vm.settings.policy.rogue is _STAY_HOLE
    stays = stays and vm.holes.includes(vm.spaces[op.asid], entry, own.vpn)
    vm.pages.put(key, Page(-1, op.lane, _IDLE if stays else _LIVE))
    own = replace(own, page=key, source=source)
    return frame_wait.ask(vm, replace(op, own=own, ns=op.ns + vm.settings.costs.fault_ns), out)


def _below(vm: VmState, top_key: PageKey) -> tuple[PageKey, Page | None]:
    """Look down the chain for a page that is not in its first object.

    Return it; or where its copy in swap is, else the end of the chain, and None.
    """
    oid, index = top_key
    one = vm.objects.by_oid[oid]
    while index not in one.swap and one.backing != NONE:
        index += one.offset
        oid = one.backing
        one = vm.objects.by_oid[oid]
        page = one.pages.get(index) if index < one.size else None
        if page is not None:
            return (oid, index), page
    return (oid, index), None


def _not_here(
    vm: VmState, space: VmSpace, op: Op[Fault], top_key: PageKey, out: list[Effect]
) -> Op[Fault]:
    """Read an older copy where it is, or copy it to write; or have the page read in."""
    key, page = _below(vm, top_key)
    if page is None and key[1] in vm.objects.by_oid[key[0]].swap:
        return pager.page_in(vm, op, key, out)
    if page is None and pager.is_read(vm, key):
        return pager.read_file(vm, space, op, key, out)
    own = op.own
    entry = space.map.lookup(own.vpn)
    assert entry is not None
    shares = vm.settings.policy.read_fill is _SHARED_ZERO_PAGE and not entry.flags & SHARED
    if page is None and shares and not own.write:
        zero_page = vm.settings.zero_page(op.by)
        pte = space.pmap.ptes[own.vpn] = pte_bits.make(zero_page, _READS)
        ns = op.ns + vm.settings.costs.fault_ns
        return _entered(vm, space, replace(op, own=replace(own, cause=_ZERO_PAGE), ns=ns), pte, out)
    if page is None:
        return _new_page(vm, op, entry, top_key, None, out)
    if page.busy != NOBODY:
        return _sleep(vm, space, op, key, out)
    if not own.write:
        return _resident(vm, space, op, key, page)
    oid = key[0]
    sole = oid == vm.objects.by_oid[top_key[0]].backing and vm.objects.refs(oid) == 1
    if sole and vm.objects.by_oid[oid].anonymous:
        # nobody else can see it: it moves up instead of being copied
        return _resident(vm, space, op, top_key, vm.holes.rename(key, top_key))
    vm.pages.put(key, page.with_busy(op.lane))
    return _new_page(vm, op, entry, top_key, key, out)


def upgrade(vm: VmState, space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Phase: take the map lock exclusively, give the entry a shadow object, go on as a reader."""
    slept = vm.waiting.lock_map(space, op, out, write=True)
    if slept is not None:
        return slept
    entry = space.map.lookup(op.own.vpn)
    if entry is not None and entry.flags & NEEDS_COPY and entry.prot & _WRITE:
        vm.objects.shadow(space, entry, op.lane)
    vm.waiting.downgrade_map(space, op, out)
    return replace(op, phase=_LOOK_UP, ns=op.ns + vm.settings.costs.map_ns)


def got_frame(
    vm: VmState, space: VmSpace, op: Op[Fault], frame: Frame, out: list[Effect]
) -> Op[Fault]:
    """Take the frame that a memory gave: copy the older page to it, or zero it if need be.

    Or read a page of a file or of swap: nothing is locked meanwhile, only the page is busy.
    """
    key, page = pager.busy_page(vm, op)
    page = vm.pages.give_frame(key, page, frame.pfn)
    reading = pager.read(vm, space, op, key, frame.pfn, _FILE_READ, out)
    if reading is not None:
        return reading
    own, settings = op.own, vm.settings
    if own.source is not None:
        source = vm.pages.get(own.source)
        assert source is not None, "it is busy"
        out.append(Send(op.by, CopyFrame(op.lane, source.pfn, frame.pfn, op.ns)))
        own = replace(own, cause=own.cause or _COPY)
        return replace(op, own=own, state=_WORK, phase=_REPLACE, ns=0)
    if settings.policy.track_clean is _TRACK_CLEAN:
        vm.pages.put(key, page.with_flags(on=KNOWN_ZERO))
    own = replace(own, cause=own.cause or _ZERO_FILL)
    if frame.zeroed or settings.hazards & Hazard.FOREIGN_FRAME:
        return replace(op, own=own, state=_READY, phase=_REPLACE)
    out.append(Send(op.by, ZeroFrames(op.lane, ((frame.pfn, 0),), op.ns)))
    return replace(op, own=own, state=_WORK, phase=_REPLACE, ns=0)


def replace_entry(vm: VmState, space: VmSpace, op: Op[Fault], _out: list[Effect]) -> Op[Fault]:
    """Phase: take away entries for another page: threads of the process may have them cached.

    Where several processes write to the object that the copy went to, all their entries for the
    older page go (CVE-2021-29626).
    """
    own = op.own
    (key, page), va = pager.busy_page(vm, op), op.asid << ASID_SHIFT | own.vpn
    pte = space.pmap.ptes.get(own.vpn, 0)
    places = (va,) if pte and pte_bits.pfn_of(pte) != page.pfn else ()
    if own.source is not None and not vm.objects.by_oid[key[0]].one_mapping:
        source = vm.pages.get(own.source)
        assert source is not None, "it is busy"
        places = (*places, *(at for at in source.mappings if at != va))
    if not places:
        return replace(op, phase=_ENTER)
    gone = tuple(one for at in places if (one := vm.entries.take_entry(at)) is not None)
    if gone and vm.settings.hazards & Hazard.REPLACE_WITHOUT_FLUSH:
        vm.entries.has_flushed(gone)
        gone = ()
    if not gone:
        return replace(op, phase=_ENTER)
    return advance(replace(op, flush=replace(op.flush, gone=gone)))


def enter(vm: VmState, space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Phase: write the entry, unbusy the page, unlock, and let the access go on."""
    own, vpn = op.own, op.own.vpn
    if space.guards.starts and space.guards.holds(vpn):
        return _start_over(vm, space, op, out)
    (key, page), entry = pager.busy_page(vm, op), space.map.lookup(vpn)
    assert entry is not None, "the map is locked"
    bits = _READS
    if entry.prot & _WRITE and key[0] == entry.oid and not entry.flags & NEEDS_COPY:
        bits |= pte_bits.W
    old = space.pmap.ptes.get(vpn, 0)
    bits |= pte_bits.D if own.write else old & pte_bits.D
    pte = vm.entries.enter(op.asid << ASID_SHIFT | vpn, key, page, bits)
    if op.kind is _DMA and not vm.settings.hazards & Hazard.PIN_FORGETS_WRITE:
        op = hold_page(vm, cast("Op[Dma]", op), key, vpn, out)  # before anybody else can have it
    if page.pfn in vm.pages.queues.where:  # a new page is queued when the page daemon comes
        vm.pages.activate(page)
    shares = vm.settings.policy.read_fill is _SHARED_ZERO_PAGE
    if shares and own.write and not entry.flags & SHARED and not space.stored.holds(vpn):
        space.stored.add(*space.map.alike(entry))
    if own.write and key[1] in vm.objects.by_oid[key[0]].swap:
        vm.pages.drop_slot(key)  # it is older from now on
    for held in (key,) if own.source is None else (key, own.source):
        found = vm.pages.get(held)
        if found is None and vm.settings.hazards & Hazard.COLLAPSE_TAKES_BUSY:
            continue
        assert found is not None, "it is busy"
        vm.waiting.unbusy(held, found, out)
    return _entered(vm, space, op, pte, out)


def _start_over(vm: VmState, space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Let go of what the fault holds: a marker has come where the entry was to be."""
    own = op.own
    for held in dict.fromkeys(one for one in (own.page, own.source) if one is not None):
        page = vm.pages.get(held)
        assert page is not None, "it is busy"
        vm.waiting.unbusy(held, page, out)
    vm.waiting.unlock_map(space, op, out)
    return replace(op, phase=0, own=replace(own, page=None, source=None))


def _entered(vm: VmState, space: VmSpace, op: Op[Fault], pte: int, out: list[Effect]) -> Op[Fault]:
    """Unlock, and let the access go on."""
    own = op.own
    vm.waiting.unlock_map(space, op, out)
    if own.behalf == POPULATES:
        return _populated(vm, op)
    out.append(Note(Faulted(op.lane, op.asid, own.vpn, own.cause, op.ns)))
    reply: Message
    if vm.settings.fine:
        reply = Resolved(op.lane, op.ns, own.cause)
    else:
        reply = Translation(op.lane, own.vpn, pte, op.ns, own.cause)
    out.append(Send(op.by, reply))
    return replace(op, phase=len(PHASES), error=-1)


def _populated(vm: VmState, op: Op[Fault]) -> Op[Fault]:
    """Go on to the next page; with a hazard the pin looks for this one again, to load from it."""
    own = replace(op.own, page=None, source=None)
    if op.kind is _DMA and vm.settings.hazards & Hazard.PIN_FORGETS_WRITE:
        own = replace(own, write=False)
        return replace(op, phase=len(PHASES), own=own, cursor=own.vpn)
    return replace(op, phase=len(PHASES), own=own, cursor=own.vpn + 1)


PHASES: tuple[Phase, ...] = (
    Phase(lock),
    Phase(look_up),
    Phase(upgrade),
    Phase(replace_entry),
    *shootdown.PHASES,
    Phase(enter),
    Phase(pager.file_read),
)
_LOOK_UP = index_of(PHASES, look_up)
_UPGRADE = index_of(PHASES, upgrade)
_REPLACE = index_of(PHASES, replace_entry)
_ENTER = index_of(PHASES, enter)
_FILE_READ = index_of(PHASES, pager.file_read)
