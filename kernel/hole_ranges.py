"""Ranges of pages that are holes, kept beside the map: of a space (range-list) or of an object.

Disjoint, sorted, half-open; adjacent ranges are merged. Source: issue 1318, davidchisnall's step 1
("we record the range"); nwf: for shared mappings the advice applies to the underlying VM object.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator
from typing import Self


class HoleRanges:
    """A set of pages, held as ranges (the punched and reclaimed pages of an object, too)."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        """Make an empty set."""
        self.starts: list[int] = []
        self.ends: list[int] = []

    def holds(self, page: int) -> bool:
        """Say whether a page is in the set."""
        i = bisect_right(self.starts, page) - 1
        return i >= 0 and page < self.ends[i]

    def inside(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of [start, end) that are in the set."""
        for i in range(bisect_right(self.ends, start), bisect_left(self.starts, end)):
            yield max(start, self.starts[i]), min(end, self.ends[i])

    def add(self, start: int, end: int) -> None:
        """Add [start, end) to the set."""
        first, last = bisect_left(self.ends, start), bisect_right(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last], self.ends[first:last] = [start], [end]

    def remove(self, start: int, end: int) -> None:
        """Remove [start, end) from the set."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if first >= last:
            return
        low, high = self.starts[first], self.ends[last - 1]
        kept = [(a, b) for a, b in ((low, start), (end, high)) if a < b]
        self.starts[first:last] = [a for a, _ in kept]
        self.ends[first:last] = [b for _, b in kept]

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.starts = self.starts.copy()
        twin.ends = self.ends.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(zip(self.starts, self.ends, strict=True))
