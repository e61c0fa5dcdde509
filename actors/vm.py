"""The `vm` machine: routes messages to operations and steps them.

What each operation does is in `actors/operations/`, one module per kind; what state it edits is in
`actors/vm_state.py`.
"""

from typing import ClassVar

from actors.facts import FaultStarted
from actors.machine import Effect, Handler, Note, ProtocolError, Send
from actors.message import Message
from actors.messages import (
    Call,
    CatchUp,
    CaughtUp,
    Ceded,
    Claimed,
    Fault,
    Frame,
    Invalidated,
    NoFrame,
    Overdue,
    PageFault,
    PageZeroed,
    Reclaim,
    Return,
    SetDirty,
    Step,
    SwitchIn,
    SwitchOut,
    Take,
    Translation,
    Unpin,
    Walk,
    Work,
)
from actors.operations import (
    advise_free,
    advise_hole,
    advise_pages,
    advise_remove,
    advise_reuse,
    advise_zero,
    deferral,
    discard,
    fault,
    fork,
    incore,
    inherit,
    pin,
    populate,
    protect,
    reclaim,
    remap,
    shootdown,
    switch,
)
from actors.operations.operation import (
    KERNEL,
    SLEEPING,
    USER,
    Op,
    OpKind,
    OpState,
    advance,
    replace,
)
from actors.operations.range_errors import answer_at_once
from actors.settings import KERNEL_LANE
from actors.vm_state import IDLE_PHASES, Phase
from actors.vm_zeroing import VmZeroing
from kernel import pte as pte_bits
from kernel.hazards import Hazard
from kernel.policy import Invalidate
from kernel.units import page_span
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
    OpKind.ADVISE_PAGEOUT: advise_pages.PAGEOUT_PHASES,
    OpKind.ADVISE_REMOVE: advise_remove.PHASES,
    OpKind.POPULATE: populate.POPULATE_PHASES,
    OpKind.CATCH_UP: deferral.PHASES,
    OpKind.REUSE: advise_reuse.PHASES,
    OpKind.DMA: pin.PHASES,
}

_AT_KERNEL_ENTRY = Invalidate.DEFERRED_AT_KERNEL_ENTRY
_KINDS = {int(k): k for k in OpKind}


class Vm(VmZeroing):
    """Routing: each message finds its operation, or makes one."""

    RECEIVES = (
        Walk | SetDirty | Fault | Call | Step | Invalidated | Frame | NoFrame | Take
        | PageZeroed | Ceded | Reclaim | SwitchIn | SwitchOut | CaughtUp | Overdue
        | Claimed | Unpin
    )  # fmt: skip

    def _run(self, op: Op, out: list[Effect]) -> list[Effect]:
        """Step an operation: once when exploring, else until it waits or its work is due."""
        phases = self._phases(op)
        space = self.spaces[op.asid]
        fine = self.settings.fine
        while op.phase < len(phases):
            op = phases[op.phase](self, space, op, out)
            if self.restated:
                self.state_resident(op.op, out)
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
        if op.kind is OpKind.ADVISE_DONTNEED and self.settings.keeps_dontneed:
            return advise_free.DEACTIVATE_PHASES
        return STEPS[op.kind]

    def _begin(self, op: Op) -> list[Effect]:
        if op.op in self.ops:
            raise ProtocolError(
                f"lane {op.op} already has an operation in flight: {self.ops[op.op]}"
            )
        return self._run(op, [])

    def _in_flight(self, message: Message, lane: int, *states: OpState) -> Op:
        op = self.ops.get(lane)
        if op is None or op.state not in states:
            raise ProtocolError(f"vm {self.me} must not get {message!r} now: operation is {op}")
        return op

    # Hardware.

    def _walk(self, src: int, m: Walk) -> list[Effect]:
        """Read the entry and set A (and D for a store, unless exploring) in one step."""
        space = self.spaces[m.asid]
        pte = space.pmap.ptes.get(m.vpn, 0)
        if pte_bits.permits(pte, write=m.write, kernel=self._beyond_user(m)):
            pte |= pte_bits.A
            if m.write and not self.settings.fine:
                pte |= pte_bits.D
            space.pmap.ptes[m.vpn] = pte
            walk_ns = self.settings.costs.walk_ns
            if self.settings.fine:  # the entry is read now and gets there when the walk is done
                return [Send(src, Translation(m.op, m.vpn, pte, 0, 0), walk_ns)]
            return [Send(src, Translation(m.op, m.vpn, pte, walk_ns, 0))]
        if self.settings.fine:
            return [Send(src, PageFault(m.op, m.vpn))]
        return self._begin_fault(src, m, write=int(m.write))

    def _beyond_user(self, m: Walk | SetDirty) -> bool:
        """Say whether an entry without U permits a kernel access (a hazard; else it does not)."""
        return m.kernel and bool(self.settings.hazards & Hazard.USER_BIT_ONLY)

    def _set_dirty(self, src: int, m: SetDirty) -> list[Effect]:
        """Re-check presence, permission and frame, then set D; otherwise the store faults."""
        ptes = self.spaces[m.asid].pmap.ptes
        pte = ptes.get(m.vpn, 0)
        permitted = pte_bits.permits(pte, write=True, kernel=self._beyond_user(m))
        if not permitted or pte_bits.pfn_of(pte) != m.pfn:
            if self.settings.fine:
                return [Send(src, PageFault(m.op, m.vpn))]
            return self._begin_fault(src, m, write=1)
        pte |= pte_bits.A | pte_bits.D
        ptes[m.vpn] = pte
        return [Send(src, Translation(m.op, m.vpn, pte, self.settings.costs.set_dirty_ns, 0))]

    # Operations.

    def _fault(self, src: int, m: Fault) -> list[Effect]:
        return self._begin_fault(src, m, write=int(m.write))

    def _begin_fault(self, src: int, m: Walk | SetDirty | Fault, *, write: int) -> list[Effect]:
        args = write, KERNEL if m.kernel else USER
        ns = self.contention_ns(src, m.asid)
        op = Op(m.op, src, OpKind.FAULT, m.asid, m.vpn, m.vpn + 1, args, cursor=m.vpn, ns=ns)
        entered = self._enters_kernel(src, m.asid)
        return [Note(FaultStarted(m.op)), *entered, *self._begin(op)]

    def _call(self, src: int, m: Call) -> list[Effect]:
        kind = _KINDS[m.kind]
        answer = answer_at_once(kind, m.va, m.length, m.args, self.settings.policy.errors)
        if answer is not None:
            return [Send(src, Return(m.op, answer, 0, 0))]
        start, end = page_span(m.va, m.length)
        ns = self.contention_ns(src, m.asid)
        op = Op(m.op, src, kind, m.asid, start, end, m.args, m.index, cursor=start, ns=ns)
        first = replace(op, phase=pin.FIRST.get(kind, 0))
        return self._enters_kernel(src, m.asid) + self._begin(first)

    def _step(self, _src: int, m: Step) -> list[Effect]:
        op = self._in_flight(m, m.op, OpState.READY, OpState.WORK, OpState.PAGER, *SLEEPING)
        return self._run(replace(op, state=OpState.READY), [])

    def _invalidated(self, _src: int, m: Invalidated) -> list[Effect]:
        op = self._in_flight(m, m.op, OpState.ACKS)
        return self._run(shootdown.invalidated(self, op), [])

    def _frame(self, _src: int, m: Frame) -> list[Effect]:
        out: list[Effect] = []
        op = self._in_flight(m, m.op, OpState.FRAME)
        return self._goes_on(fault.got_frame(self, op, m, out), out)

    def _no_frame(self, src: int, m: NoFrame) -> list[Effect]:
        out: list[Effect] = []
        op = self._in_flight(m, m.op, OpState.FRAME)
        return self._goes_on(fault.no_frame(self, op, src, out), out)

    def _goes_on(self, op: Op, out: list[Effect]) -> list[Effect]:
        """Run an operation on unless it waits."""
        if op.state is not OpState.READY:
            self.ops[op.op] = op
            return out
        return self._run(op, out)

    def _reclaim(self, src: int, m: Reclaim) -> list[Effect]:
        keys = tuple((key, 0) for key in m.keys)
        return self._begin(Op(m.op, src, OpKind.RECLAIM, min(self.spaces), 0, 0, wanted=keys))

    def _switch_in(self, src: int, m: SwitchIn) -> list[Effect]:
        within = self.spaces[m.asid].pmap.active >> src & 1
        return self._begin(Op(m.op, src, OpKind.SWITCH, m.asid, 0, 0, (within,)))

    def _switch_out(self, src: int, m: SwitchOut) -> list[Effect]:
        """The core has left: it flushes before it uses any of its entries again."""
        self.spaces[m.asid].pmap.active &= ~(1 << src)
        out: list[Effect] = []
        if self.deferrals:
            deferral.caught_up(self, m.op, 1 << src, m.asid, self.last_deferral, out)
        return out

    # Invalidations that are left to other cores.

    def _enters_kernel(self, src: int, asid: int) -> list[Effect]:
        """Tell a core that enters the kernel what it has to invalidate there."""
        if not self.deferrals or self.settings.policy.invalidate is not _AT_KERNEL_ENTRY:
            return []
        upto, vpns = deferral.missed(self, src, asid)
        if not upto:
            return []
        if len(vpns) > self.settings.costs.full_flush_pages:
            vpns = ()
        return [Send(src, CatchUp(KERNEL_LANE + src, asid, vpns, upto))]

    def _caught_up(self, src: int, m: CaughtUp) -> list[Effect]:
        out: list[Effect] = []
        deferral.caught_up(self, m.op, 1 << src, m.asid, m.upto, out)
        return out

    def _overdue(self, src: int, m: Overdue) -> list[Effect]:
        return self._begin(Op(m.op, src, OpKind.CATCH_UP, min(self.spaces), 0, 0, (m.upto,)))

    # The zeroing thread.

    def _ceded(self, _src: int, m: Ceded) -> list[Effect]:
        op = self._in_flight(m, m.thief, OpState.ZEROING)
        out: list[Effect] = []
        return self._run(advise_zero.ceded(self, op, m.pages, out), out)

    def _claimed(self, _src: int, m: Claimed) -> list[Effect]:
        op = self._in_flight(m, m.op, OpState.ZEROING)
        out: list[Effect] = []
        for key, _ in m.pages:
            del self.taken[key]
        return self._run(advise_zero.ceded(self, op, m.pages, out), out)

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Walk: _walk,
        SetDirty: _set_dirty,
        Fault: _fault,
        Call: _call,
        Step: _step,
        Invalidated: _invalidated,
        Frame: _frame,
        NoFrame: _no_frame,
        Take: VmZeroing.take,
        PageZeroed: VmZeroing.page_zeroed,
        Ceded: _ceded,
        Claimed: _claimed,
        Reclaim: _reclaim,
        SwitchIn: _switch_in,
        SwitchOut: _switch_out,
        CaughtUp: _caught_up,
        Overdue: _overdue,
        Unpin: VmZeroing.give_pins_back,
    }
