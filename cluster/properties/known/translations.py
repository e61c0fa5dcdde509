"""No stale translation: who may still hold an entry that is gone.

Knows every translation that a vm sent to a core and not what the core did with it: the core may use
it until it has flushed, unless its address space is not current there and its generation is zero
(it must flush before it uses anything). Flushes count only if they happened before what is judged.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

from actors.operation import OpKind
from actors.vm.machine import Vm
from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.fill import Fill, fill_of
from kernel.units import ASID_SHIFT, VPN_MASK


class Holder(NamedTuple):
    """A core that may still use an entry for a page of an address space."""

    asid: int
    vpn: int
    core: int
    writable: bool


class Translations(Part):
    """The latest fill of each page at each core, and removals that are not complete.

    Pages are numbers, `asid << ASID_SHIFT | vpn`.
    """

    __slots__ = ("cores", "fills", "first", "others", "removed")

    def __init__(self) -> None:
        """Begin with empty TLBs."""
        super().__init__()
        #: by core and page
        self.fills: dict[int, dict[int, Fill]] = {}
        #: by page: the cores that have a fill of it, as a mask
        self.cores: dict[int, int] = {}
        #: by frame: the page that a translation to it was given for first, and all others
        self.first: dict[int, int] = {}
        self.others: dict[int, dict[int, None]] = {}
        #: by lane: entries taken away and not yet reported as invalidated, (asid, pages)
        self.removed: dict[int, tuple[int, tuple[int, ...]]] = {}

    def filled(self, core: int, va: int, pte: int, at: At) -> None:
        """Note that a vm sends a translation to a core."""
        fill = fill_of(pte, at)
        fills = self.fills.get(core)
        if fills is None:
            fills = self.fills[core] = {}
        fills[va] = fill
        self.cores[va] = self.cores.get(va, 0) | 1 << core
        if self.first.setdefault(fill.pfn, va) != va:
            self.others.setdefault(fill.pfn, {})[va] = None

    def flushed(self, core: int, asid: int, vpns: tuple[int, ...], clock: Clock) -> None:
        """Note that a core dropped entries, and walks in flight for them; no page: all of them."""
        fills = self.fills.get(core)
        if not fills:
            return
        at = clock.latest(core)
        base = asid << ASID_SHIFT
        pages = [base | vpn for vpn in vpns] or [va for va in fills if va >> ASID_SHIFT == asid]
        for va in pages:
            fill = fills.get(va)
            if fill is not None and fill.flushed is None and clock.knows(fill.sent):
                fills[va] = fill.was_flushed(at)

    def must_flush(self, core: int, asid: int, at: At) -> None:
        """Note that a vm tells a core that switches in to flush: what it sent before is dead."""
        fills = self.fills.get(core, {})
        for va, fill in fills.items():
            if fill.ordered is None and va >> ASID_SHIFT == asid:
                fills[va] = fill.was_ordered(at)

    def gone(self, lane: int, asid: int, vpns: tuple[int, ...]) -> None:
        """Note that an operation took entries away; its shootdown follows."""
        self.removed[lane] = (asid, vpns)

    def completed(self, lane: int, vm: Vm, clock: Clock, again: set[int]) -> list[Holder]:
        """Note that a shootdown is complete, as its initiator says; return who may hold entries.

        Entries that were made anew meanwhile (by a fault, or by a walk that set A again) are good.

        again: pages whose entries the same operation has taken away once more.
        """
        asid, vpns = self.removed.pop(lane, (0, ()))
        found: list[Holder] = []
        again = again | _owed(vm, asid)
        for vpn in vpns:
            va = asid << ASID_SHIFT | vpn
            if vpn in again or va not in self.cores:
                continue
            pte = vm.state.spaces[asid].pmap.ptes.get(vpn, 0)
            good = bad = 0
            for core in _members(self.cores[va]):
                if self.fills[core][va].is_good(pte):
                    good |= 1 << core
                else:
                    bad |= 1 << core
            found += self._holders(va, bad, vm, clock)
            for core in _members(bad):
                del self.fills[core][va]
            if good:
                self.cores[va] = good
            else:
                del self.cores[va]
        return found

    def freed(self, pfn: int, vm: Vm, clock: Clock) -> list[Holder]:
        """Note that a vm frees a frame; return who may still map it."""
        found = self.mapping(pfn, vm, clock)
        self.first.pop(pfn, None)
        self.others.pop(pfn, None)
        return found

    def mapping(self, pfn: int, vm: Vm, clock: Clock) -> list[Holder]:
        """List who may map a frame, at an event of its vm."""
        found: list[Holder] = []
        if pfn in self.first:
            for va in (self.first[pfn], *self.others.get(pfn, ())):
                found += self._holders(va, self.cores.get(va, 0), vm, clock, pfn)
        return found

    def _holders(
        self, va: int, cores: int, vm: Vm, clock: Clock, pfn: int | None = None
    ) -> list[Holder]:
        """List those of the cores that may hold an entry for a page (and a frame), ascending."""
        found = []
        flushing = None
        asid, vpn = va >> ASID_SHIFT, va & VPN_MASK
        for core in _members(cores):
            fill = self.fills[core][va]
            if (pfn is not None and fill.pfn != pfn) or fill.is_over(clock):
                continue
            if flushing is None:
                flushing = will_flush(vm, asid)
            if not flushing >> core & 1:
                found.append(Holder(asid, vpn, core, fill.writable))
        return found

    def forget(self, clock_of: Callable[[int], Clock]) -> None:
        """Forget the fills that no core uses any more, as the vm of their address space knows.

        clock_of: gives the clock of an address space's vm.
        """
        for core, fills in self.fills.items():
            over = [
                va
                for va, fill in fills.items()
                if (fill.flushed or fill.ordered) and fill.is_over(clock_of(va >> ASID_SHIFT))
            ]
            for va in over:
                del fills[va]
                left = self.cores.pop(va) & ~(1 << core)
                if left:
                    self.cores[va] = left
        mapped = [(pfn, va) for pfn, va in self.first.items() if self._is_given(va, pfn)]
        self.first = dict(mapped)
        for pfn, pages in list(self.others.items()):
            left_there = {va: None for va in pages if self._is_given(va, pfn)}
            if pfn not in self.first and left_there:
                self.first[pfn] = next(iter(left_there))
                del left_there[self.first[pfn]]
            if left_there:
                self.others[pfn] = left_there
            else:
                del self.others[pfn]

    def _is_given(self, va: int, pfn: int) -> bool:
        """Say whether some core has a fill of a page with a frame."""
        cores = self.cores.get(va)
        if cores is None:
            return False
        return any(self.fills[core][va].pfn == pfn for core in _members(cores))

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.fills = {core: fills.copy() for core, fills in self.fills.items()}
        twin.cores = self.cores.copy()
        twin.first = self.first.copy()
        twin.others = {pfn: pages.copy() for pfn, pages in self.others.items()}
        twin.removed = self.removed.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                (core, tuple((va, *_fields(fill)) for va, fill in sorted(fills.items())))
                for core, fills in sorted(self.fills.items())
                if fills
            ),
            tuple(
                (pfn, tuple(sorted((va, *self.others.get(pfn, ())))))
                for pfn, va in sorted(self.first.items())
            ),
            tuple(sorted(self.removed.items())),
        )


def _fields(fill: Fill) -> tuple[object, ...]:
    return (
        fill.pfn, fill.writable, fill.sent, fill.flushed or (), fill.ordered or (), fill.dirty,
        fill.user,
    )  # fmt: skip


def _members(mask: int) -> Iterator[int]:
    """Yield the cores of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def will_flush(vm: Vm, asid: int) -> int:
    """Return the cores, as a mask, that flush before they use an address space again.

    Those whose generation is zero, and which are to look at it yet: not active, or switching in.
    """
    pmap = vm.state.spaces[asid].pmap
    switching = 0
    for op in vm.state.in_flight.ops.values():
        if op.kind is OpKind.SWITCH and op.asid == asid and not op.own.within:
            switching |= 1 << op.by
    return ~pmap.gens & (~pmap.active | switching)


def _owed(vm: Vm, asid: int) -> set[int]:
    """Return the pages whose entries somebody has taken away, and not flushed yet."""
    owed = [op.flush.gone for op in vm.state.in_flight.ops.values()]
    owed += [one.gone for one in vm.state.deferrals.notes.values()]
    return {va & VPN_MASK for gone in owed for va, _ in gone if va >> ASID_SHIFT == asid}
