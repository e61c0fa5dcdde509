"""madvise(MADV_FREE): the kernel may drop the pages until they are written again.

    lock; page by page: clear A and D of the entry, mark the page, drop its copy in swap, which is
    older; shoot down; hint; unlock

Source: FreeBSD vm_map_madvise, pmap_advise (one flush at the end if some entry had A or D set).
The page daemon drops a marked page only if its entry is still clean when it is removed.
"""

from actors.machine import Effect
from actors.message import PageKey
from actors.operations import discard, range_scan, shootdown
from actors.operations.operation import Op, advance, replace
from actors.operations.range_scan import Scene
from actors.vm_state import Phase, VmState
from kernel import pte as pte_bits
from kernel.hole import HoleState
from kernel.page import DIRTY, LAZY_FREE, NOBODY, Page
from kernel.page_queue import Queue
from kernel.vmspace import VmSpace


def mark_free(scene: Scene, key: PageKey, page: Page) -> bool:
    """Clear what the entry says of use, and mark the page."""
    if page.wired or page.hole is not HoleState.LIVE:
        return False
    if page.busy != NOBODY:
        return True
    vm, found = scene.vm, scene.found
    vm.put(key, page.with_flags(on=LAZY_FREE, off=DIRTY))
    if not range_scan.keeps_copies(vm, scene.op):
        vm.drop_slot(key)
    found.pages.append((key, scene.vpn))
    found.ns += vm.settings.costs.pte_ns
    ptes = scene.space.pmap.ptes
    pte = ptes.get(scene.vpn, 0)
    if pte & (pte_bits.A | pte_bits.D):
        ptes[scene.vpn] = pte & ~(pte_bits.A | pte_bits.D)
        found.gone.append(vm.must_flush(scene.va, page.pfn))
    return False


def mark_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range."""
    return range_scan.scan(vm, space, op, out, mark_free, lambda e: not vm.shadowed(e))


def hint(vm: VmState, _space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: flushed; the page daemon may have the pages."""
    vm.hint([key for key, _ in op.pages], Queue.NOREUSE)
    return advance(replace(op, pages=()))


PHASES: tuple[Phase, ...] = (
    range_scan.lock_shared,
    discard.check_gaps,
    mark_pages,
    *shootdown.PHASES,
    hint,
    range_scan.unlock,
)
