"""Operations that let pages go: munmap(2), mmap(2) on top of a mapping, MADV_DONTNEED of Linux.

    lock; page by page: leave the object, remove the entry; shoot down; free the frames; unlock

The frames are free only when no TLB can map them. FreeBSD's vm_map_delete does the same under the
map write lock; Linux's zap_page_range works under the shared lock.
"""

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Free
from actors.operations import range_scan, shootdown
from actors.operations.operation import Op, advance, replace
from actors.operations.range_scan import Scene
from actors.vm_state import Phase, VmState
from kernel.errors import Errno
from kernel.hazards import Hazard
from kernel.hole import Action, HoleEvent
from kernel.page import Page
from kernel.policy import Errors
from kernel.vm_map import MapEntry
from kernel.vmspace import VmSpace


def let_go(scene: Scene, key: PageKey, page: Page) -> bool:
    """Take one page out of its object and its entry out of the page table."""
    vm, op, found = scene.vm, scene.op, scene.found
    careless = vm.settings.hazards & Hazard.NO_RESTART_AFTER_BUSY and scene.vpn in op.seen
    if vm.must_wait(page, HoleEvent.DISCARD) and not careless:
        return True
    if not careless:  # it looked before it slept, when a fault had not entered the page yet
        scene.take_entry()
    after, actions = vm.hole_event(key, HoleEvent.DISCARD, op)
    if Action.WAIT in actions:
        return True
    assert after is None
    found.ns += vm.settings.costs.zap_page_ns
    if page.pfn >= 0 and Action.FREE_FRAME in actions:
        found.frames.append(page.pfn)
    return False


def let_pages_go(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range."""
    slept = op
    op = range_scan.scan(vm, space, op, out, let_go)
    if op.state and vm.settings.hazards & Hazard.NO_RESTART_AFTER_BUSY:
        return replace(op, seen=(*slept.seen, op.cursor))
    return op


def free_early(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: with the hazard, the frames are given back before the shootdown."""
    if vm.settings.hazards & Hazard.FREE_BEFORE_ACKS:
        op = _free(vm, op, out)
    return advance(op)


def free_frames(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the shootdown is complete, nobody can reach the frames any more."""
    return advance(_free(vm, op, out))


def _free(vm: VmState, op: Op, out: list[Effect]) -> Op:
    by_memory: dict[int, list[int]] = {}
    for pfn in op.frames:
        by_memory.setdefault(vm.settings.memory_of(pfn), []).append(pfn)
    out.extend(
        Send(memory, Free(op.op, tuple(pfns), zeroed=False))
        for memory, pfns in sorted(by_memory.items())
    )
    return replace(op, frames=())


def check_gaps(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: an unmapped gap in the range is an error, or nothing, as the policy says."""
    return advance(with_gap_error(vm, space, op))


def with_gap_error(vm: VmState, space: VmSpace, op: Op) -> Op:
    """Give the operation with the error that it returns if its range has a gap; it goes on."""
    if vm.settings.policy.errors is Errors.LINUX and space.map.has_gap(op.start, op.end):
        return replace(op, error=Errno.ENOMEM)
    return op


def unmap(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the range leaves the map; objects that nothing shows any more are dropped."""
    gone = {entry.oid for entry in space.map.remove(op.start, op.end)}
    for oid in sorted(gone - {entry.oid for entry in space.map.entries}):
        if not vm.objects[oid].pages:
            del vm.objects[oid]
    return advance(op, vm.settings.costs.map_ns)


def map_anonymous(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: a new anonymous mapping; a like neighbour below is extended instead.

    Source: vm_map_insert, which grows the object of the previous entry (vm_object_coalesce).
    """
    prot = op.args[0]
    below = space.map.lookup(op.start - 1) if op.start else None
    if below is not None and below.prot == prot and not below.hole:
        oid, offset = below.oid, below.pindex(op.start)
    else:
        oid, offset = vm.make_object(op.op), 0
    space.map.insert(MapEntry(op.start, op.end, prot, oid, offset))
    return advance(op, vm.settings.costs.map_ns)


_LET_GO: tuple[Phase, ...] = (
    let_pages_go,
    free_early,
    *shootdown.PHASES,
    free_frames,
)

MUNMAP_PHASES: tuple[Phase, ...] = (
    range_scan.lock_exclusive,
    *_LET_GO,
    unmap,
    range_scan.unlock,
)
MMAP_PHASES: tuple[Phase, ...] = (
    range_scan.lock_exclusive,
    *_LET_GO,
    unmap,
    map_anonymous,
    range_scan.unlock,
)
DONTNEED_PHASES: tuple[Phase, ...] = (
    range_scan.lock_shared,
    check_gaps,
    *_LET_GO,
    range_scan.unlock,
)
