"""Messages in flight by channel, changed in place: first in, first out on each."""

from collections import deque
from collections.abc import Iterator

from actors.message import Message
from cluster.hosts.channel import Channel
from cluster.hosts.effects import Sent


class Mailboxes:
    """Messages in flight by channel, and how many each actor has sent."""

    __slots__ = ("_pending", "sent")

    def __init__(self, actors: int) -> None:
        """Start with nothing in flight."""
        #: by sender
        self.sent: list[Sent] = [{} for _ in range(actors)]
        self._pending: dict[Channel, deque[tuple[int, Message]]] = {}

    def put(self, channel: Channel, seq: int, message: Message) -> None:
        """Put a message after those that its channel holds."""
        queue = self._pending.get(channel)
        if queue is None:
            self._pending[channel] = deque(((seq, message),))
        else:
            queue.append((seq, message))

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
        twin = Mailboxes(0)
        twin.sent = [row.copy() for row in self.sent]
        twin._pending = {channel: queue.copy() for channel, queue in self._pending.items()}
        return twin
