"""Happens-before: vector clocks over deliveries.

Every delivery is an event of its receiver; what its handler sends carries the event's clock. Event
`At(a, i)` happened before the event of clock `c` (or is it) just when `c[a] >= i`. Properties are
stated with nothing but these comparisons and each actor's own order, so any order of deliveries
that respects happens-before gives the same verdicts.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple


class At(NamedTuple):
    """The `number`-th event (from 1) of an actor."""

    actor: int
    number: int


class Clock(tuple[int, ...]):
    """How many events of each actor are in the past."""

    __slots__ = ()

    def knows(self, at: At) -> bool:
        """Say whether the event is in the past, or is the event of this clock."""
        return self[at.actor] >= at.number


class Clocks:
    """The clocks of all actors and of all messages in flight."""

    def __init__(self, actors: int) -> None:
        """Start before any event."""
        self.zero = Clock((0,) * actors)
        self.now: list[Clock] = [self.zero] * actors
        #: (src, dst, seq) -> clock at its sending
        self.in_flight: dict[tuple[int, int, int], Clock] = {}
        self._sent: dict[tuple[int, int], int] = {}

    def receive(self, dst: int, src: int, seq: int) -> tuple[Clock, Clock]:
        """Make the event of a delivery; give its clock and that of the sending."""
        sent = self.in_flight.pop((src, dst, seq))
        mine = self.now[dst]
        merged = [
            a if a > b else b  # noqa: FURB136 - max() takes ten times as long
            for a, b in zip(mine, sent, strict=True)
        ]
        merged[dst] = mine[dst] + 1
        clock = Clock(merged)
        self.now[dst] = clock
        return clock, sent

    def send(self, src: int, dst: int, clock: Clock) -> None:
        """Note that `src` sent the next message to `dst` in the event of `clock`."""
        seq = self._sent.get((src, dst), 0)
        self._sent[src, dst] = seq + 1
        self.in_flight[src, dst, seq] = clock

    def copy(self) -> "Clocks":
        """Copy the containers."""
        twin = object.__new__(Clocks)
        twin.zero = self.zero
        twin.now = self.now.copy()
        twin.in_flight = self.in_flight.copy()
        twin._sent = self._sent.copy()
        return twin

    def retained(self, in_flight: Iterable[tuple[int, int, int]]) -> list[Clock]:
        """Give what a later verdict may depend on; `in_flight` orders the messages canonically."""
        return [*self.now, *[self.in_flight[key] for key in in_flight]]


class Canonical:
    """Facts, with the numbers of events renamed by rank among the events that they refer to.

    A verdict only ever compares a clock with an event that some property retains, so states that
    differ in nothing else are equal, and a search over them closes.
    """

    __slots__ = ("_renaming", "facts")

    def __init__(self, facts: tuple[Any, ...]) -> None:
        """Rename the events in nested tuples."""
        referred: dict[int, set[int]] = {}
        _collect(facts, referred)
        order = sorted((actor, sorted(found)) for actor, found in referred.items())
        self._renaming = _Renaming(order)
        self.facts = self._renaming.of(facts)

    def renamed(self, clocks: Iterable[Clock]) -> list[Hashable]:
        """Rename clocks as those of the facts were."""
        known, rename = self._renaming.clocks.get, self._renaming.clock
        return [rename(c) if (found := known(c)) is None else found for c in clocks]


class Canonicals:
    """Facts that were made canonical lately: many states have the same."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[tuple[Any, ...], Canonical] = {}

    def of(self, facts: tuple[Any, ...]) -> Canonical:
        """Make facts canonical, or find them."""
        found = self._known.get(facts)
        if found is None:
            if len(self._known) >= _KNOWN_MOST:
                self._known.clear()
            found = self._known[facts] = Canonical(facts)
        return found


_KNOWN_MOST = 1 << 12


def _collect(value: tuple[Any, ...], referred: dict[int, set[int]]) -> None:
    for part in value:
        kind = part.__class__
        if kind is tuple:
            if part:
                _collect(part, referred)
        elif kind is At:
            referred.setdefault(part.actor, set()).add(part.number)


class _Renaming:
    """Ranks by actor; equal clocks are renamed once."""

    def __init__(self, order: list[tuple[int, list[int]]]) -> None:
        self._order = order
        self._of_actor = dict(order)
        self.clocks: dict[Clock, Hashable] = {}

    def of(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        renamed = []
        for part in value:
            kind = part.__class__
            if kind is tuple:
                renamed.append(self.of(part) if part else part)
            elif kind is Clock:
                found = self.clocks.get(part)
                renamed.append(self.clock(part) if found is None else found)
            elif kind is At:
                rank = bisect_right(self._of_actor[part.actor], part.number)
                renamed.append((part.actor, rank))
            else:
                renamed.append(part)
        return tuple(renamed)

    def clock(self, clock: Clock) -> Hashable:
        found = tuple([bisect_right(order, clock[actor]) for actor, order in self._order])
        self.clocks[clock] = found
        return found
