"""Actors as pure functions on a network that neither loses nor repeats, with a history of calls.

Two states are equal if actors, messages in flight, and histories are.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from tests.models.history import History

Message = tuple[Any, ...]
Sends = list[tuple[int, Message]]


class Envelope(NamedTuple):
    """A message in flight."""

    src: int
    dst: int
    message: Message


class Actor(Protocol):
    """What an actor does; its state is kept by the network."""

    def start(self, me: int) -> tuple[Hashable, Sends]:
        """Return the first state, and what is sent at once."""

    def receive(self, me: int, state: Any, src: int, message: Message) -> tuple[Hashable, Sends]:
        """Return the state after a message, and what is sent; the same state: it is ignored."""


Note = Callable[[History, Envelope], History]


class System(NamedTuple):
    """What is the same in all states."""

    actors: tuple[Actor, ...]
    #: how a history changes by a message sent, and by one received
    sent: Note
    received: Note
    promise: "Callable[[Network], str]"
    #: messages of one sender to one receiver stay in order
    ordered: bool

    def start(self, history: History) -> "Network":
        states, flight = [], []
        for me, actor in enumerate(self.actors):
            state, sends = actor.start(me)
            states.append(state)
            flight += [Envelope(me, dst, message) for dst, message in sends]
        for envelope in flight:
            history = self.sent(history, envelope)
        return Network(self, tuple(states), tuple(flight), history)


class Network(NamedTuple):
    """A state of the system."""

    system: System
    states: tuple[Hashable, ...]
    #: oldest first
    flight: tuple[Envelope, ...]
    history: History

    def enabled(self) -> list[Envelope]:
        """List what can be received next.

        What would be ignored is not received, unless it blocks what comes after it.
        """
        if self.system.ordered:
            heads = {(envelope.src, envelope.dst): envelope for envelope in reversed(self.flight)}
            return list(heads.values())
        return [envelope for envelope in self.flight if not self._ignored(envelope)]

    def _ignored(self, envelope: Envelope) -> bool:
        state, sends = self._received(envelope)
        return not sends and state == self.states[envelope.dst]

    def _received(self, envelope: Envelope) -> tuple[Hashable, Sends]:
        src, dst, message = envelope
        return self.system.actors[dst].receive(dst, self.states[dst], src, message)

    def deliver(self, choice: Envelope) -> "Network":
        state, sends = self._received(choice)
        me = choice.dst
        states = (*self.states[:me], state, *self.states[me + 1 :])
        posted = [Envelope(me, dst, message) for dst, message in sends]
        history = self.system.received(self.history, choice)
        for envelope in posted:
            history = self.system.sent(history, envelope)
        place = self.flight.index(choice)
        flight = (*self.flight[:place], *self.flight[place + 1 :], *posted)
        return Network(self.system, states, flight, history)

    def fingerprint(self) -> Hashable:
        if self.system.ordered:
            by_channel = sorted(self.flight, key=lambda envelope: (envelope.src, envelope.dst))
            return self.states, tuple(by_channel), self.history
        flight = frozenset(self.flight)
        assert len(flight) == len(self.flight), "a set cannot tell one from two equal messages"
        return self.states, flight, self.history

    def broken(self) -> str:
        return self.system.promise(self)

    def ended(self) -> str:
        return ""
