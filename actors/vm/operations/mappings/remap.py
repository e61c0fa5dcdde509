"""mremap(2) to another place: entries of the map and of the page table move, with their pages.

    lock; unmap what is at the new place, and what the old one loses; page by page: take the entry;
    shoot down; move the entries of the map, write those of the page table anew; unlock

The new entries are written when no TLB holds an old one any more, so nobody who takes a page's
entries away misses one. A page does not move in its object; the object is seen from elsewhere. A
range that grows gets new memory, or more of the shared object. An old range of no length stays, and
the new one shows the same shared object from there on. FreeBSD has no such call.
Source: Linux mm/mremap.c (move_page_tables, check_prep_vma, remap_move: only a move that keeps the
length may span mappings); the flush that came too late there was CVE-2018-18281.
"""

from actors.machine import Effect
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import range_scan
from actors.vm.payloads import Remap
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hole_ranges import HoleRanges
from kernel.page import NOBODY
from kernel.pte import PFN_SHIFT
from kernel.units import ASID_SHIFT
from kernel.vm_map import HOLE, NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace

#: what the entries of a mapping have in common, whatever object they show
_Kind = tuple[int, int]


def check(vm: VmState, space: VmSpace, op: Op[Remap], out: list[Effect]) -> Op[Remap]:
    """Phase: the old range begins with a mapping; what stays is of one kind if the length changes.

    Without a change of length the range may have gaps: what is mapped moves, run by run.
    """
    own = op.own
    error = _refusal(space, op.start, own)
    if error:
        vm.waiting.unlock_map(space, op, out)
        return replace(op, error=error, phase=len(PHASES))
    # from here on start and end are what the phases work on
    if not _resized(own):
        own = _next_run(space, own, own.old, own.new)
    return advance(replace(op, own=own))


def _refusal(space: VmSpace, start: int, own: Remap) -> Errno:
    first = space.map.lookup(start)
    if first is None:
        return Errno.EFAULT
    if own.old == own.old_end:  # private memory is not to be seen twice
        return Errno.OK if first.flags & SHARED else Errno.EINVAL
    wrong = _resized(own) and not _one_kind(space, start, _kept(own))
    return Errno.EFAULT if wrong else Errno.OK


def _resized(own: Remap) -> bool:
    return own.new_end - own.new != own.old_end - own.old


def _kept(own: Remap) -> int:
    """Return the end of what stays of the old range: it may become shorter."""
    return own.old + min(own.new_end - own.new, own.old_end - own.old)


def _next_run(space: VmSpace, own: Remap, at: int, to: int) -> Remap:
    """Go on to the next run of the old range that is mapped, from `at` on, which moves to `to`."""
    start = max(at, space.map.overlapping(at, own.end)[0].start)
    stop = min(space.map.mapped_until(start), own.end)
    new = to + start - at
    return replace(own, old=start, old_end=stop, new=new, new_end=new + stop - start)


def _kind(entry: MapEntry) -> _Kind:
    return entry.prot, entry.flags & ~(NEEDS_COPY | HOLE)


def _one_kind(space: VmSpace, start: int, end: int) -> bool:
    kinds = {_kind(entry) for entry in space.map.overlapping(start, end)}
    return len(kinds) == 1 and not space.map.has_gap(start, end)


def aim_at_target(_vm: VmState, _space: VmSpace, op: Op[Remap], _out: list[Effect]) -> Op[Remap]:
    """Phase: the phases that follow are about the new place."""
    return advance(replace(op, start=op.own.new, end=op.own.new_end))


def aim_at_cut(_vm: VmState, _space: VmSpace, op: Op[Remap], _out: list[Effect]) -> Op[Remap]:
    """Phase: the phases that follow are about what the old range loses."""
    return advance(replace(op, start=_kept(op.own), end=op.own.old_end))


def aim_at_moved(_vm: VmState, _space: VmSpace, op: Op[Remap], _out: list[Effect]) -> Op[Remap]:
    """Phase: the phases that follow are about what moves."""
    return advance(replace(op, start=op.own.old, end=_kept(op.own)))


def _movable(vm: VmState, space: VmSpace, op: Op[Remap]) -> list[int]:
    """List the pages with an entry, and those whose entry is gone but not flushed yet."""
    owed = vm.entries.owed_in(op.asid, op.cursor, op.end, op.flush.gone)
    mapped = space.pmap.mapped_in(op.cursor, op.end)
    return sorted({*mapped, *owed}) if owed else mapped


def take_entries(vm: VmState, space: VmSpace, op: Op[Remap], _out: list[Effect]) -> Op[Remap]:
    """Phase: the old entries go, and are remembered; one a step when exploring."""
    gone: list[Gone] = []
    moved = list(op.own.moved)
    cursor = op.end
    for vpn in _movable(vm, space, op):
        if vpn in space.pmap.ptes:
            moved.append((vpn, space.pmap.ptes[vpn]))
        one = vm.entries.take_entry(op.asid << ASID_SHIFT | vpn)
        assert one is not None, "a TLB may have it"
        gone.append(one)
        if vm.settings.fine:
            cursor = vpn + 1
            break
    ns = op.ns + len(gone) * vm.settings.costs.pte_ns
    own = replace(op.own, moved=tuple(moved))
    after = replace(op, flush=op.flush.owing(gone), own=own, cursor=cursor, ns=ns)
    return advance(after) if cursor == op.end else after


def move_entries(vm: VmState, space: VmSpace, op: Op[Remap], _out: list[Effect]) -> Op[Remap]:
    """Phase: the map shows the pages at the new place; so does the page table, if it did before."""
    own = op.own
    if own.old == own.old_end:
        return advance(_shown_twice(vm, space, op), vm.settings.costs.map_ns)
    shift = own.new - own.old
    for entry in space.map.remove(op.start, op.end):
        if own.keep:
            _stays_empty(vm, space, op, entry)
        moved = entry.start + shift, entry.end + shift
        at = MapEntry(*moved, entry.prot, entry.oid, entry.offset, entry.flags)
        last = space.map.insert(at)
    if own.new_end - own.new > own.old_end - own.old:
        _lengthen(vm, space, op, last)
    _move(space.holes, own.old, own.old_end, shift)
    _move(space.guards, own.old, own.old_end, shift)
    _move(space.stored, own.old, own.old_end, shift)
    entered = 0
    for vpn, pte in own.moved:
        entered += _enter(vm, space, op, vpn + shift, pte)
    costs = vm.settings.costs
    own = replace(own, moved=())
    op = advance(replace(op, own=own), 2 * costs.map_ns + entered * costs.pte_ns)
    if space.map.overlapping(own.old_end, own.end) and not _resized(own):
        own = _next_run(space, own, own.old_end, own.new_end)
        return replace(op, own=own, phase=_FIRST_OF_RUN)
    return op


def _shown_twice(vm: VmState, space: VmSpace, op: Op[Remap]) -> Op[Remap]:
    """Map what a shared mapping shows from the old place on at the new one, too."""
    own = op.own
    entry = space.map.lookup(own.old)
    if entry is None:  # the new place begins there as well, and was unmapped
        return replace(op, error=Errno.EFAULT)
    vm.objects.by_oid[entry.oid].one_mapping = False
    at = MapEntry(own.new, own.new_end, entry.prot, entry.oid, entry.pindex(own.old), entry.flags)
    space.map.insert(at)
    return op


def _move(ranges: HoleRanges, start: int, end: int, shift: int) -> None:
    found = list(ranges.inside(start, end))
    ranges.remove(start, end)
    for low, high in found:
        ranges.add(low + shift, high + shift)


def _stays_empty(vm: VmState, space: VmSpace, op: Op[Remap], entry: MapEntry) -> None:
    """Leave the old range mapped: private memory reads as zero there, shared memory stays."""
    if entry.flags & SHARED:
        vm.objects.by_oid[entry.oid].one_mapping = False
        space.map.insert(entry.with_flags(off=WIRED))
        return
    bottom, index = vm.objects.bottom(entry)
    flags = entry.flags & ~(WIRED | HOLE | NEEDS_COPY)
    if vm.objects.by_oid[bottom].anonymous:
        bottom, index = vm.objects.make(op.lane, entry.end - entry.start), 0
    else:
        flags |= NEEDS_COPY
    space.map.insert(MapEntry(entry.start, entry.end, entry.prot, bottom, index, flags))


def _lengthen(vm: VmState, space: VmSpace, op: Op[Remap], last: MapEntry) -> None:
    high = op.own.new_end
    flags = last.flags & ~(NEEDS_COPY | HOLE)
    bottom, index = vm.objects.bottom(last)
    index += last.end - last.start
    if not vm.objects.by_oid[bottom].anonymous:
        flags |= 0 if flags & SHARED else NEEDS_COPY
    elif not flags & SHARED:
        bottom, index = vm.objects.make(op.lane, high - last.end), 0
    space.map.insert(MapEntry(last.end, high, last.prot, bottom, index, flags))


def _enter(vm: VmState, space: VmSpace, op: Op[Remap], vpn: int, pte: int) -> bool:
    """Write an entry anew, unless its page is gone or somebody works on it: then a fault does."""
    if vm.settings.is_zero_page(pte_bits.pfn_of(pte)):
        space.pmap.ptes[vpn] = pte
        return True
    entry = space.map.lookup(vpn)
    assert entry is not None, "it was moved there"
    found = vm.objects.find(entry, vpn)
    if found is None or found[1].busy != NOBODY or found[1].pfn != pte_bits.pfn_of(pte):
        return False
    vm.entries.enter(op.asid << ASID_SHIFT | vpn, *found, pte & ((1 << PFN_SHIFT) - 1))
    return True


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    Phase(check),
    Phase(aim_at_target),
    *discard.let_go_of(discard.everything, discard.private),
    discard.UNMAP,
    Phase(aim_at_cut),
    *discard.let_go_of(discard.everything, discard.private),
    discard.UNMAP,
    Phase(aim_at_moved),
    Phase(take_entries, idle=lambda vm, space, op: not _movable(vm, space, op)),
    shootdown.HONOUR_OWED,
    *shootdown.PHASES,
    Phase(move_entries),
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
#: with the hazard move-before-flush the entries move, and the map is unlocked, before they flush
PHASES_MOVE_FIRST: tuple[Phase, ...] = (
    *PHASES[: index_of(PHASES, take_entries) + 1],
    Phase(move_entries),
    range_scan.UNLOCK,
    *shootdown.PHASES,
    object_chain.SETTLE,
)
_FIRST_OF_RUN = index_of(PHASES, check) + 1
