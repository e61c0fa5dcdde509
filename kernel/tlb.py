"""A finite translation look-aside buffer, tagged by address space.

Entries are copies of page-table entries with the bits of the time when they were loaded; only an
invalidation, an eviction or a dirty-bit update by the same core changes them. A full buffer evicts
one of its four oldest entries, chosen by a generator that is seeded by the run and is part of the
state: pseudo-random as in hardware, and repeatable.
"""

from collections.abc import Hashable, Iterable
from itertools import islice

from kernel import pte as pte_bits
from kernel.units import ASID_SHIFT, VPN_MASK

#: in place of an entry: there is none. It permits nothing, and an invalidation drops it like others
ABSENT = pte_bits.A
_DRAW_MASK = (1 << 64) - 1


class Tlb:
    """Entries of one core, keyed by (asid, vpn) packed into one integer."""

    __slots__ = ("capacity", "draw", "entries")

    def __init__(self, capacity: int, seed: int = 0) -> None:
        """Make an empty buffer of `capacity` entries."""
        self.capacity = capacity
        self.entries: dict[int, int] = {}
        #: state of the generator (a linear congruential one: only its high bits are used)
        self.draw = seed & _DRAW_MASK

    def get(self, asid: int, vpn: int) -> int:
        """Return the cached entry, or 0."""
        return self.entries.get(asid << ASID_SHIFT | vpn, 0)

    def load(self, asid: int, vpn: int, pte: int) -> None:
        """Cache an entry that a walk found, evicting one of the oldest if need be.

        The entry must be present: of others at most the absence is cached.
        """
        assert pte & pte_bits.P
        self._keep(asid << ASID_SHIFT | vpn, pte)

    def load_absence(self, asid: int, vpn: int) -> None:
        """Cache that a walk found no entry that permits the access, as RISC-V may."""
        self._keep(asid << ASID_SHIFT | vpn, ABSENT)

    def has_absence(self, asid: int, vpn: int) -> bool:
        """Say whether such an absence is cached."""
        return self.entries.get(asid << ASID_SHIFT | vpn) == ABSENT

    def _keep(self, key: int, pte: int) -> None:
        entries = self.entries
        if key not in entries and len(entries) >= self.capacity:
            self.draw = (self.draw * 6364136223846793005 + 1442695040888963407) & _DRAW_MASK
            del entries[next(islice(entries, (self.draw >> 60) % len(entries) & 3, None))]
        entries[key] = pte

    def invalidate(self, asid: int, vpns: Iterable[int]) -> None:
        """Drop the entries of these pages."""
        base = asid << ASID_SHIFT
        for vpn in vpns:
            self.entries.pop(base | vpn, None)

    def evict(self, asid: int, vpn: int) -> None:
        """Drop one entry, if it is there."""
        self.entries.pop(asid << ASID_SHIFT | vpn, None)

    def invalidate_all(self, asid: int, about: tuple[int, int] = (0, 0)) -> int:
        """Drop every entry of an address space; return how many are not of the pages in `about`."""
        entries = self.entries
        found = [k for k in entries if k >> ASID_SHIFT == asid]
        for key in found:
            del entries[key]
        start, end = about
        if start == end:
            return len(found)
        return sum(not start <= key & VPN_MASK < end for key in found)

    def rows(self) -> list[tuple[int, int, int]]:
        """List (asid, vpn, pte), sorted."""
        return sorted((k >> ASID_SHIFT, k & VPN_MASK, v) for k, v in self.entries.items())

    def copy(self) -> "Tlb":
        """Copy the containers."""
        twin = Tlb(self.capacity)
        twin.entries = self.entries.copy()
        twin.draw = self.draw
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state; in a full buffer the order counts: it decides evictions."""
        if len(self.entries) < self.capacity:
            return self.draw, tuple(sorted(self.entries.items()))
        return self.draw, tuple(self.entries.items())
