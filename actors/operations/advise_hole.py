"""madvise(MADV_FREE_HOLE): the range becomes a hole.

    lock; mark the range; page by page: leave the resident set, take access away; shoot down;
    flushed: hand the pages to the zeroing thread; unlock

Pages stay busy from their first step until the invalidation is complete, so that a fault, a ZERO or
a second HOLE of the same page waits for it (rule H-2: "nothing to do" must still wait).
"""

from actors.facts import HoleSettled
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.operations import discard, object_chain, range_scan, shootdown
from actors.operations.operation import Op, advance, replace
from actors.operations.range_scan import Scene
from actors.vm_state import Phase, VmState, idle_if
from kernel.hazards import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import DIRTY, LAZY_FREE, Page
from kernel.page_queue import Queue
from kernel.policy import HoleRecord, NoAccess
from kernel.vm_map import HOLE
from kernel.vmspace import VmSpace

#: states in which a page is busy only for a ZERO that has taken it: HOLE has nothing to do
_TAKEN = frozenset({HoleState.QUEUED, HoleState.ZEROED})


def clips(vm: VmState) -> bool:
    """Say whether HOLE and ZERO change entries of the map."""
    return vm.settings.policy.hole_state is HoleRecord.MAP_ENTRY


def mark_range(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: note the hole in the map, if that is where the policy keeps it."""
    op = discard.with_gap_error(vm, space, op)
    if vm.settings.policy.hole_state is not HoleRecord.MAP_ENTRY:
        return advance(op)
    space.map.change(op.start, op.end, lambda e: e.with_flags(on=HOLE))
    return advance(op, vm.settings.costs.map_ns)


def make_hole(scene: Scene, key: PageKey, page: Page) -> bool:
    """Take one page into the hole; it stays busy until its flush is complete."""
    if page.wired:
        return False
    vm, op, found = scene.vm, scene.op, scene.found
    if vm.must_wait(page, HoleEvent.HOLE) and page.hole not in _TAKEN:
        return True
    after, _ = vm.hole_event(key, HoleEvent.HOLE, op)
    if after is None or after.hole is not HoleState.FLUSHING:
        return False
    no_access = vm.settings.policy.no_access
    costs = vm.settings.costs
    found.ns += costs.flag_page_ns
    if no_access is not NoAccess.NONE:
        found.ns += costs.pte_ns
        scene.take_entry(keep=no_access is NoAccess.KEEP_PTE)
    # what was stored before HOLE need not be known any more, and no copy of it may come back
    if not range_scan.keeps_copies(vm, op):
        vm.drop_slot(key)
    after = vm.objects[key[0]].pages[key[1]].with_flags(off=DIRTY | LAZY_FREE)
    vm.put(key, after.with_busy(op.op))
    found.pages.append((key, scene.vpn))
    return False


@idle_if(range_scan.nothing_resident)
def take_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range."""
    return range_scan.scan(vm, space, op, out, make_hole)


@idle_if(lambda vm, _space, _op: not vm.settings.hazards & Hazard.ZEROER_BEFORE_FLUSH)
def early_offer(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: with the hazard, the zeroing thread gets the pages before the flush."""
    if vm.settings.hazards & Hazard.ZEROER_BEFORE_FLUSH:
        op = settle_pages(vm, op, out)
    return advance(op)


def settle_pages(vm: VmState, op: Op, out: list[Effect]) -> Op:
    """Report the flush of the operation's pages to the table, unbusy and offer them."""
    keys, hinted = [], []
    for key, _ in op.pages:
        page = vm.get(key)
        if page is None or page.hole is not HoleState.FLUSHING or page.busy != op.op:
            continue  # a ZERO that does not wait has taken it over meanwhile
        after, actions = vm.hole_event(key, HoleEvent.FLUSHED, op)
        assert after is not None
        vm.unbusy(key, after, out)
        keys.append(key)
        if Action.HINT in actions:
            hinted.append(key)
    vm.hint(hinted, Queue.HOLES)
    vm.offer(op, keys, out)
    return replace(op, pages=())


def flushed(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the invalidation is complete."""
    op = settle_pages(vm, op, out)
    out.append(Note(HoleSettled(op.op, op.asid, op.start, op.end)))
    return advance(op)


PHASES: tuple[Phase, ...] = (
    discard.lock(clips),
    *discard.PUNCH_PHASES,
    mark_range,
    take_pages,
    early_offer,
    *shootdown.PHASES,
    flushed,
    range_scan.unlock,
    object_chain.settle,
)
