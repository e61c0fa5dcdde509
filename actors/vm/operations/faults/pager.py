"""Pages that a fault has read in: of a file, or from swap.

The page is busy meanwhile and the map is not locked; then the fault starts over and finds it.
Source: FreeBSD vm_fault_getpages, swap_pager_getpages.
"""

from actors.facts import SwapRead
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import PageIn, ReadPage, Sleep
from actors.operation import OpState
from actors.vm.op import Op, replace
from actors.vm.operations.faults import frame_wait
from actors.vm.payloads import Fault
from actors.vm.state import VmState
from kernel.errors import FaultCause
from kernel.page import Page
from kernel.stamp import ZERO, file_stamp
from kernel.vmspace import VmSpace

_PAGE_IN = FaultCause.PAGE_IN


def read_file(
    vm: VmState, space: VmSpace, op: Op[Fault], key: PageKey, out: list[Effect]
) -> Op[Fault]:
    """Begin a page of a file. The map is unlocked while the pager works; then all starts over."""
    vm.waiting.unlock_map(space, op, out)
    vm.pages.put(key, Page(-1, op.lane))
    return frame_wait.ask(vm, replace(op, own=replace(op.own, page=key)), out)


def page_in(vm: VmState, op: Op[Fault], key: PageKey, out: list[Effect]) -> Op[Fault]:
    """Begin to read a page from swap, into the object whose copy it is."""
    vm.pages.put(key, Page(-1, op.lane))
    ns = op.ns + vm.settings.costs.fault_ns
    return frame_wait.ask(vm, replace(op, own=replace(op.own, page=key), ns=ns), out)


def paged_in(vm: VmState, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Take in that the page was read from swap; the fault starts over and finds it."""
    key, page = busy_page(vm, op)
    vm.pages.activate(page)
    vm.in_flight.wake(op.lane, out)
    vm.waiting.unbusy(key, page, out)
    out.append(Note(SwapRead(op.lane)))
    return replace(op, own=replace(op.own, page=None, cause=_PAGE_IN))


def file_read(vm: VmState, _space: VmSpace, op: Op[Fault], out: list[Effect]) -> Op[Fault]:
    """Phase: the page of a file is there, for whoever waits for it; the fault starts over."""
    key, page = busy_page(vm, op)
    vm.waiting.unbusy(key, page, out)
    return replace(op, phase=0, own=replace(op.own, page=None, cause=_PAGE_IN))


def busy_page(vm: VmState, op: Op[Fault]) -> tuple[PageKey, Page]:
    """Return the page that a fault holds busy."""
    key = op.own.page
    assert key is not None, "the fault has come to a page"
    page = vm.pages.get(key)
    assert page is not None, "it is busy"
    return key, page


def is_read(vm: VmState, key: PageKey) -> bool:
    """Say whether a page that is not resident is read from a file."""
    one = vm.objects.by_oid[key[0]]
    return not one.anonymous and not one.punched.holds(key[1])


def read(
    vm: VmState,
    space: VmSpace,
    op: Op[Fault],
    key: PageKey,
    pfn: int,
    file_read_phase: int,
    out: list[Effect],
) -> Op[Fault] | None:
    """Have a page read that has just got its frame; None if it is neither in swap nor of a file.

    After a read from swap a fault starts over with phase 0; from a file it goes on with
    `file_read_phase`.
    """
    slot = vm.objects.by_oid[key[0]].swap.get(key[1])
    if slot is not None:
        (swap,) = vm.settings.swaps
        out.append(Send(swap, PageIn(op.lane, slot, pfn)))
        out.append(Send(op.by, Sleep(op.lane, OpState.PAGER, op.ns)))
        vm.waiting.unlock_map(space, op, out)
        return replace(op, state=OpState.PAGER, phase=0, ns=0)
    if not space.lock.held_by(op.lane):  # a hole may have been made in the file meanwhile
        contents = file_stamp(vm.objects.by_oid[key[0]].file, key[1]) if is_read(vm, key) else ZERO
        out.append(Send(op.by, ReadPage(op.lane, pfn, contents, op.ns)))
        return replace(op, state=OpState.PAGER, phase=file_read_phase, ns=0)
    return None
