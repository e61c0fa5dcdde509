"""madvise(MADV_FREE_REUSE) as XNU has it: the pages are in use again, as they are.

    lock; page by page: out of the hole, into the resident set; unlock

Nothing is zeroed or faulted in; what is not resident is not looked at. Source: XNU
vm_map_reuse_pages, vm_object_reuse_pages.
"""

from actors.machine import Effect
from actors.message import PageKey
from actors.vm.op import Op, P
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.operations.ranges.advice_scope import advised
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import Page
from kernel.vmspace import VmSpace


def take_out(scene: Scene[Found[P]], key: PageKey, page: Page) -> bool:
    """Take one page out of the hole; it waits for a flush that is outstanding."""
    vm = scene.vm
    if page.hole is HoleState.LIVE:
        return False
    if vm.holes.must_wait(page, HoleEvent.ROGUE):
        return True
    _, actions = vm.holes.event(key, HoleEvent.ROGUE, scene.op)
    assert Action.WAIT not in actions, "a page in such a state is busy"
    scene.found.ns += vm.settings.costs.flag_page_ns
    return False


def reuse_pages(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: every resident page of the range."""
    found: Found[P] = Found()
    scene = Scene(vm, space, op, out, found)
    return range_scan.scan(scene, take_out, lambda e: advised(vm, e), keeps=True)


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    Phase(reuse_pages),
    range_scan.UNLOCK,
)
