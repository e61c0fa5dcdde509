"""fork(2): the child's map shows what the parent's shows, copied when somebody writes.

    lock the parent's map; do what `fork_hole` says of holes; take W from entries of private memory;
    shoot down; a frame for each page that a device has pinned; entry by entry: an object of its own
    where others use the same one, both then need a copy, entries for the child's reads; copies of
    pinned pages; unlock

After the shootdown no core of the parent can store to what the child sees. What the entries of the
map say of inheritance (SHARED, INHERITED_ZERO, NOT_INHERITED) is honoured.
Source: FreeBSD vmspace_fork, vm_map_copy_entry, vm_object_split, pmap_copy. FreeBSD flushes entry
by entry; here it is done once, as on Linux: the map stays locked, so nobody sees the difference.
"""

from collections.abc import Iterator

from actors.facts import Granted
from actors.machine import Effect, Note
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.faults import frame_wait
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, fork_pinned, object_chain
from actors.vm.operations.ranges import range_scan
from actors.vm.payloads import Fork
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.page import NOBODY
from kernel.policy.keys import ForkHole, HoleRecord, ReadFill
from kernel.units import ASID_SHIFT, VPN_LIMIT
from kernel.vm_map import HOLE, INHERITED_ZERO, NEEDS_COPY, NOT_INHERITED, SHARED, WIRED, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

#: the child sees no copy of the pages of entries with one of these
_NOT_COPIED = SHARED | NOT_INHERITED | INHERITED_ZERO
#: values of fork_hole with which the pages of the parent's hole go
_LET_GO = frozenset({ForkHole.PUNCH_BOTH, ForkHole.ZERO_FIRST})


def in_hole(_vm: VmState, entry: MapEntry) -> bool:
    """Choose private memory in a hole."""
    return bool(entry.flags & HOLE)


def _goes(vm: VmState, entry: MapEntry) -> bool:
    """Choose private memory in a hole whose pages fork lets go of; what mlock holds stays."""
    locked = entry.flags & WIRED
    return in_hole(vm, entry) and not locked and vm.settings.policy.fork_hole in _LET_GO


def _no_holes(vm: VmState, space: VmSpace, _op: Op[Fork]) -> bool:
    return not _has_holes(vm, space)


def _has_holes(vm: VmState, space: VmSpace) -> bool:
    return vm.settings.policy.fork_hole is not ForkHole.COW_SHARE and (
        bool(space.holes.starts) or any(entry.flags & HOLE for entry in space.map.entries)
    )


def clip_holes(vm: VmState, space: VmSpace, op: Op[Fork], _out: list[Effect]) -> Op[Fork]:
    """Phase: while the map is locked its entries say where holes are, whatever the record is."""
    if _has_holes(vm, space):
        for low, high in list(space.holes.inside(0, op.end)):
            space.map.change(low, high, lambda e: e if e.flags & SHARED else e.with_flags(on=HOLE))
    return advance(op, vm.settings.costs.map_ns)


def end_holes(vm: VmState, space: VmSpace, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Phase: zero-first ends the holes; a record beside the map needs no flags in the map."""
    if not _has_holes(vm, space):
        return advance(op)
    policy = vm.settings.policy
    zeroes = policy.fork_hole is ForkHole.ZERO_FIRST
    for entry in [e for e in space.map.entries if e.flags & HOLE]:
        ends = zeroes and not entry.flags & WIRED
        if ends:
            out.append(Note(Granted(op.lane, op.asid, entry.start, entry.end)))
            space.holes.remove(entry.start, entry.end)
        if ends or policy.hole_state is HoleRecord.RANGE_LIST:
            space.map.change(entry.start, entry.end, lambda e: e.with_flags(off=HOLE))
    return advance(op, vm.settings.costs.map_ns)


def lock(vm: VmState, space: VmSpace, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Phase: take the parent's map lock exclusively; nobody runs in the child yet."""
    op = range_scan.lock_exclusive(vm, space, op, out)
    if op.state:
        return op
    assert not _child(vm, op).map.entries, "a child begins with nothing"
    return replace(op, start=0, cursor=0, end=VPN_LIMIT)


def _child(vm: VmState, op: Op[Fork]) -> VmSpace:
    return vm.spaces[op.own.child]


def _nothing_writable(vm: VmState, space: VmSpace, op: Op[Fork]) -> bool:
    return next(_writable(vm, space, op), None) is None


def write_protect(vm: VmState, space: VmSpace, op: Op[Fork], _out: list[Effect]) -> Op[Fork]:
    """Phase: no store reaches what the child will see any more; one entry a step when exploring."""
    ptes, gone = space.pmap.ptes, list[Gone]()
    cursor = op.end
    for vpn in list(_writable(vm, space, op)):
        pte, va = ptes.get(vpn, 0), op.asid << ASID_SHIFT | vpn
        if pte & pte_bits.W:
            ptes[vpn] = pte & ~pte_bits.W
            gone.append(vm.entries.must_flush(va, pte_bits.pfn_of(pte)))
        elif (owed := vm.entries.owed(va)) is not None:
            gone.append(owed)
        if vm.settings.fine:
            cursor = vpn + 1
            break
    ns = len(gone) * vm.settings.costs.pte_ns
    op = replace(op, flush=op.flush.owing(gone), cursor=cursor, ns=op.ns + ns)
    return advance(op) if cursor == op.end else op


def _writable(vm: VmState, space: VmSpace, op: Op[Fork]) -> Iterator[int]:
    """Yield the pages of private memory that may be stored to, from the cursor on.

    Where the page daemon has taken W away and not flushed it yet, a TLB may have it.
    """
    for entry in space.map.overlapping(op.cursor, op.end):
        if entry.flags & (_NOT_COPIED | NEEDS_COPY):
            continue
        start = max(entry.start, op.cursor)
        owed = vm.entries.owed_in(op.asid, start, entry.end, op.flush.gone)
        for vpn in sorted({*space.pmap.mapped_in(start, entry.end), *owed}):
            if vpn in owed or space.pmap.ptes[vpn] & pte_bits.W:
                yield vpn


def copy_entries(vm: VmState, space: VmSpace, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Phase: one entry of the map after the other goes to the child."""
    if fork_pinned.missing(vm, space, op) > 0:
        if space.ending:  # it is to get no frames, and may hold those that others wait for
            vm.pins.free(op.lane, op.own.spare, out)
            own = replace(op.own, spare=())
            return replace(op, own=own, error=Errno.EINTR, phase=index_of(PHASES, end_holes))
        return frame_wait.ask(vm, op, out)
    # pieces: what is copied may have merged with what is not
    for entry in space.map.pieces(op.cursor, op.end):
        after = _copy_entry(vm, space, entry, op, out)
        if after.state:
            return replace(after, cursor=entry.start)
        op = replace(after, cursor=entry.end, ns=after.ns + vm.settings.costs.map_ns)
        if vm.settings.fine:
            return op
    return advance(op)


def _copy_entry(
    vm: VmState, space: VmSpace, entry: MapEntry, op: Op[Fork], out: list[Effect]
) -> Op[Fork]:
    child = _child(vm, op).map
    if entry.flags & NOT_INHERITED:
        return op
    entry = entry.with_flags(off=WIRED)
    if entry.flags & INHERITED_ZERO:
        oid = vm.objects.make(op.lane, entry.end - entry.start)
        child.insert(entry.with_object(oid, 0).with_flags(off=NEEDS_COPY | SHARED | HOLE))
        return op
    for low, high in space.guards.inside(entry.start, entry.end):
        _child(vm, op).guards.add(low, high)
    if entry.flags & SHARED:
        vm.objects.by_oid[entry.oid].one_mapping = False
        child.insert(entry)
        return op
    if entry.flags & HOLE and vm.settings.policy.fork_hole is not ForkHole.COW_SHARE:
        return _new_for_child(vm, entry, op, out)
    holes = _child(vm, op).holes
    for low, high in space.holes.inside(entry.start, entry.end):
        holes.add(low, high)
    top = vm.objects.by_oid[entry.oid]
    if not entry.flags & NEEDS_COPY and top.one_mapping and vm.objects.refs(entry.oid) > 1:
        return _split(vm, space, entry, op, out)
    top.one_mapping = False
    if top.backing != NONE:
        op = replace(op, drops=tuple(dict.fromkeys((*op.drops, top.backing))))
    space.map.change(entry.start, entry.end, lambda e: e.with_flags(on=NEEDS_COPY))
    child.insert(entry.with_flags(on=NEEDS_COPY))
    return _copy_ptes(vm, space, entry, op)


def _new_for_child(vm: VmState, entry: MapEntry, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Give the child fresh memory where the parent has a hole; a hole, too, with punch-both."""
    space = _child(vm, op)
    oid = vm.objects.make(op.lane, entry.end - entry.start)
    fresh = entry.with_object(oid, 0).with_flags(off=HOLE | NEEDS_COPY)
    if vm.settings.policy.fork_hole is not ForkHole.PUNCH_BOTH:
        out.append(Note(Granted(op.lane, op.own.child, entry.start, entry.end)))
    elif vm.settings.policy.hole_state is HoleRecord.RANGE_LIST:
        space.holes.add(entry.start, entry.end)
    else:
        fresh = fresh.with_flags(on=HOLE)
    space.map.insert(fresh)
    return op


def _split(
    vm: VmState, space: VmSpace, entry: MapEntry, op: Op[Fork], out: list[Effect]
) -> Op[Fork]:
    """Give an entry an object of its own, with its pages, out of one that others use as well."""
    old = vm.objects.by_oid[entry.oid]
    first, last = entry.offset, entry.pindex(entry.end)
    indexes = sorted(i for i in old.pages if first <= i < last)
    for index in indexes:
        if old.pages[index].busy != NOBODY:
            return vm.waiting.sleep_on_page(op, (entry.oid, index), out)
    oid = vm.objects.make(op.lane, last - first)
    new = vm.objects.by_oid[oid]
    for index in indexes:
        vm.holes.rename((entry.oid, index), (oid, index - first))
    for index in sorted(i for i in old.swap if first <= i < last):
        new.swap[index - first] = old.swap.pop(index)
    if old.backing != NONE:
        new.backing, new.offset = old.backing, old.offset + first
        below = vm.objects.by_oid[old.backing]
        below.shadows = (*below.shadows, oid)
        below.one_mapping = False
    space.map.change(entry.start, entry.end, lambda e: e.with_object(oid, 0))
    found = space.map.lookup(entry.start)
    assert found is not None
    op = replace(op, drops=tuple(dict.fromkeys((*op.drops, entry.oid))))
    return _copy_entry(vm, space, found, op, out)


def _stored_to(space: VmSpace, entry: MapEntry) -> bool:
    """Say whether a private mapping was ever stored to; for others the child faults itself.

    Source: Linux vma_needs_copy (anon_vma).
    """
    stored = space.stored
    return bool(stored.starts) and any(True for _ in stored.inside(*space.map.alike(entry)))


def _copy_ptes(vm: VmState, space: VmSpace, entry: MapEntry, op: Op[Fork]) -> Op[Fork]:
    """Give the child entries for what is mapped: not writable, not used, not dirty."""
    base = op.own.child << ASID_SHIFT
    mapped = space.pmap.mapped_in(entry.start, entry.end)
    stored = _stored_to(space, entry)
    if stored:
        _child(vm, op).stored.add(entry.start, entry.end)
    for vpn in mapped:
        pte = space.pmap.ptes[vpn]
        if vm.settings.is_zero_page(pte_bits.pfn_of(pte)):
            if stored if vm.settings.policy.read_fill is ReadFill.ZERO_PAGE else pte & pte_bits.U:
                _child(vm, op).pmap.ptes[vpn] = pte
            continue
        if not pte & pte_bits.U:
            continue
        key = vm.pages.frames[pte_bits.pfn_of(pte)]
        page = vm.objects.by_oid[key[0]].pages[key[1]]
        if page.pins:
            continue  # the child gets a copy
        vm.entries.enter(base | vpn, key, page, pte & (pte_bits.P | pte_bits.U))
    return replace(op, ns=op.ns + len(mapped) * vm.settings.costs.pte_ns)


PHASES: tuple[Phase, ...] = (
    Phase(lock),
    Phase(clip_holes, idle=_no_holes),
    *discard.let_go_of(_goes, _goes, last=False),
    discard.punch(_goes, to_zero=True),
    Phase(write_protect, idle=_nothing_writable),
    *shootdown.PHASES,
    Phase(copy_entries),
    *fork_pinned.PHASES,
    Phase(end_holes, idle=_no_holes),
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
