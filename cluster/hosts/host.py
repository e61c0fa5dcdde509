"""What every host of machines has in common: observers, limits, and how a run ended."""

from typing import Protocol

import msgspec

from actors.facts import Fact
from actors.machine import Effect, Machine
from actors.message import Message


class Listener(Protocol):
    """Hears the facts of a run, in an order that respects happens-before."""

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """A machine stated a fact at simulated time `when` (ns; 0 in free runs)."""
        ...


class Observer(Listener, Protocol):
    """Hears every delivery besides, and how every machine starts."""

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Hear how a machine starts, at 0 ns: all do, in order of their ids, before any delivery.

        The machine may be read later, right after a delivery to it; it must not be changed.
        """
        ...

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        """`dst` handled the message at simulated time `when` (ns; 0 in free runs)."""
        ...


class Outcome(msgspec.Struct, kw_only=True):
    """How a run ended."""

    deliveries: int
    #: simulated time of the last delivery
    simulated_ns: int
    digest: str
    #: nothing in flight, no timer armed, and no `--limit-ops` that cut it short
    complete: bool
    #: what machines still wait for at the end, by actor name
    waiting: list[str]
