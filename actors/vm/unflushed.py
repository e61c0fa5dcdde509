"""Flushes that are owed: entries taken away that some TLB may still hold.

Kept in the order in which they came to be owed, with an index by stretch of 512 pages, so that a
range is looked up without going through all of them.
"""

from collections.abc import Hashable, Iterator
from typing import Self

#: pages of a stretch, as a power of two (a page of a page table on amd64)
_STRETCH_SHIFT = 9


class Unflushed:
    """Frames by place (`asid << ASID_SHIFT | vpn`), one for each time that an entry was taken."""

    __slots__ = ("forgotten", "places", "stretches")

    def __init__(self) -> None:
        """Begin with nothing owed."""
        self.places: dict[int, tuple[int, ...]] = {}
        #: places by stretch
        self.stretches: dict[int, set[int]] = {}
        #: places whose flush is owed, and nobody sees that (the hazard flush-clears-mark)
        self.forgotten: set[int] = set()

    def clone(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.places = self.places.copy()
        twin.stretches = {stretch: found.copy() for stretch, found in self.stretches.items()}
        twin.forgotten = self.forgotten.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        places = tuple(sorted(self.places.items()))
        return (places, tuple(sorted(self.forgotten))) if self.forgotten else places

    def forget(self, start: int, end: int) -> None:
        """Let nobody see what is owed in [start, end)."""
        self.forgotten.update(self.within(start, end))

    def seen(self, va: int) -> tuple[int, ...]:
        """Return the frames whose flushes are owed at a place, as far as that is seen."""
        return () if va in self.forgotten else self.places.get(va, ())

    def add(self, va: int, pfn: int) -> None:
        """Note that the flush of an entry for a frame is owed."""
        places = self.places
        self.forgotten.discard(va)
        frames = places.get(va)
        if frames is not None:
            places[va] = (*frames, pfn)
            return
        places[va] = (pfn,)
        stretch = va >> _STRETCH_SHIFT
        found = self.stretches.get(stretch)
        if found is None:
            self.stretches[stretch] = {va}
        else:
            found.add(va)

    def remove(self, va: int, pfn: int) -> tuple[int, ...]:
        """Note that one flush was done; return the frames whose flushes are still owed there.

        A place with flushes left counts as the youngest from then on.
        """
        frames = self.places.pop(va)
        if len(frames) == 1:
            assert frames[0] == pfn, f"the flush of frame {pfn:#x} at {va:#x} is not owed"
            self.forgotten.discard(va)
            stretch = va >> _STRETCH_SHIFT
            found = self.stretches[stretch]
            found.remove(va)
            if not found:
                del self.stretches[stretch]
            return ()
        left = list(frames)
        left.remove(pfn)
        self.places[va] = tuple(left)
        return self.places[va]

    def within(self, start: int, end: int) -> Iterator[int]:
        """Yield the places in [start, end), in no order."""
        first, last = start >> _STRETCH_SHIFT, (end - 1) >> _STRETCH_SHIFT
        stretches = self.stretches
        near = (
            range(first, last + 1)
            if last - first < len(stretches)
            else [s for s in stretches if first <= s <= last]
        )
        for stretch in near:
            for va in stretches.get(stretch, ()):
                if start <= va < end:
                    yield va

    def oldest_first(self, start: int, end: int) -> list[tuple[int, tuple[int, ...]]]:
        """List the places in [start, end) with their frames, in the order of their debts."""
        wanted = set(self.within(start, end))
        if len(wanted) <= 1:
            return [(va, self.places[va]) for va in wanted]
        return [(va, frames) for va, frames in self.places.items() if va in wanted]
