"""A frame for a fault: from its core's domain, else from another; if none has any, a sleep.

    ask one domain after the other; none has a frame: give up what the fault holds and sleep until
    some domain says that frames are free; then the fault starts over

Source: FreeBSD vm_domainset_iter_page: the domain of the policy first, then the others;
vm_fault_allocate (unlock_and_deallocate, vm_waitpfault); vm_wait_doms: whichever has frames first.
"""

from actors.facts import Stalled
from actors.machine import Effect, Note, Send
from actors.messages import Allocate, AwaitFrames, GaveUp, Sleep, Wakeup
from actors.operation import Op, OpKind, OpState, replace
from actors.vm.state import VmState
from kernel.vmspace import VmSpace


def ask(vm: VmState, op: Op, out: list[Effect]) -> Op:
    """Ask the domain of the operation's core."""
    home = vm.settings.memories[vm.settings.domain_of(op.by)]
    out.append(Send(home, Allocate(op.op)))
    return replace(op, state=OpState.FRAME)


def no_frame(vm: VmState, space: VmSpace, op: Op, memory: int, out: list[Effect]) -> Op:
    """Ask the domain after `memory`, which has no frame; the last one's answer ends the round."""
    memories = vm.settings.memories
    after = memories[(memories.index(memory) + 1) % len(memories)]
    if after != memories[vm.settings.domain_of(op.by)]:
        out.append(Send(after, Allocate(op.op)))
        return op
    return _sleep(vm, space, op, out)


def _sleep(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Give everything up and sleep until frames are free: of a fork that is the map alone."""
    for key, _ in op.pages:
        del vm.objects.by_oid[key[0]].pages[key[1]]
        vm.waiting.wake_page(key, out)
    for held, _ in op.wanted:
        found = vm.pages.get(held)
        assert found is not None, "it is busy"
        vm.waiting.unbusy(held, found, out)
    if op.kind is OpKind.FORK:
        vm.holes.unclip(space)
    if space.lock.held_by(op.op):
        vm.waiting.unlock_map(space, op, out)
    out.append(Note(Stalled(op.op)))
    out.append(Send(op.by, Sleep(op.op, OpState.LOW_MEMORY, op.ns)))
    if space.killed:  # it may hold the frames that others wait for
        out.append(Send(op.by, Wakeup(op.op)))
        return replace(op, phase=0, pages=(), wanted=(), ns=0, state=OpState.READY)
    out.extend(Send(memory, AwaitFrames(op.op)) for memory in vm.settings.memories)
    return replace(op, state=OpState.LOW_MEMORY, phase=0, pages=(), wanted=(), ns=0)


def frames_free(vm: VmState, op: Op, out: list[Effect]) -> None:
    """Wake an operation that sleeps for frames: one domain has some, the others need not say so."""
    if len(vm.settings.memories) > 1:
        give_up(vm, op, out)
    else:
        _wake(vm, op, out)


def give_up(vm: VmState, op: Op, out: list[Effect]) -> None:
    """Wake an operation that sleeps for frames, and let no domain wake it once more."""
    out.extend(Send(memory, GaveUp(op.op)) for memory in vm.settings.memories)
    _wake(vm, op, out)


def _wake(vm: VmState, op: Op, out: list[Effect]) -> None:
    vm.in_flight.put(replace(op, state=OpState.READY))
    vm.in_flight.wake(op.op, out)
