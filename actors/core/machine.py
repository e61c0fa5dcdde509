"""A core: runs guest threads, enters the kernel for them, takes interrupts, switches contexts.

Threads are scheduled cooperatively: a thread runs until it thinks, waits for another thread, sleeps
in the kernel or ends. While a thread thinks, its address space stays current on the core, as it
does on an idle core: interrupts for it keep coming.
"""

from collections.abc import Callable
from typing import ClassVar

from actors.core.killing import CoreKill
from actors.core.scheduler import CoreSchedule
from actors.core.state import NO_THREAD, Phase
from actors.core.transfers import CoreTransfers
from actors.facts import CallEnded, CallStarted
from actors.guest.calls import calls, is_call
from actors.guest.program import (
    Access,
    Await,
    Copy,
    Create,
    DmaWait,
    Exit,
    Fence,
    Fork,
    Instruction,
    Quit,
    Think,
)
from actors.machine import Effect, Handler, Note, Send, Spend, Timer
from actors.messages import (
    AwaitIndex,
    Call,
    CatchUp,
    ChunkCopied,
    ChunkZeroed,
    Claim,
    CopyFrame,
    Die,
    Drain,
    Evict,
    Fault,
    Flush,
    FrameFilled,
    Go,
    Ipi,
    IpiAck,
    Loaded,
    PageFault,
    PageRead,
    Poll,
    Reached,
    ReadPage,
    Resolved,
    Return,
    Shoot,
    Signal,
    Sleep,
    Spawn,
    StartTransfer,
    Stored,
    Switched,
    Tick,
    Tlbi,
    TlbiDone,
    TransferDone,
    Translation,
    Wake,
    Wakeup,
    WordsLoaded,
    WordsStored,
    Work,
    ZeroFrames,
)
from actors.settings import TLB_LANE
from kernel.errors import Errno
from kernel.units import ASID_SHIFT, PAGE_SHIFT, PAGE_SIZE


class Core(CoreTransfers):
    """Behaviour: scheduling and the kernel's entry and exit."""

    RECEIVES = (
        Go | Translation | PageFault | Loaded | Stored | Drain | Resolved | Signal | Return | Work
        | Sleep | Wakeup | Shoot | Ipi | IpiAck | Flush | ZeroFrames | ChunkZeroed | CopyFrame
        | ChunkCopied | ReadPage | PageRead | FrameFilled | Switched | CatchUp | Tlbi | TlbiDone
        | Spawn | AwaitIndex | Reached | Wake | Tick | Evict | Die
        | Claim | WordsStored | WordsLoaded | Poll | StartTransfer | TransferDone
    )  # fmt: skip

    def start(self) -> list[Effect]:
        """Begin with the threads that are there from the start."""
        out: list[Effect] = []
        for thread in sorted(self.threads):
            if self.guest.threads[thread].initial:
                self.run_queue.append(thread)
        self.run(out)
        return out

    # Running.

    def run(self, out: list[Effect]) -> None:
        """Run the current thread, or the next that can, until it must wait."""
        if self.held and self.phase not in (Phase.LOAD, Phase.SWITCH):
            self.take_held(out)
        while True:
            if self.thread == NO_THREAD and not self.dispatch(out):
                return
            if self.phase is not Phase.RUN:
                return
            if self.dying and self.end_killed(out):
                continue
            if self.expired and self.run_queue:
                self.preempt()
                continue
            i = self.guest.at(self.thread, self.pc) or _EXIT
            execute = self.EXECUTE.get(i.__class__, Core._system_call)
            if not execute(self, i, out):
                if self.thread != NO_THREAD:
                    return
            elif self.settings.fine:
                self.phase = Phase.GO
                out.append(Send(self.me, Go(self.thread)))
                return

    # Instructions: each says whether the thread goes on.

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
        settings = self.settings
        todo = calls(i, settings.mapped_advice, checks=settings.commit_checks)
        if self.part >= len(todo):
            return self._called(i, out)
        kind, va, length, args = todo[self.part]
        self.phase = Phase.CALL
        out.append(Note(CallStarted(self.thread, kind, length + PAGE_SIZE - 1 >> PAGE_SHIFT)))
        out.append(Spend(self.settings.costs.syscall_ns))
        vm = self.settings.vm_of[self.asid]
        out.append(Send(vm, Call(self.thread, self.pc, kind, self.asid, va, length, args)))
        return False

    def _called(self, i: Instruction, out: list[Effect]) -> bool:
        """Go on behind a system call, in two processes after a fork, in none after an exit."""
        if isinstance(i, Quit):
            return self.exit_thread(i, out)
        if isinstance(i, Fork):
            out.append(Send(self.settings.core_of[i.thread], Spawn(self.thread, i.thread)))
        return self._next(out)

    EXECUTE: ClassVar[dict[type, Callable[..., bool]]] = {
        Access: CoreSchedule.access,
        Copy: CoreSchedule.copy,
        Think: CoreSchedule.think,
        Await: CoreSchedule.wait_for,
        Create: CoreSchedule.create,
        Exit: CoreSchedule.exit_thread,
        Fence: _fence,
        DmaWait: CoreTransfers.wait_for_transfers,
    }

    # Answers.

    def _goes_on(self, out: list[Effect]) -> list[Effect]:
        self.phase = Phase.RUN
        self.run(out)
        return out

    def _go(self, _src: int, m: Go) -> list[Effect]:
        self.expect(m, Phase.GO)
        return self._goes_on([])

    def _translation(self, _src: int, m: Translation) -> list[Effect]:
        """Load the entry and make the access, unless an invalidation has killed the walk."""
        if m.op != self.thread or self.phase is not Phase.WALK:
            self.expect(m, Phase.WALK)
        killed, self.walk_vpn = self.walk_killed, -1
        asid = self.asid
        if not killed:
            self.tlb.load(asid, m.vpn, m.pte)
        out = self._goes_on([Spend(m.ns)] if m.ns else [])
        life = self.settings.tlb_life_ns
        if life and not killed:  # behind what the thread does next, which goes on with its walk
            lane = TLB_LANE + (asid << ASID_SHIFT | m.vpn)
            out.append(Timer(life, Evict(lane, asid, m.vpn)))
        return out

    def _evict(self, _src: int, m: Evict) -> list[Effect]:
        """Drop an entry for no reason of the kernel's: it is loaded anew when it is missed."""
        self.tlb.evict(m.asid, m.vpn)
        return []

    def _page_fault(self, _src: int, m: PageFault) -> list[Effect]:
        self.expect(m, Phase.WALK)
        self.walk_vpn = -1
        # a cached entry that no longer permits what the page table does not permit is dropped
        self.tlb.invalidate(self.asid, (m.vpn,))
        i = self.guest.at(self.thread, self.pc)
        assert isinstance(i, Access | Copy)
        self.phase = Phase.FAULT
        vm = self.settings.vm_of[self.asid]
        return [Send(vm, Fault(m.op, self.asid, m.vpn, i.write, isinstance(i, Copy)))]

    def _resolved(self, _src: int, m: Resolved) -> list[Effect]:
        self.expect(m, Phase.FAULT)
        return self._goes_on([Spend(m.ns)])

    def _signal(self, _src: int, m: Signal) -> list[Effect]:
        """SIGSEGV: the guest's handler skips the access. In the kernel, the call gives EFAULT."""
        self.expect(m, Phase.FAULT, Phase.WALK)
        self.walk_vpn = -1
        out: list[Effect] = [Spend(m.ns)]
        i = self.guest.at(self.thread, self.pc)
        if isinstance(i, Copy):
            self.copied(i, Errno.EFAULT, out)
        else:
            self.part += 1
        return self._goes_on(out)

    def _loaded(self, _src: int, m: Loaded) -> list[Effect]:
        self.expect(m, Phase.LOAD)
        return self._goes_on([])

    def _stored(self, _src: int, _m: Stored | WordsStored) -> list[Effect]:
        out: list[Effect] = []
        self.buffer.popleft()
        self.store_in_flight = False
        if self.settings.fine and self.buffer:
            out.append(Send(self.me, Drain(self.buffer[0].op)))
        else:
            self.drain(out)
        return self._drained(out)

    def _drain(self, _src: int, _m: Drain) -> list[Effect]:
        out: list[Effect] = []
        self.drain(out)
        return self._drained(out)

    def _drained(self, out: list[Effect]) -> list[Effect]:
        """Go on if what waited for the store buffer to be empty can."""
        if self.buffer:
            return out
        if self.claiming:
            self.claim_fence(out)
        if self.phase is Phase.DRAIN:
            return self._goes_on(out)
        if self.thread == NO_THREAD:
            self.run(out)
        return out

    def _return(self, _src: int, m: Return) -> list[Effect]:
        self.expect(m, Phase.CALL)
        i = self.guest.at(self.thread, self.pc)
        assert i is not None
        settings = self.settings
        todo = calls(i, settings.mapped_advice, checks=settings.commit_checks)
        kind = todo[self.part][0]
        self.part += 1
        return self._goes_on([Spend(m.ns), Note(CallEnded(m.op, kind, m.error))])

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Go: _go,
        Translation: _translation,
        PageFault: _page_fault,
        Loaded: _loaded,
        Stored: _stored,
        WordsStored: _stored,
        Claim: CoreSchedule.claim,
        WordsLoaded: CoreSchedule.words_loaded,
        Poll: CoreSchedule.poll,
        Drain: _drain,
        Resolved: _resolved,
        Signal: _signal,
        Return: _return,
        Work: CoreSchedule.work,
        Sleep: CoreSchedule.sleep,
        Wakeup: CoreSchedule.wakeup,
        Shoot: CoreSchedule.shoot_down,
        Ipi: CoreSchedule.take_ipi,
        IpiAck: CoreSchedule.count_ack,
        Flush: CoreSchedule.flush_late,
        ZeroFrames: CoreSchedule.zero_frames,
        ChunkZeroed: CoreSchedule.chunk_zeroed,
        CopyFrame: CoreSchedule.copy_frame,
        ChunkCopied: CoreSchedule.chunk_copied,
        ReadPage: CoreSchedule.read_page,
        PageRead: CoreSchedule.page_read,
        FrameFilled: CoreSchedule.frame_filled,
        Switched: CoreSchedule.switched,
        Spawn: CoreKill.spawn,
        Die: CoreKill.die,
        AwaitIndex: CoreSchedule.await_index,
        Reached: CoreKill.reached_index,
        Wake: CoreKill.wake,
        Tick: CoreSchedule.tick,
        Evict: _evict,
        CatchUp: CoreSchedule.in_kernel,
        Tlbi: CoreSchedule.take_tlbi,
        TlbiDone: CoreSchedule.count_ack,
        StartTransfer: CoreTransfers.start_transfer,
        TransferDone: CoreTransfers.transfer_done,
    }


_EXIT = Exit()
