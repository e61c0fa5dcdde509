"""A frame for a fault, from its core's domain, else from another, else from the first that has one.

Source: FreeBSD vm_domainset_iter_page: the domain of the policy first, then the others without
waiting, then vm_wait_doms for any of them.
"""

from actors.machine import Effect, Send
from actors.messages import Allocate, AllocateNoWait, CancelAllocate, Frame, Free
from actors.operations.operation import Op, OpState, replace
from actors.vm_state import VmState

#: `value` of an operation that waits for a frame of any domain
_WAITS = -1


def ask(vm: VmState, op: Op, out: list[Effect]) -> Op:
    """Ask the domain of the operation's core."""
    home = vm.settings.memories[vm.settings.domain_of(op.by)]
    several = len(vm.settings.memories) > 1
    out.append(Send(home, AllocateNoWait(op.op) if several else Allocate(op.op)))
    return replace(op, state=OpState.FRAME)


def no_frame(vm: VmState, op: Op, memory: int, out: list[Effect]) -> tuple[Op, Frame | None]:
    """Ask the next domain; when none has any, wait for all. Give the frame if one has come."""
    if op.value == _WAITS:
        return _answered(vm, op)
    memories = vm.settings.memories
    home = memories[vm.settings.domain_of(op.by)]
    after = memories[(memories.index(memory) + 1) % len(memories)]
    if after != home:
        out.append(Send(after, AllocateNoWait(op.op)))
        return op, None
    out.extend(Send(each, Allocate(op.op)) for each in memories)
    return replace(op, value=_WAITS, seen=(0, -1, 0)), None


def _answered(vm: VmState, op: Op) -> tuple[Op, Frame | None]:
    """Give the frame when every domain that was asked to wait has answered: `seen` counts them."""
    answers, pfn, zeroed = op.seen
    if answers + 1 < len(vm.settings.memories):
        return replace(op, seen=(answers + 1, pfn, zeroed)), None
    return replace(op, seen=()), Frame(op.op, pfn, bool(zeroed))


def got_frame(vm: VmState, op: Op, frame: Frame, out: list[Effect]) -> tuple[Op, Frame | None]:
    """Give the frame that is used, if it is known: of those of several domains the first."""
    if op.value != _WAITS:
        return op, frame
    answers, pfn, _ = op.seen
    memory_of = vm.settings.memory_of
    if pfn >= 0:
        out.append(Send(memory_of(frame.pfn), Free(op.op, (frame.pfn,), frame.zeroed)))
        return _answered(vm, op)
    others = (one for one in vm.settings.memories if one != memory_of(frame.pfn))
    out.extend(Send(memory, CancelAllocate(op.op)) for memory in others)
    return _answered(vm, replace(op, seen=(answers, frame.pfn, int(frame.zeroed))))
