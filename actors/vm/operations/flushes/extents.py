"""How much a round of a shootdown flushes: the kernel's rule (`kernel/flush_extent.py`), applied.

A round is about one address space; where the kernel goes from entry to entry of the map, about
what lies in one of them. So it is on FreeBSD, which flushes before it unlocks the pmap.
"""

from typing import Any, NamedTuple

from actors.operation import OpKind
from actors.vm.op import Op
from actors.vm.state import VmState
from kernel.flush_extent import EXTENTS, Architecture, Extent, Reason
from kernel.policy.keys import NoAccess
from kernel.units import ASID_SHIFT, VPN_LIMIT, VPN_MASK

_WHOLE, _EACH = Extent(most=0), Extent()
_REASONS: dict[OpKind, Reason] = {
    OpKind.MPROTECT: Reason.PROTECT,
    OpKind.FORK: Reason.FORK,
    OpKind.ADVISE_FREE: Reason.ADVISE,
    OpKind.ADVISE_COLD: Reason.ADVISE,
    OpKind.FAULT: Reason.PAGE,
    OpKind.DMA: Reason.PAGE,
    OpKind.POPULATE: Reason.PAGE,
    OpKind.MLOCK: Reason.PAGE,
    OpKind.ADVISE_PAGEOUT: Reason.PAGE,
    OpKind.RECLAIM: Reason.PAGE,
    OpKind.LAUNDER: Reason.PAGE,
    OpKind.AGE: Reason.PAGE,
}
#: of the page daemon, which may flush what it has gathered at once
_PASSES = frozenset({OpKind.RECLAIM, OpKind.LAUNDER, OpKind.AGE})
#: the pmap goes as a whole, or is used by nobody else
_ENDS = frozenset({OpKind.EXIT, OpKind.EXEC})
_READ = 1


class Part(NamedTuple):
    """What one round flushes.

    vpns: the pages; none: the whole space, for the sake of [start, end) in `about`.
    until: entries below that (asid << ASID_SHIFT | vpn) are covered, of those that are gone.
    """

    asid: int
    vpns: tuple[int, ...]
    about: tuple[int, int]
    until: int


def _reason(vm: VmState, op: Op[Any]) -> Reason:
    kind = op.kind
    if kind is OpKind.MPROTECT and not op.own.prot & _READ:
        return Reason.REMOVE
    if kind is OpKind.ADVISE_DONTNEED and vm.settings.keeps_dontneed:
        return Reason.ADVISE
    if kind is OpKind.HOLE:
        no_access = vm.settings.policy.no_access
        if no_access is NoAccess.KEEP_PTE:
            return Reason.PROTECT
        return Reason.ADVISE if no_access is NoAccess.NONE else Reason.REMOVE
    return _REASONS.get(kind, Reason.REMOVE)


def _extent(vm: VmState, op: Op[Any], asid: int) -> Extent:
    settings = vm.settings
    if op.kind in _ENDS:
        return _WHOLE
    if op.kind in _PASSES and settings.policy.daemon_batch > 1:
        return _WHOLE if settings.architecture is Architecture.AMD64 else _EACH
    reason = _reason(vm, op) if asid == op.asid else Reason.PAGE
    return EXTENTS[settings.kernel, settings.architecture][reason]


def next_part(vm: VmState, op: Op[Any]) -> Part:
    """Return what the next round of an operation flushes, of what it has taken away."""
    gone = op.flush.gone
    low = min(va for va, _ in gone)
    asid, first = low >> ASID_SHIFT, low & VPN_MASK
    extent = _extent(vm, op, asid)
    start, end = (op.start, op.end) if asid == op.asid else (0, VPN_LIMIT)
    until = VPN_LIMIT
    if extent.by_entry:
        space_map = vm.spaces[asid].map
        entry = space_map.lookup(first)
        if entry is None:  # others have unmapped it
            after = space_map.overlapping(first, VPN_LIMIT)
            until = after[0].start if after else VPN_LIMIT
        else:
            start, end, until = max(start, entry.start), min(end, entry.end), entry.end
    limit = asid << ASID_SHIFT | until
    vpns = tuple(
        sorted({va & VPN_MASK for va, _ in gone if va >> ASID_SHIFT == asid and va < limit})
    )
    return _part(extent, asid, vpns, (start, end), limit)


def _part(
    extent: Extent, asid: int, vpns: tuple[int, ...], call: tuple[int, int], limit: int
) -> Part:
    low, high = vpns[0], vpns[-1] + 1
    about = (min(low, call[0]), max(high, call[1])) if extent.of_call else (low, high)
    pages = about[1] - about[0] if extent.of_call or extent.spans else len(vpns)
    if pages > extent.most:
        return Part(asid, (), about, limit)
    return Part(asid, tuple(range(low, high)) if extent.spans else vpns, about, limit)


def missed(vm: VmState, vpns: tuple[int, ...]) -> tuple[int, ...]:
    """Return what a core invalidates of pages that were left to it; none: the whole space."""
    settings = vm.settings
    extent = EXTENTS[settings.kernel, settings.architecture][Reason.REMOVE]
    return () if len(vpns) > extent.most else vpns
