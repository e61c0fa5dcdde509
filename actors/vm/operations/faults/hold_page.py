"""A page is pinned for a device; if it is in a hole it leaves it."""

from actors.facts import PagePinned
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.vm.op import Op, replace
from actors.vm.payloads import Dma
from actors.vm.state import VmState
from kernel.hole import Action, HoleEvent, HoleState


def hold_page(vm: VmState, op: Op[Dma], key: PageKey, vpn: int, out: list[Effect]) -> Op[Dma]:
    """Pin a page, and note its frame with the operation.

    Nobody works on the page but, perhaps, the operation itself.
    """
    page = vm.pages.at(key)
    if page.hole is not HoleState.LIVE:
        _, actions = vm.holes.event(key, HoleEvent.ROGUE, op)
        assert Action.WAIT not in actions, "somebody works on it"
    vm.pins.pin(key)
    out.append(Note(PagePinned(op.lane, op.asid, vpn, page.pfn)))
    ns = op.ns + vm.settings.costs.pin_page_ns
    return replace(op, own=replace(op.own, pinned=(*op.own.pinned, page.pfn)), ns=ns)
