"""Which thread runs: run queue, time slices, computing, context switches, parking.

A thread keeps the core until it waits for another, sleeps in the kernel, ends, thinks (unless
thinking is computing), or its time slice is over while another waits. A switch to another address
space is a chain of deliveries with interrupts off; a switch within one returns early.
Source: amd64 pmap_activate_sw; sched_ule.c.

Owns the threads that do not run, the run queue, the clock and what a switch has begun. Touches
`running`, which it fills and empties; reads whether `buffer` is empty; has `accesses` forget a walk
and catch up with invalidations that were left to this core.
"""

from collections import deque
from collections.abc import Hashable, Iterable

from actors.core.accesses import Accesses
from actors.core.running import Running
from actors.core.store_buffer import StoreBuffer
from actors.core.values import (
    CALL,
    COMPUTE,
    DONE,
    EDGE,
    FAULT,
    NEVER,
    NO_SPACE,
    NO_THREAD,
    RUN,
    SLEEP,
    SWITCH,
    THINK,
    TRANSFER,
    WALK,
    WOKEN,
    Doing,
    Thread,
)
from actors.guest.program import Await, Think
from actors.machine import Effect, Send, Spend, Timer
from actors.messages import (
    CaughtUp,
    ReadPage,
    Sleep,
    Step,
    Switched,
    SwitchIn,
    SwitchOut,
    Tick,
    Wake,
)
from actors.settings import KERNEL_LANE, Settings
from kernel.hazards.switches import Hazard
from kernel.policy.keys import defers

#: stands for the running thread among the others: its state is in `running`
_ON_CORE = Thread()
#: a time slice is divided by the load, by this at most (SCHED_SLICE_MIN_DIVISOR)
LEAST_PART = 6


class Scheduler:
    """The threads of this core, and which of them is next."""

    __slots__ = (
        "accesses",
        "buffer",
        "defers",
        "expired",
        "idling",
        "lane",
        "last",
        "left",
        "me",
        "run_queue",
        "running",
        "settings",
        "threads",
        "ticking",
    )

    def __init__(
        self,
        me: int,
        settings: Settings,
        threads: dict[int, Thread],
        running: Running,
        buffer: StoreBuffer,
        accesses: Accesses,
    ) -> None:
        """Begin with these threads, none of which is to run yet."""
        #: of context switches: a thread may have an operation in flight, asleep
        self.me = me
        self.lane = KERNEL_LANE + me
        self.settings = settings
        self.running = running
        self.buffer = buffer
        self.accesses = accesses
        self.threads = threads
        self.run_queue: deque[int] = deque()
        #: invalidations are left to switches: even one within an address space asks the vm
        self.defers = defers(settings.policy)
        #: a thread has left the core and none has come; a switch to the idle thread is under way
        self.left = self.idling = False
        #: a tick of the clock is armed; the time slice is over
        self.ticking = self.expired = False
        #: the thread that ran last, and computes if it is off the core
        self.last: int = NO_THREAD

    def clone(self, running: Running, buffer: StoreBuffer, accesses: Accesses) -> "Scheduler":
        """Copy the containers; the arguments are the twin's."""
        twin = Scheduler(self.me, self.settings, self.threads.copy(), running, buffer, accesses)
        twin.run_queue = self.run_queue.copy()
        twin.left, twin.idling = self.left, self.idling
        twin.ticking, twin.expired = self.ticking, self.expired
        twin.last = self.last
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple(sorted(self.threads.items())),
            tuple(self.run_queue),
            (self.left, self.idling, self.ticking, self.expired, self.last),
        )

    def waiting(self) -> list[str]:
        """Name the threads that have begun and not ended."""
        awaits = self.awaits()
        return [
            self.await_text(t)
            if t in awaits
            else f"thread {t} is in {s.doing.name} at instruction {s.pc}"
            for t, s in self.threads.items()
            if s.doing is not DONE and (s.pc or s.doing is not RUN)
        ]

    def awaits(self) -> dict[int, Await]:
        """Return what threads wait for that wait for an instruction of another."""
        guest = self.running.guest
        waiting = (t for t, s in self.threads.items() if s.doing is EDGE)
        found = {thread: guest.at(thread, self.threads[thread].pc) for thread in waiting}
        return {thread: one for thread, one in found.items() if isinstance(one, Await)}

    def await_text(self, thread: int) -> str:
        """Say what a thread waits for that waits for an instruction of another."""
        threads, one = self.running.guest.threads, self.awaits()[thread]
        other = threads[one.thread].name
        return f"thread {threads[thread].name} awaits instruction {one.index} of thread {other}"

    def finished(self, thread: int) -> int:
        """Return the last instruction that a thread has finished, or -1."""
        running = self.running
        return (running.pc if thread == running.thread else self.threads[thread].pc) - 1

    # The next thread.

    def begin(self, threads: Iterable[int]) -> None:
        """Put the threads that are there from the start on the run queue."""
        self.run_queue.extend(threads)

    def dispatch(self, out: list[Effect]) -> bool:
        """Take the next thread off the run queue; switch the address space if it has another.

        Not before the store buffer is empty: what the thread does next in the kernel (free a frame,
        say) comes after the stores of the thread before it.
        """
        if self.buffer.entries or self.idling:
            return False
        if not self.run_queue:
            if self.left:
                self._go_idle(out)
            return False
        running, settings = self.running, self.settings
        thread = self.run_queue.popleft()
        running.take(thread, self.threads[thread])
        self.left = False
        asid = settings.process_of[thread]
        thinks_on, self.last = thread == self.last, thread
        if asid != running.asid or (self.defers and not thinks_on):
            running.doing = SWITCH
            out.append(Send(settings.vm_of[asid], SwitchIn(self.lane, asid)))
            return True
        self._resume(out)
        return True

    def _go_idle(self, out: list[Effect]) -> None:
        """Switch to the idle thread: an occasion for invalidations that were left to this core.

        A thread that thinks computes, so the core does not go idle then.
        """
        self.left, self.idling = False, True
        asid = self.running.asid
        out.append(Send(self.settings.vm_of[asid], SwitchIn(self.lane, asid)))

    def _resume(self, out: list[Effect]) -> None:
        """Go on with a thread that has just got the core."""
        running = self.running
        thread = running.thread
        state = self.threads[thread]
        if state.doing is WOKEN:
            running.doing = state.resume
            self.accesses.walk_again()
            vm = self.settings.vm_of[self.settings.process_of[thread]]
            out.append(Send(vm, Step(thread)))
        else:
            running.doing = RUN
        self.threads[thread] = _ON_CORE
        if running.left_ns:
            self._compute(out)
        elif self.run_queue:
            self._tick(out)

    def switched(self, m: Switched, out: list[Effect]) -> None:
        """Load the root, set curpmap, clear the own bit in the old pm_active."""
        running, settings = self.running, self.settings
        old, running.asid = running.asid, m.asid
        if old != m.asid:
            out.append(Spend(settings.costs.context_switch_ns))
        early = old == m.asid and settings.hazards & Hazard.HOOK_AFTER_EARLY_RETURN
        if not early:
            self.accesses.catch_up(m, out)
        if m.upto:
            out.append(Send(settings.vm_of[m.asid], CaughtUp(self.lane, m.asid, m.upto)))
        if old not in (NO_SPACE, m.asid):
            out.append(Send(settings.vm_of[old], SwitchOut(self.lane, old)))
        if running.thread == NO_THREAD:
            self.idling = False
        else:
            self._resume(out)

    # Time slices: while another thread waits for the core, the clock ticks.

    def _slice_ns(self) -> int:
        """Return the time slice: by load, at least a sixth. Source: FreeBSD tdq_slice (ULE)."""
        return self.settings.slice_ns // min(len(self.run_queue) or 1, LEAST_PART)

    def _tick(self, out: list[Effect]) -> None:
        if not self.ticking and self.settings.slice_ns:
            self.ticking = True
            out.append(Timer(self._slice_ns(), Tick(self.lane)))

    def tick(self) -> list[Effect]:
        """Have the running thread give way, if another waits, when it is back in user mode."""
        self.ticking = False
        self.expired = bool(self.run_queue) and self.running.thread != NO_THREAD
        return []

    def preempt(self) -> None:
        """Put the running thread after the others."""
        thread = self.running.thread
        self.expired = False
        self.park(RUN)
        self.run_queue.append(thread)

    # Thinking.

    def think(self, i: Think, out: list[Effect]) -> bool:
        """Compute for a while: on the core, or off it, and the address space stays current."""
        running = self.running
        times, parts = self.settings.think_scale
        ns = i.ns * times // parts
        running.advance(out)
        if ns <= 0:
            return True
        if self.settings.computes:
            running.left_ns = ns
            self._compute(out)
            return False
        out.append(Timer(ns, Wake(running.thread)))
        return self.park(THINK)

    def _compute(self, out: list[Effect]) -> None:
        """Compute for what is left, a slice at a time, as another thread may come to wait."""
        running = self.running
        running.doing = COMPUTE
        ns = min(running.left_ns, self._slice_ns() or running.left_ns)
        running.left_ns -= ns
        out.append(Timer(ns, Wake(running.thread)))

    def computed(self, out: list[Effect]) -> bool:
        """End a part of a computation; True if the next thread may run."""
        running = self.running
        running.doing = RUN
        if running.left_ns and not self.run_queue:
            self._compute(out)
            return False
        if running.left_ns:
            self.preempt()
        return True

    # Threads that leave the core, and come back to the run queue.

    def park(self, doing: Doing, resume: Doing = RUN) -> bool:
        """Take the running thread off the core; False: it does not go on."""
        if doing is not THINK:
            self._leave_for_good()
        thread = self.running.thread
        self.threads[thread] = self.running.leave(doing, resume)
        return False

    def _leave_for_good(self) -> None:
        """Note that no thread computes off the core: if none comes, the core goes idle."""
        self.last, self.left = NO_THREAD, self.defers

    def sleep(self, m: Sleep | ReadPage) -> None:
        """Park the running thread, whose operation the kernel has put to sleep."""
        running = self.running
        running.expect(m, CALL, FAULT, WALK)
        self.accesses.forget_walk()
        self.park(SLEEP, running.doing)

    def ready(self, thread: int, doing: Doing, out: list[Effect]) -> None:
        """Put a parked thread on the run queue."""
        state = self.threads[thread]
        self.threads[thread] = Thread(state.pc, state.part, doing, state.resume, state.left_ns)
        self.run_queue.append(thread)
        running = self.running
        if running.thread != NO_THREAD and running.doing is not SWITCH:
            self._tick(out)

    def pass_await(self, thread: int) -> int:
        """Have a parked thread go past its await; return the index of that instruction."""
        state = self.threads[thread]
        assert state.doing is EDGE
        self.threads[thread] = Thread(state.pc + 1, 0, EDGE)
        return state.pc

    def is_unborn(self, thread: int) -> bool:
        """Say whether a thread was not started."""
        waits = thread in self.run_queue or thread == self.running.thread
        return self.threads[thread].doing is RUN and not waits

    def has_ended(self, thread: int) -> bool:
        """Say whether a thread has ended."""
        return self.threads[thread].doing is DONE

    def is_interruptible(self, thread: int) -> bool:
        """Say whether a thread is off the core with nothing in flight in the kernel.

        It thinks, waits for another thread or for a device, or was not started.
        """
        if thread == self.running.thread:
            return False
        return self.threads[thread].doing in (THINK, EDGE, TRANSFER) or self.is_unborn(thread)

    def bury(self, thread: int) -> None:
        """End a thread that is off the core, wherever it is in its program."""
        self.threads[thread] = Thread(NEVER, 0, DONE)
        if thread == self.last:  # it was computing off the core: now the core is idle
            self._leave_for_good()
