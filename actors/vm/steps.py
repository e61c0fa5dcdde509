"""How a vm steps its operations: which phases each kind has, and how far a step goes.

What each operation does is in `actors/vm/operations/`, one module per kind.
"""

from typing import Any

from actors.machine import Effect, Send
from actors.messages import Return, Step, Work
from actors.operation import OpKind, OpState
from actors.vm.op import Op, advance, replace
from actors.vm.operations.advice import (
    advise_free,
    advise_guard,
    advise_hole,
    advise_pageout,
    advise_pages,
    advise_remove,
    advise_reuse,
    advise_zero,
)
from actors.vm.operations.faults import fault, pin, populate
from actors.vm.operations.flushes import deferral, switch
from actors.vm.operations.mappings import discard, end, fork, incore, inherit, protect, remap
from actors.vm.operations.paging import age, launder, reclaim
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.vmspace import VmSpace

STEPS: dict[OpKind, tuple[Phase, ...]] = {
    OpKind.FAULT: fault.PHASES,
    OpKind.MMAP: discard.MMAP_PHASES,
    OpKind.MUNMAP: discard.MUNMAP_PHASES,
    OpKind.MPROTECT: protect.PHASES,
    OpKind.ADVISE_FREE: advise_free.PHASES,
    OpKind.ADVISE_DONTNEED: discard.DONTNEED_PHASES,
    OpKind.HOLE: advise_hole.PHASES,
    OpKind.ZERO: advise_zero.PHASES,
    OpKind.RECLAIM: reclaim.PHASES,
    OpKind.LAUNDER: launder.PHASES,
    OpKind.AGE: age.PHASES,
    OpKind.SWITCH: switch.PHASES,
    OpKind.FORK: fork.PHASES,
    OpKind.EXIT: end.PHASES,
    OpKind.EXEC: end.PHASES,
    OpKind.MREMAP: remap.PHASES,
    OpKind.MLOCK: populate.MLOCK_PHASES,
    OpKind.MUNLOCK: populate.MUNLOCK_PHASES,
    OpKind.MINCORE: incore.PHASES,
    OpKind.MINHERIT: inherit.PHASES,
    OpKind.ADVISE_HINT: advise_pages.HINT_PHASES,
    OpKind.ADVISE_COLD: advise_pages.COLD_PHASES,
    OpKind.ADVISE_PAGEOUT: advise_pageout.PHASES,
    OpKind.ADVISE_REMOVE: advise_remove.PHASES,
    OpKind.GUARD_INSTALL: advise_guard.INSTALL_PHASES,
    OpKind.GUARD_REMOVE: advise_guard.REMOVE_PHASES,
    OpKind.POPULATE: populate.POPULATE_PHASES,
    OpKind.CATCH_UP: deferral.PHASES,
    OpKind.REUSE: advise_reuse.PHASES,
    OpKind.DMA: pin.PHASES,
}

#: members that each step asks for
_READY, _WORK = OpState.READY, OpState.WORK
_ZERO, _MREMAP, _LAUNDER = OpKind.ZERO, OpKind.MREMAP, OpKind.LAUNDER
_DONTNEED = OpKind.ADVISE_DONTNEED


def begin(vm: VmState, op: Op[Any]) -> list[Effect]:
    """Begin an operation; a lane has one at a time."""
    vm.in_flight.check_free(op.lane)
    return run(vm, op, [])


def run(vm: VmState, op: Op[Any], out: list[Effect]) -> list[Effect]:
    """Step an operation: once when exploring, else until it waits or its work is due."""
    phases = _phases(vm, op)
    space = vm.spaces[op.asid]
    fine = vm.settings.fine
    while op.phase < len(phases):
        op = phases[op.phase].step(vm, space, op, out)
        if vm.entries.restated:
            vm.entries.state_resident(op.lane, out)
        if vm.pages.dropped:
            vm.pages.free_slots(op.lane, out)
        if op.state is not _READY:
            vm.in_flight.put(op)
            return out
        if fine:
            op = _past_idle(vm, phases, space, op)
        if op.phase >= len(phases):
            break
        if fine:
            vm.in_flight.put(replace(op, ns=0) if op.ns else op)
            out.append(Send(vm.me, Step(op.lane), op.ns))
            return out
        if op.ns >= vm.settings.interrupt_quantum_ns:
            vm.in_flight.put(replace(op, state=_WORK, ns=0))
            out.append(Send(op.by, Work(op.lane, op.ns)))
            return out
    vm.in_flight.drop(op.lane)
    if op.error >= 0:
        out.append(Send(op.by, Return(op.lane, op.error, 0, op.ns)))
    return out


def _past_idle(vm: VmState, phases: tuple[Phase, ...], space: VmSpace, op: Op[Any]) -> Op[Any]:
    """Go past the phases that have nothing to do: they are no steps of their own."""
    while op.phase < len(phases):
        idle = phases[op.phase].idle
        if idle is None or not idle(vm, space, op):
            break
        op = advance(op)
    return op


def _phases(vm: VmState, op: Op[Any]) -> tuple[Phase, ...]:
    settings = vm.settings
    if op.kind is _ZERO and settings.hazards & Hazard.ZERO_AFTER_GRANT:
        return advise_zero.PHASES_GRANT_FIRST
    if op.kind is _MREMAP and settings.hazards & Hazard.MOVE_BEFORE_FLUSH:
        return remap.PHASES_MOVE_FIRST
    if op.kind is _LAUNDER:
        return launder.phases(vm, op)
    if op.kind is _DONTNEED and settings.keeps_dontneed:
        return advise_free.DEACTIVATE_PHASES
    return STEPS[op.kind]


def next_step(vm: VmState, lane: int) -> str:
    """Name what a Step would do next for an operation; empty if there is none."""
    op = vm.in_flight.ops.get(lane)
    return "" if op is None else f"{op.kind.name}.{_phases(vm, op)[op.phase].name}"
