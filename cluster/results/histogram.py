"""Percentiles of durations in bounded memory: a histogram whose buckets grow with the value.

Values below 2^11 have a bucket each. Above, a bucket is 2^k wide where values are at least
2^(10+k): as in HDR histograms, what is reported is off by less than 1/2048 of the value, so three
significant digits hold. Integers only, so equal runs report equal figures on every machine.
Memory: at most 1024 buckets for each power of two that occurs.
"""

import msgspec

_PRECISION_BITS = 10
_EXACT_BITS = _PRECISION_BITS + 1


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Count, sum, mean and percentiles of durations; null where there is none to speak of."""

    count: int = 0
    total_ns: int | None = None
    mean_ns: int | None = None
    p50_ns: int | None = None
    p99_ns: int | None = None
    max_ns: int | None = None


class Histogram:
    """Counts durations; count, sum, least and largest are exact."""

    __slots__ = ("_buckets", "count", "largest", "least", "total")

    def __init__(self) -> None:
        """Start with no value."""
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.least = 0
        self.largest = 0

    def add(self, value: int) -> None:
        """Count one value, an integer of at least 0."""
        shift = value.bit_length() - _EXACT_BITS
        middle = value
        if shift > 0:
            middle = (value >> shift << shift) + (1 << shift >> 1)
        buckets = self._buckets
        buckets[middle] = buckets.get(middle, 0) + 1
        if not self.count or value < self.least:
            self.least = value
        if value > self.largest:  # noqa: PLR1730 - max() takes ten times as long
            self.largest = value
        self.count += 1
        self.total += value

    def percentile(self, percent: int) -> int:
        """Return the value that `percent` of the values do not exceed (nearest rank); 0 if none."""
        if not self.count:
            return 0
        rank = max(1, -(-self.count * percent // 100))
        seen = 0
        for value in sorted(self._buckets):
            seen += self._buckets[value]
            if seen >= rank:
                return min(max(value, self.least), self.largest)
        raise AssertionError("the buckets hold fewer values than were counted")

    def spread(self, *, timed: bool = True) -> Spread:
        """Sum up; without time only the count means something."""
        if not (self.count and timed):
            return Spread(count=self.count)
        return Spread(
            count=self.count,
            total_ns=self.total,
            mean_ns=round(self.total / self.count),
            p50_ns=self.percentile(50),
            p99_ns=self.percentile(99),
            max_ns=self.largest,
        )
