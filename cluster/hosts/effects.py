"""The one interpreter of effects: who sends what to whom, timers, facts, and time spent.

Every host applies what a machine answers by `interpret`; hosts differ in their sinks only: a heap
in simulated time, mailboxes by channel, a state of a search, a transport.
"""

from typing import Protocol

from actors.facts import Fact
from actors.machine import Effect, Note, Send, Spend, Timer

#: what one actor has sent so far: receiver -> messages, its own timers among those to itself
Sent = dict[int, int]


class Sink(Protocol):
    """What a host does with each effect; `when` is in simulated ns, 0 where there are none."""

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:
        """Take message number `seq` from `src` to the receiver, sent at `when`."""

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:
        """Take a timer armed at `when`: message number `seq` of an actor to itself."""

    def note(self, when: int, actor: int, fact: Fact) -> None:
        """Take a fact that an actor states at `when`."""


def interpret(actor: int, when: int, effects: list[Effect], sent: Sent, sink: Sink) -> int:
    """Hand the effects of one delivery to a sink, in their order, each at its time.

    sent: the actor's; it is brought up to date.

    Return when the actor is free again: `when`, and what it spent.
    """
    for effect in effects:
        kind = effect.__class__
        if kind is Send:
            dst = effect.dst  # type: ignore[union-attr]
            seq = sent.get(dst, 0)
            sent[dst] = seq + 1
            sink.send(when, actor, seq, effect)  # type: ignore[arg-type]
        elif kind is Spend:
            when += effect.ns  # type: ignore[union-attr]
        elif kind is Note:
            sink.note(when, actor, effect.fact)  # type: ignore[union-attr]
        else:
            assert isinstance(effect, Timer)
            seq = sent.get(actor, 0)
            sent[actor] = seq + 1
            sink.timer(when, actor, seq, effect)
    return when
