"""The `vm` machine: what hardware, system calls and context switches tell it.

How operations are stepped is in `actors/vm/steps.py`, what daemons and devices tell it in
`actors/vm/daemons.py`.
"""

from typing import ClassVar

from actors.facts import FaultStarted
from actors.machine import Effect, Handler, Note, Send
from actors.messages import (
    Call,
    CatchUp,
    CaughtUp,
    Ceded,
    Census,
    Claimed,
    Fault,
    Frame,
    FramesFree,
    Invalidated,
    Kill,
    NoFrame,
    Overdue,
    PagedIn,
    PagedOut,
    PageFault,
    PageZeroed,
    Return,
    Scan,
    SetDirty,
    Step,
    SwitchIn,
    SwitchOut,
    Take,
    Translation,
    Unpin,
    Walk,
)
from actors.operation import (
    KERNEL,
    SLEEPING,
    USER,
    Op,
    OpKind,
    OpState,
    replace,
)
from actors.settings import KERNEL_LANE
from actors.vm.daemons import VmDaemons
from actors.vm.operations.faults import pin
from actors.vm.operations.flushes import deferral, shootdown
from actors.vm.operations.ranges.range_errors import answer_at_once
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate
from kernel.units import page_span

_AT_KERNEL_ENTRY = Invalidate.DEFERRED_AT_KERNEL_ENTRY
_KINDS = {int(k): k for k in OpKind}


class Vm(VmDaemons):
    """Routing: each message finds its operation, or makes one."""

    RECEIVES = (
        Walk | SetDirty | Fault | Call | Step | Invalidated | Frame | NoFrame | FramesFree | Take
        | PageZeroed | Ceded | Scan | PagedOut | PagedIn | Census | Kill | SwitchIn | SwitchOut
        | CaughtUp | Overdue | Claimed | Unpin
    )  # fmt: skip

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
        return [Note(FaultStarted(m.op)), *entered, *self.begin(op)]

    def _call(self, src: int, m: Call) -> list[Effect]:
        if self.spaces[m.asid].killed:
            return [Send(src, Return(m.op, Errno.EINTR, 0, 0))]
        kind = _KINDS[m.kind]
        answer = answer_at_once(kind, m.va, m.length, m.args, self.settings.policy.errors)
        if answer is not None:
            return [Send(src, Return(m.op, answer, 0, 0))]
        start, end = page_span(m.va, m.length)
        ns = self.contention_ns(src, m.asid)
        op = Op(m.op, src, kind, m.asid, start, end, m.args, m.index, cursor=start, ns=ns)
        first = replace(op, phase=pin.FIRST.get(kind, 0))
        return self._enters_kernel(src, m.asid) + self.begin(first)

    def _step(self, _src: int, m: Step) -> list[Effect]:
        op = self.in_flight(m, m.op, OpState.READY, OpState.WORK, *SLEEPING)
        return self.run(replace(op, state=OpState.READY), [])

    def _invalidated(self, _src: int, m: Invalidated) -> list[Effect]:
        op = self.in_flight(m, m.op, OpState.ACKS)
        return self.run(shootdown.invalidated(self, op), [])

    def _switch_in(self, src: int, m: SwitchIn) -> list[Effect]:
        within = self.spaces[m.asid].pmap.active >> src & 1
        return self.begin(Op(m.op, src, OpKind.SWITCH, m.asid, 0, 0, (within,)))

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
        return self.begin(Op(m.op, src, OpKind.CATCH_UP, min(self.spaces), 0, 0, (m.upto,)))

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Walk: _walk,
        SetDirty: _set_dirty,
        Fault: _fault,
        Call: _call,
        Step: _step,
        Invalidated: _invalidated,
        Frame: VmDaemons.frame,
        NoFrame: VmDaemons.no_frame,
        FramesFree: VmDaemons.frames_free,
        Take: VmDaemons.take,
        PageZeroed: VmDaemons.page_zeroed,
        Ceded: VmDaemons.ceded,
        Claimed: VmDaemons.claimed,
        Scan: VmDaemons.scan,
        Census: VmDaemons.census,
        Kill: VmDaemons.kill,
        PagedOut: VmDaemons.paged_out,
        PagedIn: VmDaemons.paged_in,
        SwitchIn: _switch_in,
        SwitchOut: _switch_out,
        CaughtUp: _caught_up,
        Overdue: _overdue,
        Unpin: VmDaemons.give_pins_back,
    }
