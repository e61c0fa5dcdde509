"""A page fault.

    lock the map shared; look up: fatal, sleep on a busy page, resident, read from a file, copied
    from an older copy, or a new page (busy, no frame yet); frame; zero or copy it; flush what it
    replaces; enter it in the page table; unlock

Source: FreeBSD vm_fault: the page is allocated busy in the first object, zero-filled or copied,
entered and unbusied; who meets a busy page drops everything, sleeps and starts over from the map
lookup. A read maps the older copy where it is; FreeBSD allocates a page for it first, and frees it.
"""

from actors.facts import Faulted, Segv
from actors.machine import Effect, Note, Send
from actors.message import Message, PageKey
from actors.messages import (
    CopyFrame,
    Frame,
    Resolved,
    Signal,
    Translation,
    ZeroFrames,
)
from actors.operation import (
    POPULATES,
    USER,
    Op,
    OpKind,
    OpState,
    advance,
    replace,
)
from actors.vm.operations.faults import frame_wait, pager
from actors.vm.operations.faults.hold_page import hold_page
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.ranges import range_claim
from actors.vm.state import Phase, VmState
from kernel import pte as pte_bits
from kernel.errors import Errno, FaultCause, SegvCode
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import KNOWN_ZERO, NOBODY, Page
from kernel.policy.keys import HoleAccess, ReadFill, Rogue, TrackClean
from kernel.units import ASID_SHIFT
from kernel.vm_map import NEEDS_COPY, SHARED, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2
#: of an entry for loads only
_READS = pte_bits.P | pte_bits.U | pte_bits.A


def lock(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the map lock shared; its cost is part of `fault_ns`."""
    return vm.waiting.lock_map(space, op, out, write=False) or advance(op)


def look_up(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: find the entry and the page, and decide."""
    entry = space.map.lookup(op.start)
    denied = _denial(vm, space, entry, op)
    if denied is not None:
        return _fatal(vm, space, op, denied, out)
    assert entry is not None, "that would be denied"
    if (holder := range_claim.under_zero(vm, op.asid, entry, op.start)) >= 0:
        vm.waiting.unlock_map(space, op, out)
        return range_claim.sleep(vm, replace(op, phase=0), holder, out)
    if entry.flags & NEEDS_COPY and op.args[0]:
        vm.waiting.unlock_map(space, op, out)
        return replace(op, phase=_UPGRADE)
    key = (entry.oid, entry.pindex(op.start))
    top = vm.objects.by_oid[entry.oid]
    page = top.pages.get(key[1])
    if page is None:
        return _not_here(vm, space, op, key, out)
    if vm.holes.must_wait(page, _touch_event(vm)):
        return _sleep(vm, space, op, key, out)
    return _resident(vm, space, op, key, page)


def _denial(vm: VmState, space: VmSpace, entry: MapEntry | None, op: Op) -> SegvCode | None:
    """Say why the access is not permitted, if it is not."""
    if space.killed:
        return SegvCode.KILLED
    if entry is None:
        return SegvCode.MAPERR
    if not entry.prot & (_WRITE if op.args[0] else _READ):
        return SegvCode.ACCERR
    fatal = vm.settings.policy.hole_access is HoleAccess.FATAL
    if fatal and vm.holes.includes(space, entry, op.start):
        return SegvCode.HOLE
    beyond = entry.pindex(op.start) >= vm.objects.by_oid[entry.oid].size
    return SegvCode.OBJECT if beyond else None


def _sleep(vm: VmState, space: VmSpace, op: Op, key: PageKey, out: list[Effect]) -> Op:
    vm.waiting.unlock_map(space, op, out)
    return vm.waiting.sleep_on_page(replace(op, phase=0), key, out)


def _resident(vm: VmState, space: VmSpace, op: Op, key: PageKey, page: Page) -> Op:
    """Hold a resident page busy until it is entered: nobody may take it meanwhile."""
    vm.pages.put(key, page.with_busy(op.op))
    op = replace(op, pages=((key, op.start),))
    costs = vm.settings.costs
    pte = space.pmap.ptes.get(op.start, 0)
    if pte_bits.permits(pte, write=bool(op.args[0])) and pte_bits.pfn_of(pte) == page.pfn:
        ns = op.ns + costs.spurious_fault_ns
        return replace(op, value=op.value or FaultCause.SPURIOUS, phase=_ENTER, ns=ns)
    cause = FaultCause.PERMISSION if pte else FaultCause.SOFT
    if page.hole is not HoleState.LIVE:
        cause = FaultCause.ROGUE
        _, actions = vm.holes.event(key, _touch_event(vm), op)
        assert Action.WAIT not in actions, "a page in such a state is busy"
    return replace(op, value=op.value or cause, phase=_REPLACE, ns=op.ns + costs.fault_ns)


def _fatal(vm: VmState, space: VmSpace, op: Op, code: SegvCode, out: list[Effect]) -> Op:
    vm.waiting.unlock_map(space, op, out)
    if op.args[1] == POPULATES:
        return replace(op, phase=len(PHASES), error=_error_of(op.kind, code))
    ns = op.ns + vm.settings.costs.fault_ns
    if op.args[1] == USER and code is not SegvCode.KILLED:
        out.append(Note(Segv(op.op, op.asid, op.start, code)))
        ns = op.ns + vm.settings.costs.signal_ns
    out.append(Send(op.by, Signal(op.op, op.start, code, ns)))
    return replace(op, phase=len(PHASES), error=-1)


def _error_of(kind: OpKind, code: SegvCode) -> Errno:
    """Say what a call that populates returns for a page that can not be.

    Source: Linux __mlock_posix_error_return; madvise_populate.
    """
    if code is SegvCode.KILLED:
        return Errno.EINTR
    if kind is OpKind.DMA:
        return Errno.EFAULT
    if kind is OpKind.MLOCK or code is SegvCode.MAPERR:
        return Errno.ENOMEM
    return Errno.EFAULT if code is SegvCode.OBJECT else Errno.EINVAL


def _touch_event(vm: VmState) -> HoleEvent:
    reuses = vm.settings.policy.rogue is Rogue.REUSE_PAGE
    return HoleEvent.ROGUE if reuses else HoleEvent.TOUCH


def _new_page(vm: VmState, op: Op, entry: MapEntry, key: PageKey, out: list[Effect]) -> Op:
    """Begin a zero-filled page, or one that is to be copied (op.wanted) to."""
    stays = vm.settings.policy.rogue is Rogue.STAY_HOLE
    stays = stays and vm.holes.includes(vm.spaces[op.asid], entry, op.start)
    hole = HoleState.IDLE if stays else HoleState.LIVE
    vm.pages.put(key, Page(-1, op.op, hole))
    ns = op.ns + vm.settings.costs.fault_ns
    return frame_wait.ask(vm, replace(op, pages=((key, op.start),), ns=ns), out)


def _behind(vm: VmState, top_key: PageKey) -> tuple[PageKey, Page | None]:
    """Look down the chain for a page that is not in its first object.

    Gives it; or where its copy in swap is, else the end of the chain, and None.
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


def _not_here(vm: VmState, space: VmSpace, op: Op, top_key: PageKey, out: list[Effect]) -> Op:
    """Read an older copy where it is, write to a new one of one's own; or have it read in."""
    key, page = _behind(vm, top_key)
    if page is None and key[1] in vm.objects.by_oid[key[0]].swap:
        return pager.page_in(vm, op, key, out)
    if page is None and pager.is_read(vm, key):
        return pager.read_file(vm, space, op, key, out)
    entry = space.map.lookup(op.start)
    assert entry is not None
    shares = vm.settings.policy.read_fill is ReadFill.ZERO_PAGE and not entry.flags & SHARED
    if page is None and shares and not op.args[0]:
        zero_page = vm.settings.zero_page(op.by)
        pte = space.pmap.ptes[op.start] = pte_bits.make(zero_page, _READS)
        ns = op.ns + vm.settings.costs.fault_ns
        return _entered(vm, space, replace(op, value=FaultCause.ZERO_PAGE, ns=ns), pte, out)
    if page is None:
        return _new_page(vm, op, entry, top_key, out)
    if page.busy != NOBODY:
        return _sleep(vm, space, op, key, out)
    if not op.args[0]:
        return _resident(vm, space, op, key, page)
    oid = key[0]
    sole = oid == vm.objects.by_oid[top_key[0]].backing and vm.objects.refs(oid) == 1
    if sole and vm.objects.by_oid[oid].anonymous:
        # nobody else can see it: it moves up instead of being copied
        return _resident(vm, space, op, top_key, vm.holes.rename(key, top_key))
    vm.pages.put(key, page.with_busy(op.op))
    return _new_page(vm, replace(op, wanted=((key, 0),)), entry, top_key, out)


def upgrade(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the map lock exclusively, give the entry a shadow object, go on as a reader."""
    slept = vm.waiting.lock_map(space, op, out, write=True)
    if slept is not None:
        return slept
    entry = space.map.lookup(op.start)
    if entry is not None and entry.flags & NEEDS_COPY and entry.prot & _WRITE:
        vm.objects.shadow(space, entry, op.op)
    vm.waiting.downgrade_map(space, op, out)
    return replace(op, phase=_LOOK_UP, ns=op.ns + vm.settings.costs.map_ns)


def got_frame(vm: VmState, space: VmSpace, op: Op, frame: Frame, out: list[Effect]) -> Op:
    """Take the frame that a memory gave: copy the older page to it, or zero it unless it is zero.

    Or read a page of a file or of swap: nothing is locked meanwhile, only the page is busy.
    """
    ((key, _),) = op.pages
    page = vm.pages.get(key)
    assert page is not None, "it is busy"
    vm.pages.give_frame(key, page, frame.pfn)
    reading = pager.read(vm, space, op, key, frame.pfn, _FILE_READ, out)
    if reading is not None:
        return reading
    cause = op.value or (FaultCause.COPY if op.wanted else FaultCause.ZERO_FILL)
    op = replace(op, state=OpState.READY, value=cause, phase=_REPLACE)
    if op.wanted:
        source = vm.pages.get(op.wanted[0][0])
        assert source is not None, "it is busy"
        out.append(Send(op.by, CopyFrame(op.op, source.pfn, frame.pfn, op.ns)))
        return replace(op, state=OpState.WORK, ns=0)
    if vm.settings.policy.track_clean is TrackClean.ON:
        vm.pages.put(key, vm.objects.by_oid[key[0]].pages[key[1]].with_flags(on=KNOWN_ZERO))
    hazards = vm.settings.hazards
    if frame.zeroed or (hazards and hazards & Hazard.FOREIGN_FRAME):
        return op
    out.append(Send(op.by, ZeroFrames(op.op, ((frame.pfn, 0),), op.ns)))
    return replace(op, state=OpState.WORK, ns=0)


def replace_entry(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: take away entries for another page: threads of the process may have it cached.

    Where several processes write to the object that the copy went to, all their entries for the
    older page go (CVE-2021-29626).
    """
    ((key, vpn),) = op.pages
    page, va = vm.pages.get(key), op.asid << ASID_SHIFT | vpn
    assert page is not None, "it is busy"
    pte = space.pmap.ptes.get(vpn, 0)
    places = (va,) if pte and pte_bits.pfn_of(pte) != page.pfn else ()
    if op.wanted and not vm.objects.by_oid[key[0]].one_mapping:
        source = vm.pages.get(op.wanted[0][0])
        assert source is not None, "it is busy"
        places = (*places, *(at for at in source.mappings if at != va))
    gone = tuple(one for at in places if (one := vm.entries.take_entry(at)) is not None)
    if gone and vm.settings.hazards & Hazard.REPLACE_WITHOUT_FLUSH:
        vm.entries.has_flushed(gone)
        gone = ()
    return advance(replace(op, gone=gone)) if gone else replace(op, phase=_ENTER)


def enter(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: write the entry, unbusy the page, unlock, and let the access go on."""
    ((key, vpn),) = op.pages
    page, entry = vm.pages.get(key), space.map.lookup(vpn)
    assert page is not None, "it is busy"
    assert entry is not None, "the map is locked"
    bits = pte_bits.P | pte_bits.U | pte_bits.A
    if entry.prot & _WRITE and key[0] == entry.oid and not entry.flags & NEEDS_COPY:
        bits |= pte_bits.W
    old = space.pmap.ptes.get(vpn, 0)
    bits |= pte_bits.D if op.args[0] else old & pte_bits.D
    pte = vm.entries.enter(op.asid << ASID_SHIFT | vpn, key, page, bits)
    if op.kind is OpKind.DMA and not vm.settings.hazards & Hazard.PIN_FORGETS_WRITE:
        op = hold_page(vm, op, key, vpn, out)  # before anybody else can have it
    if page.pfn in vm.pages.queues.where:  # a new page is queued when the page daemon comes
        vm.pages.activate(page)
    if op.args[0] and key[1] in vm.objects.by_oid[key[0]].swap:
        vm.pages.drop_slot(key)  # it is older from now on
    for held, _ in (*op.pages, *op.wanted):
        found = vm.pages.get(held)
        if found is None and vm.settings.hazards & Hazard.COLLAPSE_TAKES_BUSY:
            continue
        assert found is not None, "it is busy"
        vm.waiting.unbusy(held, found, out)
    return _entered(vm, space, replace(op, pages=(), wanted=()), pte, out)


def _entered(vm: VmState, space: VmSpace, op: Op, pte: int, out: list[Effect]) -> Op:
    """Unlock, and let the access go on."""
    vpn = op.start
    vm.waiting.unlock_map(space, op, out)
    if op.args[1] == POPULATES:
        return _populated(vm, op)
    out.append(Note(Faulted(op.op, op.asid, vpn, op.value, op.ns)))
    reply: Message
    if vm.settings.fine:
        reply = Resolved(op.op, op.ns, op.value)
    else:
        reply = Translation(op.op, vpn, pte, op.ns, op.value)
    out.append(Send(op.by, reply))
    return replace(op, phase=len(PHASES), error=-1)


def _populated(vm: VmState, op: Op) -> Op:
    """Go on to the next page; with a hazard the pin looks for this one again, to load from it."""
    if op.kind is OpKind.DMA and vm.settings.hazards & Hazard.PIN_FORGETS_WRITE:
        return replace(op, phase=len(PHASES), args=(0, *op.args[1:]))
    return replace(op, phase=len(PHASES), cursor=op.start + 1)


PHASES: tuple[Phase, ...] = (
    lock,
    look_up,
    upgrade,
    replace_entry,
    *shootdown.PHASES,
    enter,
    pager.file_read,
)
_LOOK_UP = PHASES.index(look_up)
_UPGRADE = PHASES.index(upgrade)
_REPLACE = PHASES.index(replace_entry)
_ENTER = PHASES.index(enter)
_FILE_READ = PHASES.index(pager.file_read)
