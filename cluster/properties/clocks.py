"""The clocks of all actors, and of all messages in flight."""

from array import array
from collections.abc import Iterable

from cluster.properties.clock import Clock, before_all


class Clocks:
    """What is known where: by each actor now, and by each message that is under way."""

    __slots__ = ("_own", "_sent", "in_flight", "now", "zero")

    def __init__(
        self,
        zero: Clock,
        now: list[Clock],
        in_flight: dict[tuple[int, int, int], Clock],
        sent: "list[array[int]]",
    ) -> None:
        """Begin with these; rows of `sent` may be another's, too."""
        #: the clock before any event
        self.zero = zero
        #: the clock of each actor's latest event
        self.now = now
        #: (src, dst, seq) -> the clock of the event that sent the message
        self.in_flight = in_flight
        #: messages that each actor has sent to each other, and which of the rows are nobody else's
        self._sent = sent
        self._own = bytearray(len(sent))

    def receive(self, dst: int, src: int, seq: int) -> tuple[Clock, Clock]:
        """Make the event of a delivery; return its clock, and that of the sending."""
        sent = self.in_flight.pop((src, dst, seq))
        clock = self.now[dst] = self.now[dst].received(dst, src, sent)
        return clock, sent

    def counts(self, actor: int) -> "array[int]":
        """Return how many messages an actor has sent to each other, to be counted on.

        Whoever counts one on puts the clock of its event into `in_flight`.
        """
        if not self._own[actor]:  # another has the row as well
            self._sent[actor] = self._sent[actor][:]
            self._own[actor] = True
        return self._sent[actor]

    def copy(self) -> "Clocks":
        """Copy the containers."""
        self._own = bytearray(len(self._own))
        return Clocks(self.zero, self.now.copy(), self.in_flight.copy(), self._sent.copy())

    def retained(self, in_flight: Iterable[tuple[int, int, int]]) -> list[Clock]:
        """Return what a later verdict may depend on; `in_flight` orders the messages."""
        return [*self.now, *[self.in_flight[key] for key in in_flight]]


def clocks_of(actors: int) -> Clocks:
    """Return the clocks of actors before any event."""
    zero = before_all(actors)
    return Clocks(zero, [zero] * actors, {}, [array("I", [0]) * actors] * actors)
