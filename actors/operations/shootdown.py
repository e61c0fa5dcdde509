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
from actors.operations.operation import Op, OpState, advance, replace
from actors.vm_state import VmState
from kernel.hazards import Hazard
from kernel.vmspace import VmSpace


def zero_generations(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """First half: every core but the initiator's must flush when it switches in."""
    if not op.vpns:
        return advance(op)
    out.append(Note(EntriesGone(op.op, op.asid, op.vpns)))
    word_ns = vm.settings.costs.pte_ns
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        return advance(replace(op, value=space.pmap.active), word_ns)
    _zero_generations(space, op)
    return advance(op, word_ns)


def _zero_generations(space: VmSpace, op: Op) -> None:
    own = 1 << op.by if space.pmap.active >> op.by & 1 else 0
    space.pmap.gens &= own


def interrupt_active(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Second half: read pm_active and have the initiator interrupt those cores."""
    if not op.vpns:
        return advance(op)
    active = space.pmap.active
    if vm.settings.hazards & Hazard.GENERATION_AFTER_MASK:
        active = op.value
        _zero_generations(space, op)
    targets = tuple(c for c in range(active.bit_length()) if active >> c & 1 and c != op.by)
    vpns = op.vpns if len(op.vpns) <= vm.settings.costs.full_flush_pages else ()
    out.append(Send(op.by, Shoot(op.op, op.round, op.asid, vpns, targets, op.ns)))
    return replace(op, state=OpState.ACKS, ns=0, value=0)
