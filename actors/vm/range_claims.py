"""Ranges that a HOLE or ZERO has for itself, and who waits for its end.

Owns the claims and their waiters; touches nothing else. Source: FreeBSD's rangelock(9) serves reads
and writes of files in this way.
"""

from collections.abc import Hashable
from typing import Self

#: (object or -1 - asid, first page, end)
RangeClaim = tuple[int, int, int]


class RangeClaims:
    """Claimed ranges by the lane that has them."""

    __slots__ = ("claims", "waiters")

    def __init__(self) -> None:
        """Begin with nothing claimed."""
        self.claims: dict[int, tuple[RangeClaim, ...]] = {}
        self.waiters: dict[int, tuple[int, ...]] = {}

    def clone(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.claims = self.claims.copy()
        twin.waiters = self.waiters.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.claims.items())), tuple(sorted(self.waiters.items()))

    def holder(self, wanted: tuple[RangeClaim, ...]) -> int:
        """Return the first lane whose claim overlaps, or -1."""
        for lane, theirs in self.claims.items():
            for place, start, end in theirs:
                if any(p == place and s < end and start < e for p, s, e in wanted):
                    return lane
        return -1

    def take(self, lane: int, claims: tuple[RangeClaim, ...]) -> None:
        """Claim ranges that nobody has."""
        self.claims[lane] = claims

    def wait(self, lane: int, holder: int) -> None:
        """Queue for the end of another's claim."""
        self.waiters[holder] = (*self.waiters.get(holder, ()), lane)

    def release(self, lane: int) -> tuple[int, ...]:
        """Give a lane's claim up, if it has one; return those who wait for that, in order."""
        self.claims.pop(lane, None)
        return self.waiters.pop(lane, ())
