"""The phases of a shootdown that `vm` has a part in; the initiator does the rest.

    initiator                        core switching in
    PTE := new                       set own bit in pm_active
    zero pm_gen of the others        read pm_gen: zero -> flush
    read pm_active, send IPIs        load root, curpmap := new

Either the initiator sees the bit and interrupts, or the core sees generation zero and flushes.
Source: amd64 pmap_invalidate_preipi_pcid; reversing the first column is FreeBSD-EN-22:04.pcid.
"""

from actors.facts import EntriesGone
from actors.machine import Effect, Note, Send
from actors.messages import Shoot
from actors.operation import Op, OpState, advance, replace
from actors.vm.entries import Gone
from actors.vm.state import VmState, idle_if
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import Pmap, VmSpace


def _nothing_gone(_vm: VmState, _space: VmSpace, op: Op) -> bool:
    return not op.gone


def _orphans(vm: VmState, op: Op) -> list[Gone]:
    if not vm.entries.unflushed.places or vm.settings.hazards & Hazard.SECOND_DOES_NOT_WAIT:
        return []
    own = {va for va, _ in op.gone}
    return [one for one in vm.entries.orphans_in(op.asid, op.start, op.end) if one[0] not in own]


@idle_if(lambda vm, _space, op: not _orphans(vm, op))
def join_flushes(vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: what others have discarded from the range and not flushed yet is flushed here as well.

    An operation that found nothing there may not return before no TLB gives it any more.
    Source: Linux tlb_finish_mmu flushes when another flush of the mm is pending.
    """
    joined = tuple(vm.entries.must_flush(*one) for one in _orphans(vm, op))
    return advance(replace(op, gone=op.gone + joined))


@idle_if(_nothing_gone)
def zero_generations(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """First half: every core but the initiator's must flush when it switches in."""
    if not op.gone:
        return advance(op)
    asid, vpns = next_round(op)
    out.append(Note(EntriesGone(op.op, asid, vpns)))
    pmap = vm.spaces[asid].pmap
    word_ns = vm.settings.costs.pte_ns
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        return advance(replace(op, value=pmap.active), word_ns)
    if vm.settings.policy.invalidate is not Invalidate.BROADCAST:  # which reaches every TLB
        _zero_generations(pmap, op)
    return advance(op, word_ns)


def next_round(op: Op) -> tuple[int, tuple[int, ...]]:
    """Give the address space whose entries are flushed next, and their pages."""
    asid = min(va for va, _ in op.gone) >> ASID_SHIFT
    vpns = dict.fromkeys(va & VPN_MASK for va, _ in op.gone if va >> ASID_SHIFT == asid)
    return asid, tuple(vpns)


def _zero_generations(pmap: Pmap, op: Op) -> None:
    own = 1 << op.by if pmap.active >> op.by & 1 else 0
    pmap.gens &= own


@idle_if(_nothing_gone)
def interrupt_active(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Second half: read pm_active and have the initiator interrupt those cores."""
    if not op.gone:
        return advance(op)
    asid, vpns = next_round(op)
    pmap = vm.spaces[asid].pmap
    active = pmap.active
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        active, op = op.value, replace(op, value=0)
        _zero_generations(pmap, op)
    active &= ~op.spared
    targets = tuple(c for c in range(active.bit_length()) if active >> c & 1 and c != op.by)
    if len(vpns) > vm.settings.costs.full_flush_pages:
        vpns = ()
    out.append(Send(op.by, Shoot(op.op, op.round, asid, vpns, targets, op.ns)))
    return replace(op, state=OpState.ACKS, ns=0)


def invalidated(vm: VmState, op: Op) -> Op:
    """Take in that a round is complete; entries of another space have a round of their own."""
    asid, _ = next_round(op)
    vm.entries.has_flushed(tuple(one for one in op.gone if one[0] >> ASID_SHIFT == asid))
    left = tuple(one for one in op.gone if one[0] >> ASID_SHIFT != asid)
    op = replace(op, gone=left, state=OpState.READY, round=op.round + 1)
    return replace(op, phase=op.phase - 1) if left else advance(op)


#: what an operation goes through that has taken entries away
PHASES = (zero_generations, interrupt_active)
