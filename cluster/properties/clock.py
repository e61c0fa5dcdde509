"""Happens-before: events, and vector clocks that say which of them lie in the past of another.

Every delivery is an event of its receiver; what its handler sends carries the event's clock. Event
`At(a, i)` happened before the event of clock `c`, or is that event, just when `c` counts at least
`i` events of `a`. Properties are stated with nothing but these comparisons and each actor's own
order, so any order of deliveries that respects happens-before gives the same verdicts.

A clock that counts an event of its sender knows all that the sender knew then. So of the clocks
that meet in a delivery one mostly covers the other, and they need not be compared actor by actor.
The clocks of large machines are rows of counts: a row is compared as a whole, and clocks share the
rows in which they are equal.
"""

from abc import abstractmethod
from bisect import bisect_right
from typing import Self

import msgspec

#: bits of an actor's count in a row; the top one is free
_WIDTH = 40
_COUNT_MASK = (1 << _WIDTH - 1) - 1
#: actors in a row, as a power of two
_ROW_SHIFT = 6
_ROW_MASK = (1 << _ROW_SHIFT) - 1
_TOPS = sum(1 << field * _WIDTH + _WIDTH - 1 for field in range(1 << _ROW_SHIFT))
#: more actors than this have wide clocks: below, copying a clock costs less than finding its rows
NARROW_MOST = 48


class At(msgspec.Struct, frozen=True, gc=False):
    """The `number`-th event (from 1) of an actor."""

    actor: int
    number: int


class Clock(msgspec.Struct, frozen=True, gc=False):
    """How many events of each actor are in the past. A value."""

    @abstractmethod
    def knows(self, at: At) -> bool:
        """Say whether an event is in the past, or is the event of this clock."""

    @abstractmethod
    def latest(self, actor: int) -> At:
        """Return the latest event of an actor that is in the past."""

    @abstractmethod
    def number(self, actor: int) -> int:
        """Return the number of the latest event of an actor that is in the past; 0: none."""

    @abstractmethod
    def received(self, dst: int, src: int, sent: Self) -> Self:
        """Return the clock of the next event of `dst`, whose latest is this: a delivery.

        src, sent: who sent the message, and the clock of the event that sent it.
        """

    @abstractmethod
    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:
        """Return how many of an actor's events, given in order, are in the past: for each actor."""


class NarrowClock(Clock, frozen=True, gc=False):
    """A clock of a few actors: a count for each."""

    counts: tuple[int, ...]

    def knows(self, at: At) -> bool:
        """Say whether an event is in the past, or is the event of this clock."""
        return self.counts[at.actor] >= at.number

    def latest(self, actor: int) -> At:
        """Return the latest event of an actor that is in the past."""
        return At(actor, self.counts[actor])

    def number(self, actor: int) -> int:
        """Return the number of the latest event of an actor that is in the past; 0: none."""
        return self.counts[actor]

    def received(self, dst: int, src: int, sent: Self) -> "NarrowClock":
        """Return the clock of the next event of `dst`, whose latest is this: a delivery."""
        mine, others = self.counts, sent.counts
        own = mine[dst]
        if mine[src] >= others[src]:
            counts = list(mine)
        elif others[dst] >= own:
            counts = list(others)
        else:
            counts = [
                a if a > b else b  # noqa: FURB136 - max() takes ten times as long
                for a, b in zip(mine, others, strict=True)
            ]
        counts[dst] = own + 1
        return NarrowClock(tuple(counts))

    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:
        """Return how many of an actor's events, given in order, are in the past: for each actor."""
        counts = self.counts
        return tuple([bisect_right(order, counts[actor]) for actor, order in orders])


class WideClock(Clock, frozen=True, gc=False):
    """A clock of many actors: rows of counts, each row one number with a field for each actor."""

    rows: tuple[int, ...]

    def knows(self, at: At) -> bool:
        """Say whether an event is in the past, or is the event of this clock."""
        actor = at.actor
        row = self.rows[actor >> _ROW_SHIFT]
        return row >> (actor & _ROW_MASK) * _WIDTH & _COUNT_MASK >= at.number

    def latest(self, actor: int) -> At:
        """Return the latest event of an actor that is in the past."""
        row = self.rows[actor >> _ROW_SHIFT]
        return At(actor, row >> (actor & _ROW_MASK) * _WIDTH & _COUNT_MASK)

    def number(self, actor: int) -> int:
        """Return the number of the latest event of an actor that is in the past; 0: none."""
        row = self.rows[actor >> _ROW_SHIFT]
        return row >> (actor & _ROW_MASK) * _WIDTH & _COUNT_MASK

    def received(self, dst: int, src: int, sent: Self) -> "WideClock":
        """Return the clock of the next event of `dst`, whose latest is this: a delivery."""
        mine, others = self.rows, sent.rows
        place, shift = dst >> _ROW_SHIFT, (dst & _ROW_MASK) * _WIDTH
        from_place, from_shift = src >> _ROW_SHIFT, (src & _ROW_MASK) * _WIDTH
        told = others[from_place] >> from_shift & _COUNT_MASK
        if mine[from_place] >> from_shift & _COUNT_MASK >= told:
            rows = list(mine)
        elif others[place] >> shift & _COUNT_MASK >= mine[place] >> shift & _COUNT_MASK:
            rows = list(others)
        else:
            rows = [a if a is b else _joined(a, b) for a, b in zip(mine, others, strict=True)]
        rows[place] += 1 << shift
        return WideClock(tuple(rows))

    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:
        """Return how many of an actor's events, given in order, are in the past: for each actor."""
        return tuple([bisect_right(order, self.latest(actor).number) for actor, order in orders])


def _joined(mine: int, sent: int) -> int:
    """Return the greater of two rows, field by field: one of the two themselves if it covers.

    Each field of `mine` is given its top bit, and loses it again where `sent` has more.
    """
    covers = (mine | _TOPS) - sent & _TOPS
    if covers == _TOPS:
        return mine
    row = sent ^ (mine ^ sent) & (covers << 1) - (covers >> _WIDTH - 1)
    return sent if row == sent else row


def before_all(actors: int) -> Clock:
    """Return the clock that knows no event."""
    if actors <= NARROW_MOST:
        return NarrowClock((0,) * actors)
    return WideClock((0,) * (actors + _ROW_MASK >> _ROW_SHIFT))
