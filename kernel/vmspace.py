"""An address space: its map, its pmap and the map lock (FreeBSD's vmspace)."""

from collections.abc import Hashable
from enum import IntEnum

from kernel.hole_ranges import HoleRanges
from kernel.locks import SxLock
from kernel.vm_map import VmMap


class Pmap:
    """Page table and the words that the shootdown protocol reads without a lock.

    `active` is a bit mask of the CPUs on which the address space is current (pm_active), `gens` of
    those whose cached entries are still good when it becomes current there again (pm_gen not zero).
    Source: amd64 pmap, PCID scheme.
    """

    __slots__ = ("active", "gens", "ptes")

    def __init__(self) -> None:
        """Make an empty page table, current nowhere."""
        self.ptes: dict[int, int] = {}
        self.active = 0
        self.gens = 0

    def mapped_in(self, start: int, end: int) -> list[int]:
        """List the pages of [start, end) that have an entry, ascending.

        The cost goes by the smaller of range and table: reservations are huge and mostly empty.
        """
        if end - start <= len(self.ptes):
            return [v for v in range(start, end) if v in self.ptes]
        return sorted(v for v in self.ptes if start <= v < end)

    def copy(self) -> "Pmap":
        """Copy the containers."""
        twin = Pmap()
        twin.ptes = self.ptes.copy()
        twin.active = self.active
        twin.gens = self.gens
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.ptes.items())), self.active, self.gens


class Ending(IntEnum):
    """Whether the threads of a process go on; if not, nothing more is mapped for them."""

    NO = 0
    #: all but one are to end, which goes on alone (FreeBSD's thread_single)
    SINGLE = 1
    #: out of memory: all are
    KILLED = 2


class VmSpace:
    """One address space."""

    __slots__ = ("ending", "guards", "holes", "lock", "map", "pmap", "resident", "stored")

    def __init__(self) -> None:
        """Make an empty address space."""
        self.map = VmMap()
        self.pmap = Pmap()
        self.lock = SxLock()
        #: size of the resident set: entries of pages that are not in a hole
        self.resident = 0
        #: private pages in a hole (hole_state = range-list)
        self.holes = HoleRanges()
        self.ending = Ending.NO
        #: markers of MADV_GUARD_INSTALL, which are in the page table where there is no entry
        self.guards = HoleRanges()
        #: private mappings that were stored to (Linux's anon_vma), where loads map the zero page
        self.stored = HoleRanges()

    def copy(self) -> "VmSpace":
        """Copy the containers."""
        twin = VmSpace()
        twin.map = self.map.copy()
        twin.pmap = self.pmap.copy()
        twin.lock = self.lock.copy()
        twin.resident = self.resident
        twin.holes = self.holes.copy()
        twin.ending = self.ending
        twin.guards = self.guards.copy()
        twin.stored = self.stored.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        record = self.holes.freeze()
        return (
            self.map.freeze(),
            self.pmap.freeze(),
            self.lock.freeze(),
            self.resident,
            record,
            self.ending,
            *((self.guards.freeze(),) if self.guards.starts else ()),
            *(("stored", self.stored.freeze()) if self.stored.starts else ()),
        )
