"""The vm machine: routes each message to what it concerns.

Its state, in components, is `actors/vm/state.py`; what an operation does is in `operations/`, how
operations are stepped in `steps.py`.
"""

from collections.abc import Hashable

from actors.machine import Effect, Machine
from actors.messages import (
    Call,
    CaughtUp,
    Ceded,
    Census,
    Claimed,
    Died,
    Fault,
    Frame,
    FramesFree,
    Invalidated,
    Kill,
    NoFrame,
    Overdue,
    PagedIn,
    PagedOut,
    PageZeroed,
    Scan,
    SetDirty,
    Step,
    SwitchIn,
    SwitchOut,
    Take,
    Unpin,
    Walk,
)
from actors.operation import SLEEPING, OpState
from actors.settings import Settings
from actors.vm import core_requests, daemon_requests, steps
from actors.vm.op import replace
from actors.vm.operations.advice import advise_zero
from actors.vm.operations.flushes import shootdown
from actors.vm.state import VmState, empty_state

_GO_ON = (OpState.READY, OpState.WORK, *SLEEPING)
_READY, _ACKS, _ZEROING = OpState.READY, OpState.ACKS, OpState.ZEROING


class Vm(Machine):
    """The address spaces of a process family; answers whoever runs an operation on them."""

    ROLE = "vm"
    RECEIVES = (
        Walk | SetDirty | Fault | Call | Step | Invalidated | Frame | NoFrame | FramesFree | Take
        | PageZeroed | Ceded | Scan | PagedOut | PagedIn | Census | Kill | SwitchIn | SwitchOut
        | CaughtUp | Overdue | Claimed | Unpin | Died
    )  # fmt: skip

    def __init__(self, me: int, settings: Settings, state: VmState | None = None) -> None:
        """Make a vm with the empty address spaces of its processes, or with a state."""
        self.me = me
        self.settings = settings
        self.state = state or empty_state(me, settings)

    def clone(self) -> "Vm":
        """Copy the containers."""
        return Vm(self.me, self.settings, self.state.clone())

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return self.state.freeze()

    def waiting(self) -> list[str]:
        """Name operations in flight, held locks and busy pages."""
        return self.state.waits()

    def next_step(self, lane: int) -> str:
        """Name what a Step would do next for an operation; empty if there is none."""
        return steps.next_step(self.state, lane)

    # Operations in flight go on.

    def step(self, _src: int, m: Step) -> list[Effect]:
        """Go on with an operation: its initiator says so, or has charged its work."""
        op = self.state.in_flight.find(m, m.op, *_GO_ON)
        return steps.run(self.state, replace(op, state=_READY), [])

    def invalidated(self, _src: int, m: Invalidated) -> list[Effect]:
        """Go on with an operation whose round of interrupts is complete."""
        op = self.state.in_flight.find(m, m.op, _ACKS)
        return steps.run(self.state, shootdown.invalidated(self.state, op), [])

    def ceded(self, _src: int, m: Ceded) -> list[Effect]:
        """Go on with a ZERO that takes pages over."""
        op = self.state.in_flight.find(m, m.thief, _ZEROING)
        out: list[Effect] = []
        return steps.run(self.state, advise_zero.ceded(self.state, op, m.pages, out), out)

    def claimed(self, _src: int, m: Claimed) -> list[Effect]:
        """Go on with a ZERO that has taken pages over by their claim words."""
        op = self.state.in_flight.find(m, m.op, _ZEROING)
        out: list[Effect] = []
        self.state.zeroing.claimed(m.pages)
        return steps.run(self.state, advise_zero.ceded(self.state, op, m.pages, out), out)


Vm.HANDLERS = {
    Walk: lambda vm, src, m: core_requests.walk(vm.state, src, m),
    SetDirty: lambda vm, src, m: core_requests.set_dirty(vm.state, src, m),
    Fault: lambda vm, src, m: core_requests.begin_fault(vm.state, src, m, write=m.write),
    Call: lambda vm, src, m: core_requests.call(vm.state, src, m),
    Step: Vm.step,
    Invalidated: Vm.invalidated,
    Frame: lambda vm, _, m: daemon_requests.frame(vm.state, m),
    NoFrame: lambda vm, src, m: daemon_requests.no_frame(vm.state, src, m),
    FramesFree: lambda vm, _, m: daemon_requests.frames_free(vm.state, m),
    Take: lambda vm, src, m: vm.state.zeroing.take(src, m),
    PageZeroed: lambda vm, src, m: vm.state.zeroing.page_zeroed(src, m),
    Ceded: Vm.ceded,
    Claimed: Vm.claimed,
    Scan: lambda vm, src, m: daemon_requests.scan(vm.state, src, m),
    Census: lambda vm, src, m: daemon_requests.census(vm.state, src, m),
    Kill: lambda vm, src, m: daemon_requests.kill_process(vm.state, src, m),
    PagedOut: lambda vm, _, m: daemon_requests.paged_out(vm.state, m),
    PagedIn: lambda vm, _, m: daemon_requests.paged_in(vm.state, m),
    SwitchIn: lambda vm, src, m: core_requests.switch_in(vm.state, src, m),
    SwitchOut: lambda vm, src, m: core_requests.switch_out(vm.state, src, m),
    CaughtUp: lambda vm, src, m: core_requests.caught_up(vm.state, src, m),
    Overdue: lambda vm, src, m: core_requests.overdue(vm.state, src, m),
    Died: lambda vm, _, m: core_requests.died(vm.state, m),
    Unpin: lambda vm, src, m: vm.state.pins.give_back(src, m),
}
