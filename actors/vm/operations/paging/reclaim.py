"""The page daemon takes frames: pages of holes, dirty or not; others if unused and clean.

    page by page: try busy (never sleep), look again at what it is, veto if wired; outside holes one
    that was used becomes active, a dirty one goes to the laundry; remove the entries; shoot down
    after `daemon_batch` pages at the latest; look at the dirty bits again; free

A page without a copy in swap that is clean was never written to: it reads as zero again.
Source: FreeBSD vm_pageout_scan_inactive; issue 1318: reclaim without page-out, without dirty bits.
"""

from actors.facts import Reclaimed
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Free
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.paging import page_scan
from actors.vm.operations.paging.page_scan import S
from actors.vm.payloads import Scan
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState
from kernel.page import DIRTY, LAZY_FREE, NOBODY, Page
from kernel.page_queue import Queue
from kernel.policy.keys import AdviceKind, Reclaim, zero_may_skip
from kernel.vmspace import VmSpace

_FREES = frozenset({Action.FREE_FRAME, Action.FREE_ZEROED})


def _is_free_hole(vm: VmState, page: Page) -> bool:
    frees = _FREES.intersection(vm.holes.table_says(page, HoleEvent.RECLAIM))
    return bool(frees) and page.hole is not HoleState.LIVE


def _careless(vm: VmState, op: Op[Scan]) -> bool:
    skips = bool(vm.settings.hazards & Hazard.DAEMON_SKIPS_RECHECK)
    return skips and page_scan.queue_of(op.own) is Queue.HOLES


def take_pages(vm: VmState, _space: VmSpace, op: Op[S], _out: list[Effect]) -> Op[S]:
    """Phase: pages that may go are busied and lose their entries."""
    costs = vm.settings.costs
    taken: list[PageKey] = []
    gone: list[Gone] = []
    ns = 0
    room = vm.settings.policy.daemon_batch - len(op.own.taken)
    while op.own.batch and len(taken) < room:
        op, key, page, _ = page_scan.next_page(vm, op, queued_too=_careless(vm, op))
        ns += costs.flag_page_ns
        if page is not None and _may_take(vm, op, key, page, gone):
            vm.pages.put(key, page.with_busy(op.lane))
            taken.append(key)
            for va in page.mappings:
                one = vm.entries.take_entry(va)
                if one is not None:
                    gone.append(one)
        if vm.settings.fine:
            break
    ns += len(taken) * costs.zap_page_ns
    own = replace(op.own, taken=(*op.own.taken, *taken))
    op = replace(op, own=own, flush=op.flush.owing(gone), ns=op.ns + ns)
    return op if own.batch and len(taken) < room else advance(op)


def _may_take(vm: VmState, op: Op[Scan], key: PageKey, page: Page, gone: list[Gone]) -> bool:
    """Decide one page of the batch; one that stays goes into the queue where it belongs."""
    if _careless(vm, op):
        return page.busy == NOBODY
    if page.busy != NOBODY and page.hole not in IN_HANDS:
        vm.pages.enqueue(page.pfn, page_scan.queue_of(op.own))
        return False
    if page.hole is not HoleState.LIVE and not vm.objects.is_wired(key, page):
        return _may_take_hole(vm, op, key, page)
    late = page.pins and vm.settings.hazards & Hazard.PINS_SEEN_AFTER_UNMAP
    stays = not late and not page_scan.may_go(vm, key, page)
    if stays or page_scan.queue_of(op.own) is Queue.HOLES:
        vm.pages.activate(page)
        return False
    references, flushes = vm.entries.take_references(page)
    gone += flushes
    if references and not page_scan.is_asked_for(op):
        vm.pages.activate(page)
        return False
    if vm.entries.dirtied(page):
        vm.pages.enqueue(page.pfn, Queue.LAUNDRY)
        return False
    return True


def _may_take_hole(vm: VmState, op: Op[Scan], key: PageKey, page: Page) -> bool:
    if _is_reused(vm, page):
        _leaves_hole(vm, op, key)
        return False
    if _is_free_hole(vm, page):
        return True
    vm.pages.enqueue(page.pfn, Queue.HOLES)
    return False


def _is_reused(vm: VmState, page: Page) -> bool:
    """Say whether a reusable page was used since REUSABLE: the scan takes it out of that state.

    Source: XNU, vm_pageout_scan and vm_object_reuse_pages.
    """
    if vm.settings.policy.advice is not AdviceKind.REUSABLE_REUSE or page.hole is HoleState.LIVE:
        return False
    return vm.entries.dirtied(page) or any(pte & pte_bits.A for _, pte in vm.entries.of(page))


def _leaves_hole(vm: VmState, op: Op[Scan], key: PageKey) -> None:
    after, _ = vm.holes.event(key, HoleEvent.ROGUE, op)
    assert after is not None, "it stays"
    vm.pages.activate(after)


def _goes(vm: VmState, op: Op[Scan], page: Page) -> bool:
    return _is_free_hole(vm, page) or not page.flags & DIRTY or _careless(vm, op)


def free_pages(vm: VmState, _space: VmSpace, op: Op[S], out: list[Effect]) -> Op[S]:
    """Phase: the shootdown is complete; a page that was written to meanwhile stays."""
    frames: dict[tuple[int, bool], list[int]] = {}
    holes = free = 0
    for key in op.own.taken:
        page = vm.pages.get(key)
        assert page is not None
        if _is_reused(vm, page):
            _leaves_hole(vm, op, key)
            vm.waiting.unbusy(key, vm.objects.by_oid[key[0]].pages[key[1]], out)
            continue
        if not _goes(vm, op, page):
            vm.waiting.unbusy(key, page.with_flags(off=LAZY_FREE), out)
            vm.pages.enqueue(page.pfn, Queue.LAUNDRY)
            continue
        if page.hole is not HoleState.LIVE:
            holes += 1
            if vm.settings.policy.reclaim is Reclaim.ZERO_PAGE:
                vm.objects.by_oid[key[0]].reclaimed.add(key[1], key[1] + 1)
        free += page.hole is HoleState.LIVE and bool(page.flags & LAZY_FREE)
        _, actions = vm.holes.event(key, HoleEvent.RECLAIM, op)
        vm.waiting.wake_page(key, out)
        if not _FREES.intersection(actions) or vm.pins.outlives(page, op, out, freed_now=True):
            continue
        trusted = zero_may_skip(vm.settings.policy) or not page.flags & DIRTY
        known = (Action.FREE_ZEROED in actions and trusted) or vm.holes.known_zero(page)
        frames.setdefault((vm.settings.memory_of(page.pfn), known), []).append(page.pfn)
    out.extend(Send(m, Free(op.lane, tuple(p), zeroed=z)) for (m, z), p in sorted(frames.items()))
    freed = sum(len(p) for p in frames.values())
    if freed:
        out.append(Note(Reclaimed(op.lane, freed, holes, free)))
    op = page_scan.count(replace(op, own=replace(op.own, taken=())), freed=freed)
    # back to take_pages, or to what gives the next batch
    return replace(op, phase=op.phase - _FROM_TAKE - (0 if op.own.batch else 1))


PHASES: tuple[Phase, ...] = (
    page_scan.COLLECT,
    Phase(take_pages),
    *shootdown.PHASES,
    Phase(free_pages),
)
_FROM_TAKE = index_of(PHASES, free_pages) - index_of(PHASES, take_pages)
