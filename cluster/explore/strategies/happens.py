"""Happens-before of one order of deliveries, and its races.

Sets of events are ints: bit i is the i-th event. An event happens after the one that posted its
message, the previous one in its channel, and every earlier one that it depends on.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator

import msgspec

from cluster.explore.strategy_api import EVERYTHING, Footprint, conflict


class Happened(msgspec.Struct, frozen=True, gc=False):
    """A delivery."""

    #: the same in every order
    name: int
    channel: Hashable
    receiver: int
    footprint: Footprint


class Past:
    """The deliveries of an order so far."""

    def __init__(self) -> None:
        """Start before the first delivery."""
        self.events: list[Happened] = []
        #: by event: all that happened before it
        self._before: list[int] = []
        #: by event: those of them that precede it in any order (by cause and channel)
        self._needed: list[int] = []
        self._at: dict[int, list[int]] = {}
        self._last_of: dict[Hashable, int] = {}

    def add(self, event: Happened, cause: int) -> None:
        """Add a delivery; `cause`: index of the event that posted its message, -1: the start."""
        index = len(self.events)
        self.events.append(event)
        needed = self._with(cause) | self._with(self._last_of.get(event.channel, -1))
        self._last_of[event.channel] = index
        before = needed
        here = self._at.setdefault(event.receiver, [])
        for other in reversed(here):
            footprint = self.events[other].footprint
            if not before >> other & 1 and conflict(footprint, event.footprint):
                before |= self._with(other)
            if footprint.writes == EVERYTHING and before >> other & 1:
                break  # all earlier events at the receiver happened before that one
        here.append(index)
        self._needed.append(needed)
        self._before.append(before)

    def _with(self, index: int) -> int:
        return 0 if index < 0 else self._before[index] | 1 << index

    def races(self, later: int) -> Iterator[int]:
        """Yield the events that race with `later`: directly before it, and could come after it."""
        event, known = self.events[later], self._needed[later]
        here = self._at[event.receiver]
        for place in reversed(range(bisect_left(here, later))):
            other = here[place]
            footprint = self.events[other].footprint
            if not known >> other & 1 and conflict(footprint, event.footprint):
                yield other
                known |= self._with(other)
            if footprint.writes == EVERYTHING and known >> other & 1:
                return

    def reversed(self, earlier: int, later: int, end: int) -> list[Happened]:
        """Return what can come in place of `earlier`, so that `later` comes before it.

        That is everything after it, up to `end`, that does not happen after it; then `later`.
        """
        found = [
            self.events[index]
            for index in range(earlier + 1, end)
            if not self._before[index] >> earlier & 1
        ]
        found.append(self.events[later])
        return found

    def trace(self) -> list[tuple[int, list[int]]]:
        """Return, by name, every event and those that happened before it.

        Apart from the order of the list, it is the same for all orders of a trace.
        """
        return [
            (event.name, [e.name for i, e in enumerate(self.events) if before >> i & 1])
            for event, before in zip(self.events, self._before, strict=True)
        ]
