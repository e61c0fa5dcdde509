"""A frame for a fault: from its core's domain, else from another; if none has any, a sleep.

    ask one domain after the other; none has a frame: give up what the fault holds and sleep until
    some domain says that frames are free; then the fault starts over

Source: FreeBSD vm_domainset_iter_page: the domain of the policy first, then the others;
vm_fault_allocate (unlock_and_deallocate, vm_waitpfault); vm_wait_doms: whichever has frames first.
"""

from typing import Any

from actors.facts import Stalled
from actors.machine import Effect, Note, Send
from actors.messages import Allocate, AwaitFrames, GaveUp, Sleep, Wakeup
from actors.operation import OpState
from actors.vm.op import Op, P, replace
from actors.vm.payloads import Fault, Fork
from actors.vm.state import VmState
from kernel.vmspace import VmSpace

_FRAME = OpState.FRAME


def ask(vm: VmState, op: Op[P], out: list[Effect]) -> Op[P]:
    """Ask the domain of the operation's core."""
    settings = vm.settings
    home = settings.memories[settings.domain_of(op.by)]
    out.append(Send(home, Allocate(op.lane)))
    return replace(op, state=_FRAME)


def no_frame(
    vm: VmState, space: VmSpace, op: Op[Fault | Fork], memory: int, out: list[Effect]
) -> Op[Fault | Fork]:
    """Ask the domain after `memory`, which has no frame; the last one's answer ends the round."""
    memories = vm.settings.memories
    after = memories[(memories.index(memory) + 1) % len(memories)]
    if after != memories[vm.settings.domain_of(op.by)]:
        out.append(Send(after, Allocate(op.lane)))
        return op
    return _sleep(vm, space, op, out)


def _sleep(
    vm: VmState, space: VmSpace, op: Op[Fault | Fork], out: list[Effect]
) -> Op[Fault | Fork]:
    """Give everything up and sleep until frames are free."""
    own = op.own
    if isinstance(own, Fault):
        own = _without_pages(vm, own, out)
    else:
        vm.holes.unclip(space)  # a fork keeps the frames that it has
    if space.lock.held_by(op.lane):
        vm.waiting.unlock_map(space, op, out)
    out.append(Note(Stalled(op.lane)))
    out.append(Send(op.by, Sleep(op.lane, OpState.LOW_MEMORY, op.ns)))
    if space.ending:  # it may hold the frames that others wait for
        out.append(Send(op.by, Wakeup(op.lane)))
        return replace(op, phase=0, own=own, ns=0, state=OpState.READY)
    out.extend(Send(memory, AwaitFrames(op.lane)) for memory in vm.settings.memories)
    return replace(op, state=OpState.LOW_MEMORY, phase=0, own=own, ns=0)


def _without_pages(vm: VmState, own: Fault, out: list[Effect]) -> Fault:
    """Let go of the page that has no frame, and of the one that was to be copied to it."""
    if own.page is not None:
        del vm.objects.by_oid[own.page[0]].pages[own.page[1]]
        vm.waiting.wake_page(own.page, out)
    if own.source is not None:
        source = vm.pages.get(own.source)
        assert source is not None, "it is busy"
        vm.waiting.unbusy(own.source, source, out)
    return replace(own, page=None, source=None)


def frames_free(vm: VmState, op: Op[Any], out: list[Effect]) -> None:
    """Wake an operation that sleeps for frames: one domain has some, so no other need say so."""
    if len(vm.settings.memories) > 1:
        give_up(vm, op, out)
    else:
        _wake(vm, op, out)


def give_up(vm: VmState, op: Op[Any], out: list[Effect]) -> None:
    """Wake an operation that sleeps for frames, and let no domain wake it again."""
    out.extend(Send(memory, GaveUp(op.lane)) for memory in vm.settings.memories)
    _wake(vm, op, out)


def end_sleeps(vm: VmState, asid: int, out: list[Effect]) -> None:
    """Wake all that sleep for frames in a process that ends: they are to get none."""
    for op in list(vm.in_flight.ops.values()):
        if op.asid == asid and op.state is OpState.LOW_MEMORY:
            give_up(vm, op, out)


def _wake(vm: VmState, op: Op[Any], out: list[Effect]) -> None:
    vm.in_flight.put(replace(op, state=OpState.READY))
    vm.in_flight.wake(op.lane, out)
