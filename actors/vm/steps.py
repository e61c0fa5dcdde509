"""How a `vm` steps its operations: which phases each kind has, and how far a step goes.

What each operation does is in `actors/vm/operations/`, one module per kind.
"""

from actors.machine import Effect, ProtocolError, Send
from actors.message import Message
from actors.messages import Return, Step, Work
from actors.operation import Op, OpKind, OpState, advance, replace
from actors.vm.holes import IDLE_PHASES, Phase, VmState
from actors.vm.operations.advice import (
    advise_free,
    advise_hole,
    advise_pageout,
    advise_pages,
    advise_remove,
    advise_reuse,
    advise_zero,
)
from actors.vm.operations.faults import fault, pin, populate
from actors.vm.operations.flushes import deferral, switch
from actors.vm.operations.mappings import discard, fork, incore, inherit, protect, remap
from actors.vm.operations.paging import age, launder, reclaim
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
    OpKind.EXIT: discard.EXIT_PHASES,
    OpKind.EXEC: discard.EXIT_PHASES,
    OpKind.MREMAP: remap.PHASES,
    OpKind.MLOCK: populate.MLOCK_PHASES,
    OpKind.MUNLOCK: populate.MUNLOCK_PHASES,
    OpKind.MINCORE: incore.PHASES,
    OpKind.MINHERIT: inherit.PHASES,
    OpKind.ADVISE_HINT: advise_pages.HINT_PHASES,
    OpKind.ADVISE_COLD: advise_pages.COLD_PHASES,
    OpKind.ADVISE_PAGEOUT: advise_pageout.PHASES,
    OpKind.ADVISE_REMOVE: advise_remove.PHASES,
    OpKind.POPULATE: populate.POPULATE_PHASES,
    OpKind.CATCH_UP: deferral.PHASES,
    OpKind.REUSE: advise_reuse.PHASES,
    OpKind.DMA: pin.PHASES,
}


class VmRun(VmState):
    """Operations in flight, and their steps."""

    def run(self, op: Op, out: list[Effect]) -> list[Effect]:
        """Step an operation: once when exploring, else until it waits or its work is due."""
        phases = self._phases(op)
        space = self.spaces[op.asid]
        fine = self.settings.fine
        while op.phase < len(phases):
            op = phases[op.phase](self, space, op, out)
            if self.restated:
                self.state_resident(op.op, out)
            if self.dropped:
                self.free_slots(op.op, out)
            if op.state is not OpState.READY:
                self.ops[op.op] = op
                return out
            if fine:
                op = self._past_idle(phases, space, op)
            if op.phase >= len(phases):
                break
            if fine:
                self.ops[op.op] = replace(op, ns=0) if op.ns else op
                out.append(Send(self.me, Step(op.op), op.ns))
                return out
            if op.ns >= self.settings.interrupt_quantum_ns:
                self.ops[op.op] = replace(op, state=OpState.WORK, ns=0)
                out.append(Send(op.by, Work(op.op, op.ns)))
                return out
        self.ops.pop(op.op, None)
        if op.error >= 0:
            out.append(Send(op.by, Return(op.op, op.error, op.value, op.ns)))
        return out

    def _past_idle(self, phases: tuple[Phase, ...], space: VmSpace, op: Op) -> Op:
        """Go past the phases that have nothing to do: they are no steps of their own."""
        while op.phase < len(phases):
            idle = IDLE_PHASES.get(phases[op.phase])
            if idle is None or not idle(self, space, op):
                break
            op = advance(op)
        return op

    def _phases(self, op: Op) -> tuple[Phase, ...]:
        if op.kind is OpKind.ZERO and self.settings.hazards & Hazard.ZERO_AFTER_GRANT:
            return advise_zero.PHASES_GRANT_FIRST
        if op.kind is OpKind.MREMAP and self.settings.hazards & Hazard.MOVE_BEFORE_FLUSH:
            return remap.PHASES_MOVE_FIRST
        if op.kind is OpKind.LAUNDER:
            return launder.phases(self, op)
        if op.kind is OpKind.ADVISE_DONTNEED and self.settings.keeps_dontneed:
            return advise_free.DEACTIVATE_PHASES
        return STEPS[op.kind]

    def next_step(self, lane: int) -> str:
        """Name what a Step would do next for an operation; empty if there is none."""
        op = self.ops.get(lane)
        return "" if op is None else f"{op.kind.name}.{self._phases(op)[op.phase].__name__}"

    def begin(self, op: Op) -> list[Effect]:
        """Begin an operation; a lane has one at a time."""
        if op.op in self.ops:
            raise ProtocolError(
                f"lane {op.op} already has an operation in flight: {self.ops[op.op]}"
            )
        return self.run(op, [])

    def in_flight(self, message: Message, lane: int, *states: OpState) -> Op:
        """Find the operation that a message is for; it must be in one of these states."""
        op = self.ops.get(lane)
        if op is None or op.state not in states:
            raise ProtocolError(f"vm {self.me} must not get {message!r} now: operation is {op}")
        return op
