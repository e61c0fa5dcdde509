"""Operations that let pages go: munmap(2), mmap(2) on top of a mapping, MADV_DONTNEED of Linux.

    lock; page by page: leave the object, remove the entry; remove the entries of pages that others
    have as well; shoot down; free the frames; change the map; unlock; settle objects

Pages of shared memory stay as long as their object does: mremap(2) may show them again.

The frames are free only when no TLB can map them. FreeBSD's vm_map_delete does the same under the
map write lock; Linux's zap_page_range works under the shared lock.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from actors.machine import Effect
from actors.message import PageKey
from actors.vm.entries import Gone
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import object_chain
from actors.vm.operations.ranges import advice_scope, range_errors, range_scan
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import Discard, Map
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent
from kernel.page import Page
from kernel.units import ASID_SHIFT
from kernel.vm_map import NEEDS_COPY, SHARED, MapEntry
from kernel.vmspace import VmSpace

#: which entries of the map an operation lets go of
Choice = Callable[[VmState, MapEntry], bool]
#: payloads of operations that let pages go
D = TypeVar("D", bound=Discard)


def let_go(scene: Scene[Found[D]], key: PageKey, page: Page) -> bool:
    """Take one page out of its object and its entry out of the page table."""
    vm, op, found = scene.vm, scene.op, scene.found
    careless = vm.settings.hazards & Hazard.NO_RESTART_AFTER_BUSY and scene.vpn in op.own.seen
    if vm.holes.must_wait(page, HoleEvent.DISCARD) and not careless:
        return True
    if not careless:  # it looked before it slept, when a fault had not entered the page yet
        scene.take_entry()
    vm.pages.drop_slot(key)
    after, actions = vm.holes.event(key, HoleEvent.DISCARD, op)
    if Action.WAIT in actions:
        return True
    assert after is None
    found.ns += vm.settings.costs.zap_page_ns
    if page.pfn >= 0 and Action.FREE_FRAME in actions:
        vm.pins.outlives(page, op, scene.out, freed_now=False)
        found.frames.append(page.pfn)
    return False


def everything(_vm: VmState, _entry: MapEntry) -> bool:
    """Choose all."""
    return True


def private(_vm: VmState, entry: MapEntry) -> bool:
    """Choose what is not MAP_SHARED."""
    return not entry.flags & SHARED


def older_copies(vm: VmState, entry: MapEntry) -> bool:
    """Choose entries below whose pages an older copy may lie."""
    return vm.objects.shadowed(entry)


def let_pages_go(choice: Choice) -> Phase:
    """Return the phase that lets every resident page of the range go that nobody else has."""

    def step(vm: VmState, space: VmSpace, op: Op[D], out: list[Effect]) -> Op[D]:
        found: Found[D] = Found()
        scene = Scene(vm, space, op, out, found)
        after: Op[D] = range_scan.scan(
            scene, let_go, lambda e: choice(vm, e) and vm.objects.exclusive(e)
        )
        if after.state and vm.settings.hazards & Hazard.NO_RESTART_AFTER_BUSY:
            own = replace(after.own, seen=(*op.own.seen, after.cursor))
            return replace(after, own=own)
        return after

    def idle(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
        pages = vm.objects.held_in(
            space, op.cursor, op.end, lambda e: choice(vm, e) and vm.objects.exclusive(e)
        )
        return next(pages, None) is None

    return Phase(step, idle, "let_pages_go")


def _present(vm: VmState, space: VmSpace, op: Op[Any], piece: MapEntry) -> list[int]:
    """List the pages of a piece that a TLB may have."""
    mapped = space.pmap.mapped_in(piece.start, piece.end)
    if vm.settings.hazards & Hazard.SECOND_DOES_NOT_WAIT:
        return mapped
    owed = vm.entries.owed_in(op.asid, piece.start, piece.end, op.flush.gone)
    return sorted({*mapped, *owed}) if owed else mapped


def drop_entries(choice: Choice) -> Phase:
    """Return the phase that drops entries of pages that others have; one a step when exploring."""

    def step(vm: VmState, space: VmSpace, op: Op[D], _out: list[Effect]) -> Op[D]:
        gone: list[Gone] = []
        base = op.asid << ASID_SHIFT
        for piece in space.map.pieces(op.cursor, op.end):
            if not choice(vm, piece):
                continue
            for vpn in _present(vm, space, op, piece):
                if vpn in op.own.seen:
                    continue  # with the hazard no-restart-after-busy it has looked there already
                gone += [one] if (one := vm.entries.take_entry(base | vpn)) is not None else []
                if vm.settings.fine:
                    ns = op.ns + vm.settings.costs.pte_ns
                    return replace(op, flush=op.flush.owing(gone), cursor=vpn + 1, ns=ns)
        if not gone:
            return advance(op)
        ns = len(gone) * vm.settings.costs.pte_ns
        return advance(replace(op, flush=op.flush.owing(gone)), ns)

    def idle(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
        return not any(
            _present(vm, space, op, piece)
            for piece in space.map.pieces(op.cursor, op.end)
            if choice(vm, piece)
        )

    return Phase(step, idle, "drop_entries")


def _without_zero_page(vm: VmState, _space: VmSpace, _op: Op[Any]) -> bool:
    return not vm.settings.has_zero_page


def drop_zero_page(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: entries for the zero page go, as those for other pages do."""
    if _without_zero_page(vm, space, op):
        return advance(op)
    base, ptes = op.asid << ASID_SHIFT, space.pmap.ptes
    found = space.pmap.mapped_in(op.start, op.end)
    shared = [v for v in found if vm.settings.is_zero_page(pte_bits.pfn_of(ptes[v]))]
    gone = [one for vpn in shared if (one := vm.entries.take_entry(base | vpn)) is not None]
    ns = len(gone) * vm.settings.costs.pte_ns
    return advance(replace(op, flush=op.flush.owing(gone)), ns)


def _frees_late(vm: VmState, _space: VmSpace, _op: Op[Any]) -> bool:
    return not vm.settings.hazards & Hazard.FREE_BEFORE_ACKS


def free_early(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: with the hazard, the frames are given back before the shootdown."""
    if not _frees_late(vm, space, op):
        op = freed(vm, op, out)
    return advance(op)


def free_frames(vm: VmState, _space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: the shootdown is complete, nobody can reach the frames any more."""
    return advance(freed(vm, op, out))


def freed(vm: VmState, op: Op[P], out: list[Effect]) -> Op[P]:
    """Give the operation's frames back, except those that pins still keep."""
    if not op.flush.frames:
        return op
    vm.pins.free(op.lane, op.flush.frames, out)
    return replace(op, flush=replace(op.flush, frames=()))


FREE_FRAMES = Phase(free_frames, idle=lambda _vm, _space, op: not op.flush.frames)


def let_go_of(entries: Choice, pages: Choice, *, last: bool = True) -> tuple[Phase, ...]:
    """Return the phases in which entries of the page table go, and pages; the frames at the end.

    last: the operation has no shootdown after this one.
    """
    return (
        let_pages_go(pages),
        drop_entries(entries),
        Phase(free_early, idle=_frees_late),
        *([shootdown.JOIN_FLUSHES] if last else []),
        *shootdown.PHASES,
        FREE_FRAMES,
    )


def unmap(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: the range leaves the map."""
    gone = space.map.remove(op.start, op.end)
    space.holes.remove(op.start, op.end)
    space.guards.remove(op.start, op.end)
    space.stored.remove(op.start, op.end)
    drops = dict.fromkeys((*op.drops, *(entry.oid for entry in gone)))
    return advance(replace(op, drops=tuple(drops)), vm.settings.costs.map_ns)


def map_memory(vm: VmState, space: VmSpace, op: Op[Map], _out: list[Effect]) -> Op[Map]:
    """Phase: a new mapping; a private anonymous neighbour below that is like it grows instead.

    Source: vm_map_insert, which grows the object of the previous entry (vm_object_coalesce), unless
    others use that object as well or it shadows another.
    """
    own, prot, size = op.own, op.own.prot, op.end - op.start
    below = space.map.lookup(op.start - 1) if op.start else None
    if own.file >= 0:
        entry = MapEntry(op.start, op.end, prot, vm.objects.of_file(own.file), own.first)
        entry = entry.with_flags(on=SHARED if own.shared else NEEDS_COPY)
    elif own.shared:
        entry = MapEntry(op.start, op.end, prot, vm.objects.make(op.lane, size), 0, SHARED)
    elif below is not None and _grows(vm, below, prot, op.start):
        vm.objects.by_oid[below.oid].size += size
        entry = MapEntry(op.start, op.end, prot, below.oid, below.pindex(op.start))
    else:
        entry = MapEntry(op.start, op.end, prot, vm.objects.make(op.lane, size), 0)
    space.map.insert(entry)
    return advance(op, vm.settings.costs.map_ns)


def _grows(vm: VmState, below: MapEntry, prot: int, start: int) -> bool:
    top = vm.objects.by_oid[below.oid]
    alone = top.anonymous and vm.objects.refs(below.oid) == 1 and not top.backing
    return alone and below.prot == prot and not below.flags and below.pindex(start) == top.size


def punch(choice: Choice, *, to_zero: bool = False) -> Phase:
    """Return the phase in which a new object takes the place of all that an entry shows.

    So what was discarded stays discarded. A private mapping of a file shows the file again, unless
    it is to be zero.
    """

    def step(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
        drops = dict.fromkeys(op.drops)
        for piece in list(space.map.pieces(op.start, op.end)):
            if not choice(vm, piece):
                continue
            drops[piece.oid] = None
            fresh = _punched(vm, piece, op.lane, to_zero=to_zero)
            space.map.change(piece.start, piece.end, _always(fresh))
        return advance(replace(op, drops=tuple(drops)))

    def idle(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
        return not any(choice(vm, e) for e in space.map.overlapping(op.start, op.end))

    return Phase(step, idle, "punch")


def _punched(vm: VmState, piece: MapEntry, lane: int, *, to_zero: bool) -> MapEntry:
    bottom, index = vm.objects.bottom(piece)
    flags = piece.flags | NEEDS_COPY
    if to_zero or vm.objects.by_oid[bottom].anonymous:
        bottom, index = vm.objects.make(lane, piece.end - piece.start), 0
        flags = piece.flags & ~NEEDS_COPY
    return MapEntry(piece.start, piece.end, piece.prot, bottom, index, flags)


def _always(entry: MapEntry) -> Callable[[MapEntry], MapEntry]:
    return lambda _: entry


def lock(clips: Callable[[VmState], bool], punches: Choice = older_copies) -> Phase:
    """Return the phase that locks the map, exclusively if the operation clips or is to punch."""

    def step(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
        write = clips(vm) or any(punches(vm, e) for e in space.map.overlapping(op.start, op.end))
        if write and space.lock.held_by(op.lane) and space.lock.writer != op.lane:
            vm.waiting.unlock_map(space, op, out)  # it was forked while we waited
        return vm.waiting.lock_map(space, op, out, write=write) or advance(
            op, vm.settings.costs.map_ns
        )

    return Phase(step, shown="lock")


UNMAP = Phase(unmap)
MUNMAP_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    *let_go_of(everything, private),
    UNMAP,
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
MMAP_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    *let_go_of(everything, private),
    UNMAP,
    Phase(map_memory),
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
#: what HOLE and ZERO, and MADV_FREE, do first where older copies must not show again
PUNCH_PHASES: tuple[Phase, ...] = (
    Phase(drop_zero_page, idle=_without_zero_page),
    *let_go_of(advice_scope.punched, advice_scope.punched, last=False),
    punch(advice_scope.punched, to_zero=True),
)
FREE_PUNCH_PHASES: tuple[Phase, ...] = (
    *let_go_of(advice_scope.freed_by_punching, advice_scope.freed_by_punching, last=False),
    punch(advice_scope.freed_by_punching),
)
DONTNEED_PHASES: tuple[Phase, ...] = (
    lock(lambda _: False),
    range_errors.CHECK,
    *let_go_of(everything, private),
    punch(older_copies),
    range_scan.UNLOCK,
    object_chain.SETTLE,
)
