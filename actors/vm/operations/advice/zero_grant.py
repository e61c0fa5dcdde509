"""The end of ZERO: the pages are usable again. It is ZERO's linearisation point."""

from collections.abc import Iterator

from actors.facts import Granted
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.ranges.advice_scope import advised
from actors.vm.payloads import Zero
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.hole import HoleEvent, HoleState
from kernel.page import KNOWN_ZERO, Page
from kernel.policy.keys import Grant, Reclaim, Regrant, TrackClean
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vm_map import SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace


def grant(vm: VmState, space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: the pages are usable again; nothing stored from here on may be lost."""
    settings = vm.settings
    if not op.error and _something_left(vm, space, op):
        op = replace(op, error=Errno.EBUSY)
    late = bool(settings.hazards & Hazard.ZERO_AFTER_GRANT)
    if not settings.hazards & Hazard.ZERO_KEEPS_MARK:
        vm.holes.mark(space, op.start, op.end, hole=False)
    vm.holes.punch_files(space, op.start, op.end)
    parts = _without_wired(vm, space, op)
    ns, told = 0, list[Gone]()
    for key, vpn in op.own.pages:
        page = vm.pages.get(key)
        assert page is not None
        if page.hole is HoleState.INLINE:
            vm.holes.event(key, HoleEvent.INLINE_DONE, op)
        after, _ = vm.holes.event(key, HoleEvent.GRANT, op)
        assert after is not None
        if settings.policy.track_clean is TrackClean.ON and not vm.entries.dirtied(after):
            after = after.with_flags(on=KNOWN_ZERO)
            vm.pages.put(key, after)
        if settings.policy.grant is Grant.EAGER:
            ns += settings.costs.pte_ns
            va = op.asid << ASID_SHIFT | vpn
            closed = space.pmap.ptes.get(vpn, 0) and not space.pmap.ptes[vpn] & pte_bits.U
            after = _enter(vm, space, va, key, after)
            if closed and settings.policy.regrant is not Regrant.FAULT:
                told.append(vm.entries.must_flush(va, after.pfn))
        vm.waiting.unbusy(key, after, out)
    ns += _map_zero_pages(vm, space, op)
    out.extend(Note(Granted(op.lane, op.asid, *part)) for part in parts)
    if op.start < op.end and (len(parts) != 1 or parts[0] != (op.start, op.end)):
        op = replace(op, error=Errno.EINVAL)  # what is wired is not zero
    flush = replace(op.flush, gone=tuple(told), spared=_spared(vm, op, told))
    own = op.own if late else replace(op.own, pages=())
    return advance(replace(op, flush=flush, own=own), ns)


def _map_zero_pages(vm: VmState, space: VmSpace, op: Op[Zero]) -> int:
    """Map the zero page where pages were reclaimed out of the hole; return what that costs."""
    if vm.settings.policy.reclaim is not Reclaim.ZERO_PAGE:
        return 0
    zero_page, count = vm.settings.zero_page(op.by), 0
    for piece in space.map.pieces(op.start, op.end):
        one = vm.objects.by_oid[piece.oid]
        found = list(one.reclaimed.inside(piece.offset, piece.pindex(piece.end)))
        one.reclaimed.remove(piece.offset, piece.pindex(piece.end))
        if piece.flags & SHARED or not piece.prot & 1 or vm.objects.shadowed(piece):
            continue
        for low, high in found:
            for index in range(low, high):
                vpn = index - piece.offset + piece.start
                taken = vpn in space.pmap.ptes or space.guards.holds(vpn)
                if index in one.pages or index in one.swap or taken:
                    continue
                space.pmap.ptes[vpn] = pte_bits.make(zero_page, pte_bits.P | pte_bits.U)
                count += 1
    return count * vm.settings.costs.pte_ns


def _without_wired(vm: VmState, space: VmSpace, op: Op[Zero]) -> list[tuple[int, int]]:
    """List the parts of the range around the pages that ZERO left alone: wired, in no hole."""
    parts, at = [], op.start
    for vpn in sorted({*_wired(vm, space, op), *_locked_copies(vm, space, op)}):
        parts.append((at, vpn))
        at = vpn + 1
    return [(start, end) for start, end in (*parts, (at, op.end)) if start < end]


def _wired(vm: VmState, space: VmSpace, op: Op[Zero]) -> Iterator[int]:
    left = set(op.own.left).difference(vpn for _, vpn in op.own.pages)
    for vpn in vm.objects.resident_in(space, op.start, op.end):
        found = vm.objects.page_at(space, vpn)
        assert found is not None, "it is resident"
        if vpn in left or (found[1].hole is HoleState.LIVE and vm.objects.is_wired(*found)):
            yield vpn


def _locked_copies(vm: VmState, space: VmSpace, op: Op[Zero]) -> Iterator[int]:
    """Yield the pages that mlock holds where an older copy may lie: no object was punched in.

    Under `rewind` ZERO is about such memory, but not about a page that lies below.
    """
    if space.map.wired:
        for piece in space.map.pieces(op.start, op.end):
            if piece.flags & WIRED:
                passed = not advised(vm, piece)
                yield from (
                    v for v in range(piece.start, piece.end) if passed or _below(vm, piece, v)
                )


def _below(vm: VmState, piece: MapEntry, vpn: int) -> bool:
    found = vm.objects.find(piece, vpn)
    return found is not None and found[0][0] != piece.oid


def _something_left(vm: VmState, space: VmSpace, op: Op[Zero]) -> bool:
    """Say whether ZERO leaves something as it was; it never returns 0 then."""
    return not all(advised(vm, piece) for piece in space.map.pieces(op.start, op.end))


def _spared(vm: VmState, op: Op[Zero], told: list[Gone]) -> int:
    """Return the cores (a mask) that still have the entries from before HOLE, which are good again.

    Source: issue 1318, step 4: interrupt those that have invalidated the page.
    """
    if vm.settings.policy.regrant is not Regrant.IPI_DEFERRED:
        return 0
    awaited = vm.deferrals.awaited(op.asid)
    spared = ~0
    for va, _ in told:
        spared &= awaited.get(va, 0)
    return spared


def _enter(vm: VmState, space: VmSpace, va: int, key: PageKey, page: Page) -> Page:
    entry = space.map.lookup(va & VPN_MASK)
    if entry is None or not entry.prot & 1 or space.guards.holds(va & VPN_MASK):
        return page
    bits = pte_bits.P | pte_bits.U | (pte_bits.W if entry.prot & 2 else 0)
    # an entry that stayed may be cached with its dirty bit: clearing it takes a shootdown
    bits |= space.pmap.ptes.get(va & VPN_MASK, 0) & (pte_bits.A | pte_bits.D)
    vm.entries.enter(va, key, page, bits)
    return vm.objects.by_oid[key[0]].pages[key[1]]
