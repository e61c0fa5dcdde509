"""State of a core: the running thread, run queue, TLB, store buffer, interrupts.

What the running thread does is in `actors/core/machine.py`, what it does to memory in
`actors/core/accesses.py`, how the core takes interrupts in `actors/core/interrupts.py`.
"""

from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Any

import msgspec

from actors.guest.program import Guest
from actors.initiator import Round
from actors.machine import Effect, Machine, Send
from actors.message import StoreItem
from actors.messages import Drain, Ipi, IpiAck, Store, StoreWords, Tlbi, TlbiDone
from actors.settings import KERNEL_LANE, Settings
from kernel.claim_word import Side
from kernel.policy.keys import defers
from kernel.tlb import Tlb

NO_THREAD = -1
NO_SPACE = -1
#: granules in one message, whatever the quantum
_STRETCH_MAX = 256


class Phase(IntEnum):
    """What a thread does or waits for; from THINK on it is off the core."""

    #: runnable
    RUN = 0
    #: a translation
    WALK = 1
    #: a load that memory has
    LOAD = 2
    #: the kernel, for a system call
    CALL = 3
    #: the kernel, for a page fault
    FAULT = 4
    #: the store buffer to drain (or to have room)
    DRAIN = 5
    #: the context switch to its address space
    SWITCH = 6
    #: a Go that it sent itself (exploring: between two instructions)
    GO = 7
    #: the end of a computation that takes the core, or of its time slice
    COMPUTE = 13
    THINK = 8
    EDGE = 9
    #: asleep in the kernel
    SLEEP = 10
    #: woken in the kernel, waits for the core
    WOKEN = 11
    DONE = 12
    #: transfers of devices
    TRANSFER = 14


class Thread(msgspec.Struct, frozen=True, gc=False):
    """A thread that is not running: where it goes on, and what it waits for."""

    #: index of the instruction in the guest
    pc: int = 0
    #: system call of the instruction, or element of the access run
    part: int = 0
    phase: Phase = Phase.RUN
    #: CALL, FAULT or WALK: where a sleeper in the kernel goes on
    resume: Phase = Phase.RUN
    #: what is left of a computation that was preempted, in ns
    left_ns: int = 0


class Zeroing(msgspec.Struct, frozen=True, gc=False):
    """Frames that the core zeroes for an operation: (pfn, chunk) still to do, in order."""

    vm: int
    todo: tuple[tuple[int, int], ...]


class Copying(msgspec.Struct, frozen=True, gc=False):
    """A frame that the core copies for an operation."""

    vm: int
    src: int
    dst: int


class Buffered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the store buffer: stores of one stretch, or an interrupt's acknowledgement."""

    op: int
    asid: int
    items: tuple[StoreItem, ...] = ()
    #: for an acknowledgement: whom it goes to
    ack_to: int = -1
    round: int = 0
    #: of a broadcast invalidation, not of an interrupt
    broadcast: bool = False
    #: claim words (pfn, take) that it writes
    words: tuple[tuple[int, int], ...] = ()


class CoreState(Machine):
    """The fields; see the module's head for where the behaviour is."""

    ROLE = "core"

    def __init__(self, me: int, settings: Settings, guest: Guest) -> None:
        """Make an idle core with the threads that are bound to it."""
        self.me = me
        #: of context switches: a thread may have an operation in flight, asleep
        self.lane = KERNEL_LANE + me
        self.settings = settings
        self.guest = guest
        #: threads that are to end, as their process was killed
        self.dying: dict[int, None] = {}
        mine = (t for t, core in enumerate(settings.core_of) if core == me)
        self.threads: dict[int, Thread] = {t: Thread() for t in mine}
        self.run_queue: deque[int] = deque()
        self.thread = NO_THREAD
        self.pc = self.part = 0
        self.phase = Phase.DONE
        #: granules in one stretch of accesses
        quantum = settings.interrupt_quantum_ns // max(settings.costs.access_ns, 1)
        self.stretch_max = 1 if settings.fine else max(1, min(_STRETCH_MAX, quantum))
        #: zeroing: chunks of a frame, ns of a chunk, chunks that keep within the quantum
        self.chunks = settings.chunks
        self.chunk_ns = settings.costs.zero_page_ns // self.chunks
        within = settings.interrupt_quantum_ns // max(self.chunk_ns, 1)
        self.chunks_max = 1 if settings.fine else max(1, within)
        #: invalidations are left to context switches: even one within a pmap asks the vm
        self.hooks = defers(settings.policy)
        #: a thread has left the core and none has come; a switch to the idle thread is under way
        self.left = self.idling = False
        #: a tick of the clock is armed; the time slice is over; ns of a computation that are left
        self.ticking = self.expired = False
        self.left_ns = 0
        #: the thread that ran last, and computes if it is off the core
        self.last = NO_THREAD
        #: curpmap
        self.asid = NO_SPACE
        self.tlb = Tlb(settings.tlb_entries, settings.seed << 12 | me)
        #: page of the walk in flight, and whether an invalidation has killed it
        self.walk_vpn, self.walk_killed = -1, False
        self.buffer: deque[Buffered] = deque()
        self.store_in_flight = False
        #: interrupts that arrived while interrupts are off or an instruction is not complete
        self.held: list[tuple[int, Ipi | Tlbi]] = []
        self.rounds: dict[int, Round] = {}
        self.zeroing: dict[int, Zeroing] = {}
        self.copying: dict[int, Copying] = {}
        #: pages that it claims from the zeroing thread, by operation (`core_claim.py`)
        self.claiming: dict[int, Any] = {}
        #: other cores' threads that wait for ours: (thread, index) -> (core, op)
        self.watchers: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        #: how far we know threads of other cores to be
        self.reached: dict[int, int] = {}

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return (
            tuple(sorted(self.threads.items())),
            tuple(self.run_queue),
            tuple(self.dying),
            (self.thread, self.pc, self.part, self.phase, self.asid),
            self.tlb.freeze(),
            (
                self.walk_vpn,
                self.walk_killed,
                self.store_in_flight,
                self.left,
                self.idling,
                self.last,
            ),
            (self.ticking, self.expired, self.left_ns),
            tuple(self.buffer),
            tuple(self.held),
            tuple(sorted((op, r.freeze()) for op, r in self.rounds.items())),
            tuple(sorted(self.zeroing.items())),
            tuple(sorted(self.copying.items())),
            tuple(sorted(self.claiming.items())),
            tuple(sorted(self.watchers.items())),
            tuple(sorted(self.reached.items())),
        )

    def waiting(self) -> list[str]:
        """Name threads that have not ended, rounds, buffered stores and held interrupts."""
        found = [
            f"thread {t} is in {s.phase.name} at instruction {s.pc}"
            for t, s in self.threads.items()
            if s.phase is not Phase.DONE and (s.pc or s.phase is not Phase.RUN)
        ]
        if self.thread != NO_THREAD:
            found.append(f"thread {self.thread} is in {self.phase.name} at instruction {self.pc}")
        found += [
            f"shootdown of lane {op} lacks {sorted(r.pending)}" for op, r in self.rounds.items()
        ]
        if self.buffer:
            found.append(f"{len(self.buffer)} entries are in the store buffer")
        if self.held:
            found.append(f"{len(self.held)} interrupts are held")
        return found

    # The store buffer: first in, first out, one store outstanding across all memories (x86).

    def push(self, entry: Buffered, out: list[Effect]) -> None:
        """Put an entry into the store buffer and drain what may drain."""
        self.buffer.append(entry)
        if self.store_in_flight or len(self.buffer) > 1:
            return
        if self.settings.fine:
            out.append(Send(self.me, Drain(entry.op)))
        else:
            self.drain(out)

    def drain(self, out: list[Effect]) -> None:
        """Perform the head: stores go to memory, acknowledgements to their initiator."""
        while self.buffer:
            head = self.buffer[0]
            if head.ack_to < 0:
                self.store_in_flight = True
                if head.words:
                    memory = self.settings.memory_of(head.words[0][0])
                    out.append(Send(memory, StoreWords(head.op, Side.THIEF, head.words)))
                    return
                memory = self.settings.memory_of(head.items[0][1])
                out.append(Send(memory, Store(head.op, head.asid, head.items)))
                return
            self.buffer.popleft()
            answer = TlbiDone if head.broadcast else IpiAck
            out.append(Send(head.ack_to, answer(head.op, head.round)))
            if self.settings.fine and self.buffer:
                out.append(Send(self.me, Drain(self.buffer[0].op)))
                return
