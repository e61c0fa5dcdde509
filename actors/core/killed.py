"""How threads of a killed process end: each at its next instruction boundary.

A thread asleep in the kernel is woken by its vm or by what it waits for, and ends when it is back
in user mode. A thread that waits for an instruction of a dead one goes on: nobody will execute it.
Source: FreeBSD killproc, thread_suspend_check; vm_waitpfault returns once P_KILLED is set.

Owns which threads are to end. Touches `running`; has `scheduler` park and bury them, and `waits`
tell the threads that wait for them.
"""

from collections.abc import Hashable

from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.values import DONE, NEVER
from actors.core.waits import Waits
from actors.machine import Effect
from actors.messages import Die, Wake


class Killed:
    """The end of threads that did not ask for it."""

    __slots__ = ("dying", "running", "scheduler", "waits")

    def __init__(self, running: Running, scheduler: Scheduler, waits: Waits) -> None:
        """Begin with nobody killed."""
        self.running = running
        self.scheduler = scheduler
        self.waits = waits
        #: threads that are to end, or have, as their process was killed: in that order
        self.dying: dict[int, None] = {}

    def clone(self, running: Running, scheduler: Scheduler, waits: Waits) -> "Killed":
        """Copy the container; the arguments are the twin's."""
        twin = Killed(running, scheduler, waits)
        twin.dying = self.dying.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.dying)

    def die(self, m: Die, out: list[Effect]) -> bool:
        """Have a thread end; True if it has at once: it thinks, waits, or was not started."""
        thread = m.op
        self.dying[thread] = None
        if not self.scheduler.is_thinking_or_unborn(thread):
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
        self.scheduler.bury(thread)
        self.waits.finished(thread, NEVER, out)

    def ignores(self, m: Wake) -> bool:
        """Say whether a thread to wake is dead; one that computes on the core stops at once."""
        if m.op not in self.dying:
            return False
        if m.op != self.running.thread:
            return True
        self.running.left_ns = 0
        return False
