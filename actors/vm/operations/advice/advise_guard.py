"""madvise(MADV_GUARD_INSTALL), MADV_GUARD_REMOVE of Linux: every access is SIGSEGV; no more.

    lock; zap, as MADV_DONTNEED does: leave the object, remove the entries, shoot down, free; put
    markers where there are no entries, page by page; a page that a fault has brought back since is
    zapped again, and all starts over; flush what others owe there; unlock

A fault that was under way looks at the page table again before it enters its page. Markers are the
page table's: they stay over mprotect and MADV_DONTNEED, move with mremap, and a child has them.
Contents of private memory are lost; a file or shared memory shows again when the markers go.
Source: Linux mm/madvise.c (madvise_guard_install, madvise_guard_remove, is_valid_guard_vma).
"""

from collections.abc import Iterator
from typing import Any

from actors.machine import Effect
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.payloads import Discard
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.units import ASID_SHIFT
from kernel.vm_map import SHARED, MapEntry
from kernel.vmspace import VmSpace


def _zapped(vm: VmState, entry: MapEntry) -> bool:
    """Choose memory whose pages are nobody else's, and go with their entries."""
    return not entry.flags & SHARED and vm.objects.exclusive(entry)


def _brought_back(vm: VmState, space: VmSpace, op: Op[Any], end: int) -> Iterator[int]:
    """Yield pages of [cursor, end) that have an entry or, of private memory, are resident."""
    yield from space.pmap.mapped_in(op.cursor, end)
    yield from vm.objects.held_in(space, op.cursor, end, lambda e: _zapped(vm, e))


def mark(vm: VmState, space: VmSpace, op: Op[Discard], _out: list[Effect]) -> Op[Discard]:
    """Phase: markers for what is mapped and has no entry; back to the zap if something has one."""
    end = min(op.cursor + 1, op.end) if vm.settings.fine else op.end
    if op.cursor >= op.end:
        return advance(op)
    back = min(_brought_back(vm, space, op, end), default=end)
    if back < end and vm.settings.hazards & Hazard.GUARD_WITHOUT_RESTART:
        _overwrite(vm, space, op, end)
        back = end
    for piece in space.map.pieces(op.cursor, back):
        space.guards.add(piece.start, piece.end)
    if back < end:
        return replace(op, phase=_ZAP, cursor=op.start)
    op = replace(op, cursor=end, ns=op.ns + (end - op.cursor) * vm.settings.costs.pte_ns)
    return op if end < op.end else advance(op)


def _overwrite(vm: VmState, space: VmSpace, op: Op[Discard], end: int) -> None:
    """Put markers over entries, as if there were none: what a TLB has of them stays (a hazard)."""
    for vpn in space.pmap.mapped_in(op.cursor, end):
        gone = vm.entries.take_entry(op.asid << ASID_SHIFT | vpn)
        if gone is not None:
            vm.entries.has_flushed((gone,))


def _owed(vm: VmState, op: Op[Any]) -> list[int]:
    return vm.entries.owed_in(op.asid, op.start, op.end, op.flush.gone)


def join_flushes(vm: VmState, _space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: flush what others have taken from the range and not flushed yet; no more will come."""
    base = op.asid << ASID_SHIFT
    joined = [one for vpn in _owed(vm, op) if (one := vm.entries.owed(base | vpn)) is not None]
    return advance(replace(op, flush=op.flush.owing(joined)))


def take_away(_vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: the markers go."""
    space.guards.remove(op.start, op.end)
    return advance(op)


_LOCK: tuple[Phase, ...] = (discard.lock(lambda _: False), range_errors.CHECK)
_ZAP = len(_LOCK)
INSTALL_PHASES: tuple[Phase, ...] = (
    *_LOCK,
    *discard.let_go_of(discard.everything, discard.private),
    discard.punch(discard.older_copies),
    Phase(mark),
    Phase(join_flushes, idle=lambda vm, _space, op: not _owed(vm, op)),
    *shootdown.PHASES,
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
REMOVE_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    Phase(take_away),
    range_scan.UNLOCK,
)
