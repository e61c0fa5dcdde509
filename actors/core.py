"""A core: runs guest threads, enters the kernel for them, takes interrupts, switches contexts.

Threads are scheduled cooperatively: a thread runs until it thinks, waits for another thread, sleeps
in the kernel or ends. While a thread thinks, its address space stays current on the core, as it
does on an idle core: interrupts for it keep coming.
"""

from collections.abc import Callable
from typing import ClassVar

from actors.core_kernel import CoreKernel
from actors.core_state import NO_SPACE, NO_THREAD, Phase, Thread
from actors.facts import CallEnded, CallStarted
from actors.guest.calls import calls, is_call
from actors.guest.program import Access, Await, Create, Exit, Fence, Instruction, Think
from actors.machine import Effect, Handler, Note, ProtocolError, Send, Spend, Timer
from actors.message import Message
from actors.messages import (
    AwaitIndex,
    Call,
    ChunkZeroed,
    Drain,
    Fault,
    Flush,
    Go,
    Ipi,
    IpiAck,
    Loaded,
    PageFault,
    Reached,
    Resolved,
    Return,
    Shoot,
    Signal,
    Sleep,
    Spawn,
    Step,
    Stored,
    Switched,
    SwitchIn,
    SwitchOut,
    Translation,
    Wake,
    Wakeup,
    Work,
    ZeroFrames,
)


class Core(CoreKernel):
    """Behaviour: scheduling and the kernel's entry and exit."""

    RECEIVES = (
        Go | Translation | PageFault | Loaded | Stored | Drain | Resolved | Signal | Return | Work
        | Sleep | Wakeup | Shoot | Ipi | IpiAck | Flush | ZeroFrames | ChunkZeroed | Switched
        | Spawn | AwaitIndex | Reached | Wake
    )  # fmt: skip

    def start(self) -> list[Effect]:
        """Begin with the threads that are there from the start."""
        out: list[Effect] = []
        for thread in sorted(self.threads):
            if self.guest.threads[thread].initial:
                self.run_queue.append(thread)
        self._run(out)
        return out

    # Running.

    def _run(self, out: list[Effect]) -> None:
        """Run the current thread, or the next that can, until it must wait."""
        if self.held and self.phase not in (Phase.LOAD, Phase.SWITCH):
            self.take_held(out)
        while True:
            if self.thread == NO_THREAD and not self._dispatch(out):
                return
            if self.phase is not Phase.RUN:
                return
            i = self.guest.at(self.thread, self.pc)
            if i is None:
                i = _EXIT
            execute = self.EXECUTE.get(i.__class__, Core._system_call)
            if not execute(self, i, out):
                if self.thread != NO_THREAD:
                    return
            elif self.settings.fine:
                self.phase = Phase.GO
                out.append(Send(self.me, Go(self.thread)))
                return

    def _dispatch(self, out: list[Effect]) -> bool:
        """Take the next thread off the run queue; switch the address space if it has another."""
        if not self.run_queue:
            return False
        self.thread = self.run_queue.popleft()
        state = self.threads[self.thread]
        self.pc, self.part, self.phase = state.pc, state.part, state.phase
        asid = self.settings.process_of[self.thread]
        if asid != self.asid:
            self.phase = Phase.SWITCH
            out.append(Send(self.settings.vm_of[asid], SwitchIn(self.thread, asid)))
            return True
        self._resume(out)
        return True

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

    def _switched(self, _src: int, m: Switched) -> list[Effect]:
        """Load the root, set curpmap, clear the own bit in the old pm_active."""
        out: list[Effect] = [Spend(self.settings.costs.context_switch_ns)]
        old, self.asid = self.asid, self.settings.process_of[m.op]
        if not m.keep:
            self.tlb.invalidate_all(self.asid)
        if old != NO_SPACE:
            out.append(Send(self.settings.vm_of[old], SwitchOut(m.op, old)))
        self._resume(out)
        self._run(out)
        return out

    def _park(self, phase: Phase, resume: Phase = Phase.RUN) -> bool:
        """Take the current thread off the core."""
        self.threads[self.thread] = Thread(self.pc, self.part, phase, resume)
        self.thread, self.phase = NO_THREAD, Phase.DONE
        return False

    def _ready(self, thread: int, phase: Phase, out: list[Effect]) -> list[Effect]:
        """Put a parked thread on the run queue."""
        state = self.threads[thread]
        self.threads[thread] = Thread(state.pc, state.part, phase, state.resume)
        self.run_queue.append(thread)
        if self.thread == NO_THREAD:
            self._run(out)
        return out

    def _next(self, out: list[Effect]) -> bool:
        """Go to the next instruction and tell who waits for that."""
        done = self.pc
        self.pc += 1
        self.part = 0
        if self.watchers:
            for key in sorted(self.watchers):
                if key[0] == self.thread and key[1] <= done:
                    for core, op in self.watchers.pop(key):
                        out.append(Send(core, Reached(op, self.thread, done)))
        return True

    # Instructions: each says whether the thread goes on.

    def _think(self, i: Think, out: list[Effect]) -> bool:
        times, parts = self.settings.think_scale
        ns = i.ns * times // parts
        self._next(out)
        if ns <= 0:
            return True
        out.append(Timer(ns, Wake(self.thread)))
        return self._park(Phase.THINK)

    def _await(self, i: Await, out: list[Effect]) -> bool:
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
        return self._park(Phase.EDGE)

    def _await_index(self, src: int, m: AwaitIndex) -> list[Effect]:
        current = m.thread == self.thread
        done = (self.pc if current else self.threads[m.thread].pc) - 1
        if done >= m.index:
            return [Send(src, Reached(m.op, m.thread, done))]
        key = (m.thread, m.index)
        self.watchers[key] = (*self.watchers.get(key, ()), (src, m.op))
        return []

    def _reached(self, _src: int, m: Reached) -> list[Effect]:
        self.reached[m.thread] = max(m.index, self.reached.get(m.thread, -1))
        state = self.threads[m.op]
        assert state.phase is Phase.EDGE
        self.threads[m.op] = Thread(state.pc + 1, 0, state.phase)
        return self._ready(m.op, Phase.RUN, [])

    def _create(self, i: Create, out: list[Effect]) -> bool:
        out.append(Send(self.settings.core_of[i.thread], Spawn(self.thread, i.thread)))
        return self._next(out)

    def _spawn(self, _src: int, m: Spawn) -> list[Effect]:
        return self._ready(m.thread, Phase.RUN, [])

    def _exit(self, _i: Exit, out: list[Effect]) -> bool:
        self._next(out)
        return self._park(Phase.DONE)

    def _fence(self, _i: Fence, out: list[Effect]) -> bool:
        if self.buffer:
            self.phase = Phase.DRAIN
            return False
        return self._next(out)

    def _system_call(self, i: Instruction, out: list[Effect]) -> bool:
        """Enter the kernel; its locked instructions drain the store buffer first."""
        assert is_call(i)
        if self.buffer:
            self.phase = Phase.DRAIN
            return False
        todo = calls(i, self.settings.mapped_advice)
        if self.part >= len(todo):
            return self._next(out)
        kind, start, end, arg = todo[self.part]
        self.phase = Phase.CALL
        out.append(Note(CallStarted(self.thread, kind)))
        out.append(Spend(self.settings.costs.syscall_ns))
        vm = self.settings.vm_of[self.asid]
        out.append(Send(vm, Call(self.thread, self.pc, kind, self.asid, start, end, arg)))
        return False

    EXECUTE: ClassVar[dict[type, Callable[..., bool]]] = {
        Access: CoreKernel.access,
        Think: _think,
        Await: _await,
        Create: _create,
        Exit: _exit,
        Fence: _fence,
    }

    # Answers.

    def _expect(self, m: Message, *phases: Phase) -> None:
        if m.op != self.thread or self.phase not in phases:
            raise ProtocolError(
                f"core {self.me} must not get {m!r}: thread {self.thread} is in {self.phase.name}"
            )

    def _goes_on(self, out: list[Effect]) -> list[Effect]:
        self.phase = Phase.RUN
        self._run(out)
        return out

    def _go(self, _src: int, m: Go) -> list[Effect]:
        self._expect(m, Phase.GO)
        return self._goes_on([])

    def _translation(self, _src: int, m: Translation) -> list[Effect]:
        """Load the entry and make the access, unless an invalidation has killed the walk."""
        self._expect(m, Phase.WALK)
        killed, self.walk_vpn = self.walk_killed, -1
        if not killed:
            self.tlb.load(self.asid, m.vpn, m.pte)
        return self._goes_on([Spend(m.ns)] if m.ns else [])

    def _page_fault(self, _src: int, m: PageFault) -> list[Effect]:
        self._expect(m, Phase.WALK)
        self.walk_vpn = -1
        # a cached entry that no longer permits what the page table does not permit is dropped
        self.tlb.invalidate(self.asid, (m.vpn,))
        i = self.guest.at(self.thread, self.pc)
        assert isinstance(i, Access)
        self.phase = Phase.FAULT
        vm = self.settings.vm_of[self.asid]
        return [Send(vm, Fault(m.op, self.asid, m.vpn, i.write))]

    def _resolved(self, _src: int, m: Resolved) -> list[Effect]:
        self._expect(m, Phase.FAULT)
        return self._goes_on([Spend(m.ns)])

    def _signal(self, _src: int, m: Signal) -> list[Effect]:
        """SIGSEGV: the guest's handler skips the access."""
        self._expect(m, Phase.FAULT, Phase.WALK)
        self.walk_vpn = -1
        self.part += 1
        return self._goes_on([Spend(m.ns)])

    def _loaded(self, _src: int, m: Loaded) -> list[Effect]:
        self._expect(m, Phase.LOAD)
        return self._goes_on([])

    def _stored(self, _src: int, _m: Stored) -> list[Effect]:
        out: list[Effect] = []
        self.buffer.popleft()
        self.store_in_flight = False
        if self.settings.fine and self.buffer:
            out.append(Send(self.me, Drain(self.buffer[0].op)))
        else:
            self.drain(out)
        if self.phase is Phase.DRAIN and not self.store_in_flight and not self.buffer:
            return self._goes_on(out)
        return out

    def _drain(self, _src: int, _m: Drain) -> list[Effect]:
        out: list[Effect] = []
        self.drain(out)
        if self.phase is Phase.DRAIN and not self.buffer:
            return self._goes_on(out)
        return out

    def _return(self, _src: int, m: Return) -> list[Effect]:
        self._expect(m, Phase.CALL)
        i = self.guest.at(self.thread, self.pc)
        assert i is not None
        kind = calls(i, self.settings.mapped_advice)[self.part][0]
        self.part += 1
        return self._goes_on([Spend(m.ns), Note(CallEnded(m.op, kind, m.error))])

    def _sleep(self, _src: int, m: Sleep) -> list[Effect]:
        out: list[Effect] = [Spend(m.ns)]
        self._expect(m, Phase.CALL, Phase.FAULT, Phase.WALK)
        self.walk_vpn = -1
        self._park(Phase.SLEEP, self.phase)
        self._run(out)
        return out

    def _wakeup(self, _src: int, m: Wakeup) -> list[Effect]:
        return self._ready(m.op, Phase.WOKEN, [])

    def _wake(self, _src: int, m: Wake) -> list[Effect]:
        return self._ready(m.op, Phase.RUN, [])

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Go: _go,
        Translation: _translation,
        PageFault: _page_fault,
        Loaded: _loaded,
        Stored: _stored,
        Drain: _drain,
        Resolved: _resolved,
        Signal: _signal,
        Return: _return,
        Work: CoreKernel.work,
        Sleep: _sleep,
        Wakeup: _wakeup,
        Shoot: CoreKernel.shoot_down,
        Ipi: CoreKernel.take_ipi,
        IpiAck: CoreKernel.count_ack,
        Flush: CoreKernel.flush_late,
        ZeroFrames: CoreKernel.zero_frames,
        ChunkZeroed: CoreKernel.chunk_zeroed,
        Switched: _switched,
        Spawn: _spawn,
        AwaitIndex: _await_index,
        Reached: _reached,
        Wake: _wake,
    }


_EXIT = Exit()
#: stands for the running thread among the others: its state is in the core's own fields
_ON_CORE = Thread()
