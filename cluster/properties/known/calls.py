"""System calls in flight, as far as they concern contents."""

from typing import Self

import msgspec

from actors.messages import Call
from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.shown import split


class Forking(msgspec.Struct, frozen=True, gc=False):
    """A fork under way: what the parent stores may reach the child."""

    parent: int
    child: int
    called: Clock


class Span(msgspec.Struct, frozen=True, gc=False):
    """Pages of a line that a call may discard.

    `sure`: when it has returned it has: they are zero then, or in a hole. `aside`: of a process
    that was forked off meanwhile, which may have its parent's pages from before the call or after.
    """

    line: int
    low: int
    high: int
    sure: bool = False
    aside: bool = False

    def unsure(self) -> "Span":
        """Return it as pages that the call may have left alone."""
        return Span(self.line, self.low, self.high, aside=self.aside)


class InFlight(msgspec.Struct, frozen=True, gc=False):
    """A call in flight: as it was made, the caller's clock, what it may discard."""

    call: Call
    called: Clock
    spans: tuple[Span, ...]
    #: the vm's event in which it arrived
    at: At

    def with_spans(self, spans: tuple[Span, ...]) -> "InFlight":
        """Return it with other spans."""
        return InFlight(self.call, self.called, spans, self.at)


class Calls(Part):
    """Calls by lane, and the forks among them."""

    __slots__ = ("during", "forks", "in_flight", "scans", "shooting")

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        #: by lane
        self.in_flight: dict[int, InFlight] = {}
        self.forks: dict[int, Forking] = {}
        #: lanes of page daemons that go through a queue
        self.scans: dict[int, None] = {}
        #: lanes whose shootdown is not complete: of faults as well
        self.shooting: dict[int, None] = {}
        #: by lane of a call that changes the map: calls in flight with it that discard there, and
        #: the events in which they arrived
        self.during: dict[int, tuple[tuple[Call, At], ...]] = {}

    def children(self, asid: int) -> list[int]:
        """List the processes that are being forked off another."""
        return [fork.child for fork in self.forks.values() if fork.parent == asid]

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.in_flight = self.in_flight.copy()
        twin.forks = self.forks.copy()
        twin.scans = self.scans.copy()
        twin.shooting = self.shooting.copy()
        twin.during = self.during.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                (
                    lane,
                    flight.called,
                    flight.at,
                    tuple(
                        (s.line, *split(s.low), *split(s.high), s.sure, s.aside)
                        for s in flight.spans
                    ),
                )
                for lane, flight in sorted(self.in_flight.items())
            ),
            tuple((lane, f.parent, f.child, f.called) for lane, f in sorted(self.forks.items())),
            tuple(
                (lane, tuple((m.op, m.kind, m.va, m.length, at) for m, at in found))
                for lane, found in sorted(self.during.items())
                if found
            ),
        )
