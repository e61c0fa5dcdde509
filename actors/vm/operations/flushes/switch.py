"""A core switches to an address space: the half of the shootdown protocol that `vm` sees.

Set the core's own bit in pm_active FIRST, then read its generation: see `shootdown.py`.
Where invalidations are left to context switches, a switch within an address space comes here as
well, before it returns early. Source: amd64 pmap_activate_sw, pmap_pcid_alloc.
"""

from actors.machine import Effect, Send
from actors.messages import Switched
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import extents
from actors.vm.payloads import Switch
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.vmspace import VmSpace


def set_active(vm: VmState, space: VmSpace, op: Op[Switch], _out: list[Effect]) -> Op[Switch]:
    """Phase: the core may be interrupted for this address space from now on."""
    if _reads_first(vm, op):
        return advance(_read(space, op))
    space.pmap.active |= 1 << op.by
    return advance(op)


def _reads_first(vm: VmState, op: Op[Switch]) -> bool:
    return bool(vm.settings.hazards & Hazard.GENERATION_BEFORE_BIT) and not op.own.within


def _read(space: VmSpace, op: Op[Switch]) -> Op[Switch]:
    """Read whether the core's generation is good; from now on it is."""
    good = bool(space.pmap.gens >> op.by & 1)
    space.pmap.gens |= 1 << op.by
    return replace(op, own=Switch(op.own.within, good))


def read_generation(vm: VmState, space: VmSpace, op: Op[Switch], out: list[Effect]) -> Op[Switch]:
    """Phase: say whether the core's cached entries are still good; a fresh PCID otherwise."""
    upto, vpns = vm.deferrals.missed(op.by, op.asid)
    if op.own.within:  # it runs the address space: only what was left to it is missing
        keep = not vpns or bool(extents.missed(vm, vpns))
    else:
        if _reads_first(vm, op):
            space.pmap.active |= 1 << op.by
        else:
            op = _read(space, op)
        keep = op.own.good
    vpns = vpns if keep else ()
    out.append(Send(op.by, Switched(op.lane, op.asid, keep, vpns, upto)))
    return replace(op, phase=len(PHASES), error=-1)


PHASES: tuple[Phase, ...] = (Phase(set_active), Phase(read_generation))
