"""madvise(MADV_REMOVE): a hole in what is shared, for every mapping of it in every process.

    lock; page by page: leave the object, remove all entries that map it; shoot down, address space
    by address space; free the frames; unlock

A hole in a file reads as zero from then on. Private copies of its pages stay. Linux refuses what
the caller has locked there, and minds no lock of another mapping; other `errors` mind them all.
Source: Linux madvise_remove, shmem_fallocate(PUNCH_HOLE); FreeBSD vm_object_page_remove, as
shm_deallocate uses it.
"""

from typing import Any

from actors.machine import Effect
from actors.message import PageKey
from actors.vm.op import Op, P, advance
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hole import Action, HoleEvent
from kernel.page import Page
from kernel.vm_map import SHARED, MapEntry
from kernel.vmspace import VmSpace


def _shared(entry: MapEntry) -> bool:
    return bool(entry.flags & SHARED)


def _files(vm: VmState, space: VmSpace, op: Op[Any]) -> list[MapEntry]:
    pieces = space.map.pieces(op.start, op.end)
    return [
        piece for piece in pieces if _shared(piece) and not vm.objects.by_oid[piece.oid].anonymous
    ]


def punch_files(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: what is faulted in from now on is zero."""
    vm.holes.punch_files(space, op.start, op.end)
    return advance(op)


def _remove(scene: Scene[Found[P]], key: PageKey, page: Page) -> bool:
    vm, found = scene.vm, scene.found
    if vm.holes.must_wait(page, HoleEvent.DISCARD):
        return True
    scene.take_entries(page, keep=False)
    vm.pages.drop_slot(key)
    _, actions = vm.holes.event(key, HoleEvent.DISCARD, scene.op)
    found.ns += vm.settings.costs.zap_page_ns
    if page.pfn >= 0 and Action.FREE_FRAME in actions:
        vm.pins.outlives(page, scene.op, scene.out, freed_now=False)
        found.frames.append(page.pfn)
    return False


def remove_pages(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: every resident page of shared memory in the range."""
    found: Found[P] = Found()
    return range_scan.scan(Scene(vm, space, op, out, found), _remove, _shared)


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    Phase(punch_files, idle=lambda vm, space, op: not _files(vm, space, op)),
    Phase(remove_pages),
    *shootdown.PHASES,
    discard.FREE_FRAMES,
    range_scan.UNLOCK,
)
