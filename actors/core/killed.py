"""How threads end that did not ask for it: each at its next instruction boundary.

Their process was killed, or another thread of it has called exit_group or execve; its vm is told
when each has ended. One that thinks, computes, or waits for another thread or for a device ends at
once; one asleep in the kernel is woken by what it waits for, and ends when it is back in user mode.
A fork that is done starts its child first. A thread that waits for an instruction of a dead one
goes on: nobody will execute it.
Source: FreeBSD killproc, thread_single, thread_suspend_check; vm_waitpfault returns once P_KILLED
is set.

Owns which threads are to end. Touches `running`; has `scheduler` park and bury them, and `waits`
tell the threads that wait for them.
"""

from collections.abc import Hashable

from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.values import COMPUTE, DONE, NEVER
from actors.core.waits import Waits
from actors.guest.program import started_by
from actors.machine import Effect, Send
from actors.messages import Die, Died, Wake
from actors.operation import OpKind
from actors.settings import Settings


class Killed:
    """The end of threads that did not ask for it."""

    __slots__ = ("dying", "running", "scheduler", "settings", "waits")

    def __init__(
        self, settings: Settings, running: Running, scheduler: Scheduler, waits: Waits
    ) -> None:
        """Begin with nobody killed."""
        self.settings = settings
        self.running = running
        self.scheduler = scheduler
        self.waits = waits
        #: threads that are to end, or have: in that order
        self.dying: dict[int, None] = {}

    def clone(self, running: Running, scheduler: Scheduler, waits: Waits) -> "Killed":
        """Copy the container; the arguments are the twin's."""
        twin = Killed(self.settings, running, scheduler, waits)
        twin.dying = self.dying.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.dying)

    def die(self, m: Die, out: list[Effect]) -> bool:
        """Have a thread end; True if it has at once, and another may run."""
        thread, scheduler = m.op, self.scheduler
        if m.kind == OpKind.EXEC and scheduler.is_unborn(thread):
            self._tell(Died(thread, born=False, started=()), out)
            return False
        self.dying[thread] = None
        if scheduler.has_ended(thread):
            self._has_ended(thread, out)
            return False
        if thread == self.running.thread and self.running.doing is COMPUTE:
            scheduler.park(DONE)
        elif not scheduler.is_interruptible(thread):
            return False
        self._end(thread, out)
        return True

    def end_running(self, out: list[Effect]) -> bool:
        """End the running thread if it is to die; say whether it did."""
        thread = self.running.thread
        if thread not in self.dying:
            return False
        self.scheduler.park(DONE)
        self._end(thread, out)
        return True

    def _end(self, thread: int, out: list[Effect]) -> None:
        self._has_ended(thread, out)
        self.scheduler.bury(thread)
        self.waits.finished(thread, NEVER, out)

    def _has_ended(self, thread: int, out: list[Effect]) -> None:
        started = started_by(self.running.guest, thread, self.scheduler.threads[thread].pc)
        self._tell(Died(thread, born=True, started=started), out)

    def _tell(self, m: Died, out: list[Effect]) -> None:
        out.append(Send(self.settings.vm_of[self.settings.process_of[m.op]], m))

    def ignores(self, m: Wake) -> bool:
        """Say whether a thread to wake is dead."""
        return m.op in self.dying
