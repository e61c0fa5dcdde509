"""Walking the pages of a range, one by one, with sleep and restart; and their copies in swap.

A scanning phase calls `scan` with what to do for one page. When exploring, one page is one step;
timed runs do as many as possible. A visitor that meets a busy page puts the operation to sleep;
after that the scan looks at the same page again, with everything re-evaluated.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from actors.machine import Effect
from actors.message import PageKey
from actors.operation import OpKind
from actors.vm.entries import Gone
from actors.vm.op import Flush, Op, P, advance, replace
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.page import NOBODY, Page
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vm_map import MapEntry
from kernel.vmspace import VmSpace

_USED = pte_bits.A | pte_bits.D


class Found(Generic[P]):
    """What the visits of one step add to the operation; kinds that add more extend it."""

    __slots__ = ("frames", "gone", "ns")

    def __init__(self) -> None:
        """Start with nothing."""
        self.gone: list[Gone] = []
        self.frames: list[int] = []
        self.ns = 0

    def added_to(self, own: P) -> P:
        """Return the operation's payload with what was found for it."""
        return own

    def into(self, op: Op[P], cursor: int) -> Op[P]:
        """Return the operation with all that added."""
        flush = op.flush
        if self.gone or self.frames:
            gone, frames = (*flush.gone, *self.gone), (*flush.frames, *self.frames)
            flush = Flush(gone, frames, flush.round, flush.spared, flush.active)
        own = self.added_to(op.own)
        return replace(op, flush=flush, own=own, ns=op.ns + self.ns, cursor=cursor)


F = TypeVar("F", bound=Found[Any])


class Scene(Generic[F]):
    """Where a visit happens: vm, address space, page, operation, findings, effects."""

    __slots__ = ("found", "op", "out", "space", "va", "vm", "vpn")

    def __init__(
        self, vm: VmState, space: VmSpace, op: Op[Any], out: list[Effect], found: F
    ) -> None:
        """Set the scene for one step of a scanning phase."""
        self.vm = vm
        self.space = space
        self.op = op
        self.out = out
        self.found = found
        #: the page that is visited, in its space and as a mapping
        self.vpn = self.va = 0

    def take_entry(self, *, keep: bool = False) -> None:
        """Take away the entry of the page that is visited; its flush is then due."""
        gone = self.vm.entries.take_entry(self.va, keep=keep)
        if gone is not None:
            self.found.gone.append(gone)

    def take_entries(self, page: Page, *, keep: bool) -> None:
        """Take away all entries of the page that is visited, in every space that maps it."""
        for va in page.mappings:
            self.found.ns += self.vm.settings.costs.pte_ns
            gone = self.vm.entries.take_entry(va, keep=keep)
            if gone is not None:
                self.found.gone.append(gone)

    def forget_use(self, page: Page) -> None:
        """Clear the accessed and dirty bits of all entries of the page that is visited.

        TLBs have them cached, and would not set them again: that needs a flush. So does an entry
        that another operation has cleared, or taken, and not flushed yet.
        """
        vm, gone = self.vm, self.found.gone
        self.found.ns += vm.settings.costs.pte_ns
        if vm.entries.unflushed.places:
            gone += [one for va in page.mappings if (one := vm.entries.owed(va)) is not None]
        for va, pte in vm.entries.of(page):
            if pte & _USED:
                vm.spaces[va >> ASID_SHIFT].pmap.ptes[va & VPN_MASK] = pte & ~_USED
                gone.append(vm.entries.must_flush(va, page.pfn))


_HOLES = frozenset({OpKind.HOLE, OpKind.ZERO})

#: (scene, key, page) -> whether the visit must wait until the page is no longer busy
Visitor = Callable[[Scene[F], PageKey, Page], bool]
#: which entries of the map a scan visits
Only = Callable[[MapEntry], bool]


def scan(
    scene: Scene[F], visit: Visitor[F], only: Only | None = None, *, keeps: bool = False
) -> Op[Any]:
    """Visit the resident pages of top objects from the cursor on, then go to the next phase.

    Most scan to discard, so a page that is only in swap loses its copy there. One that is on its
    way in is resident, and busy.

    only: visit the pages of those entries of the map for which this is true.
    keeps: contents stay, and so do copies in swap.
    """
    vm, space, op, out, found = scene.vm, scene.space, scene.op, scene.out, scene.found
    settings = vm.settings
    fine, base = settings.fine, op.asid << ASID_SHIFT
    find = vm.objects.resident_in if keeps else vm.objects.held_in
    for vpn in list(find(space, op.cursor, op.end, only)):
        at = vm.objects.page_at(space, vpn)
        if at is None:
            drop_copy(scene, vpn)
            if fine:
                return found.into(op, vpn + 1)
            continue
        if at[1].busy != NOBODY and settings.hazards & Hazard.SLOT_FREED_IN_USE:
            vm.pages.drop_slot(at[0])
        scene.vpn, scene.va = vpn, base | vpn
        if visit(scene, *at):
            return vm.waiting.sleep_on_page(found.into(op, vpn), at[0], out)
        if fine:
            return found.into(op, vpn + 1)
    return advance(found.into(op, op.end))


def drop_copy(scene: Scene[Any], vpn: int) -> None:
    """Let go of the copy in swap of a page that is not resident."""
    vm = scene.vm
    entry = scene.space.map.lookup(vpn)
    if entry is not None and not keeps_copies(vm, scene.op):
        vm.pages.drop_slot((entry.oid, entry.pindex(vpn)))
        scene.found.ns += vm.settings.costs.flag_page_ns


def keeps_copies(vm: VmState, op: Op[Any]) -> bool:
    """Say whether the operation leaves copies in swap that it should drop: a hazard."""
    hazards = vm.settings.hazards
    if not hazards:
        return False
    if op.kind is OpKind.ADVISE_FREE:
        return bool(hazards & Hazard.FREE_KEEPS_SWAP)
    return op.kind in _HOLES and bool(hazards & Hazard.ZERO_KEEPS_SWAP)


def nothing_resident(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
    """Say whether a scan has nothing left to visit."""
    return next(vm.objects.held_in(space, op.cursor, op.end), None) is None


def lock_shared(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: take the map lock shared."""
    return vm.waiting.lock_map(space, op, out, write=False) or advance(op, vm.settings.costs.map_ns)


def lock_exclusive(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: take the map lock exclusively."""
    return vm.waiting.lock_map(space, op, out, write=True) or advance(op, vm.settings.costs.map_ns)


def unlock(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: release the map lock."""
    vm.waiting.unlock_map(space, op, out)
    return advance(op)


LOCK_SHARED = Phase(lock_shared)
LOCK_EXCLUSIVE = Phase(lock_exclusive)
UNLOCK = Phase(unlock)
