"""Entering the kernel for a system call, and coming back.

Owns nothing: `running` knows at which call of its instruction a thread is. Touches `running`; reads
whether `buffer` is empty; has `scheduler` park a thread that has ended.
"""

from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.store_buffer import StoreBuffer
from actors.core.values import CALL, DONE, DRAIN, RUN
from actors.facts import CallEnded, CallStarted
from actors.guest.calls import calls, is_call
from actors.guest.program import Create, Exit, Fence, Fork, Instruction, Quit, started_by
from actors.machine import Effect, Note, Send, Spend
from actors.messages import Call, Return, Spawn
from actors.operation import OpKind
from actors.settings import Settings
from kernel.errors import Errno
from kernel.units import PAGE_SHIFT, PAGE_SIZE


class SystemCalls:
    """System calls of the running thread, and the instructions that start and end threads."""

    __slots__ = ("advice", "buffer", "checks", "running", "scheduler", "settings")

    def __init__(
        self, settings: Settings, running: Running, buffer: StoreBuffer, scheduler: Scheduler
    ) -> None:
        """Make the way into the kernel for these neighbours."""
        self.settings = settings
        self.running = running
        self.buffer = buffer
        self.scheduler = scheduler
        #: what releases and reuses become
        self.advice = settings.mapped_advice
        self.checks = settings.commit_checks

    def enter(self, i: Instruction, out: list[Effect]) -> bool:
        """Enter the kernel; its locked instructions drain the store buffer first."""
        assert is_call(i)
        running = self.running
        if self.buffer.entries:
            running.doing = DRAIN
            return False
        todo = calls(i, self.advice, checks=self.checks)
        if running.part >= len(todo):
            return self._complete(i, out)
        kind, va, length, args = todo[running.part]
        running.doing = CALL
        thread, asid = running.thread, running.asid
        if kind is OpKind.EXEC and self.settings.process_of.count(asid) > 1:
            args = started_by(running.guest, thread, running.pc)
        out.append(Note(CallStarted(thread, kind, length + PAGE_SIZE - 1 >> PAGE_SHIFT)))
        out.append(Spend(self.settings.costs.syscall_ns))
        call = Call(thread, running.pc, kind, asid, va, length, args)
        out.append(Send(self.settings.vm_of[asid], call))
        return False

    def _complete(self, i: Instruction, out: list[Effect]) -> bool:
        """Go on after a system call, in two processes after a fork, in none after an exit."""
        if isinstance(i, Quit):
            return self.exit_thread(i, out)
        if isinstance(i, Fork):
            return self.start_thread(i, out)
        return self.running.advance(out)

    def returned(self, m: Return) -> list[Effect]:
        """Come back from a call: the thread goes on with the instruction's next call, if any."""
        running = self.running
        running.expect(m, CALL)
        i = running.instruction()
        assert i is not None
        kind = calls(i, self.advice, checks=self.checks)[running.part][0]
        running.part += 1
        running.doing = RUN
        return [Spend(m.ns), Note(CallEnded(m.op, kind, m.error))]

    def finish_fork(self, m: Return, out: list[Effect]) -> None:
        """Start the child of a fork that is done, whatever becomes of the parent's thread."""
        i = self.running.instruction()
        if isinstance(i, Fork) and m.error == Errno.OK:
            self.start_thread(i, out)

    def fence(self, _i: Fence, out: list[Effect]) -> bool:
        """Go on only when the store buffer is empty."""
        if self.buffer.entries:
            self.running.doing = DRAIN
            return False
        return self.running.advance(out)

    def start_thread(self, i: Create | Fork, out: list[Effect]) -> bool:
        """Start another thread, on the core that it is bound to."""
        out.append(Send(self.settings.core_of[i.thread], Spawn(self.running.thread, i.thread)))
        return self.running.advance(out)

    def exit_thread(self, _i: Exit | Quit, out: list[Effect]) -> bool:
        """End the thread."""
        self.running.advance(out)
        return self.scheduler.park(DONE)
