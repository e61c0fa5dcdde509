"""One machine of a free run: its mailbox, its log, what it has to send. The transport drives it.

A batch is a MessagePack array of [src, seq, message], all from one sender to one receiver. Batches
of one sender arrive in the order sent, each once: the node checks that, since all that follows
(exactly-once, replay) rests on it.
"""

from collections import Counter, deque
from random import Random

import msgspec

from actors.facts import Fact
from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from cluster.hosts.channel import TIMER
from cluster.hosts.codec import ENCODER, UNION
from cluster.hosts.digest import RunDigest
from cluster.hosts.effects import Sent, interpret
from cluster.hosts.untimed import failure_text
from cluster.trace.receiver_log import ReceiverLog

_BATCH = msgspec.msgpack.Decoder(list[tuple[int, int, UNION]])
#: how far ahead jitter may reach in the mailbox
_JITTER_REACH = 16


class TransportError(Exception):
    """The transport lost, repeated or reordered messages, or delivered bytes that are none."""


class LiveNode:
    """A machine with what a host keeps for it; no clock and no threads of its own."""

    def __init__(
        self, me: int, machine: Machine, log: ReceiverLog, *, jitter: int | None = None
    ) -> None:
        """Set up a node that has not begun.

        jitter: seed; take messages from mailbox channels in a random order, besides what the
            transport does. Its effect on the order is in the log, so replay needs no seed.
        """
        self.me = me
        self.machine = machine
        self.log = log
        #: messages sent to others, and taken into the mailbox from others
        self.sent = 0
        self.taken_in = 0
        self.handled = 0
        self.busy_ns = 0
        self.facts: Counter[str] = Counter()
        #: facts that nobody has taken away yet
        self.news: list[Fact] = []
        #: what the machine raised, if it did: it takes nothing any more
        self.failed = ""
        self._random = None if jitter is None else Random(jitter * 65537 + me)
        self._digest = RunDigest(1)
        #: (src, seq, message)
        self._inbox: deque[tuple[int, int, Message]] = deque()
        self._timers: deque[tuple[int, Message]] = deque()
        self._outbox: dict[int, list[tuple[int, int, Message]]] = {}
        #: by actor: messages sent to it, and taken in from it
        self._sent_to: Sent = {}
        self._taken_from: dict[int, int] = {}

    @property
    def idle(self) -> bool:
        """Say whether there is nothing to do until a message comes; an armed timer is to do."""
        return bool(self.failed) or not (self._inbox or self._timers)

    @property
    def digest(self) -> bytes:
        """Return the digest of all that was received."""
        return self._digest.receiver(0)

    def begin(self) -> None:
        """Let the machine say how it begins."""
        self._apply(self.machine.start())

    def enqueue(self, batch: bytes) -> None:
        """Take a batch into the mailbox; nothing is handled.

        Raises:
            TransportError: a gap, a repetition, or bytes that are no batch.
        """
        try:
            messages = _BATCH.decode(batch)
        except msgspec.MsgspecError as e:
            raise TransportError(f"actor {self.me} got bytes that are no batch: {e}") from e
        for src, seq, _ in messages:
            expected = self._taken_from.get(src, 0)
            if seq != expected:
                raise TransportError(
                    f"actor {self.me} got message {seq} of actor {src} instead of {expected}"
                )
            self._taken_from[src] = expected + 1
        self._inbox.extend(messages)
        self.taken_in += len(messages)

    def drain(self, most: int) -> bool:
        """Handle up to `most` messages; True if the mailbox is empty then."""
        for _ in range(most):
            if self.failed or not self._inbox:
                break
            src, seq, message = self._choose()
            self._handle(src, src, seq, message)
        return not self._inbox

    def pump(self, most: int) -> None:
        """Handle up to `most` messages, then one timer, if the mailbox is drained.

        Only one: what has arrived meanwhile goes before the next.
        """
        if self.drain(most) and self._timers and not self.failed:
            seq, message = self._timers.popleft()
            self._handle(TIMER, self.me, seq, message)

    def outgoing(self) -> list[tuple[int, bytes]]:
        """Return one batch for each receiver that there is something for, and forget them."""
        batches = [(dst, ENCODER.encode(messages)) for dst, messages in self._outbox.items()]
        self._outbox.clear()
        return batches

    def _choose(self) -> tuple[int, int, Message]:
        if self._random is None or len(self._inbox) == 1:
            return self._inbox.popleft()
        inbox = self._inbox
        at = self._random.randrange(min(len(inbox), _JITTER_REACH))
        src, lane = inbox[at][0], inbox[at][2].op
        for first in range(at + 1):
            if inbox[first][0] == src and inbox[first][2].op == lane:
                break  # the oldest of that channel: channels stay first in, first out
        found = inbox[first]
        del inbox[first]
        return found

    def _handle(self, channel_src: int, src: int, seq: int, message: Message) -> None:
        """Log, then handle."""
        data = self._digest.add(0, src, seq, 0, message)
        due = self.log.add(channel_src, message.op, data)
        self.handled += 1
        try:
            effects = self.machine.on(src, message)
        except Exception as e:  # noqa: BLE001 - whatever a machine raises is how its run ended
            self.failed = failure_text(e)
        else:
            self._apply(effects)
        if due:
            self.log.checkpoint(self.digest)

    def _apply(self, effects: list[Effect]) -> None:
        self.busy_ns += interpret(self.me, 0, effects, self._sent_to, self)

    # What `interpret` does with the effects.

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:  # noqa: ARG002 - as Sink
        """Put a message into the batch for its receiver; one to oneself into the mailbox."""
        dst = effect.dst
        item = (src, seq, effect.message)
        if dst == src:
            self._inbox.append(item)
        else:
            self.sent += 1
            self._outbox.setdefault(dst, []).append(item)

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:  # noqa: ARG002 - as Sink
        """Queue a timer: it comes when the mailbox is empty."""
        self._timers.append((seq, effect.message))

    def note(self, when: int, actor: int, fact: Fact) -> None:  # noqa: ARG002 - as Sink
        """Keep a fact until somebody takes it away."""
        self.facts[type(fact).__name__] += 1
        self.news.append(fact)
