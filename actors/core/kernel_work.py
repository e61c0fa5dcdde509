"""What a core does in the kernel for its thread: shootdowns, zeroing, copying, time."""

from actors.core.accesses import CoreMemory
from actors.core.state import Copying, Zeroing
from actors.initiator import acknowledge, shoot
from actors.machine import Effect, Send, Spend
from actors.messages import (
    ChunkCopied,
    ChunkZeroed,
    CopyChunk,
    CopyFrame,
    IpiAck,
    Shoot,
    Step,
    TlbiDone,
    Work,
    ZeroChunk,
    ZeroFrames,
)
from kernel.policy.keys import Invalidate


class CoreKernel(CoreMemory):
    """The initiator's part of operations."""

    def shoot_down(self, src: int, m: Shoot) -> list[Effect]:
        """Interrupt the targets of a round and invalidate the own entries."""
        out: list[Effect] = [Spend(m.ns)]
        costs = self.settings.costs
        own = Spend(costs.local_invalidate_page_ns * len(m.vpns) or costs.local_flush_ns)
        broadcast = self.settings.policy.invalidate is Invalidate.BROADCAST  # reaches oneself, too
        if not m.targets and not broadcast:
            out.append(own)
        shoot(self.rounds, src, m, self.settings, self.me, out)
        self.drop(m.op, m.asid, m.vpns, out)
        if m.targets and not broadcast:
            out.append(own)  # overlaps the wait for the others
        return out

    def count_ack(self, src: int, m: IpiAck | TlbiDone) -> list[Effect]:
        """Count an acknowledgement of a round, or a core whose part of a broadcast is complete."""
        out: list[Effect] = []
        acknowledge(self.rounds, src, m, self.settings, out)
        return out

    def zero_frames(self, src: int, m: ZeroFrames) -> list[Effect]:
        """Zero frames chunk by chunk, in groups that keep within the interrupt quantum."""
        if len(m.frames) == self.chunks == 1:  # a zero-fill fault: one group, nothing after it
            pfn, _ = m.frames[0]
            self.zeroing[m.op] = Zeroing(src, ())
            zero = ZeroChunk(m.op, (pfn,), 0)
            return [Spend(m.ns + self.chunk_ns), Send(self.settings.memory_of(pfn), zero)]
        todo = tuple((p, c) for p, done in m.frames for c in range(done, self.chunks))
        self.zeroing[m.op] = Zeroing(src, todo)
        return [Spend(m.ns), *self._zero_some(m.op)]

    def _zero_some(self, op: int) -> list[Effect]:
        job = self.zeroing[op]
        if not job.todo:
            del self.zeroing[op]
            return [Send(job.vm, Step(op))]
        memory_of = self.settings.memory_of
        first, chunk = job.todo[0]
        memory = memory_of(first)
        group = []
        for pfn, c in job.todo[: self.chunks_max]:
            if c != chunk or memory_of(pfn) != memory:
                break
            group.append(pfn)
        self.zeroing[op] = Zeroing(job.vm, job.todo[len(group) :])
        return [
            Spend(self.chunk_ns * len(group)),
            Send(memory, ZeroChunk(op, tuple(group), chunk)),
        ]

    def chunk_zeroed(self, _src: int, m: ChunkZeroed) -> list[Effect]:
        """Go on with the zeroing."""
        return self._zero_some(m.op)

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

    def chunk_copied(self, _src: int, m: ChunkCopied) -> list[Effect]:
        """Go on with the copying."""
        if m.chunk + 1 < self.chunks:
            return self._copy_chunk(m.op, m.chunk + 1)
        return [Send(self.copying.pop(m.op).vm, Step(m.op))]

    def work(self, src: int, m: Work) -> list[Effect]:
        """Spend the time of kernel work."""
        return [Spend(m.ns), Send(src, Step(m.op))]
