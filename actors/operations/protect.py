"""mprotect(2): permissions are lost at once, everywhere; they are gained by faults.

An entry that the page daemon has just removed may still be in a TLB: its flush is awaited, too. The
dirty bit of an entry that goes is kept with the page.

Source: FreeBSD vm_map_protect, pmap_protect: PROT_NONE removes the entries (pmap_remove_pte marks
the page dirty), losing W clears it, the flush completes before the map is unlocked; gaining needs
no flush. Linux flush_tlb_batched_pending: mprotect against a reclaim that has not flushed yet.
"""

from actors.machine import Effect
from actors.operations import discard, range_scan, shootdown
from actors.operations.operation import Op, advance, replace
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2


def stop_at_gap(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: where a gap is an error, what lies behind the first one keeps its protection.

    Source: Linux do_mprotect_pkey, which walks the mappings and stops at a hole.
    """
    op = discard.with_gap_error(vm, space, op)
    if op.error:
        op = replace(op, end=space.map.mapped_until(op.start))
    return advance(op)


def change_map(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the entries of the range get the new protection."""
    space.map.change(op.start, op.end, prot=op.arg)
    return advance(op, vm.settings.costs.map_ns)


def change_entries(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: page-table entries lose what the protection does not give any more."""
    ptes = space.pmap.ptes
    lost = []
    entries = space.pmap.mapped_in(op.cursor, op.end)
    cursor = op.end
    for vpn in entries:
        if not op.arg & _READ:
            if ptes[vpn] & pte_bits.D:
                vm.note_dirty(space, vpn)
            del ptes[vpn]
            lost.append(vpn)
        elif not op.arg & _WRITE and ptes[vpn] & pte_bits.W:
            ptes[vpn] &= ~pte_bits.W
            lost.append(vpn)
        if vm.settings.fine:
            cursor = vpn + 1
            break
    if cursor == op.end:
        lost += vm.flushes_outstanding(op)
    op = replace(op, vpns=op.vpns + tuple(lost), cursor=cursor)
    op = replace(op, ns=op.ns + len(lost) * vm.settings.costs.pte_ns)
    return advance(op) if cursor == op.end else op


def flushed(_vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the shootdown is complete."""
    return advance(replace(op, vpns=()))


PHASES: tuple[Phase, ...] = (
    range_scan.lock_exclusive,
    stop_at_gap,
    change_map,
    change_entries,
    shootdown.zero_generations,
    shootdown.interrupt_active,
    flushed,
    range_scan.unlock,
)
