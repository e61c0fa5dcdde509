"""What memories, swap and page daemons tell a vm: each finds its operation, or begins one."""

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
from actors.vm import steps
from actors.vm.operations.faults import fault, frame_wait, pager
from actors.vm.operations.mappings import fork_pinned
from actors.vm.operations.paging import kill, launder, page_scan
from actors.vm.state import VmState
from kernel.page_queue import Queue

# Memories.


def frame(vm: VmState, m: Frame) -> list[Effect]:
    """Take a frame that a memory gives to an operation."""
    out: list[Effect] = []
    op = vm.in_flight.find(m, m.op, OpState.FRAME)
    if op.kind is OpKind.FORK:
        op = fork_pinned.got_frame(op, m)
    else:
        op = fault.got_frame(vm, vm.spaces[op.asid], op, m, out)
    if op.state is not OpState.READY:
        vm.in_flight.put(op)
        return out
    return steps.run(vm, op, out)


def no_frame(vm: VmState, src: int, m: NoFrame) -> list[Effect]:
    """Have another memory asked, as this one has no frame; or the operation sleeps."""
    out: list[Effect] = []
    op = vm.in_flight.find(m, m.op, OpState.FRAME)
    vm.in_flight.put(frame_wait.no_frame(vm, vm.spaces[op.asid], op, src, out))
    return out


def frames_free(vm: VmState, m: FramesFree) -> list[Effect]:
    """Wake an operation; one that gave up meanwhile has nothing to do with it."""
    op = vm.in_flight.ops.get(m.op)
    out: list[Effect] = []
    if op is not None and op.state is OpState.LOW_MEMORY:
        frame_wait.frames_free(vm, op, out)
    return out


# Swap.


def paged_out(vm: VmState, m: PagedOut) -> list[Effect]:
    """Take in that pages are written to swap."""
    op = vm.in_flight.find(m, m.op, OpState.PAGER)
    op = launder.paged_out(op, m.slots)
    if op.by >= vm.settings.cores:
        return steps.run(vm, op, [])
    out: list[Effect] = []
    vm.in_flight.put(op)
    vm.in_flight.wake(op.lane, out)
    return out


def paged_in(vm: VmState, m: PagedIn) -> list[Effect]:
    """Take in that a page is read from swap."""
    op = vm.in_flight.find(m, m.op, OpState.PAGER)
    out: list[Effect] = []
    vm.in_flight.put(pager.paged_in(vm, op, out))
    return out


# Page daemons.


def scan(vm: VmState, src: int, m: Scan) -> list[Effect]:
    """Go through a queue of pages."""
    return steps.begin(vm, page_scan.begin(vm, m.op, src, Queue(m.queue), m.target, m.short))


def census(vm: VmState, src: int, m: Census) -> list[Effect]:
    """Say how large the processes are."""
    held, kept = kill.frames(vm, vm.settings.domain_of(src))
    return [Send(src, Sizes(m.op, kill.sizes(vm), held, kept))]


def kill_process(vm: VmState, src: int, m: Kill) -> list[Effect]:
    """Tear a process down, as memory is out."""
    out: list[Effect] = []
    op = kill.begin(vm, src, m, out)
    return [*out, *steps.begin(vm, op)]
