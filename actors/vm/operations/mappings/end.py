"""exit_group(2), execve(2): every other thread of the process ends, then the address space goes.

    other threads: each is told to end, at its next instruction boundary; the caller sleeps until
    all have; the whole map is unmapped as by munmap; after execve the caller goes on in it

Whoever runs on another core is interrupted, whoever sleeps for frames or for a device is woken and
gets none; what must finish in the kernel does. Calls and faults of the process fail meanwhile.
A thread that was not started stays so after exit_group; after execve it may be, by the thread that
goes on. One whose start is on its way when its starter ends is born, and ends as well: its core is
asked again.
Source: FreeBSD exit1, thread_single (SINGLE_EXIT), thread_suspend_check; Linux de_thread.
"""

from actors.machine import Effect, Send
from actors.messages import Die, Died, Sleep
from actors.operation import OpKind, OpState
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.faults import frame_wait
from actors.vm.operations.mappings import discard
from actors.vm.payloads import End
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.units import VPN_LIMIT
from kernel.vmspace import Ending, VmSpace


def _others(vm: VmState, op: Op[P]) -> list[int]:
    """List the other threads of the process; none where a kernel thread tears it down."""
    if op.by >= vm.settings.cores or vm.settings.hazards & Hazard.EXIT_LEAVES_SIBLINGS:
        return []
    owners = enumerate(vm.settings.process_of)
    return [thread for thread, owner in owners if owner == op.asid and thread != op.lane]


def single_out(vm: VmState, space: VmSpace, op: Op[End], out: list[Effect]) -> Op[End]:
    """Phase: have the other threads end, and sleep until they have; at once if there are none."""
    others = _others(vm, op)
    if not others:
        return advance(whole_space(vm, space, op, out))
    space.ending = Ending.SINGLE
    for thread in others:
        _tell(vm, thread, op.kind, out)
    frame_wait.end_sleeps(vm, op.asid, out)
    out.append(Send(op.by, Sleep(op.lane, OpState.SIBLINGS, op.ns)))
    own = replace(op.own, awaits=tuple(others))
    return replace(op, own=own, state=OpState.SIBLINGS, phase=op.phase + 1, ns=0)


def _tell(vm: VmState, thread: int, kind: OpKind, out: list[Effect]) -> None:
    out.append(Send(vm.settings.core_of[thread], Die(thread, kind)))


def died(vm: VmState, op: Op[End], m: Died, out: list[Effect]) -> Op[End]:
    """Take in that a thread has ended, or was not started; the last wakes the caller."""
    own = op.own
    unborn = own.unborn if m.born else (*own.unborn, m.op)
    started = (*own.started, *m.started)
    awaits = [thread for thread in own.awaits if thread != m.op]
    if op.kind is OpKind.EXEC:
        late = [thread for thread in unborn if thread in started]
        for thread in late:
            _tell(vm, thread, OpKind.EXIT, out)
        awaits += late
        unborn = tuple(thread for thread in unborn if thread not in late)
    own = replace(own, awaits=tuple(awaits), unborn=unborn, started=started)
    op = replace(op, own=own)
    vm.in_flight.put(op)
    if not awaits:
        vm.in_flight.wake(op.lane, out)
    return op


def whole_space(_vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: the operation is about all of the address space; execve's caller goes on alone."""
    if op.kind is OpKind.EXEC and space.ending is Ending.SINGLE:
        space.ending = Ending.NO
    return advance(replace(op, start=0, end=VPN_LIMIT))


PHASES: tuple[Phase, ...] = (
    Phase(single_out),
    Phase(whole_space),
    *discard.MUNMAP_PHASES,
)
