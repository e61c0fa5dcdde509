"""A transfer begins: the caller's pages are pinned, and handed to a device by frame number.

    page by page: pinned as the page table shows it, else faulted in as a store would, and pinned
    before anybody else can have it; the frames go to the caller's core, which tells the device
    what can not be faulted in: the pins are given back, EFAULT

Memory is pinned for stores whichever way the device moves data: so a page that others see as well
is copied first, and stays the caller's alone. A page of a hole that may be touched leaves the hole.
Source: FreeBSD vm_fault_quick_hold_pages (pmap_extract_and_hold, vm_fault_hold); SOURCES.md
rule 3.
"""

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Free, StartTransfer
from actors.operation import Op, OpKind, advance, replace
from actors.vm.operations.faults import fault, populate
from actors.vm.operations.faults.hold_page import hold_page
from actors.vm.state import Phase, VmState
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hole import HoleState
from kernel.page import NOBODY
from kernel.vmspace import VmSpace

#: which of the arguments is the device
_DEVICE = 2


def hold_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: pin pages from the cursor on; begin the fault of one that is not to be had so."""
    if op.args[_DEVICE] >= len(vm.settings.devices):
        op = replace(op, error=Errno.ENXIO)
    while op.cursor < op.end and not op.error:
        key = _mapped(vm, space, op.cursor, write=bool(op.args[0]))
        if key is None:
            return replace(op, phase=0, start=op.cursor, value=0)
        op = hold_page(vm, op, key, op.cursor, out)
        # the next one for stores again, if a hazard has looked for this one for loads
        op = replace(op, cursor=op.cursor + 1, args=(1, *op.args[1:]))
        if vm.settings.fine and op.cursor < op.end:
            return op
    if op.error:
        return _give_back(vm, op, out)
    return advance(replace(op, value=0))


def _mapped(vm: VmState, space: VmSpace, vpn: int, *, write: bool) -> PageKey | None:
    """Find the page that the page table lets user code store to; not one that others work on.

    Or load from, which only a pin with a hazard is content with.
    """
    pte = space.pmap.ptes.get(vpn, 0)
    if not pte_bits.permits(pte, write=write):
        return None
    key = vm.pages.frames.get(pte_bits.pfn_of(pte))
    page = None if key is None else vm.pages.get(key)
    if page is None or page.busy != NOBODY or page.hole is not HoleState.LIVE:
        return None
    return key


def _give_back(vm: VmState, op: Op, out: list[Effect]) -> Op:
    out.extend(
        Send(vm.settings.memory_of(pfn), Free(op.op, (pfn,), zeroed=False))
        for pfn in op.held
        if vm.pins.unpin(pfn, stored=False)
    )
    return replace(op, phase=len(PHASES), value=0, held=())


def hand_over(_vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the caller's core has all that the device needs."""
    out.append(Send(op.by, StartTransfer(op.op, op.held, op.ns)))
    return replace(op, phase=len(PHASES), error=-1, held=())


#: the phases of a fault come first, as they name one another by number
PHASES: tuple[Phase, ...] = (*fault.PHASES, hold_pages, hand_over)
#: where calls begin that have those of a fault among theirs
FIRST = {**populate.FIRST, OpKind.DMA: len(fault.PHASES)}
