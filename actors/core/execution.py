"""The loop of a core: interrupts that are held, the next thread, its next instruction.

Owns nothing. Touches `running`; hands each instruction to the component that executes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.core.accesses import Accesses
from actors.core.interrupts import Interrupts
from actors.core.killed import Killed
from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.system_calls import SystemCalls
from actors.core.transfers import Transfers
from actors.core.values import EDGE, GO, LOAD, NO_THREAD, RUN, SWITCH, Doing
from actors.core.waits import Waits
from actors.guest.program import (
    Access,
    Await,
    Copy,
    Create,
    DmaWait,
    Exit,
    Fence,
    Instruction,
    Think,
)
from actors.machine import Effect, Send
from actors.messages import AwaitIndex, Go
from actors.settings import Settings

_EXIT = Exit()


@dataclass(eq=False, repr=False)
class Execution:
    """Runs threads until all of them must wait."""

    settings: Settings
    running: Running
    waits: Waits
    scheduler: Scheduler
    interrupts: Interrupts
    killed: Killed
    accesses: Accesses
    system_calls: SystemCalls
    transfers: Transfers

    def run(self, out: list[Effect]) -> None:
        """Run the current thread, or the next that can, until it must wait."""
        running, scheduler, killed = self.running, self.scheduler, self.killed
        if self.interrupts.held and running.doing is not LOAD and running.doing is not SWITCH:
            self.interrupts.take_held(out)
        while True:
            if running.thread == NO_THREAD and not scheduler.dispatch(out):
                return
            if running.doing is not RUN:
                return
            if killed.dying and killed.end_running(out):
                continue
            if scheduler.expired and scheduler.run_queue:
                scheduler.preempt()
                continue
            i = self._instruction(out)
            if not EXECUTE.get(i.__class__, _system_call)(self, i, out):
                if running.thread != NO_THREAD:
                    return
            elif self.settings.fine:
                running.doing = GO
                out.append(Send(running.me, Go(running.thread)))
                return

    def _instruction(self, out: list[Effect]) -> Instruction:
        """Return the instruction that is next; its thread has entries to load again, perhaps."""
        running = self.running
        if self.accesses.lost:
            self.accesses.refill(out)
        return running.guest.at(running.thread, running.pc) or _EXIT

    def run_if_idle(self, out: list[Effect]) -> None:
        """Run the next thread if there is none on the core."""
        if self.running.thread == NO_THREAD:
            self.run(out)

    def ready(self, thread: int, doing: Doing, out: list[Effect]) -> list[Effect]:
        """Put a parked thread on the run queue; it runs at once on an idle core."""
        self.scheduler.ready(thread, doing, out)
        if self.running.thread == NO_THREAD:
            self.run(out)
        return out

    def wait_for(self, i: Await, out: list[Effect]) -> bool:
        """Go on only when another thread has got so far."""
        running, waits = self.running, self.waits
        done = None
        if waits.is_home(i.thread):
            own = i.thread == running.thread  # it has come as far as this await
            done = running.pc if own else self.scheduler.finished(i.thread)
        if waits.must_wait(i, running.thread, done, out):
            return self.scheduler.park(EDGE)
        return running.advance(out)

    def await_index(self, src: int, m: AwaitIndex) -> list[Effect]:
        """Tell another core when a thread of this one has got so far."""
        return self.waits.await_index(src, m, self.scheduler.finished(m.thread))


def _system_call(e: Execution, i: Any, out: list[Effect]) -> bool:  # noqa: ANN401 - as in the table
    return e.system_calls.enter(i, out)


#: each says whether the thread goes on; what is not here enters the kernel
EXECUTE: dict[type, Callable[[Execution, Any, list[Effect]], bool]] = {
    Access: lambda e, i, out: e.accesses.access(i, out),
    Copy: lambda e, i, out: e.accesses.copy(i, out),
    Think: lambda e, i, out: e.scheduler.think(i, out),
    Await: Execution.wait_for,
    Create: lambda e, i, out: e.system_calls.start_thread(i, out),
    Exit: lambda e, i, out: e.system_calls.exit_thread(i, out),
    Fence: lambda e, i, out: e.system_calls.fence(i, out),
    DmaWait: lambda e, i, out: e.transfers.wait(i, out),
}
