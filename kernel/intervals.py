"""A map from ranges of pages to values; costs go by ranges, never by pages."""

from bisect import bisect_left, bisect_right
from typing import Generic, TypeVar

V = TypeVar("V")


class IntervalMap(Generic[V]):
    """Disjoint half-open ranges `[start, end)` with a value each, in order.

    Adjacent ranges with equal values are one range. A change costs a search and a move of all later
    ranges (a memmove: microseconds for tens of thousands).
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._values: list[V] = []

    def __len__(self) -> int:
        return len(self._starts)

    def find(self, point: int) -> tuple[int, int, V] | None:
        """Return the range that holds `point`, or None."""
        place = bisect_right(self._starts, point) - 1
        if place >= 0 and point < self._ends[place]:
            return self._starts[place], self._ends[place], self._values[place]
        return None

    def value(self, point: int) -> V | None:
        """Return the value at `point`, or None."""
        place = bisect_right(self._starts, point) - 1
        if place >= 0 and point < self._ends[place]:
            return self._values[place]
        return None

    def pieces(self, start: int, end: int) -> list[tuple[int, int, V]]:
        """Return the ranges that overlap `[start, end)`, clipped to it."""
        first, last = self._overlapping(start, end)
        if first == last:
            return []
        return [
            (max(start, self._starts[i]), min(end, self._ends[i]), self._values[i])
            for i in range(first, last)
        ]

    def all(self) -> list[tuple[int, int, V]]:
        """Return all ranges."""
        return list(zip(self._starts, self._ends, self._values, strict=True))

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of `[start, end)` that hold no value."""
        found, at = [], start
        for low, high, _ in self.pieces(start, end):
            if low > at:
                found.append((at, low))
            at = high
        if at < end:
            found.append((at, end))
        return found

    def assign(self, start: int, end: int, value: V) -> None:
        """Set `[start, end)` to one value, whatever was there."""
        if start >= end:
            return
        first = self._cut(start, end)
        if first < len(self._starts) and self._joins(first, end, value):
            end = self._ends[first]
            self._drop(first, first + 1)
        if first and self._ends[first - 1] == start and self._values[first - 1] == value:
            self._ends[first - 1] = end
            return
        self._starts.insert(first, start)
        self._ends.insert(first, end)
        self._values.insert(first, value)

    def remove(self, start: int, end: int) -> None:
        """Leave no value in `[start, end)`."""
        if start < end:
            self._cut(start, end)

    def clear(self) -> None:
        """Leave no value anywhere."""
        self._drop(0, len(self._starts))

    def copy(self) -> "IntervalMap[V]":
        """Copy the map; values are shared."""
        twin: IntervalMap[V] = IntervalMap()
        twin._starts = self._starts.copy()
        twin._ends = self._ends.copy()
        twin._values = self._values.copy()
        return twin

    def _joins(self, place: int, end: int, value: V) -> bool:
        return self._starts[place] == end and self._values[place] == value

    def _overlapping(self, start: int, end: int) -> tuple[int, int]:
        return bisect_right(self._ends, start), bisect_left(self._starts, end)

    def _cut(self, start: int, end: int) -> int:
        """Empty `[start, end)`; return the index at which a range starting at `start` belongs."""
        first, last = self._overlapping(start, end)
        if first >= last:
            return first
        low, high = self._starts[first], self._ends[last - 1]
        left, right = self._values[first], self._values[last - 1]
        self._drop(first, last)
        if high > end:
            self._insert(first, end, high, right)
        if low < start:
            self._insert(first, low, start, left)
            first += 1
        return first

    def _insert(self, place: int, start: int, end: int, value: V) -> None:
        self._starts.insert(place, start)
        self._ends.insert(place, end)
        self._values.insert(place, value)

    def _drop(self, first: int, last: int) -> None:
        del self._starts[first:last]
        del self._ends[first:last]
        del self._values[first:last]
