"""A set of pages, as ranges."""

from bisect import bisect_right
from collections.abc import Iterable


class PageRanges:
    """Pages in any of some ranges [start, end), which may overlap."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Join the ranges."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, page: int) -> bool:
        place = bisect_right(self._starts, page) - 1
        return place >= 0 and page < self._ends[place]

    def all(self) -> Iterable[tuple[int, int]]:
        """Return the ranges, disjoint and in order."""
        return zip(self._starts, self._ends, strict=True)

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """List the parts of [start, end) that are in none of the ranges."""
        found, at = [], start
        for low, high in self.all():
            if high <= at or low >= end:
                continue
            if low > at:
                found.append((at, low))
            at = high
        return [*found, (at, end)] if at < end else found
