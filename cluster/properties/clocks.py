"""Happens-before: vector clocks over deliveries.

Every delivery is an event of its receiver; what its handler sends carries the event's clock. Event
`At(a, i)` happened before the event of clock `c` (or is it) just when `c[a] >= i`. Properties are
stated with nothing but these comparisons and each actor's own order, so any order of deliveries
that respects happens-before gives the same verdicts.
"""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple


class At(NamedTuple):
    """The `index`-th event (from 1) of an actor."""

    actor: int
    index: int


class Clock(tuple[int, ...]):
    """How many events of each actor are in the past."""

    __slots__ = ()

    def knows(self, at: At) -> bool:
        """Say whether the event is in the past, or is the event of this clock."""
        return self[at.actor] >= at.index


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
        merged = [a if a > b else b for a, b in zip(mine, sent, strict=True)]
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

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on; messages in flight by their order in a channel."""
        return (
            tuple(self.now),
            tuple(clock for _, clock in sorted(self.in_flight.items())),
        )


def canonical(facts: Any) -> Hashable:
    """Rename the event numbers in nested tuples by rank among the events that are still referred to.

    A verdict only ever compares a clock with an event that some property retains, so states that
    differ in nothing else are equal, and a search over them closes.
    """
    referred: dict[int, set[int]] = {}
    _collect(facts, referred)
    ranks = {
        actor: {index: rank for rank, index in enumerate(sorted(found), 1)}
        for actor, found in referred.items()
    }
    order = {actor: sorted(found) for actor, found in referred.items()}
    return _renamed(facts, ranks, order)


def _collect(value: Any, referred: dict[int, set[int]]) -> None:
    kind = value.__class__
    if kind is At:
        referred.setdefault(value.actor, set()).add(value.index)
    elif kind is tuple:
        for part in value:
            _collect(part, referred)


def _renamed(value: Any, ranks: dict[int, dict[int, int]], order: dict[int, list[int]]) -> Hashable:
    kind = value.__class__
    if kind is At:
        return (value.actor, ranks[value.actor][value.index])
    if kind is Clock:
        return tuple(_below(order.get(actor, ()), index) for actor, index in enumerate(value))
    if kind is tuple:
        return tuple(_renamed(part, ranks, order) for part in value)
    hashable: Hashable = value
    return hashable


def _below(order: Iterable[int], index: int) -> int:
    return sum(1 for i in order if i <= index)
