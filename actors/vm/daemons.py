"""What memories, swap and the page daemons tell a `vm`."""

from actors.machine import Effect, Send
from actors.messages import (
    Census,
    Frame,
    FramesFree,
    Kill,
    NoFrame,
    PagedIn,
    PagedOut,
    Scan,
    Sizes,
)
from actors.operation import OpKind, OpState
from actors.vm.operations.faults import fault, frame_wait, pager
from actors.vm.operations.mappings import fork_pinned
from actors.vm.operations.paging import kill, launder, page_scan
from actors.vm.zeroing import VmZeroing
from kernel.page_queue import Queue


class VmDaemons(VmZeroing):
    """Their messages; each finds its operation, or begins one."""

    # Memories.

    def frame(self, _src: int, m: Frame) -> list[Effect]:
        """A memory gives a frame."""
        out: list[Effect] = []
        op = self.in_flight(m, m.op, OpState.FRAME)
        if op.kind is OpKind.FORK:
            op = fork_pinned.got_frame(op, m)
        else:
            op = fault.got_frame(self, self.spaces[op.asid], op, m, out)
        if op.state is not OpState.READY:
            self.ops[op.op] = op
            return out
        return self.run(op, out)

    def no_frame(self, src: int, m: NoFrame) -> list[Effect]:
        """A memory has no frame: another is asked, or the operation sleeps."""
        out: list[Effect] = []
        op = self.in_flight(m, m.op, OpState.FRAME)
        self.ops[op.op] = frame_wait.no_frame(self, self.spaces[op.asid], op, src, out)
        return out

    def frames_free(self, _src: int, m: FramesFree) -> list[Effect]:
        """Wake an operation; one that gave up meanwhile has nothing to do with it."""
        op = self.ops.get(m.op)
        out: list[Effect] = []
        if op is not None and op.state is OpState.LOW_MEMORY:
            frame_wait.frames_free(self, op, out)
        return out

    def census(self, src: int, m: Census) -> list[Effect]:
        """Say how large the processes are."""
        held, kept = kill.frames(self, self.settings.domain_of(src))
        return [Send(src, Sizes(m.op, kill.sizes(self), held, kept))]

    def kill(self, src: int, m: Kill) -> list[Effect]:
        """Memory is out: tear a process down."""
        out: list[Effect] = []
        op = kill.begin(self, src, m, out)
        return [*out, *self.begin(op)]

    def paged_out(self, _src: int, m: PagedOut) -> list[Effect]:
        """Pages are written to swap."""
        op = self.in_flight(m, m.op, OpState.PAGER)
        op = launder.paged_out(op, m.slots)
        if op.by >= self.settings.cores:
            return self.run(op, [])
        out: list[Effect] = []
        self.ops[op.op] = op
        self.wake(op.op, out)
        return out

    def paged_in(self, _src: int, m: PagedIn) -> list[Effect]:
        """A page is read from swap."""
        op = self.in_flight(m, m.op, OpState.PAGER)
        out: list[Effect] = []
        self.ops[op.op] = pager.paged_in(self, op, out)
        return out

    def scan(self, src: int, m: Scan) -> list[Effect]:
        """Go through a queue of pages."""
        queue = Queue(m.queue)
        return self.begin(page_scan.begin(self, m.op, src, queue, m.target, m.short))
