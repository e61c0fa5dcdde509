"""No stale translation: who may still hold an entry that the page table does not give any more.

Knows every translation that a vm sent to a core, and the core's first event after that which shows
neither the entry nor a live walk for it. What is due, and when, is in `deadlines.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self, TypeVar

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock
from cluster.properties.known.debts import Debts, Owed
from cluster.properties.known.fill import Fill, fill_of
from cluster.properties.known.roots import Roots
from cluster.properties.observed import Observed
from kernel.units import ASID_SHIFT, VPN_MASK


class Holder(NamedTuple):
    """A core that may still use an entry, and the deadline that it has passed, and whose."""

    asid: int
    vpn: int
    core: int
    deadline: str
    lane: int


Chain = tuple[Fill, ...]
V = TypeVar("V")


class Translations(Part):
    """Fills of each page at each core, youngest first, and what cores owe.

    Pages are numbers, `asid << ASID_SHIFT | vpn`.
    """

    __slots__ = ("cores", "debts", "fills", "first", "in_tlb", "others", "pending")

    def __init__(
        self,
        fills: dict[int, dict[int, Chain]],
        in_tlb: dict[int, dict[int, At]],
        cores: dict[int, int],
        debts: Debts,
        pending: dict[int, dict[int, None]],
        first: dict[int, int],
        others: dict[int, dict[int, None]],
    ) -> None:
        """Begin with these.

        fills: by core and page.
        in_tlb: by core and page: the event that sent the entry which the core has loaded.
        cores: by page: the cores that have a fill of it, as a mask.
        debts: what cores owe.
        pending: by core: pages that a message has named, and that the core still shows.
        first, others: by frame: the page that a translation to it was given for first; all others.
        """
        super().__init__()
        self.fills = fills
        self.in_tlb = in_tlb
        self.cores = cores
        self.debts = debts
        self.pending = pending
        self.first = first
        self.others = others

    # What cores are sent, and show.

    def filled(self, core: int, va: int, pte: int, sent: At, dead: At | None, clock: Clock) -> None:
        """Note that a vm sends a translation to a core.

        dead: the core's event that killed the walk, if that has happened.
        clock: of the sending: what is over by then is forgotten.
        """
        if dead is not None and clock.knows(dead):
            return
        fill = fill_of(pte, sent, dead)
        fills = self.fills.get(core)
        if fills is None:
            fills = self.fills[core] = {}
        older = fills.get(va)
        if older is None:
            fills[va] = (fill,)
            self.cores[va] = self.cores.get(va, 0) | 1 << core
        else:
            fills[va] = (fill, *[one for one in older if not one.is_over(clock)])
        if self.first.setdefault(fill.pfn, va) != va:
            self.others.setdefault(fill.pfn, {})[va] = None

    def answered(self, core: int, va: int, number: int, clock: Clock, *, loaded: bool) -> None:
        """Note that a core has the translation of one event: loaded, and no other, or dropped.

        number: of the vm's event that sent it. clock: of the core's event.
        """
        fills = self.fills.get(core)
        chain = None if fills is None else fills.get(va)
        if fills is None or chain is None:
            return
        if loaded:
            entries = self.in_tlb.get(core)
            if entries is None:
                entries = self.in_tlb[core] = {}
            for one in chain:
                if one.sent.number == number:
                    entries[va] = one.sent
            if len(chain) == 1:
                return
        at = clock.latest(core)
        fills[va] = tuple(
            [
                one
                if one.absent is not None or (one.sent.number == number) is loaded
                else one.was_absent(at)
                for one in chain
            ]
        )

    def shown(self, core: int, pages: Iterable[int], observed: Observed, at: At) -> None:
        """Look whether a core still has entries, or live walks, of pages, in its event `at`."""
        fills = self.fills.get(core)
        if not fills:
            return
        pending = self.pending.get(core, {})
        for va in pages:
            chain = fills.get(va)
            if chain is None:
                pending.pop(va, None)
                continue
            loaded = self.used(core, va)
            seen = tuple([_seen(one, loaded, core, va, observed, at) for one in chain])
            if any(one.absent is None for one in seen):
                pending[va] = None
                self.pending[core] = pending
            else:
                pending.pop(va, None)
            if seen != chain:
                fills[va] = seen
        if not pending:
            self.pending.pop(core, None)

    def of_space(self, core: int, asid: int) -> list[int]:
        """List the pages of an address space that a core has fills of."""
        return [va for va in self.fills.get(core, ()) if va >> ASID_SHIFT == asid]

    def used(self, core: int, va: int) -> At | None:
        """Return the event that sent the entry which a core has; None if that is not known."""
        entries = self.in_tlb.get(core)
        return None if entries is None else entries.get(va)

    # What is due.

    def within(self, start: int, end: int) -> list[int]:
        """List the pages of [start, end) that some core has fills of, ascending."""
        cores = self.cores
        if end - start <= len(cores):
            return [va for va in range(start, end) if va in cores]
        return sorted([va for va in cores if start <= va < end])

    def of_frame(self, pfn: int) -> tuple[int, ...]:
        """Return the pages that translations to a frame were given for."""
        first, others = self.first.get(pfn), self.others
        return () if first is None else (first, *others.get(pfn, ())) if others else (first,)

    def freed(self, pfn: int) -> None:
        """Note that a frame is freed: what had translations to it is forgotten."""
        self.first.pop(pfn, None)
        self.others.pop(pfn, None)

    def due(
        self,
        va: int,
        good: Callable[[Fill], bool],
        clock: Clock,
        roots: Roots,
        owed: Owed,
        *,
        spared: int = 0,
    ) -> list[Holder]:
        """Return the cores that may use entries of a page that are not good, at a deadline.

        A core that, as the event of the clock knows, has another root loaded owes them from when it
        loads this one: that is noted. spared: cores, as a mask, that are not asked.
        """
        found: list[Holder] = []
        asid = va >> ASID_SHIFT
        for core in _members(self.cores.get(va, 0) & ~spared):
            chain = self.fills[core][va]
            left, late, still = [], [], False
            for fill in chain:
                if good(fill):
                    left.append(fill)
                elif fill.is_over(clock):
                    continue
                else:
                    late.append(fill)
            if late:
                heard = clock.latest(core)
                load = None if roots.as_of(heard) == asid else roots.next_load(heard, asid)
                if roots.as_of(heard) != asid and load is None:
                    self.debts.add(core, va, late, owed)
                    left, still = list(chain), True
                elif load is None or any(
                    one.absent is None or one.absent.number > load for one in late
                ):
                    found.append(Holder(asid, va & VPN_MASK, core, owed.deadline, owed.lane))
            if not still and len(left) != len(chain):
                self._keep(core, va, tuple(left))
        return found

    def leave(self, va: int, good: Callable[[Fill], bool], clock: Clock, owed: Owed) -> None:
        """Note that entries of a page that are not good are left to their cores' next occasion."""
        for core in _members(self.cores.get(va, 0)):
            bad = [one for one in self.fills[core][va] if not good(one) and not one.is_over(clock)]
            if bad:
                self.debts.add(core, va, bad, owed)

    def called_in(self, core: int, asid: int, told: Clock | None) -> list[Holder]:
        """Return what a core still has of what it owes, now that it has loaded a root.

        Or has had an occasion for invalidations that were left to it: `told` is the clock of the
        vm's event that told it what those are.
        """
        found = []
        for va, owed in self.debts.call_in(core, asid, told):
            chain = self.fills[core].get(va, ())
            late = [one for one in chain if one.sent in owed.sent]
            if any(one.absent is None for one in late):
                found.append(Holder(asid, va & VPN_MASK, core, owed.deadline, owed.lane))
            if late:
                self._keep(core, va, tuple([one for one in chain if one.sent not in owed.sent]))
        return found

    def _keep(self, core: int, va: int, chain: Chain) -> None:
        if chain:
            self.fills[core][va] = chain
            return
        del self.fills[core][va]
        self.in_tlb.get(core, {}).pop(va, None)
        left = self.cores.pop(va) & ~(1 << core)
        if left:
            self.cores[va] = left

    def forget(self, clock_of: Callable[[int], Clock]) -> None:
        """Forget the fills that no core uses any more, as the vm of their address space knows.

        clock_of: gives the clock of an address space's vm.
        """
        for core, fills in self.fills.items():
            for va, chain in list(fills.items()):
                if any(one.absent is not None for one in chain):
                    clock = clock_of(va >> ASID_SHIFT)
                    self._keep(core, va, tuple(one for one in chain if not one.is_over(clock)))
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
        return any(
            one.pfn == pfn
            for core in _members(self.cores.get(va, 0))
            for one in self.fills[core][va]
        )

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        return type(self)(
            _copied(self.fills),
            _copied(self.in_tlb),
            self.cores.copy(),
            self.debts.copy(),
            _copied(self.pending),
            self.first.copy(),
            _copied(self.others),
        )

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                (
                    core,
                    tuple(
                        (va, self._loaded(core, va), *map(_fields, chain))
                        for va, chain in sorted(fills.items())
                    ),
                )
                for core, fills in sorted(self.fills.items())
                if fills
            ),
            tuple((pfn, *sorted(self.of_frame(pfn))) for pfn in sorted(self.first)),
            tuple(
                (
                    core,
                    tuple(
                        (va, self._places(core, va, one), one.left or ())
                        for va, one in sorted(pages.items())
                    ),
                )
                for core, pages in sorted(self.debts.of.items())
            ),
        )

    def _loaded(self, core: int, va: int) -> tuple[int, ...]:
        """Return which of the fills of a page its core has loaded, by their place."""
        used = self.used(core, va)
        return tuple(n for n, one in enumerate(self.fills[core][va]) if one.sent == used)

    def _places(self, core: int, va: int, owed: Owed) -> tuple[int, ...]:
        """Return which of the fills of a page its core owes, by their place."""
        chain = self.fills[core].get(va, ())
        return tuple(n for n, one in enumerate(chain) if one.sent in owed.sent)


def _seen(fill: Fill, loaded: At | None, core: int, va: int, observed: Observed, at: At) -> Fill:
    """Return a fill as its core shows it in an event: its entry, or its walk while it is asked."""
    if fill.absent is not None:
        return fill
    there = observed.entry(core, va) if fill.sent == loaded else observed.walks(core, va)
    return fill if there else fill.was_absent(at)


def _copied(of: dict[int, dict[int, V]]) -> dict[int, dict[int, V]]:
    return {key: inner.copy() for key, inner in of.items()} if of else {}


def _fields(fill: Fill) -> tuple[object, ...]:
    return fill.pfn, fill.writable, fill.dirty, fill.user, placed(fill.sent), fill.absent or ()


def _members(mask: int) -> Iterator[int]:
    """Yield the cores of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
