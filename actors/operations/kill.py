"""Out of memory: the page daemon has the largest process killed, and tears its memory down itself.

    sizes of all processes; the largest: no memory is given to it any more, its threads end, its
    address space goes as in exit(2), the page daemon being the initiator

Pages of holes do not count: they could have been reclaimed. FreeBSD's process exits by itself, for
which its threads must come so far; here only the daemon is needed, as with Linux's oom_reaper.
Source: FreeBSD vm_pageout_oom (swap and resident pages count), killproc.
"""

from actors.facts import Killed
from actors.machine import Effect, Note, Send
from actors.messages import Die, GaveUp, Kill
from actors.operations import fault
from actors.operations.operation import Op, OpKind, OpState
from actors.vm_state import VmState
from kernel.hole import HoleState
from kernel.units import VPN_LIMIT
from kernel.vmspace import VmSpace

#: process, pages resident, pages in swap
Size = tuple[int, int, int]


def sizes(vm: VmState) -> tuple[Size, ...]:
    """Give the sizes of all processes of a vm that are not dead yet."""
    return tuple(_size(vm, asid, space) for asid, space in vm.spaces.items() if not space.killed)


def _size(vm: VmState, asid: int, space: VmSpace) -> Size:
    resident = swapped = 0
    for vpn in vm.held_in(space, 0, VPN_LIMIT):
        found = vm.page_at(space, vpn)
        if found is None:
            swapped += 1
        else:
            resident += found[1].hole is HoleState.LIVE
    return asid, resident, swapped


def begin(vm: VmState, by: int, m: Kill, out: list[Effect]) -> Op:
    """Kill a process: give the operation that tears its address space down."""
    space = vm.spaces[m.asid]
    _, resident, swapped = _size(vm, m.asid, space)
    out.append(Note(Killed(m.op, m.asid, resident, swapped, m.free)))
    space.killed = True
    settings = vm.settings
    for thread, process in enumerate(settings.process_of):
        if process == m.asid:
            out.append(Send(settings.core_of[thread], Die(thread)))
    for op in list(vm.ops.values()):
        if op.asid == m.asid and op.state is OpState.LOW_MEMORY:
            out.append(Send(settings.memories[settings.domain_of(op.by)], GaveUp(op.op)))
            fault.wake_up(vm, op, out)
    return Op(m.op, by, OpKind.EXIT, m.asid, 0, 0)
