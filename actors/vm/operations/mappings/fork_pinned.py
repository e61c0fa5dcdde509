"""fork(2) and pages that a device has pinned: the child gets copies, the parent keeps the pages.

    a frame for each before anything is copied; page by page: an object of its own for the parent's
    entry, the page moves there; a page in its place, busy; copy; unbusy both; free what is left

When a frame is lacking nothing is copied yet: fork unlocks the map, sleeps and starts over, as a
fault does; it keeps the frames that it has. No page can come to be pinned once it has them all:
none can be stored to, and the map is locked.
With copy on write alone the parent's next store would leave the frame that the device goes on with.
FreeBSD lets that happen; this is what Linux does.
Source: Linux copy_present_page (page_needs_cow_for_dma).
"""

from collections.abc import Iterator

from actors.facts import PinMet
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import CopyFrame, Frame
from actors.operation import OpState
from actors.vm.op import Op, replace
from actors.vm.payloads import Fork
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.page import DIRTY, NOBODY, Page
from kernel.vm_map import INHERITED_ZERO, NEEDS_COPY, NOT_INHERITED, SHARED, MapEntry
from kernel.vm_object import NONE
from kernel.vmspace import VmSpace

_NOT_COPIED = SHARED | NOT_INHERITED | INHERITED_ZERO


def _pinned(vm: VmState, space: VmSpace) -> Iterator[tuple[MapEntry, PageKey, int]]:
    """Yield pinned pages that the child sees, too: entry, page, index in the entry.

    A pinned page is in the top object of its entry, as a pin asks for the right to store; or right
    below it, if this fork has given the entry a new top object for another page. One of a file was
    pinned through a shared mapping: it stays the file's.
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
        if oid == NONE or not vm.objects.by_oid[oid].anonymous:
            continue
        for index, page in vm.objects.by_oid[oid].pages.items():
            if page.pins and 0 <= index - first < entry.end - entry.start:
                yield entry, (oid, index), index - first


def missing(vm: VmState, space: VmSpace, op: Op[Fork]) -> int:
    """Count the frames still to be had for copies of pinned pages, while the map is copied."""
    if not vm.settings.devices:
        return 0
    found = {
        (entry.oid, index)
        for entry in space.map.entries
        if not entry.flags & _NOT_COPIED and vm.objects.by_oid[entry.oid].anonymous
        for index, page in vm.objects.by_oid[entry.oid].pages.items()
        if page.pins and entry.offset <= index < entry.pindex(entry.end)
    }
    return len(found) - len(op.own.spare)


def got_frame(op: Op[Fork], frame: Frame) -> Op[Fork]:
    """Keep a frame that a memory gave for the child."""
    own = replace(op.own, spare=(*op.own.spare, frame.pfn))
    return replace(op, state=OpState.READY, own=own)


def _nothing_pinned(vm: VmState, space: VmSpace, op: Op[Fork]) -> bool:
    return not op.own.spare and next(_pinned(vm, space), None) is None


def keep_pinned(vm: VmState, space: VmSpace, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Phase: the next pinned page moves to where only the parent sees it; the child gets a copy."""
    entry, key, index = min(_pinned(vm, space), key=lambda one: one[1], default=(None, (0, 0), 0))
    if entry is None:  # pins have gone since
        vm.pins.free(op.lane, op.own.spare, out)
        return replace(op, own=replace(op.own, spare=()), phase=op.phase + 2)
    if vm.objects.by_oid[key[0]].pages[key[1]].busy != NOBODY:
        return vm.waiting.sleep_on_page(op, key, out)
    if entry.flags & NEEDS_COPY:
        vm.objects.shadow(space, entry, op.lane)
    top = space.map.lookup(entry.start)
    assert top is not None, "the map is locked"
    kept = (top.oid, top.offset + index)
    vm.pages.put(kept, vm.holes.rename(key, kept).with_busy(op.lane))
    vm.pages.put(
        key, Page(-1, op.lane).with_flags(on=DIRTY)
    )  # else it looks untouched, and may be reclaimed
    out.append(Note(PinMet(op.lane, "fork")))
    pfn, *others = op.own.spare
    vm.pages.give_frame(key, vm.objects.by_oid[key[0]].pages[key[1]], pfn)
    source = vm.objects.by_oid[kept[0]].pages[kept[1]].pfn
    out.append(Send(op.by, CopyFrame(op.lane, source, pfn, op.ns)))
    own = replace(op.own, copying=(key, kept), spare=tuple(others))
    return replace(op, own=own, state=OpState.WORK, phase=op.phase + 1, ns=0)


def copied(vm: VmState, _space: VmSpace, op: Op[Fork], out: list[Effect]) -> Op[Fork]:
    """Phase: the child's copy is there; on to the next pinned page."""
    for key in op.own.copying or ():
        vm.waiting.unbusy(key, vm.objects.by_oid[key[0]].pages[key[1]], out)
    return replace(op, own=replace(op.own, copying=None), phase=op.phase - 1)


PHASES: tuple[Phase, ...] = (
    Phase(keep_pinned, idle=_nothing_pinned),
    Phase(copied, idle=lambda _vm, _space, op: op.own.copying is None),
)
