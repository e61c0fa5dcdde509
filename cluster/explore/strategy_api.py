"""What strategies that run orders one by one need: a run that is made anew for every order.

A run delivers one message at a time, from the head of a channel of the caller's choice. Messages of
one channel stay in order; what else may be exchanged is told by footprints: two deliveries depend
on one another if they have the same receiver and their footprints conflict. A handler's posts are
one atomic step.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec


class Broken(msgspec.Struct, frozen=True):
    """A broken promise, and the channels whose heads were delivered until then."""

    promise: str
    path: tuple[Any, ...]


#: told the promise that an order breaks; true: the search is over
StopAt = Callable[[str], bool]


def at_first(_promise: str) -> bool:
    """Stop at any."""
    return True


def never(_promise: str) -> bool:
    """Go on."""
    return False


def keep(found: list[Broken], broken: Broken) -> None:
    """Keep the shortest path of each promise."""
    for place, other in enumerate(found):
        if other.promise == broken.promise:
            if len(broken.path) < len(other.path):
                found[place] = broken
            return
    found.append(broken)


class Footprint(NamedTuple):
    """What a delivery touches at its receiver: resources as bits of an int.

    `adds` commute with one another, but not with reads and writes of the same resource.
    """

    reads: int = 0
    writes: int = 0
    adds: int = 0
    #: channels that something is posted to: their order is kept
    posts: int = 0


#: all bits
EVERYTHING = -1
#: conflicts with everything at the same receiver
WHOLE = Footprint(writes=EVERYTHING)


def conflict(a: Footprint, b: Footprint) -> bool:
    """Say whether the order of two deliveries to one receiver may matter."""
    return bool(
        a.writes & (b.reads | b.writes | b.adds)
        or b.writes & (a.reads | a.adds)
        or a.adds & b.reads
        or b.adds & a.reads
        or a.posts & b.posts
    )


class Delivered(NamedTuple):
    """What a delivery did."""

    #: channels of what its handler posted, in that order
    posted: Sequence[Hashable]
    footprint: Footprint = WHOLE


class Run(Protocol):
    """One execution, changed in place."""

    def posted(self) -> Sequence[Hashable]:
        """Return the channels of what is in flight at the start, in the order posted."""

    def receiver(self, channel: Any) -> int:  # noqa: ANN401 - a channel of the run
        """Return the actor that a channel leads to."""

    def deliver(self, channel: Any) -> Delivered:  # noqa: ANN401 - a channel of the run
        """Deliver the oldest message of a channel."""

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing in flight; or nothing."""
