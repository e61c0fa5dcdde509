"""fork(2) and pages that a device has pinned: the child gets copies, the parent keeps the pages.

    a frame for each before anything is copied; page by page: an object of its own for the parent's
    entry, the page moves there; a page in its place, busy; copy; unbusy both; free what is left

When there is no frame nothing is copied yet: fork unlocks the map, sleeps and starts over, as a
fault does; it keeps the frames that it has. Between them and the copies no page is pinned: none can
be stored to, and the map is locked.
With copy on write alone the parent's next store would take it away from the frame that the device
goes on with. FreeBSD leaves it at that; this is what Linux does.
Source: Linux copy_present_page (page_needs_cow_for_dma).
"""

from collections.abc import Iterator

from actors.facts import PinMet
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import CopyFrame, Frame
from actors.operation import Op, OpState, replace
from actors.vm.operations.mappings import discard
from actors.vm.state import VmState, idle_if
from kernel.page import DIRTY, NOBODY, Page
from kernel.vm_map import INHERITED_ZERO, NEEDS_COPY, NOT_INHERITED, SHARED, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

_NOT_COPIED = SHARED | NOT_INHERITED | INHERITED_ZERO


def _pinned(vm: VmState, space: VmSpace) -> Iterator[tuple[MapEntry, PageKey, int]]:
    """Yield pinned pages that the child sees, too: entry, page, index in the entry.

    A pinned page is in the top object of its entry: a pin asks for the right to store. Where this
    fork has given the entry a new top object for another page, it is right below.
    """
    if not vm.settings.devices:
        return
    for entry in space.map.entries:
        if entry.flags & _NOT_COPIED:
            continue
        oid, first = entry.oid, entry.offset
        if not entry.flags & NEEDS_COPY:
            first += vm.objects.by_oid[oid].offset
            oid = vm.objects.by_oid[oid].backing
        if oid == NONE:
            continue
        for index, page in vm.objects.by_oid[oid].pages.items():
            if page.pins and 0 <= index - first < entry.end - entry.start:
                yield entry, (oid, index), index - first


def missing(vm: VmState, space: VmSpace, op: Op) -> int:
    """Count the frames still to be had for copies of pinned pages, while the map is copied."""
    if not vm.settings.devices:
        return 0
    found = {
        (entry.oid, index)
        for entry in space.map.entries
        if not entry.flags & _NOT_COPIED
        for index, page in vm.objects.by_oid[entry.oid].pages.items()
        if page.pins and entry.offset <= index < entry.pindex(entry.end)
    }
    return len(found) - len(op.held)


def got_frame(op: Op, frame: Frame) -> Op:
    """Keep a frame that a memory gave for the child."""
    return replace(op, state=OpState.READY, held=(*op.held, frame.pfn))


@idle_if(lambda vm, space, op: not op.held and next(_pinned(vm, space), None) is None)
def keep_pinned(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the next pinned page moves to where only the parent sees it; the child gets a copy."""
    entry, key, index = min(_pinned(vm, space), key=lambda one: one[1], default=(None, (0, 0), 0))
    if entry is None:
        left = replace(op, frames=op.held, held=(), phase=op.phase + 2)
        return discard.freed(vm, left, out)  # pins have gone since
    if vm.objects.by_oid[key[0]].pages[key[1]].busy != NOBODY:
        return vm.waiting.sleep_on_page(op, key, out)
    if entry.flags & NEEDS_COPY:
        vm.objects.shadow(space, entry, op.op)
    top = space.map.lookup(entry.start)
    assert top is not None, "the map is locked"
    own = (top.oid, top.offset + index)
    vm.pages.put(own, vm.holes.rename(key, own).with_busy(op.op))
    vm.pages.put(key, Page(-1, op.op).with_flags(on=DIRTY))  # else it may go: it looks untouched
    out.append(Note(PinMet(op.op, "fork")))
    pfn, *others = op.held
    vm.pages.give_frame(key, vm.objects.by_oid[key[0]].pages[key[1]], pfn)
    source = vm.objects.by_oid[own[0]].pages[own[1]].pfn
    out.append(Send(op.by, CopyFrame(op.op, source, pfn, op.ns)))
    held = replace(op, pages=((key, 0),), wanted=((own, 0),), held=tuple(others))
    return replace(held, state=OpState.WORK, phase=op.phase + 1, ns=0)


@idle_if(lambda _vm, _space, op: not op.pages)
def copied(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the child's copy is there; on to the next pinned page."""
    for key, _ in (*op.pages, *op.wanted):
        vm.waiting.unbusy(key, vm.objects.by_oid[key[0]].pages[key[1]], out)
    return replace(op, pages=(), wanted=(), phase=op.phase - 1)


PHASES = (keep_pinned, copied)
