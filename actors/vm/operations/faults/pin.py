"""A transfer begins: the caller's pages are pinned, and handed to a device by frame number.

    page by page: pinned as the page table shows it, else faulted in as a store would, and pinned
    before anybody else can have it; the frames go to the caller's core, which tells the device
    what cannot be faulted in: the pins are given back, EFAULT

Memory is pinned for stores whichever way the device moves data: a page that others see as well is
copied first, and the copy stays the caller's alone. A page of a hole, where the policy lets it be
touched, leaves the hole.
Source: FreeBSD vm_fault_quick_hold_pages (pmap_extract_and_hold, vm_fault_hold); SOURCES.md
rule 3.
"""

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Free, StartTransfer
from actors.vm.op import Op, advance, replace
from actors.vm.operations.faults import fault
from actors.vm.operations.faults.hold_page import hold_page
from actors.vm.payloads import Dma
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno, FaultCause
from kernel.hole import HoleState
from kernel.page import NOBODY
from kernel.vmspace import VmSpace

_NONE = FaultCause.NONE


def hold_pages(vm: VmState, space: VmSpace, op: Op[Dma], out: list[Effect]) -> Op[Dma]:
    """Phase: pin pages from the cursor on; begin a fault for one that is not mapped so."""
    if op.own.device >= len(vm.settings.devices):
        op = replace(op, error=Errno.ENXIO)
    while op.cursor < op.end and not op.error:
        key = _mapped(vm, space, op.cursor, write=op.own.write)
        if key is None:
            return replace(op, phase=0, own=replace(op.own, vpn=op.cursor, cause=_NONE))
        op = hold_page(vm, op, key, op.cursor, out)
        # the next one for stores again, if a hazard has looked for this one for loads
        op = replace(op, cursor=op.cursor + 1, own=replace(op.own, write=True))
        if vm.settings.fine and op.cursor < op.end:
            return op
    if op.error:
        return _give_back(vm, op, out)
    return advance(replace(op, own=replace(op.own, cause=_NONE)))


def _mapped(vm: VmState, space: VmSpace, vpn: int, *, write: bool) -> PageKey | None:
    """Find the page that the page table lets user code store to, unless others work on it.

    write: false with a hazard only, which is content with a page that user code may load from.
    """
    pte = space.pmap.ptes.get(vpn, 0)
    if not pte_bits.permits(pte, write=write):
        return None
    key = vm.pages.frames.get(pte_bits.pfn_of(pte))
    page = None if key is None else vm.pages.get(key)
    if page is None or page.busy != NOBODY or page.hole is not HoleState.LIVE:
        return None
    return key


def _give_back(vm: VmState, op: Op[Dma], out: list[Effect]) -> Op[Dma]:
    out.extend(
        Send(vm.settings.memory_of(pfn), Free(op.lane, (pfn,), zeroed=False))
        for pfn in op.own.pinned
        if vm.pins.unpin(pfn, stored=False)
    )
    return replace(op, phase=len(PHASES), own=replace(op.own, pinned=()))


def hand_over(_vm: VmState, _space: VmSpace, op: Op[Dma], out: list[Effect]) -> Op[Dma]:
    """Phase: the caller's core has all that the device needs."""
    out.append(Send(op.by, StartTransfer(op.lane, op.own.pinned, op.ns)))
    return replace(op, phase=len(PHASES), error=-1, own=replace(op.own, pinned=()))


#: the phases of a fault come first, as they name one another by number
PHASES: tuple[Phase, ...] = (*fault.PHASES, Phase(hold_pages), Phase(hand_over))
#: where the call begins
HOLD_PAGES = index_of(PHASES, hold_pages)
