"""Out of memory: the page daemon has the largest process killed, and tears its memory down itself.

    sizes of all processes; the largest: no memory is given to it any more, its threads end, its
    address space goes as in exit(2), the page daemon being the initiator

Pages of holes do not count: they could have been reclaimed. Shared pages count for each. FreeBSD's
process exits by itself, and its threads must get that far; here only the daemon is needed, as with
Linux's oom_reaper.
Source: FreeBSD vm_pageout_oom (swap, and resident pages of whole objects, count), killproc.
"""

from typing import Any

from actors.facts import Killed
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Die, Kill
from actors.operation import OpKind
from actors.settings import DOMAIN_SHIFT
from actors.vm.op import Op
from actors.vm.operations.faults import frame_wait
from actors.vm.payloads import Discard, Dma, Fork
from actors.vm.state import VmState
from kernel.hole import HoleState
from kernel.page import Page
from kernel.vm_object import NONE
from kernel.vmspace import Ending, VmSpace

#: process, pages resident, pages in swap
Size = tuple[int, int, int]


def sizes(vm: VmState) -> tuple[Size, ...]:
    """Return the sizes of all processes of a vm that are not ending."""
    return tuple(_size(vm, asid, space) for asid, space in vm.spaces.items() if not space.ending)


def frames(vm: VmState, domain: int) -> tuple[int, int]:
    """Count the frames of a domain that pages hold: those that may be freed, those of files."""
    mine = [oid for pfn, (oid, _) in vm.pages.frames.items() if pfn >> DOMAIN_SHIFT == domain]
    kept = sum(not vm.objects.by_oid[oid].anonymous for oid in mine)
    return len(mine) - kept, kept


def _size(vm: VmState, asid: int, space: VmSpace) -> Size:
    """Count pages of the objects that the process refers to, at any depth."""
    swapped = 0
    held = (pfn for op in vm.in_flight.ops.values() if op.asid == asid for pfn in _held(op))
    resident = sum(pfn not in vm.pages.frames for pfn in held)
    left = [entry.oid for entry in space.map.entries]
    seen = {NONE}
    while left:
        oid = left.pop()
        if oid in seen:
            continue
        seen.add(oid)
        one = vm.objects.by_oid[oid]
        left.append(one.backing)
        if one.anonymous:
            resident += sum(_counts(vm, (oid, index), page) for index, page in one.pages.items())
            swapped += len(one.swap.keys() - one.pages.keys())
    return asid, resident, swapped


def _held(op: Op[Any]) -> tuple[int, ...]:
    """Return frames that an operation holds and that may be in no page.

    A transfer's page may have left its object; a fork that waits for more frames keeps what it has.
    """
    own = op.own
    if isinstance(own, Dma):
        return own.pinned
    return own.spare if isinstance(own, Fork) else ()


def _counts(vm: VmState, key: PageKey, page: Page) -> bool:
    """Say whether a page could only be had by killing; one of a hole, if it is wired."""
    return page.hole is HoleState.LIVE or vm.objects.is_wired(key, page)


def begin(vm: VmState, by: int, m: Kill, out: list[Effect]) -> Op[Discard]:
    """Kill a process: return the operation that tears its address space down."""
    space = vm.spaces[m.asid]
    _, resident, swapped = _size(vm, m.asid, space)
    out.append(Note(Killed(m.op, m.asid, resident, swapped, m.free)))
    space.ending = Ending.KILLED
    settings = vm.settings
    for thread, process in enumerate(settings.process_of):
        if process == m.asid:
            out.append(Send(settings.core_of[thread], Die(thread, OpKind.EXIT)))
    frame_wait.end_sleeps(vm, m.asid, out)
    return Op(m.op, by, OpKind.EXIT, m.asid, 0, 0, Discard())
