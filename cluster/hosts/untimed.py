"""Runs without simulated time: what may be delivered next, and delivering it.

A channel is (dst, src, lane): first in, first out; any channel that holds a message may be served
next. A receiver's timers are channels of their own, with TIMER for a source, so that a timer and a
message to oneself on the same lane are never taken for one another. Who chooses the channel is the
caller's business: the log of a live run, a seeded scheduler, an explorer.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

from actors.machine import Effect, Machine, Note, Send, Timer
from actors.message import Message
from cluster.hosts.channel import TIMER, Channel
from cluster.hosts.digest import RunDigest
from cluster.hosts.host import Listener, Observer
from cluster.input_error import InputError


class Mailboxes:
    """Messages in flight by channel; `seq` is counted for each (src, dst), timers included."""

    def __init__(self, actors: int) -> None:
        """Start with nothing in flight."""
        self._seq = [[0] * actors for _ in range(actors)]
        self._pending: dict[Channel, deque[tuple[int, Message]]] = {}

    def post(self, src: int, dst: int, message: Message, *, timer: bool = False) -> Channel:
        """Put a message behind those of its channel, and say which channel that is."""
        seqs = self._seq[src]
        seq = seqs[dst]
        seqs[dst] = seq + 1
        channel = (dst, TIMER if timer else src, message.op)
        queue = self._pending.get(channel)
        if queue is None:
            self._pending[channel] = deque(((seq, message),))
        else:
            queue.append((seq, message))
        return channel

    def post_all(self, actor: int, effects: list[Effect]) -> list[Channel]:
        """Post what a machine sends and its timers; give their channels in that order."""
        return [
            self.post(actor, effect.dst, effect.message)
            if isinstance(effect, Send)
            else self.post(actor, actor, effect.message, timer=True)
            for effect in effects
            if isinstance(effect, Send | Timer)
        ]

    def take(self, channel: Channel) -> tuple[int, Message]:
        """Take the oldest (seq, message) of a channel; KeyError if it holds none."""
        queue = self._pending[channel]
        first = queue.popleft()
        if not queue:
            del self._pending[channel]
        return first

    def peek(self, channel: Channel) -> Message:
        """Give the oldest message of a channel; KeyError if it holds none."""
        return self._pending[channel][0][1]

    def oldest(self, channel: Channel) -> int | None:
        """Give the seq of the oldest message of a channel; None if it holds none."""
        queue = self._pending.get(channel)
        return None if queue is None else queue[0][0]

    def __contains__(self, channel: Channel) -> bool:
        return channel in self._pending

    def __iter__(self) -> Iterator[Channel]:
        """Give the channels that hold a message, in the order in which they came to hold one."""
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)

    def at(self, dst: int) -> list[Channel]:
        """Give the channels to one receiver that hold a message."""
        return [channel for channel in self._pending if channel[0] == dst]

    def copy(self) -> Self:
        """Copy the containers; messages are shared."""
        twin = object.__new__(type(self))
        twin._seq = [row.copy() for row in self._seq]
        twin._pending = {channel: queue.copy() for channel, queue in self._pending.items()}
        return twin


class MachineFailedError(Exception):
    """A machine raised: it can take no further message. Carries the actor and what it raised."""

    def __init__(self, actor: int, error: Exception) -> None:
        super().__init__(actor, error)
        self.actor = actor
        self.text = failure_text(error)


def failure_text(error: Exception) -> str:
    """Tell what a machine raised, alike in a run and in its replay."""
    return f"{type(error).__name__}: {error}"


class FreeRun:
    """Machines and their mailboxes; delivers what it is told to."""

    def __init__(
        self,
        machines: list[Machine],
        *,
        observers: tuple[Observer, ...] = (),
        listeners: tuple[Listener, ...] = (),
        record: Callable[[Channel, bytes], None] | None = None,
    ) -> None:
        """Set up a run.

        record: called with (channel, digested bytes) of each delivery before it is handled.
        """
        self.machines = machines
        self.observers = observers
        self._hearers: tuple[Listener, ...] = (*observers, *listeners)
        self.record = record
        self.mailboxes = Mailboxes(len(machines))
        self.digest = RunDigest(len(machines))
        self.deliveries = 0
        #: deliveries by receiver
        self.received = [0] * len(machines)
        #: receivers that something was posted to since the caller cleared it, in that order
        self.woken: dict[int, None] = {}

    def start(self) -> None:
        """Let every machine say how it begins."""
        for actor, machine in enumerate(self.machines):
            self._post(actor, machine.start())

    def deliver(self, channel: Channel) -> None:
        """Deliver the oldest message of a channel.

        Raises:
            KeyError: it holds none.
            MachineFailedError: the receiver raised; the delivery counts.
            InputError: the guest can not be read any more.
        """
        dst, src, _ = channel
        seq, message = self.mailboxes.take(channel)
        if src == TIMER:
            src = dst
        data = self.digest.add(dst, src, seq, 0, message)
        self.deliveries += 1
        self.received[dst] += 1
        if self.record is not None:
            self.record(channel, data)
        try:
            effects = self.machines[dst].on(src, message)
        except InputError:
            raise
        except Exception as e:
            raise MachineFailedError(dst, e) from e
        for observer in self.observers:
            observer.delivered(0, dst, src, seq, message, effects)
        if effects:
            self._post(dst, effects)

    def _post(self, actor: int, effects: list[Effect]) -> None:
        post, woken = self.mailboxes.post, self.woken
        for effect in effects:
            if isinstance(effect, Send):
                post(actor, effect.dst, effect.message)
                woken[effect.dst] = None
            elif isinstance(effect, Timer):
                post(actor, actor, effect.message, timer=True)
                woken[actor] = None
            elif isinstance(effect, Note):
                for hearer in self._hearers:
                    hearer.noted(0, actor, effect.fact)
