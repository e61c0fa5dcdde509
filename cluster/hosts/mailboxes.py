"""Messages in flight by channel, changed in place: first in, first out on each."""

from collections import deque
from collections.abc import Callable, Iterator

from actors.facts import Fact
from actors.machine import Effect, Send, Timer
from actors.message import Message
from cluster.hosts.channel import TIMER, Channel
from cluster.hosts.effects import Sent, interpret


def _nobody_listens(when: int, actor: int, fact: Fact) -> None:
    pass


class Mailboxes:
    """The sink of hosts without simulated time: a timer may come as soon as any message."""

    __slots__ = ("_pending", "_posted", "_sent", "note")

    def __init__(
        self, actors: int, note: Callable[[int, int, Fact], None] = _nobody_listens
    ) -> None:
        """Start with nothing in flight; `note` is told (0, actor, fact) of every fact."""
        self.note = note
        #: by sender
        self._sent: list[Sent] = [{} for _ in range(actors)]
        self._pending: dict[Channel, deque[tuple[int, Message]]] = {}
        self._posted: list[Channel] = []

    def post(self, actor: int, effects: list[Effect]) -> list[Channel]:
        """Take what a machine answers; return the channels of what it posts, in that order."""
        posted: list[Channel] = []
        self._posted = posted
        interpret(actor, 0, effects, self._sent[actor], self)
        return posted

    # What `interpret` does with the effects.

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:  # noqa: ARG002 - as Sink
        """Put a message after those of its channel."""
        message = effect.message
        channel = (effect.dst, src, message.op)
        self._posted.append(channel)
        queue = self._pending.get(channel)
        if queue is None:
            self._pending[channel] = deque(((seq, message),))
        else:
            queue.append((seq, message))

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:  # noqa: ARG002 - as Sink
        """Put the message of a timer after those of its channel."""
        message = effect.message
        channel = (actor, TIMER, message.op)
        self._posted.append(channel)
        queue = self._pending.setdefault(channel, deque())
        queue.append((seq, message))

    # What is in flight.

    def take(self, channel: Channel) -> tuple[int, Message]:
        """Take the oldest (seq, message) of a channel; KeyError if it holds none."""
        queue = self._pending[channel]
        first = queue.popleft()
        if not queue:
            del self._pending[channel]
        return first

    def peek(self, channel: Channel) -> Message:
        """Return the oldest message of a channel; KeyError if it holds none."""
        return self._pending[channel][0][1]

    def oldest(self, channel: Channel) -> int | None:
        """Return the seq of the oldest message of a channel; None if it holds none."""
        queue = self._pending.get(channel)
        return None if queue is None else queue[0][0]

    def __contains__(self, channel: Channel) -> bool:
        return channel in self._pending

    def __iter__(self) -> Iterator[Channel]:
        """Iterate over the channels that hold a message, in the order in which they came to."""
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)

    def at(self, dst: int) -> list[Channel]:
        """Return the channels to one receiver that hold a message."""
        return [channel for channel in self._pending if channel[0] == dst]

    def copy(self) -> "Mailboxes":
        """Copy the containers; messages are shared."""
        twin = Mailboxes(0, self.note)
        twin._sent = [row.copy() for row in self._sent]
        twin._pending = {channel: queue.copy() for channel, queue in self._pending.items()}
        return twin
