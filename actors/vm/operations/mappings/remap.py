"""mremap(2) to another place: entries of the map move, with their pages, and the page tables' do.

    lock; unmap what is at the new place, and what the old one loses; page by page: take the entry;
    shoot down; move the entries of the map, write those of the page table anew; unlock

The new entries are written when no TLB holds an old one any more, so nobody who takes a page's
entries away misses one. A page does not move: its object stays, seen from elsewhere. What is longer
than before is new memory, or more of the shared object. FreeBSD has no such call.
Source: Linux mm/mremap.c (move_page_tables, check_prep_vma, remap_move: only a move that keeps the
length may span mappings); the flush that came too late there was CVE-2018-18281.
"""

from actors.machine import Effect
from actors.operation import Op, advance, replace
from actors.vm.entries import Gone
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import range_scan
from actors.vm.state import Phase, VmState, idle_if, named
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.page import NOBODY
from kernel.pte import PFN_SHIFT
from kernel.units import ASID_SHIFT, page_span
from kernel.vm_map import HOLE, NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace

#: the part of each that is common to a mapping, whatever object it shows
_Kind = tuple[int, int]


def check(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the old range begins with a mapping; what stays is of one kind if the length changes.

    Without a change of length the range may have gaps: what is mapped moves, run by run.
    """
    to, new_length, keep = op.args
    low, high = page_span(to, new_length)
    first = space.map.lookup(op.start)
    kept = op.start + min(high - low, op.end - op.start)
    resized = high - low != op.end - op.start
    if first is None or (resized and not _one_kind(space, op.start, kept)):
        vm.waiting.unlock_map(space, op, out)
        return replace(op, error=Errno.EFAULT, phase=len(PHASES))
    # from here on `args` has the ranges: start and end are what the operation works on
    if resized:
        return advance(replace(op, args=(op.start, op.end, low, high, keep, op.end)))
    return advance(_next_run(space, replace(op, args=(0, op.start, 0, low, keep, op.end))))


def _next_run(space: VmSpace, op: Op) -> Op:
    """Go on to the next run of the old range that is mapped, behind the last."""
    _, at, _, to, keep, end = op.args
    start = max(at, space.map.overlapping(at, end)[0].start)
    stop = min(space.map.mapped_until(start), end)
    low = to + start - at
    return replace(op, args=(start, stop, low, low + stop - start, keep, end))


def _kind(entry: MapEntry) -> _Kind:
    return entry.prot, entry.flags & ~(NEEDS_COPY | HOLE)


def _one_kind(space: VmSpace, start: int, end: int) -> bool:
    kinds = {_kind(entry) for entry in space.map.overlapping(start, end)}
    return len(kinds) == 1 and not space.map.has_gap(start, end)


def _aim_at(name: str, which: int) -> Phase:
    """Phase: the phases that follow are about the new place (0), the cut (1), what moves (2)."""

    def phase(_vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
        start, end, low, high, _, _ = op.args
        kept = start + min(high - low, end - start)
        low, high = ((low, high), (kept, end), (start, kept))[which]
        return advance(replace(op, start=low, end=high))

    return named(name, phase)


def _movable(_vm: VmState, space: VmSpace, op: Op) -> list[int]:
    return space.pmap.mapped_in(op.cursor, op.end)


@idle_if(lambda vm, space, op: not _movable(vm, space, op))
def take_entries(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the old entries go, and are remembered; one a step when exploring."""
    gone: list[Gone] = []
    todo: list[int] = []
    cursor = op.end
    for vpn in _movable(vm, space, op):
        todo += (vpn, space.pmap.ptes[vpn])
        one = vm.entries.take_entry(op.asid << ASID_SHIFT | vpn)
        assert one is not None, "it is there"
        gone.append(one)
        if vm.settings.fine:
            cursor = vpn + 1
            break
    ns = op.ns + len(gone) * vm.settings.costs.pte_ns
    after = replace(
        op, gone=op.gone + tuple(gone), todo=op.todo + tuple(todo), cursor=cursor, ns=ns
    )
    return advance(after) if cursor == op.end else after


def move_entries(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the map shows the pages at the new place, and the page table does where it did."""
    start, end, low, high, keep, whole = op.args
    shift = low - start
    for entry in space.map.remove(op.start, op.end):
        if keep:
            _stays_empty(vm, space, op, entry)
        moved = entry.start + shift, entry.end + shift
        at = MapEntry(*moved, entry.prot, entry.oid, entry.offset, entry.flags)
        last = space.map.insert(at)
    if high - low > end - start:
        _lengthen(vm, space, op, last, high)
    _move_holes(space, start, end, shift)
    entered = 0
    for vpn, pte in zip(op.todo[::2], op.todo[1::2], strict=True):
        entered += _enter(vm, space, op, vpn + shift, pte)
    costs = vm.settings.costs
    op = advance(replace(op, todo=()), 2 * costs.map_ns + entered * costs.pte_ns)
    if space.map.overlapping(end, whole) and high - low == end - start:
        return replace(_next_run(space, op), phase=_FIRST_OF_RUN)
    return op


def _move_holes(space: VmSpace, start: int, end: int, shift: int) -> None:
    found = list(space.holes.inside(start, end))
    space.holes.remove(start, end)
    for low, high in found:
        space.holes.add(low + shift, high + shift)


def _stays_empty(vm: VmState, space: VmSpace, op: Op, entry: MapEntry) -> None:
    """Leave the old range mapped: private memory reads as zero there, what is shared is shared."""
    if entry.flags & SHARED:
        vm.objects.by_oid[entry.oid].one_mapping = False
        space.map.insert(entry.with_flags(off=WIRED))
        return
    bottom, index = vm.objects.bottom(entry)
    flags = entry.flags & ~(WIRED | HOLE | NEEDS_COPY)
    if vm.objects.by_oid[bottom].anonymous:
        bottom, index = vm.objects.make(op.op, entry.end - entry.start), 0
    else:
        flags |= NEEDS_COPY
    space.map.insert(MapEntry(entry.start, entry.end, entry.prot, bottom, index, flags))


def _lengthen(vm: VmState, space: VmSpace, op: Op, last: MapEntry, high: int) -> None:
    flags = last.flags & ~(NEEDS_COPY | HOLE)
    bottom, index = vm.objects.bottom(last)
    index += last.end - last.start
    if not vm.objects.by_oid[bottom].anonymous:
        flags |= 0 if flags & SHARED else NEEDS_COPY
    elif not flags & SHARED:
        bottom, index = vm.objects.make(op.op, high - last.end), 0
    space.map.insert(MapEntry(last.end, high, last.prot, bottom, index, flags))


def _enter(vm: VmState, space: VmSpace, op: Op, vpn: int, pte: int) -> bool:
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
    range_scan.lock_exclusive,
    check,
    _aim_at("aim_at_target", 0),
    *discard.let_go_of(discard.everything, discard.private),
    discard.unmap,
    _aim_at("aim_at_cut", 1),
    *discard.let_go_of(discard.everything, discard.private),
    discard.unmap,
    _aim_at("aim_at_moved", 2),
    take_entries,
    *shootdown.PHASES,
    move_entries,
    range_scan.unlock,
    object_chain.settle,
)
#: with the hazard move-before-flush the entries move, and the map is unlocked, before they flush
PHASES_MOVE_FIRST: tuple[Phase, ...] = (
    *PHASES[: PHASES.index(take_entries) + 1],
    move_entries,
    range_scan.unlock,
    *shootdown.PHASES,
    object_chain.settle,
)
_FIRST_OF_RUN = PHASES.index(check) + 1
