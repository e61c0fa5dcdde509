"""The page daemon takes frames: pages of holes, dirty or not; those of MADV_FREE if clean.

    page by page: try busy (never sleep), look again whether it is still a hole or free, veto if
    wired, remove the entry; shoot down; free what is still free to go

A hint is only a hint: identity, wiring and state are looked at after the page is busy.
Source: FreeBSD vm_pageout_scan_inactive; issue 1318: reclaim without page-out, without dirty bits.
"""

from actors.facts import Reclaimed
from actors.machine import Effect, Note, Send
from actors.messages import Free
from actors.operations import shootdown
from actors.operations.operation import Op, advance, replace
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.hazards import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState
from kernel.page import DIRTY, LAZY_FREE, NOBODY, Page
from kernel.policy import AdviceKind, zero_may_skip
from kernel.vmspace import VmSpace

_FREES = frozenset({Action.FREE_FRAME, Action.FREE_ZEROED})


def _is_free_hole(vm: VmState, page: Page) -> bool:
    frees = _FREES.intersection(vm.table_says(page, HoleEvent.RECLAIM))
    return bool(frees) and page.hole is not HoleState.LIVE


def _used(vm: VmState, page: Page) -> bool:
    """Say whether a reusable page was used since REUSABLE: the scan takes it out of that state.

    Source: XNU, vm_pageout_scan and vm_object_reuse_pages.
    """
    if vm.settings.policy.advice is not AdviceKind.REUSABLE_REUSE or page.hole is HoleState.LIVE:
        return False
    return vm.dirtied(page) or any(pte & pte_bits.A for _, pte in vm.entries_of(page))


def take_pages(vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: pages that may go are busied and lose their entries."""
    held, gone = [], []
    todo = list(op.wanted)
    careless = vm.settings.hazards & Hazard.DAEMON_SKIPS_RECHECK
    late = vm.settings.hazards & Hazard.PINS_SEEN_AFTER_UNMAP
    while todo:
        key, _ = todo.pop(0)
        page = vm.get(key)
        if page is None or page.pfn < 0 or (vm.is_wired(key, page) and not late):
            continue
        if not (_is_free_hole(vm, page) or page.flags & LAZY_FREE or careless):
            continue
        if page.busy != NOBODY and (careless or page.hole not in IN_HANDS):
            continue
        if _used(vm, page):
            vm.hole_event(key, HoleEvent.ROGUE, op)
            continue
        vm.put(key, page.with_busy(op.op))
        held.append((key, 0))
        for va in page.mappings:
            one = vm.take_entry(va)
            if one is not None:
                gone.append(one)
        if vm.settings.fine:
            break
    op = replace(
        op,
        wanted=tuple(todo),
        pages=op.pages + tuple(held),
        gone=op.gone + tuple(gone),
        ns=op.ns + len(held) * vm.settings.costs.zap_page_ns,
    )
    return op if todo else advance(op)


def _goes(vm: VmState, page: Page) -> bool:
    if _is_free_hole(vm, page):
        return True
    if vm.settings.hazards & Hazard.DAEMON_SKIPS_RECHECK:
        return True
    return bool(page.flags & LAZY_FREE) and not page.flags & DIRTY


def free_pages(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the shootdown is complete; a MADV_FREE page that was written since stays."""
    frames: dict[tuple[int, bool], list[int]] = {}
    holes = 0
    for key, _ in op.pages:
        page = vm.get(key)
        assert page is not None
        if _used(vm, page):
            after, _ = vm.hole_event(key, HoleEvent.ROGUE, op)
            assert after is not None
            vm.unbusy(key, after, out)
            continue
        if not _goes(vm, page):
            vm.unbusy(key, page.with_flags(off=LAZY_FREE), out)
            continue
        holes += page.hole is not HoleState.LIVE
        _, actions = vm.hole_event(key, HoleEvent.RECLAIM, op)
        vm.wake_page(key, out)
        if not _FREES.intersection(actions) or vm.outlives(page, op, out, freed_now=True):
            continue
        trusted = zero_may_skip(vm.settings.policy) or not page.flags & DIRTY
        known = Action.FREE_ZEROED in actions and trusted
        frames.setdefault((vm.settings.memory_of(page.pfn), known), []).append(page.pfn)
    out.extend(Send(m, Free(op.op, tuple(p), zeroed=z)) for (m, z), p in sorted(frames.items()))
    count = sum(len(p) for p in frames.values())
    if count:
        out.append(Note(Reclaimed(op.op, count, holes)))
    return advance(replace(op, pages=(), value=count))


PHASES: tuple[Phase, ...] = (
    take_pages,
    *shootdown.PHASES,
    free_pages,
)
