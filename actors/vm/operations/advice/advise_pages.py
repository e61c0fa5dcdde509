"""Advice about pages that keep their contents: hints, MADV_COLD.

    hint      nothing but the answer: how a file is read ahead is not modelled
    cold      page by page: inactive; clear A of the entry, so that it looks unused; flush

Source: FreeBSD vm_map_madvise (NORMAL, SEQUENTIAL, RANDOM, WILLNEED); Linux madvise_cold.
"""

from actors.machine import Effect
from actors.message import PageKey
from actors.vm.op import Op, P
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hole import HoleState
from kernel.page import Page
from kernel.page_queue import Queue
from kernel.vmspace import VmSpace


def _cool(scene: Scene[Found[P]], key: PageKey, page: Page) -> bool:
    if scene.vm.objects.is_wired(key, page):
        return False
    if page.hole is HoleState.LIVE:
        scene.vm.pages.hint([key], Queue.INACTIVE)
    ptes = scene.space.pmap.ptes
    pte = ptes.get(scene.vpn, 0)
    if pte & pte_bits.A:
        ptes[scene.vpn] = pte & ~pte_bits.A
        scene.found.gone.append(scene.vm.entries.must_flush(scene.va, page.pfn))
        scene.found.ns += scene.vm.settings.costs.pte_ns
    return False


def cool_pages(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: every resident page of the range."""
    found: Found[P] = Found()
    return range_scan.scan(Scene(vm, space, op, out, found), _cool, keeps=True)


HINT_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    range_scan.UNLOCK,
)
COLD_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    Phase(cool_pages),
    *shootdown.PHASES,
    range_scan.UNLOCK,
)
