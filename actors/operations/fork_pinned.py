"""fork(2) and pages that a device has pinned: the child gets copies, the parent keeps the pages.

    page by page: an object of its own for the parent's entry, the page moves there; a page in its
    place, busy; frame; copy; unbusy both

With copy on write alone the parent's next store would take it away from the frame that the device
goes on with. FreeBSD leaves it at that; this is what Linux does.
Source: Linux copy_present_page (page_needs_cow_for_dma).
"""

from collections.abc import Iterator

from actors.facts import PinMet
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import CopyFrame, Frame
from actors.operations import frame_wait
from actors.operations.operation import Op, OpState, advance, replace
from actors.vm_state import VmState, idle_if
from kernel.page import NOBODY, Page
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
            first += vm.objects[oid].offset
            oid = vm.objects[oid].backing
        if oid == NONE:
            continue
        for index, page in vm.objects[oid].pages.items():
            if page.wired and 0 <= index - first < entry.end - entry.start:
                yield entry, (oid, index), index - first


@idle_if(lambda vm, space, _op: next(_pinned(vm, space), None) is None)
def keep_pinned(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the next pinned page moves to where only the parent sees it."""
    entry, key, index = min(_pinned(vm, space), key=lambda one: one[1], default=(None, (0, 0), 0))
    if entry is None:
        return replace(op, phase=op.phase + 2)
    if vm.objects[key[0]].pages[key[1]].busy != NOBODY:
        return vm.sleep_on_page(op, key, out)
    if entry.flags & NEEDS_COPY:
        vm.shadow(space, entry, op.op)
    top = space.map.lookup(entry.start)
    assert top is not None, "the map is locked"
    own = (top.oid, top.offset + index)
    vm.put(own, vm.rename(key, own).with_busy(op.op))
    vm.put(key, Page(-1, op.op))
    out.append(Note(PinMet(op.op, "fork")))
    op = replace(op, pages=((key, 0),), wanted=((own, 0),))
    return frame_wait.ask(vm, op, out)


def copy_to(vm: VmState, op: Op, frame: Frame, out: list[Effect]) -> Op:
    """Copy the pinned page to the frame that has come for the child."""
    ((key, _),), ((own, _),) = op.pages, op.wanted
    vm.give_frame(key, vm.objects[key[0]].pages[key[1]], frame.pfn)
    source = vm.objects[own[0]].pages[own[1]].pfn
    out.append(Send(op.by, CopyFrame(op.op, source, frame.pfn, op.ns)))
    return advance(replace(op, state=OpState.WORK, value=0, ns=0))


@idle_if(lambda _vm, _space, op: not op.pages)
def copied(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the child's copy is there; on to the next pinned page."""
    for key, _ in (*op.pages, *op.wanted):
        vm.unbusy(key, vm.objects[key[0]].pages[key[1]], out)
    return replace(op, pages=(), wanted=(), phase=op.phase - 1)


PHASES = (keep_pinned, copied)
