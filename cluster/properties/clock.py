"""Happens-before: events, and vector clocks that say which of them lie in the past of another.

Every delivery is an event of its receiver; what its handler sends carries the event's clock. Event
`At(a, i)` happened before the event of clock `c`, or is that event, just when `c` counts at least
`i` events of `a`. Properties are stated with nothing but these comparisons and each actor's own
order, so any order of deliveries that respects happens-before gives the same verdicts.

A clock that counts an event of its sender knows all that the sender knew then. So of the clocks
that meet in a delivery one mostly covers the other, and need not be compared with it actor by
actor. The clocks of large machines are rows of counts, and share those that are equal.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from typing import Self

import msgspec

#: actors in a row of a wide clock, as a power of two: about the root of the most actors there are
_ROW_SHIFT = 5
_ROW = 1 << _ROW_SHIFT
_ROW_MASK = _ROW - 1
#: more actors than this have wide clocks: below, copying a clock costs less than finding its rows
NARROW_MOST = 64


class At(msgspec.Struct, frozen=True, gc=False, order=True):
    """The `number`-th event (from 1) of an actor."""

    actor: int
    number: int


class Clock(ABC):
    """How many events of each actor are in the past. A value."""

    __slots__ = ()

    @abstractmethod
    def knows(self, at: At) -> bool:
        """Say whether an event is in the past, or is the event of this clock."""

    @abstractmethod
    def latest(self, actor: int) -> At:
        """Return the latest event of an actor that is in the past."""

    @abstractmethod
    def received(self, dst: int, src: int, sent: Self) -> Self:
        """Return the clock of the next event of `dst`, whose latest is this: a delivery.

        src, sent: who sent the message, and the clock of the event that sent it.
        """

    @abstractmethod
    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:
        """Return how many of an actor's events, given in order, are in the past: for each actor."""


class NarrowClock(tuple[int, ...], Clock):
    """A clock of a few actors: a count for each."""

    __slots__ = ()

    def knows(self, at: At) -> bool:  # noqa: D102 - as Clock says
        return self[at.actor] >= at.number

    def latest(self, actor: int) -> At:  # noqa: D102
        return At(actor, self[actor])

    def received(self, dst: int, src: int, sent: Self) -> Self:  # noqa: D102
        mine = self[dst]
        if self[src] >= sent[src]:
            counts = [*self]
        elif sent[dst] >= mine:
            counts = [*sent]
        else:
            counts = [
                a if a > b else b  # noqa: FURB136 - max() takes ten times as long
                for a, b in zip(self, sent, strict=True)
            ]
        counts[dst] = mine + 1
        return type(self)(counts)

    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:  # noqa: D102
        return tuple([bisect_right(order, self[actor]) for actor, order in orders])


class WideClock(tuple[tuple[int, ...], ...], Clock):
    """A clock of many actors: rows of counts."""

    __slots__ = ()

    def knows(self, at: At) -> bool:  # noqa: D102
        actor = at.actor
        return self[actor >> _ROW_SHIFT][actor & _ROW_MASK] >= at.number

    def latest(self, actor: int) -> At:  # noqa: D102
        return At(actor, self[actor >> _ROW_SHIFT][actor & _ROW_MASK])

    def received(self, dst: int, src: int, sent: Self) -> Self:  # noqa: D102
        place, column = dst >> _ROW_SHIFT, dst & _ROW_MASK
        from_place, from_column = src >> _ROW_SHIFT, src & _ROW_MASK
        mine = self[place][column]
        if self[from_place][from_column] >= sent[from_place][from_column]:
            rows = [*self]
        elif sent[place][column] >= mine:
            rows = [*sent]
        else:
            rows = [a if a is b else _joined(a, b) for a, b in zip(self, sent, strict=True)]
        row = [*rows[place]]
        row[column] = mine + 1
        rows[place] = tuple(row)
        return type(self)(rows)

    def ranks(self, orders: list[tuple[int, list[int]]]) -> tuple[int, ...]:  # noqa: D102
        counts = [count for row in self for count in row]
        return tuple([bisect_right(order, counts[actor]) for actor, order in orders])


def _joined(mine: tuple[int, ...], sent: tuple[int, ...]) -> tuple[int, ...]:
    """Return the greater of two rows, actor by actor: one of the two themselves if it covers."""
    row = tuple([a if a > b else b for a, b in zip(mine, sent, strict=True)])  # noqa: FURB136
    if row == mine:
        return mine
    return sent if row == sent else row


def before_all(actors: int) -> Clock:
    """Return the clock that knows no event."""
    if actors <= NARROW_MOST:
        return NarrowClock((0,) * actors)
    rows = (actors + _ROW_MASK) >> _ROW_SHIFT
    return WideClock(((0,) * _ROW,) * rows)
