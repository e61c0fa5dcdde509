"""Which thread runs: run queue, context switches, threads that wait for others.

A thread keeps the core until it waits for another, sleeps in the kernel, ends, thinks (unless
thinking is computing), or its time slice is over while another waits. A switch to another address
space is a chain of deliveries with interrupts off; a switch within one returns early.
Source: amd64 pmap_activate_sw; sched_ule.c.
"""

from abc import abstractmethod

from actors.core.claims import CoreClaim
from actors.core.state import NO_SPACE, NO_THREAD, Phase, Thread
from actors.guest.program import Await, Create, Exit, Quit, Think
from actors.machine import Effect, ProtocolError, Send, Spend, Timer
from actors.message import Message
from actors.messages import (
    AwaitIndex,
    CatchUp,
    CaughtUp,
    FillFrame,
    FrameFilled,
    PageRead,
    Reached,
    ReadPage,
    Sleep,
    Spawn,
    Step,
    Switched,
    SwitchIn,
    SwitchOut,
    Tick,
    Wake,
    Wakeup,
)
from kernel.hazards.switches import Hazard

#: stands for the running thread among the others: its state is in the core's own fields
_ON_CORE = Thread()
#: a time slice is divided by the load, by this at most (SCHED_SLICE_MIN_DIVISOR)
_LEAST_PART = 6


class CoreSchedule(CoreClaim):
    """Scheduling."""

    @abstractmethod
    def run(self, out: list[Effect]) -> None:
        """Run the current thread, or the next that can, until it must wait."""

    def dispatch(self, out: list[Effect]) -> bool:
        """Take the next thread off the run queue; switch the address space if it has another.

        Not before the store buffer is empty: what the thread does next in the kernel (free a frame,
        say) comes after the stores of the thread before it.
        """
        if self.buffer or self.idling:
            return False
        if not self.run_queue:
            self.goes_idle(out)
            return False
        self.thread = self.run_queue.popleft()
        state = self.threads[self.thread]
        self.pc, self.part, self.phase = state.pc, state.part, state.phase
        self.left_ns = state.left_ns
        self.left = False
        asid = self.settings.process_of[self.thread]
        thinks_on, self.last = self.thread == self.last, self.thread
        if asid != self.asid or (self.hooks and not thinks_on):
            self.phase = Phase.SWITCH
            out.append(Send(self.settings.vm_of[asid], SwitchIn(self.lane, asid)))
            return True
        self._resume(out)
        return True

    def goes_idle(self, out: list[Effect]) -> None:
        """Switch to the idle thread: an occasion for what was left to this core.

        Not where the thread only thinks: it computes.
        """
        if self.left and not self.buffer:
            self.left, self.idling = False, True
            out.append(Send(self.settings.vm_of[self.asid], SwitchIn(self.lane, self.asid)))

    def _resume(self, out: list[Effect]) -> None:
        """Go on with a thread that has just got the core."""
        state = self.threads[self.thread]
        if state.phase is Phase.WOKEN:
            self.phase = state.resume
            self.walk_vpn, self.walk_killed = -1, True  # whatever it had found, it walks again
            vm = self.settings.vm_of[self.settings.process_of[self.thread]]
            out.append(Send(vm, Step(self.thread)))
        else:
            self.phase = Phase.RUN
        self.threads[self.thread] = _ON_CORE
        if self.left_ns:
            self._compute(out)
        elif self.run_queue:
            self._tick(out)

    # Time slices: while another thread waits for the core, the clock ticks.

    def _slice_ns(self) -> int:
        """Give the time slice: by load, at least a sixth. Source: FreeBSD tdq_slice (ULE)."""
        return self.settings.slice_ns // min(len(self.run_queue) or 1, _LEAST_PART)

    def _tick(self, out: list[Effect]) -> None:
        if not self.ticking and self.settings.slice_ns:
            self.ticking = True
            out.append(Timer(self._slice_ns(), Tick(self.lane)))

    def tick(self, _src: int, _m: Tick) -> list[Effect]:
        """The clock ticks: who runs while another waits gives way, back in user mode."""
        self.ticking = False
        self.expired = bool(self.run_queue) and self.thread != NO_THREAD
        return []

    def preempt(self) -> None:
        """Put the running thread behind the others."""
        thread = self.thread
        self.expired = False
        self.park(Phase.RUN)
        self.run_queue.append(thread)

    def _compute(self, out: list[Effect]) -> None:
        """Compute for what is left, a slice at a time, as another thread may come to wait."""
        self.phase = Phase.COMPUTE
        ns = min(self.left_ns, self._slice_ns() or self.left_ns)
        self.left_ns -= ns
        out.append(Timer(ns, Wake(self.thread)))

    def _computed(self, out: list[Effect]) -> list[Effect]:
        self.phase = Phase.RUN
        if self.left_ns and not self.run_queue:
            self._compute(out)
            return out
        if self.left_ns:
            self.preempt()
        self.run(out)
        return out

    def switched(self, _src: int, m: Switched) -> list[Effect]:
        """Load the root, set curpmap, clear the own bit in the old pm_active."""
        out: list[Effect] = []
        old, self.asid = self.asid, m.asid
        if old != m.asid:
            out.append(Spend(self.settings.costs.context_switch_ns))
        early = old == m.asid and self.settings.hazards & Hazard.HOOK_AFTER_EARLY_RETURN
        if not early:
            self.catch_up(m, out)
        if m.upto:
            out.append(Send(self.settings.vm_of[m.asid], CaughtUp(self.lane, m.asid, m.upto)))
        if old not in (NO_SPACE, m.asid):
            out.append(Send(self.settings.vm_of[old], SwitchOut(self.lane, old)))
        if self.thread == NO_THREAD:
            self.idling = False
        else:
            self._resume(out)
        self.run(out)
        return out

    def catch_up(self, m: Switched, out: list[Effect]) -> None:
        """Drop all entries of the space, or those whose invalidation was left to this core."""
        if not m.keep:
            self.tlb.invalidate_all(m.asid)
        elif m.vpns:
            self.drop(m.op, m.asid, m.vpns, out)
            out.append(Spend(self.settings.costs.local_invalidate_page_ns * len(m.vpns)))

    def in_kernel(self, src: int, m: CatchUp) -> list[Effect]:
        """Invalidate what was left to this core; a later occasion serves if one is not clear now.

        What it has in flight (a load, buffered stores) went through entries from before.
        """
        if self.buffer or self.phase is Phase.LOAD or m.asid != self.asid:
            return []
        out: list[Effect] = []
        self.drop(m.op, m.asid, m.vpns, out)
        costs = self.settings.costs
        each = costs.local_invalidate_page_ns * len(m.vpns)
        out.append(Spend(each if m.vpns else costs.local_flush_ns))
        out.append(Send(src, CaughtUp(m.op, m.asid, m.upto)))
        return out

    def park(self, phase: Phase, resume: Phase = Phase.RUN) -> bool:
        """Take the current thread off the core."""
        if phase is not Phase.THINK:
            self.last, self.left = NO_THREAD, self.hooks
        self.threads[self.thread] = Thread(self.pc, self.part, phase, resume, self.left_ns)
        self.left_ns = 0
        self.thread, self.phase = NO_THREAD, Phase.DONE
        return False

    def ready(self, thread: int, phase: Phase, out: list[Effect]) -> list[Effect]:
        """Put a parked thread on the run queue."""
        state = self.threads[thread]
        self.threads[thread] = Thread(state.pc, state.part, phase, state.resume, state.left_ns)
        self.run_queue.append(thread)
        if self.thread == NO_THREAD:
            self.run(out)
        elif self.phase is not Phase.SWITCH:
            self._tick(out)
        return out

    def _next(self, out: list[Effect]) -> bool:
        """Go to the next instruction and tell who waits for that."""
        done = self.pc
        self.pc += 1
        self.part = 0
        if self.watchers:
            self._tell_watchers(self.thread, done, out)
        return True

    def _tell_watchers(self, thread: int, done: int, out: list[Effect]) -> None:
        """Tell who waits for an instruction that a thread has finished by now."""
        for key in sorted(self.watchers):
            if key[0] == thread and key[1] <= done:
                for core, op in self.watchers.pop(key):
                    out.append(Send(core, Reached(op, thread, done)))

    def think(self, i: Think, out: list[Effect]) -> bool:
        """Compute for a while: on the core, or off it, and the address space stays current."""
        times, parts = self.settings.think_scale
        ns = i.ns * times // parts
        self._next(out)
        if ns <= 0:
            return True
        if self.settings.computes:
            self.left_ns = ns
            self._compute(out)
            return False
        out.append(Timer(ns, Wake(self.thread)))
        return self.park(Phase.THINK)

    def wait_for(self, i: Await, out: list[Effect]) -> bool:
        """Go on only when another thread has got so far; ask its core if it is not this one."""
        home = self.settings.core_of[i.thread]
        at = self.pc
        if home == self.me:
            reached = self.threads[i.thread].pc - 1
            if i.thread == self.thread:
                reached = at
        else:
            reached = self.reached.get(i.thread, -1)
        if reached >= i.index:
            return self._next(out)
        if home == self.me:
            key = (i.thread, i.index)
            self.watchers[key] = (*self.watchers.get(key, ()), (self.me, self.thread))
        else:
            out.append(Send(home, AwaitIndex(self.thread, i.thread, i.index)))
        return self.park(Phase.EDGE)

    def await_index(self, src: int, m: AwaitIndex) -> list[Effect]:
        """Say when a thread of this core has finished an instruction, now or later."""
        current = m.thread == self.thread
        done = (self.pc if current else self.threads[m.thread].pc) - 1
        if done >= m.index:
            return [Send(src, Reached(m.op, m.thread, done))]
        key = (m.thread, m.index)
        self.watchers[key] = (*self.watchers.get(key, ()), (src, m.op))
        return []

    def reached_index(self, _src: int, m: Reached) -> list[Effect]:
        """A thread that one of ours waits for has got so far."""
        self.reached[m.thread] = max(m.index, self.reached.get(m.thread, -1))
        state = self.threads[m.op]
        assert state.phase is Phase.EDGE
        self.threads[m.op] = Thread(state.pc + 1, 0, state.phase)
        out: list[Effect] = []
        self._tell_watchers(m.op, state.pc, out)
        return self.ready(m.op, Phase.RUN, out)

    def create(self, i: Create, out: list[Effect]) -> bool:
        """Start another thread, on the core that it is bound to."""
        out.append(Send(self.settings.core_of[i.thread], Spawn(self.thread, i.thread)))
        return self._next(out)

    def spawn(self, _src: int, m: Spawn) -> list[Effect]:
        """Start a thread that is bound to this core."""
        return self.ready(m.thread, Phase.RUN, [])

    def exit_thread(self, _i: Exit | Quit, out: list[Effect]) -> bool:
        """End the thread."""
        self._next(out)
        return self.park(Phase.DONE)

    def sleep(self, _src: int, m: Sleep) -> list[Effect]:
        """The kernel has put the thread's operation to sleep: run another."""
        out: list[Effect] = [Spend(m.ns)]
        self.expect(m, Phase.CALL, Phase.FAULT, Phase.WALK)
        self.walk_vpn = -1
        self.park(Phase.SLEEP, self.phase)
        self.run(out)
        return out

    def read_page(self, _src: int, m: ReadPage) -> list[Effect]:
        """Have the device read a page of a file; the thread sleeps meanwhile."""
        out: list[Effect] = [Spend(m.ns)]
        self.expect(m, Phase.CALL, Phase.FAULT, Phase.WALK)
        out.append(Timer(self.settings.costs.file_read_ns, PageRead(m.op, m.pfn, m.contents)))
        self.walk_vpn = -1
        self.park(Phase.SLEEP, self.phase)
        self.run(out)
        return out

    def page_read(self, _src: int, m: PageRead) -> list[Effect]:
        """The device writes the page to memory."""
        return [Send(self.settings.memory_of(m.pfn), FillFrame(m.op, m.pfn, m.contents))]

    def frame_filled(self, _src: int, m: FrameFilled) -> list[Effect]:
        """The thread that waited for a page of a file may go on."""
        return self.ready(m.op, Phase.WOKEN, [])

    def wakeup(self, _src: int, m: Wakeup) -> list[Effect]:
        """A sleeper in the kernel may go on when it gets the core."""
        return self.ready(m.op, Phase.WOKEN, [])

    def wake(self, _src: int, m: Wake) -> list[Effect]:
        """A thread has thought enough, or its time slice is over."""
        if self.phase is Phase.COMPUTE and m.op == self.thread:
            return self._computed([])
        return self.ready(m.op, Phase.RUN, [])

    def expect(self, m: Message, *phases: Phase) -> None:
        """Require that the message is for the running thread, in one of these phases."""
        if m.op != self.thread or self.phase not in phases:
            raise ProtocolError(
                f"core {self.me} must not get {m!r}: thread {self.thread} is in {self.phase.name}"
            )
