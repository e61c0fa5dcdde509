"""The phases of a shootdown that `vm` has a part in; the initiator does the rest.

    initiator                        core switching in
    PTE := new                       set own bit in pm_active
    zero pm_gen of the others        read pm_gen: zero -> flush
    read pm_active, send IPIs        load root, curpmap := new

Either the initiator sees the bit and interrupts, or the core sees generation zero and flushes.
Source: amd64 pmap_invalidate_preipi_pcid; reversing the first column is FreeBSD-EN-22:04.pcid.
"""

from typing import Any

from actors.facts import EntriesGone
from actors.machine import Effect, Note, Send
from actors.messages import Shoot
from actors.operation import OpState
from actors.vm.entries import Gone
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.flushes import extents
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import Pmap, VmSpace

_READY, _ACKS = OpState.READY, OpState.ACKS
_BROADCAST = Invalidate.BROADCAST
#: of a flush that clears the mark of what others owe in its space (the hazard flush-clears-mark)
_MARK = -1


def nothing_gone(_vm: VmState, _space: VmSpace, op: Op[Any]) -> bool:
    """Say whether the operation owes no invalidation."""
    return not op.flush.gone


def _orphans(vm: VmState, op: Op[Any]) -> list[Gone]:
    if not vm.entries.unflushed.places or vm.settings.hazards & Hazard.SECOND_DOES_NOT_WAIT:
        return []
    own = {va for va, _ in op.flush.gone}
    return [one for one in vm.entries.orphans_in(op.asid, op.start, op.end) if one[0] not in own]


def join_flushes(vm: VmState, _space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: what others have discarded from the range and not flushed yet is flushed here as well.

    An operation that found nothing there must not return while a TLB may still have it.
    Source: Linux tlb_finish_mmu flushes when another flush of the mm is pending.
    """
    orphans = _orphans(vm, op)
    if not orphans:
        return advance(op)
    joined = [vm.entries.must_flush(*one) for one in orphans]
    return advance(replace(op, flush=op.flush.owing(joined)))


def _owed(vm: VmState, op: Op[Any]) -> list[int]:
    return vm.entries.owed_in(op.asid, op.start, op.end, op.flush.gone)


def honour_owed(vm: VmState, _space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: what others have taken from entries of the range, and owe, is flushed here as well.

    Source: Linux flush_tlb_batched_pending, in move_ptes and madvise_free_pte_range; on FreeBSD
    the flush comes before the pmap is unlocked.
    """
    base = op.asid << ASID_SHIFT
    found = [vm.entries.owed(base | vpn) for vpn in _owed(vm, op)]
    gone = [one for one in found if one is not None]
    return advance(replace(op, flush=op.flush.owing(gone)))


def zero_generations(vm: VmState, _space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: the first half: every core but the initiator's must flush when it switches in."""
    if not op.flush.gone:
        return advance(op)
    asid, vpns = next_round(op)
    out.append(Note(EntriesGone(op.lane, asid, vpns)))
    pmap = vm.spaces[asid].pmap
    word_ns = vm.settings.costs.pte_ns
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        return advance(replace(op, flush=replace(op.flush, active=pmap.active)), word_ns)
    if vm.settings.policy.invalidate is not _BROADCAST:  # which reaches every TLB
        _zero_generations(pmap, op)
    return advance(op, word_ns)


def next_round(op: Op[Any]) -> tuple[int, tuple[int, ...]]:
    """Return the address space whose entries are flushed next, and their pages."""
    gone = op.flush.gone
    asid = min(va for va, _ in gone) >> ASID_SHIFT
    vpns = dict.fromkeys(va & VPN_MASK for va, _ in gone if va >> ASID_SHIFT == asid)
    return asid, tuple(vpns)


def _zero_generations(pmap: Pmap, op: Op[Any]) -> None:
    own = 1 << op.by if pmap.active >> op.by & 1 else 0
    pmap.gens &= own


def interrupt_active(vm: VmState, _space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: the second half: read pm_active and have the initiator interrupt those cores."""
    if not op.flush.gone:
        return advance(op)
    part = extents.next_part(vm, op)
    pmap = vm.spaces[part.asid].pmap
    active, flush = pmap.active, replace(op.flush, until=part.until)
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        active, flush = flush.active, replace(flush, active=0)
        _zero_generations(pmap, op)
    active &= ~flush.spared
    targets = tuple(c for c in range(active.bit_length()) if active >> c & 1 and c != op.by)
    if vm.settings.hazards & Hazard.FLUSH_CLEARS_MARK and vm.entries.joins_others(flush.gone):
        flush = replace(flush, covers=_MARK)
    about = (0, 0) if part.vpns else part.about
    shoot = Shoot(op.lane, flush.round, part.asid, part.vpns, targets, op.ns, about)
    out.append(Send(op.by, shoot))
    if vm.deferrals.notes and not flush.spared:
        flush = replace(flush, covers=vm.deferrals.last)
    return replace(op, flush=flush, state=_ACKS, ns=0)


def invalidated(vm: VmState, op: Op[P]) -> Op[P]:
    """Take in that a round is complete; what it was not about has a round of its own.

    What had been left to other cores of the same entries is done by it as well.
    """
    gone, until = op.flush.gone, op.flush.until
    asid = until - 1 >> ASID_SHIFT
    flushed = tuple(one for one in gone if one[0] < until)
    if op.flush.covers == _MARK:
        vm.entries.clear_mark(asid)
    vm.entries.has_flushed(flushed)
    if op.flush.covers:
        vm.entries.has_flushed(vm.deferrals.made(flushed, op.flush.covers))
    left = tuple(one for one in gone if one[0] >= until)
    flush = replace(op.flush, gone=left, round=op.flush.round + 1, until=0, covers=0)
    op = replace(op, flush=flush, state=_READY)
    return replace(op, phase=op.phase - 1) if left else advance(op)


JOIN_FLUSHES = Phase(join_flushes, idle=lambda vm, _space, op: not _orphans(vm, op))
HONOUR_OWED = Phase(honour_owed, idle=lambda vm, _space, op: not _owed(vm, op))
#: what an operation goes through that has taken entries away
PHASES: tuple[Phase, ...] = (
    Phase(zero_generations, idle=nothing_gone),
    Phase(interrupt_active, idle=nothing_gone),
)
