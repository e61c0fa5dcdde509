"""Advice about pages that keep their contents: hints, MADV_COLD, MADV_PAGEOUT.

    hint      nothing but the answer: how a file is read ahead is not modelled
    cold      page by page: clear A of the entry, so that the page looks unused; flush
    pageout   the caller itself reclaims what the page daemon might, here and now

Source: FreeBSD vm_map_madvise (NORMAL, SEQUENTIAL, RANDOM, WILLNEED); Linux madvise_cold,
madvise_pageout (private pages that one address space maps).
"""

from actors.machine import Effect
from actors.message import PageKey
from actors.operations import range_errors, range_scan, reclaim, shootdown
from actors.operations.operation import Op, advance, replace
from actors.operations.range_scan import Scene
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.page import Page
from kernel.vmspace import VmSpace


def _cool(scene: Scene, _key: PageKey, page: Page) -> bool:
    ptes = scene.space.pmap.ptes
    pte = ptes.get(scene.vpn, 0)
    if pte & pte_bits.A:
        ptes[scene.vpn] = pte & ~pte_bits.A
        scene.found.gone.append(scene.vm.must_flush(scene.va, page.pfn))
        scene.found.ns += scene.vm.settings.costs.pte_ns
    return False


def cool_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range."""
    return range_scan.scan(vm, space, op, out, _cool)


def choose_pages(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the resident pages of the range that nobody else maps."""
    wanted = []
    for vpn in vm.resident_in(space, op.start, op.end):
        found = vm.page_at(space, vpn)
        if found is not None and len(found[1].mappings) <= 1:
            wanted.append((found[0], vpn))
    return advance(replace(op, wanted=tuple(wanted)))


HINT_PHASES: tuple[Phase, ...] = (
    range_scan.lock_shared,
    range_errors.check(range_errors.nothing),
    range_scan.unlock,
)
COLD_PHASES: tuple[Phase, ...] = (
    range_scan.lock_shared,
    range_errors.check(range_errors.wired),
    cool_pages,
    *shootdown.PHASES,
    range_scan.unlock,
)
PAGEOUT_PHASES: tuple[Phase, ...] = (
    range_scan.lock_shared,
    range_errors.check(range_errors.wired),
    choose_pages,
    *reclaim.PHASES,
    range_scan.unlock,
)
