"""mprotect(2): permissions are lost at once, everywhere; they are gained by faults.

An entry that the page daemon has just removed may still be in a TLB: its flush is awaited as well.
The dirty bit of an entry that goes is kept with the page.

Source: FreeBSD vm_map_protect, pmap_protect: PROT_NONE removes the entries (pmap_remove_pte marks
the page dirty), losing W clears it, the flush completes before the map is unlocked; gaining needs
no flush. Linux flush_tlb_batched_pending: mprotect against a reclaim that has not flushed yet.
"""

from actors.machine import Effect
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.payloads import Protect
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.policy.keys import ReadFill
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2


def change_map(_vm: VmState, space: VmSpace, op: Op[Protect], _out: list[Effect]) -> Op[Protect]:
    """Phase: the entries of the range get the new protection; `map_ns` has paid for the clips."""
    prot = op.own.prot
    space.map.change(op.start, op.end, lambda e: e.with_prot(prot))
    return advance(op)


def change_entries(vm: VmState, space: VmSpace, op: Op[Protect], _out: list[Effect]) -> Op[Protect]:
    """Phase: page-table entries lose what the protection does not give any more.

    Where another operation has taken an entry and not flushed it yet, this one flushes it as well.
    """
    prot = op.own.prot
    base = op.asid << ASID_SHIFT
    gone: list[Gone] = []
    cursor = op.end
    for vpn in _concerned(vm, space, op):
        if not prot & _READ:
            gone += _one(vm.entries.take_entry(base | vpn, keep=_stays(vm, space, vpn)))
        else:
            gone += _one(_write_protected(vm, space, base | vpn))
        if vm.settings.fine:
            cursor = vpn + 1
            break
    ns = len(gone) * vm.settings.costs.pte_ns
    if vm.settings.hazards & Hazard.PROTECT_WITHOUT_FLUSH:
        vm.entries.has_flushed(tuple(gone))
        gone = []
    op = replace(op, flush=op.flush.owing(gone), cursor=cursor, ns=op.ns + ns)
    return advance(op) if cursor == op.end else op


def _concerned(vm: VmState, space: VmSpace, op: Op[Protect]) -> list[int]:
    """List the pages that lose an entry or W, and those whose flush another operation owes."""
    prot = op.own.prot
    if prot & _WRITE and prot & _READ:
        return []
    ptes = space.pmap.ptes
    mapped = space.pmap.mapped_in(op.cursor, op.end)
    if prot & _READ:
        mapped = [vpn for vpn in mapped if ptes[vpn] & pte_bits.W]
    owed = vm.entries.owed_in(op.asid, op.cursor, op.end, op.flush.gone)
    return sorted({*owed, *mapped})


def _write_protected(vm: VmState, space: VmSpace, va: int) -> Gone | None:
    vpn = va & VPN_MASK
    pte = space.pmap.ptes.get(vpn, 0)
    if pte & pte_bits.W:
        space.pmap.ptes[vpn] = pte & ~pte_bits.W
        return vm.entries.must_flush(va, pte_bits.pfn_of(pte))
    return vm.entries.owed(va)


def _stays(vm: VmState, space: VmSpace, vpn: int) -> bool:
    """Say whether an entry stays, for nobody to use: Linux's mincore goes on finding it."""
    if vm.settings.policy.read_fill is not ReadFill.ZERO_PAGE:
        return False
    return vm.settings.is_zero_page(pte_bits.pfn_of(space.pmap.ptes.get(vpn, 0)))


def _one(gone: Gone | None) -> tuple[Gone, ...]:
    return () if gone is None else (gone,)


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    range_errors.CHECK,
    Phase(change_map),
    Phase(change_entries, idle=lambda vm, space, op: not _concerned(vm, space, op)),
    *shootdown.PHASES,
    range_scan.UNLOCK,
)
