"""Actors as pure functions, for programs whose numbers of traces are published.

A program is a list of handlers, one per actor: `handler(state, message)` returns the new state, the
messages sent (a list of (actor, message)) and the footprint. Equal messages of one sender stay in
order, others may overtake each other.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from cluster.explore.strategy_api import WHOLE, Delivered, Footprint

Sends = list[tuple[int, Hashable]]
Handler = Callable[[Any, Any], tuple[Any, Sends, Footprint]]


class Program:
    """A program: handlers, first states, and what is in flight at the start."""

    def __init__(self, handlers: list[Handler], states: list[Any], start: Sends) -> None:
        self.handlers = handlers
        self.states = states
        self.start = start

    def run(self, *, coarse: bool = False) -> "MailboxRun":
        return MailboxRun(self, coarse=coarse)

    def run_in_order(self) -> "InboxRun":
        return InboxRun(self)


class MailboxRun:
    """One execution; a channel is (sender, receiver, message)."""

    def __init__(self, program: Program, *, coarse: bool) -> None:
        self.handlers = program.handlers
        self.states = list(program.states)
        self.coarse = coarse
        self.start = program.start

    def posted(self) -> Sequence[Hashable]:
        return [(-1, dst, message) for dst, message in self.start]

    def receiver(self, channel: Any) -> int:
        return channel[1]

    def deliver(self, channel: Any) -> Delivered:
        _, dst, message = channel
        self.states[dst], sends, footprint = self.handlers[dst](self.states[dst], message)
        posted = [(dst, to, what) for to, what in sends]
        return Delivered(posted, WHOLE if self.coarse else footprint)

    def broken(self) -> str:
        return ""

    def ended(self) -> str:
        return ""


class InboxRun(MailboxRun):
    """A run in which messages arrive in the order sent: a channel is a receiver.

    Steps of different actors are dependent if they send to the same one, so all are taken to be at
    one receiver, whose resources are the actors and their inboxes.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program, coarse=True)
        self.inboxes: list[deque[Hashable]] = [deque() for _ in self.handlers]

    def posted(self) -> Sequence[Hashable]:
        for dst, message in self.start:
            self.inboxes[dst].append(message)
        return [dst for dst, _ in self.start]

    def receiver(self, channel: Any) -> int:
        assert channel >= 0
        return 0

    def deliver(self, channel: Any) -> Delivered:
        message = self.inboxes[channel].popleft()
        self.states[channel], sends, _ = self.handlers[channel](self.states[channel], message)
        touched = 1 << channel
        for to, what in sends:
            self.inboxes[to].append(what)
            touched |= 1 << len(self.handlers) + to
        return Delivered([to for to, _ in sends], Footprint(writes=touched))
