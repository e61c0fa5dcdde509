"""How threads of a killed process end: each at its next instruction boundary.

A sleeper in the kernel is woken by its vm or by what it waits for, and ends when it is back. Who
waits for an instruction of a dead thread goes on: it will not be executed any more.
Source: FreeBSD killproc, thread_suspend_check; who is in vm_waitpfault leaves when P_KILLED is set.
"""

from actors.core.scheduler import CoreSchedule
from actors.core.state import NO_THREAD, Phase, Thread
from actors.machine import Effect, Send
from actors.messages import Die, Reached, Spawn, Wake

#: beyond the end of every program
_NEVER = 1 << 60


class CoreKill(CoreSchedule):
    """The end of threads that did not ask for it."""

    def die(self, _src: int, m: Die) -> list[Effect]:
        """Have a thread end; at once if it only computes, waits for another or was not started."""
        out: list[Effect] = []
        thread = m.op
        self.dying[thread] = None
        state = self.threads[thread]
        waits = state.phase in (Phase.THINK, Phase.EDGE)
        unborn = state.phase is Phase.RUN and thread not in self.run_queue
        if thread != self.thread and (waits or unborn):
            self._end(thread, out)
            if thread == self.last:  # it was computing off the core: now the core is idle
                self.last, self.left = NO_THREAD, self.hooks
            if self.thread == NO_THREAD:
                self.run(out)
        return out

    def end_killed(self, out: list[Effect]) -> bool:
        """End the current thread if it is to die; say whether it did."""
        if self.thread not in self.dying:
            return False
        thread = self.thread
        self.park(Phase.DONE)
        self._end(thread, out)
        return True

    def _end(self, thread: int, out: list[Effect]) -> None:
        self.threads[thread] = Thread(_NEVER, 0, Phase.DONE)
        for key in sorted(key for key in self.watchers if key[0] == thread):
            for core, op in self.watchers.pop(key):
                out.append(Send(core, Reached(op, thread, _NEVER)))

    # What comes for a thread that is dead already.

    def spawn(self, src: int, m: Spawn) -> list[Effect]:
        """Start a thread that is bound to this core, unless its process was killed."""
        return [] if m.thread in self.dying else super().spawn(src, m)

    def wake(self, src: int, m: Wake) -> list[Effect]:
        """A thread has thought enough; one that is to end computes no longer."""
        if m.op not in self.dying:
            return super().wake(src, m)
        if m.op != self.thread:
            return []
        self.left_ns = 0
        return super().wake(src, m)

    def reached_index(self, src: int, m: Reached) -> list[Effect]:
        """A thread that one of ours waits for has got so far."""
        return [] if m.op in self.dying else super().reached_index(src, m)
