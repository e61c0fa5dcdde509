"""madvise(MADV_FREE): the kernel may drop the pages until they are written again.

And MADV_DONTNEED as on FreeBSD, which drops nothing: the pages are the next to be paged out.

    lock; page by page: clear A and D of the entry, mark the page, drop its copy in swap, which is
    older; shoot down; hint; unlock

Source: FreeBSD vm_map_madvise, pmap_advise (one flush at the end if some entry had A or D set);
vm_object_madvise leaves alone objects that may be mapped twice.
The page daemon drops a marked page only if its entry is still clean when it is removed.
"""

from actors.machine import Effect
from actors.message import PageKey
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import advice_scope, range_errors, range_scan
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import Free, Held
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.hole import HoleState
from kernel.page import DIRTY, KNOWN_ZERO, LAZY_FREE, NOBODY, Page
from kernel.page_queue import Queue
from kernel.vmspace import VmSpace


class Marked(Found[Free]):
    """Pages that the page daemon may have."""

    __slots__ = ("pages",)

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self.pages: list[Held] = []

    def added_to(self, own: Free) -> Free:
        """Return the payload with them."""
        return replace(own, marked=(*own.marked, *self.pages)) if self.pages else own


def mark_free(scene: Scene[Marked], key: PageKey, page: Page) -> bool:
    """Clear what the entry says about use, and mark the page."""
    if page.hole is not HoleState.LIVE:
        return False
    if scene.vm.objects.is_wired(key, page):
        if scene.vm.settings.hazards & Hazard.FREE_CLEARS_WIRED:
            scene.vm.pages.put(key, page.with_flags(off=DIRTY))
            scene.forget_use(page)
        return False
    if page.busy != NOBODY:
        return True
    # with the dirty bits goes what they said about a page that was once zero
    stale = 0 if scene.vm.holes.known_zero(page) else KNOWN_ZERO
    scene.vm.pages.put(key, page.with_flags(on=LAZY_FREE, off=DIRTY | stale))
    if not range_scan.keeps_copies(scene.vm, scene.op):
        scene.vm.pages.drop_slot(key)
    scene.found.pages.append((key, scene.vpn))
    scene.forget_use(page)
    return False


def deactivate(scene: Scene[Marked], key: PageKey, page: Page) -> bool:
    """Clear what the entry says about use; the page itself remembers that it was stored to."""
    if scene.vm.objects.is_wired(key, page) or page.hole is not HoleState.LIVE:
        return False
    if page.busy != NOBODY:
        return True
    if scene.vm.entries.dirtied(page):
        scene.vm.pages.put(key, page.with_flags(on=DIRTY))
    scene.found.pages.append((key, scene.vpn))
    scene.forget_use(page)
    return False


def mark_pages(vm: VmState, space: VmSpace, op: Op[Free], out: list[Effect]) -> Op[Free]:
    """Phase: every resident page of the range."""
    scene = Scene(vm, space, op, out, Marked())
    return range_scan.scan(
        scene, mark_free, lambda e: vm.objects.exclusive(e) and advice_scope.advised(vm, e)
    )


def deactivate_pages(vm: VmState, space: VmSpace, op: Op[Free], out: list[Effect]) -> Op[Free]:
    """Phase: every resident page of the range that nobody else maps."""
    scene = Scene(vm, space, op, out, Marked())
    return range_scan.scan(scene, deactivate, vm.objects.exclusive, keeps=True)


def hint(vm: VmState, _space: VmSpace, op: Op[Free], _out: list[Effect]) -> Op[Free]:
    """Phase: the flush is complete; the page daemon may have the pages."""
    vm.pages.hint([key for key, _ in op.own.marked], Queue.NOREUSE)
    return advance(replace(op, own=replace(op.own, marked=())))


PHASES: tuple[Phase, ...] = (
    discard.lock(lambda _: False, advice_scope.freed_by_punching),
    range_errors.CHECK,
    *discard.FREE_PUNCH_PHASES,
    Phase(mark_pages),
    shootdown.HONOUR_OWED,
    *shootdown.PHASES,
    Phase(hint),
    range_scan.UNLOCK,
    object_chain.SETTLE,
)

#: MADV_DONTNEED of FreeBSD (vm_page_advise): contents are kept
DEACTIVATE_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    Phase(deactivate_pages),
    *shootdown.PHASES,
    Phase(hint),
    range_scan.UNLOCK,
)
