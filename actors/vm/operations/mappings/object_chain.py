"""Objects that lost a reference: freed, or collapsed into the one object that shadows them.

    drop an object: nobody refers to it -> its pages are freed, then its backing object is dropped
                    only one shadow does -> collapse: its pages move up, or go where the shadow has
                    its own, resident or in swap; the shadow then shadows what was below it
                    only one entry does -> each index is mapped once again

An operation collects what it dropped in `drops` and settles it when it holds no lock any more.
Source: FreeBSD vm_object_deallocate, vm_object_collapse (the wait-and-rescan of busy pages),
vm_map_process_deferred.
"""

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Free
from actors.vm.op import Op, P, advance, replace
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent
from kernel.page import NOBODY, Page
from kernel.vm_object import NONE, VmObject
from kernel.vmspace import VmSpace


def settle(vm: VmState, _space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: settle the objects that the operation dropped, a page a step when exploring."""
    while op.drops:
        oid = op.drops[0]
        one = vm.objects.by_oid.get(oid)
        after = None
        if one is None or not one.anonymous:
            op = replace(op, drops=op.drops[1:])
        elif (refs := vm.objects.refs(oid)) == 0:
            after = _terminate(vm, op, oid, one, out)
        elif refs == 1 and one.shadows:
            after = _collapse(vm, op, one.shadows[0], oid, out)
        else:
            if refs == 1:
                one.one_mapping = True
            op = replace(op, drops=op.drops[1:])
        if after is not None:
            op = after
            if op.state or vm.settings.fine:
                return op
    return advance(op)


def _terminate(vm: VmState, op: Op[P], oid: int, one: VmObject, out: list[Effect]) -> Op[P]:
    """Free the pages of an object that nobody refers to, then let go of its backing object."""
    for index in sorted(one.pages):
        op = _free_page(vm, op, (oid, index), out)
        if op.state or vm.settings.fine:
            return op
    for index in sorted(one.swap):
        vm.pages.drop_slot((oid, index))
    del vm.objects.by_oid[oid]
    if one.backing == NONE:
        return replace(op, drops=op.drops[1:])
    below = vm.objects.by_oid[one.backing]
    below.shadows = tuple(s for s in below.shadows if s != oid)
    return replace(op, drops=(one.backing, *op.drops[1:]))


def _free_page(
    vm: VmState, op: Op[P], key: PageKey, out: list[Effect], *, careless: bool = False
) -> Op[P]:
    """Free a page that nobody maps; sleep if somebody works on it, unless `careless` (a hazard)."""
    page = vm.objects.by_oid[key[0]].pages[key[1]]
    if vm.holes.must_wait(page, HoleEvent.DISCARD) and not careless:
        return vm.waiting.sleep_on_page(op, key, out)
    assert not page.mappings or careless, f"page {key} is freed while a TLB may have it"
    vm.pages.drop_slot(key)
    _, actions = vm.holes.event(key, HoleEvent.DISCARD, op)
    frees = page.pfn >= 0 and Action.FREE_FRAME in actions
    if frees and not vm.pins.outlives(page, op, out, freed_now=True):
        memory = vm.settings.memory_of(page.pfn)
        out.append(Send(memory, Free(op.lane, (page.pfn,), zeroed=False)))
    return replace(op, ns=op.ns + vm.settings.costs.zap_page_ns)


def _collapse(vm: VmState, op: Op[P], top_oid: int, oid: int, out: list[Effect]) -> Op[P]:
    """Move what an object holds into the one that shadows it, and take it out of the chain."""
    top, one = vm.objects.by_oid[top_oid], vm.objects.by_oid[oid]
    for index in sorted(one.pages):
        op = _move_up(vm, op, (oid, index), (top_oid, index - top.offset), out)
        if op.state or vm.settings.fine:
            return op
    for index in sorted(one.swap):
        _copy_up(vm, (oid, index), index - top.offset, top)
    _take_out(vm, top_oid, oid)
    # what is below now may have no other shadow either
    drops = op.drops[1:] if top.backing == NONE else (top.backing, *op.drops[1:])
    return replace(op, drops=drops)


def _move_up(vm: VmState, op: Op[P], key: PageKey, above: PageKey, out: list[Effect]) -> Op[P]:
    page = vm.objects.by_oid[key[0]].pages[key[1]]
    top = vm.objects.by_oid[above[0]]
    takes = bool(vm.settings.hazards & Hazard.COLLAPSE_TAKES_BUSY)
    if not 0 <= above[1] < top.size:
        return _free_page(vm, op, key, out, careless=takes)
    if vm.holes.must_wait(page, HoleEvent.DISCARD) and not takes:
        return vm.waiting.sleep_on_page(op, key, out)
    hides: Page | None = top.pages.get(above[1])
    careless = vm.settings.hazards & Hazard.COLLAPSE_IGNORES_SWAP
    if hides is None and (above[1] not in top.swap or careless):
        vm.holes.rename(key, above)
        return replace(op, ns=op.ns + vm.settings.costs.flag_page_ns)
    if hides is not None and hides.busy != NOBODY and not takes:
        return vm.waiting.sleep_on_page(op, above, out)
    return _free_page(vm, op, key, out, careless=takes)


def _copy_up(vm: VmState, key: PageKey, above: int, top: VmObject) -> None:
    """Move a copy in swap up, or let it go where the shadow has a page or a copy of its own."""
    if 0 <= above < top.size and above not in top.pages and above not in top.swap:
        top.swap[above] = vm.objects.by_oid[key[0]].swap.pop(key[1])
    else:
        vm.pages.drop_slot(key)


def _take_out(vm: VmState, top_oid: int, oid: int) -> None:
    """Let `top` shadow what `oid`, which holds nothing any more, shadowed."""
    top, one = vm.objects.by_oid[top_oid], vm.objects.by_oid.pop(oid)
    top.offset += one.offset
    top.backing = one.backing
    if one.backing != NONE:
        below = vm.objects.by_oid[one.backing]
        below.shadows = tuple(top_oid if s == oid else s for s in below.shadows)


SETTLE = Phase(settle, idle=lambda _vm, _space, op: not op.drops)
