"""Actors as pure functions, for programs whose numbers of traces are published.

A program is a list of handlers, one an actor: `handler(state, message)` gives the new state, what
is sent, a list of (actor, message), and the footprint. Equal messages of one sender stay in order,
others may overtake each other.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from cluster.explore.run import WHOLE, Delivered, Footprint

Sends = list[tuple[int, Hashable]]
Handler = Callable[[Any, Any], tuple[Any, Sends, Footprint]]


class Program:
    """What is run: handlers, first states, and what is in flight at the start."""

    def __init__(self, handlers: list[Handler], states: list[Any], start: Sends) -> None:
        self.handlers = handlers
        self.states = states
        self.start = start

    def run(self, *, coarse: bool = False) -> "MailboxRun":
        return MailboxRun(self, coarse=coarse)


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
