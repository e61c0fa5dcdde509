"""A page is pinned for a device, out of the hole that it may be in."""

from actors.facts import PagePinned
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.operation import Op, replace
from actors.vm.state import VmState
from kernel.hole import Action, HoleEvent, HoleState


def hold_page(vm: VmState, op: Op, key: PageKey, vpn: int, out: list[Effect]) -> Op:
    """Pin a page; the operation has its frame from now on.

    Nobody works on the page, or the operation itself does.
    """
    page = vm.pages.at(key)
    if page.hole is not HoleState.LIVE:
        _, actions = vm.holes.event(key, HoleEvent.ROGUE, op)
        assert Action.WAIT not in actions, "somebody works on it"
    vm.pins.pin(key)
    out.append(Note(PagePinned(op.op, op.asid, vpn, page.pfn)))
    ns = op.ns + vm.settings.costs.pin_page_ns
    return replace(op, held=(*op.held, page.pfn), ns=ns)
