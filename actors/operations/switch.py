"""A core switches to an address space: the half of the shootdown protocol that `vm` sees.

Set the core's own bit in pm_active FIRST, then read its generation: see `shootdown.py`.
Where invalidations are left to context switches, a switch within an address space comes here as
well, before it returns early. Source: amd64 pmap_activate_sw, pmap_pcid_alloc.
"""

from actors.machine import Effect, Send
from actors.messages import Switched
from actors.operations import deferral
from actors.operations.operation import Op, advance, replace
from actors.vm_state import Phase, VmState
from kernel.vmspace import VmSpace


def set_active(_vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the core may be interrupted for this address space from now on."""
    space.pmap.active |= 1 << op.by
    return advance(op)


def read_generation(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: say whether the core's cached entries are still good; a fresh PCID otherwise."""
    upto, vpns = deferral.missed(vm, op.by, op.asid)
    if op.args[0]:  # it runs the address space: only what was left to it is missing
        keep = len(vpns) <= vm.settings.costs.full_flush_pages
    else:
        keep = bool(space.pmap.gens >> op.by & 1)
        space.pmap.gens |= 1 << op.by
    vpns = vpns if keep else ()
    out.append(Send(op.by, Switched(op.op, op.asid, keep, vpns, upto)))
    return replace(op, phase=len(PHASES), error=-1)


PHASES: tuple[Phase, ...] = (set_active, read_generation)
