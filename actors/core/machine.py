"""A core: runs guest threads, enters the kernel for them, takes interrupts, switches contexts.

Threads are scheduled cooperatively: a thread runs until it thinks, waits for another thread, sleeps
in the kernel or ends. While a thread thinks, its address space stays current on the core, as it
does on an idle core: interrupts for it keep coming.

This module makes a core of its components and routes messages to them. Each component owns its
fields and says what it may touch; none knows the core:

    waits <- running <- accesses <- scheduler <- system calls, transfers, killed <- execution
             store buffer <- accesses, interrupts, claim words, scheduler, system calls
             rounds <- interrupts, kernel work

Whatever lets a thread go on ends with `execution.run`.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from actors.core.accesses import Accesses
from actors.core.claim_words import ClaimWords
from actors.core.execution import Execution
from actors.core.interrupts import Interrupts
from actors.core.kernel_work import KernelWork
from actors.core.killed import Killed
from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.store_buffer import StoreBuffer
from actors.core.system_calls import SystemCalls
from actors.core.transfers import Transfers
from actors.core.values import COMPUTE, DRAIN, FAULT, GO, LOAD, RUN, WOKEN
from actors.core.waits import Waits
from actors.initiator import Rounds
from actors.machine import Effect, Machine, Spend
from actors.messages import (
    AwaitIndex,
    CatchUp,
    ChunkCopied,
    ChunkZeroed,
    Claim,
    CopyFrame,
    Die,
    Drain,
    Evict,
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
from actors.settings import Settings


@dataclass(eq=False, repr=False)
class Core(Machine):
    """The components, and what each message means to them."""

    ROLE = "core"
    RECEIVES = (
        Go | Translation | PageFault | Loaded | Stored | Drain | Resolved | Signal | Return | Work
        | Sleep | Wakeup | Shoot | Ipi | IpiAck | Flush | ZeroFrames | ChunkZeroed | CopyFrame
        | ChunkCopied | ReadPage | PageRead | FrameFilled | Switched | CatchUp | Tlbi | TlbiDone
        | Spawn | AwaitIndex | Reached | Wake | Tick | Evict | Die
        | Claim | WordsStored | WordsLoaded | Poll | StartTransfer | TransferDone
    )  # fmt: skip

    me: int
    settings: Settings
    waits: Waits
    running: Running
    buffer: StoreBuffer
    accesses: Accesses
    rounds: Rounds
    interrupts: Interrupts
    kernel_work: KernelWork
    claim_words: ClaimWords
    scheduler: Scheduler
    transfers: Transfers
    killed: Killed

    def __post_init__(self) -> None:
        self.system_calls = SystemCalls(self.settings, self.running, self.buffer, self.scheduler)
        self.execution = Execution(
            self.settings,
            self.running,
            self.waits,
            self.scheduler,
            self.interrupts,
            self.killed,
            self.accesses,
            self.system_calls,
            self.transfers,
        )

    def clone(self) -> "Core":
        """Copy the components and wire the copies to one another."""
        waits, buffer, rounds = self.waits.clone(), self.buffer.clone(), self.rounds.clone()
        running = self.running.clone(waits)
        accesses = self.accesses.clone(running, buffer)
        scheduler = self.scheduler.clone(running, buffer, accesses)
        return Core(
            self.me,
            self.settings,
            waits,
            running,
            buffer,
            accesses,
            rounds,
            self.interrupts.clone(running, buffer, accesses, rounds),
            self.kernel_work.clone(accesses, rounds),
            self.claim_words.clone(running, buffer),
            scheduler,
            self.transfers.clone(running, scheduler),
            self.killed.clone(running, scheduler, waits),
        )

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            self.waits.freeze(),
            self.running.freeze(),
            self.buffer.freeze(),
            self.accesses.freeze(),
            self.rounds.freeze(),
            self.interrupts.freeze(),
            self.kernel_work.freeze(),
            self.claim_words.freeze(),
            self.scheduler.freeze(),
            self.transfers.freeze(),
            self.killed.freeze(),
        )

    def waiting(self) -> list[str]:
        """Name threads that have not ended, and whatever is under way."""
        return [
            *self.scheduler.waiting(),
            *self.running.waiting(),
            *self.rounds.waiting(),
            *self.buffer.waiting(),
            *self.interrupts.waiting(),
            *self.transfers.waiting(),
        ]

    def start(self) -> list[Effect]:
        """Begin with the threads that are there from the start."""
        out: list[Effect] = []
        threads = self.running.guest.threads
        self.scheduler.begin(t for t in sorted(self.scheduler.threads) if threads[t].initial)
        self.execution.run(out)
        return out

    # Messages to the running thread.

    def _go(self, _src: int, m: Go) -> list[Effect]:
        self.running.expect(m, GO)
        return self._goes_on([])

    def _loaded(self, _src: int, m: Loaded) -> list[Effect]:
        self.running.expect(m, LOAD)
        return self._goes_on([])

    def _resolved(self, _src: int, m: Resolved) -> list[Effect]:
        self.running.expect(m, FAULT)
        self.accesses.absences.resolved()
        return self._goes_on([Spend(m.ns)])

    def _goes_on(self, out: list[Effect]) -> list[Effect]:
        self.running.doing = RUN
        self.execution.run(out)
        return out

    def _translation(self, _src: int, m: Translation) -> list[Effect]:
        """Load the entry and make the access; its end comes after what the thread does next."""
        leaves = self.accesses.translated(m)
        out: list[Effect] = [Spend(m.ns)] if m.ns else []
        self.execution.run(out)
        if leaves is not None:
            out.append(leaves)
        return out

    def _signal(self, _src: int, m: Signal) -> list[Effect]:
        out: list[Effect] = [Spend(m.ns)]
        self.accesses.signalled(m, out)
        self.execution.run(out)
        return out

    def _return(self, _src: int, m: Return) -> list[Effect]:
        out = self.system_calls.returned(m)
        if m.op in self.killed.dying:
            self.system_calls.finish_fork(m, out)
        self.execution.run(out)
        return out

    def _sleep(self, _src: int, m: Sleep) -> list[Effect]:
        self.scheduler.sleep(m)
        out: list[Effect] = [Spend(m.ns)]
        self.execution.run(out)
        return out

    def _read_page(self, _src: int, m: ReadPage) -> list[Effect]:
        self.scheduler.sleep(m)
        out = self.kernel_work.read_page(m)
        self.execution.run(out)
        return out

    def _start_transfer(self, _src: int, m: StartTransfer) -> list[Effect]:
        out = self.transfers.start(m)
        self.execution.run(out)
        return out

    # The store buffer.

    def _stored(self, _src: int, _m: Stored | WordsStored) -> list[Effect]:
        out: list[Effect] = []
        self.buffer.performed(out)
        return self._drained(out)

    def _drain(self, _src: int, _m: Drain) -> list[Effect]:
        out: list[Effect] = []
        self.buffer.drain(out)
        return self._drained(out)

    def _drained(self, out: list[Effect]) -> list[Effect]:
        """Go on with what has waited for the store buffer to be empty, if it is."""
        if self.buffer.entries:
            return out
        if self.claim_words.under_way:
            self.claim_words.fence(out)
        if self.running.doing is DRAIN:
            return self._goes_on(out)
        self.execution.run_if_idle(out)
        return out

    # Threads that come to the run queue, or never will again.

    def _switched(self, _src: int, m: Switched) -> list[Effect]:
        out: list[Effect] = []
        self.scheduler.switched(m, out)
        self.execution.run(out)
        return out

    def _woken(self, _src: int, m: Wakeup | FrameFilled) -> list[Effect]:
        return self.execution.ready(m.op, WOKEN, [])

    def _wake(self, _src: int, m: Wake) -> list[Effect]:
        """A thread has thought enough, or its time slice is over."""
        if self.killed.dying and self.killed.ignores(m):
            return []
        out: list[Effect] = []
        if self.running.doing is not COMPUTE or m.op != self.running.thread:
            return self.execution.ready(m.op, RUN, out)
        if self.scheduler.computed(out):
            self.execution.run(out)
        return out

    def _spawn(self, _src: int, m: Spawn) -> list[Effect]:
        if m.thread in self.killed.dying:
            return []
        return self.execution.ready(m.thread, RUN, [])

    def _reached(self, _src: int, m: Reached) -> list[Effect]:
        """Note how far a thread is that one of ours waits for; ours goes past its await."""
        if m.op in self.killed.dying:
            return []
        out: list[Effect] = []
        self.waits.learn(m)
        self.waits.finished(m.op, self.scheduler.pass_await(m.op), out)
        return self.execution.ready(m.op, RUN, out)

    def _transfer_done(self, _src: int, m: TransferDone) -> list[Effect]:
        """A device interrupts: a transfer of a thread of this core is complete."""
        out: list[Effect] = [Spend(self.settings.costs.dma_done_ns)]
        return self.execution.ready(m.op, RUN, out) if self.transfers.end(m) else out

    def _die(self, _src: int, m: Die) -> list[Effect]:
        out: list[Effect] = []
        if self.killed.die(m, out):
            self.execution.run_if_idle(out)
        return out


Core.HANDLERS = {
    Go: Core._go,
    Translation: Core._translation,
    PageFault: lambda core, _, m: core.accesses.faulted(m),
    Loaded: Core._loaded,
    Stored: Core._stored,
    WordsStored: Core._stored,
    Claim: lambda core, src, m: core.claim_words.begin(src, m),
    WordsLoaded: lambda core, _, m: core.claim_words.words_loaded(m),
    Poll: lambda core, _, m: core.claim_words.poll(m),
    Drain: Core._drain,
    Resolved: Core._resolved,
    Signal: Core._signal,
    Return: Core._return,
    Work: lambda core, src, m: core.kernel_work.work(src, m),
    Sleep: Core._sleep,
    Wakeup: Core._woken,
    Shoot: lambda core, src, m: core.kernel_work.shoot_down(src, m),
    Ipi: lambda core, src, m: core.interrupts.take(src, m),
    IpiAck: lambda core, src, m: core.kernel_work.count_ack(src, m),
    TlbiDone: lambda core, src, m: core.kernel_work.count_ack(src, m),
    Flush: lambda core, _, m: core.interrupts.flush_late(m),
    ZeroFrames: lambda core, src, m: core.kernel_work.zero_frames(src, m),
    ChunkZeroed: lambda core, _, m: core.kernel_work.zero_some(m.op),
    CopyFrame: lambda core, src, m: core.kernel_work.copy_frame(src, m),
    ChunkCopied: lambda core, _, m: core.kernel_work.chunk_copied(m),
    ReadPage: Core._read_page,
    PageRead: lambda core, _, m: core.kernel_work.page_read(m),
    FrameFilled: Core._woken,
    Switched: Core._switched,
    Spawn: Core._spawn,
    Die: Core._die,
    AwaitIndex: lambda core, src, m: core.execution.await_index(src, m),
    Reached: Core._reached,
    Wake: Core._wake,
    Tick: lambda core, _src, _m: core.scheduler.tick(),
    Evict: lambda core, _, m: core.accesses.evict(m),
    CatchUp: lambda core, src, m: core.accesses.catch_up_in_kernel(src, m),
    Tlbi: lambda core, src, m: core.interrupts.take_broadcast(src, m),
    StartTransfer: Core._start_transfer,
    TransferDone: Core._transfer_done,
}
