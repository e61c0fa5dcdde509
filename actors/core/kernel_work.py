"""What a core does in the kernel for an operation: shootdowns, zeroing, copying, time, files.

Owns the frames that are zeroed and copied, by operation. Touches `rounds`, the interrupts that it
sends; has `accesses` drop the core's own entries.
"""

from collections.abc import Hashable

from actors.core.accesses import Accesses
from actors.core.values import Copying, Zeroing
from actors.initiator import Rounds
from actors.machine import Effect, Send, Spend, Timer
from actors.messages import (
    ChunkCopied,
    CopyChunk,
    CopyFrame,
    FillFrame,
    IpiAck,
    PageRead,
    ReadPage,
    Shoot,
    Step,
    TlbiDone,
    Work,
    ZeroChunk,
    ZeroFrames,
)
from actors.settings import Settings
from kernel.policy.keys import Invalidate

_BROADCAST = Invalidate.BROADCAST


class KernelWork:
    """The initiator's part of operations: the core's time goes to each as its vm asks."""

    __slots__ = (
        "accesses",
        "chunk_ns",
        "chunks",
        "chunks_max",
        "copying",
        "rounds",
        "settings",
        "zeroing",
    )

    def __init__(self, settings: Settings, accesses: Accesses, rounds: Rounds) -> None:
        """Begin with nothing to do."""
        self.settings = settings
        self.accesses = accesses
        self.rounds = rounds
        self.zeroing: dict[int, Zeroing] = {}
        self.copying: dict[int, Copying] = {}
        #: chunks of a frame, ns of a chunk, chunks that keep within the quantum
        self.chunks = settings.chunks
        self.chunk_ns = settings.costs.zero_page_ns // self.chunks
        within = settings.interrupt_quantum_ns // max(self.chunk_ns, 1)
        self.chunks_max = 1 if settings.fine else max(1, within)

    def clone(self, accesses: Accesses, rounds: Rounds) -> "KernelWork":
        """Copy the containers; the arguments are the twin's."""
        twin = KernelWork(self.settings, accesses, rounds)
        twin.zeroing = self.zeroing.copy()
        twin.copying = self.copying.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.zeroing.items())), tuple(sorted(self.copying.items()))

    def shoot_down(self, src: int, m: Shoot) -> list[Effect]:
        """Interrupt the targets of a round and invalidate the own entries."""
        out: list[Effect] = [Spend(m.ns)]
        costs = self.settings.costs
        own = Spend(costs.local_invalidate_page_ns * len(m.vpns) or costs.local_flush_ns)
        broadcast = self.settings.policy.invalidate is _BROADCAST  # reaches oneself, too
        if not m.targets and not broadcast:
            out.append(own)
        self.rounds.shoot(src, m, out)
        self.accesses.drop(m, out)
        if m.targets and not broadcast:
            out.append(own)  # overlaps the wait for the others
        return out

    def count_ack(self, src: int, m: IpiAck | TlbiDone) -> list[Effect]:
        """Count an acknowledgement of a round, or a core whose part of a broadcast is complete."""
        out: list[Effect] = []
        self.rounds.acknowledge(src, m, out)
        return out

    def zero_frames(self, src: int, m: ZeroFrames) -> list[Effect]:
        """Zero frames chunk by chunk, in groups that keep within the interrupt quantum."""
        op, frames = m.op, m.frames
        if len(frames) == self.chunks == 1:  # a zero-fill fault: one group, nothing after it
            pfn, _ = frames[0]
            self.zeroing[op] = Zeroing(src, ())
            zero = ZeroChunk(op, (pfn,), 0)
            return [Spend(m.ns + self.chunk_ns), Send(self.settings.memory_of(pfn), zero)]
        todo = tuple((p, c) for p, done in frames for c in range(done, self.chunks))
        self.zeroing[op] = Zeroing(src, todo)
        return [Spend(m.ns), *self.zero_some(op)]

    def zero_some(self, op: int) -> list[Effect]:
        """Zero the next group of an operation's frames; after the last its vm goes on."""
        job = self.zeroing[op]
        todo = job.todo
        if not todo:
            del self.zeroing[op]
            return [Send(job.vm, Step(op))]
        memory_of = self.settings.memory_of
        first, chunk = todo[0]
        memory = memory_of(first)
        group = []
        for pfn, c in todo[: self.chunks_max]:
            if c != chunk or memory_of(pfn) != memory:
                break
            group.append(pfn)
        self.zeroing[op] = Zeroing(job.vm, todo[len(group) :])
        return [
            Spend(self.chunk_ns * len(group)),
            Send(memory, ZeroChunk(op, tuple(group), chunk)),
        ]

    def copy_frame(self, src: int, m: CopyFrame) -> list[Effect]:
        """Copy a frame chunk by chunk."""
        self.copying[m.op] = Copying(src, m.src, m.dst)
        return [Spend(m.ns), *self._copy_chunk(m.op, 0)]

    def _copy_chunk(self, op: int, chunk: int) -> list[Effect]:
        job = self.copying[op]
        return [
            Spend(self.settings.costs.copy_page_ns // self.chunks),
            Send(self.settings.memory_of(job.src), CopyChunk(op, job.src, job.dst, chunk)),
        ]

    def chunk_copied(self, m: ChunkCopied) -> list[Effect]:
        """Go on with the copying."""
        if m.chunk + 1 < self.chunks:
            return self._copy_chunk(m.op, m.chunk + 1)
        return [Send(self.copying.pop(m.op).vm, Step(m.op))]

    def work(self, src: int, m: Work) -> list[Effect]:
        """Spend the time of kernel work."""
        return [Spend(m.ns), Send(src, Step(m.op))]

    def read_page(self, m: ReadPage) -> list[Effect]:
        """Have the device read a page of a file; the thread sleeps meanwhile."""
        read = PageRead(m.op, m.pfn, m.contents)
        return [Spend(m.ns), Timer(self.settings.costs.file_read_ns, read)]

    def page_read(self, m: PageRead) -> list[Effect]:
        """Have the device write the page to memory."""
        return [Send(self.settings.memory_of(m.pfn), FillFrame(m.op, m.pfn, m.contents))]
