"""Runs without simulated time: the caller says which channel is served next.

Any that holds a message may be. The caller is the log of a live run, an order that a search found,
a seeded scheduler.
"""

from collections.abc import Callable

from actors.facts import Fact
from actors.machine import Effect, Machine
from cluster.hosts.channel import Channel, sender
from cluster.hosts.digest import RunDigest
from cluster.hosts.host import Listener, Observer
from cluster.hosts.mailboxes import Mailboxes


class MachineFailedError(Exception):
    """A machine raised: it can take no further message. Carries the actor and what it raised."""

    def __init__(self, actor: int, error: Exception) -> None:
        super().__init__(actor, error)
        self.actor = actor
        self.text = failure_text(error)


def failure_text(error: Exception) -> str:
    """Tell what a machine raised, alike in a run and in its replay."""
    return f"{type(error).__name__}: {error}"


class UntimedRun:
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
        self.mailboxes = Mailboxes(len(machines), self._note)
        self.digest = RunDigest(len(machines))
        self.deliveries = 0
        #: deliveries by receiver
        self.received = [0] * len(machines)
        #: receivers that something was posted to since the caller cleared it, in that order
        self.woken: dict[int, None] = {}

    def start(self) -> None:
        """Let every machine say how it begins."""
        for actor, machine in enumerate(self.machines):
            effects = machine.start()
            for observer in self.observers:
                observer.started(actor, machine, effects)
            self._post(actor, effects)

    def deliver(self, channel: Channel) -> None:
        """Deliver the oldest message of a channel.

        Raises:
            KeyError: it holds none.
            MachineFailedError: the receiver raised; the delivery counts.
        """
        dst, src = channel[0], sender(channel)
        seq, message = self.mailboxes.take(channel)
        data = self.digest.add(dst, src, seq, 0, message)
        self.deliveries += 1
        self.received[dst] += 1
        if self.record is not None:
            self.record(channel, data)
        try:
            effects = self.machines[dst].on(src, message)
        except Exception as e:
            raise MachineFailedError(dst, e) from e
        for observer in self.observers:
            observer.delivered(0, dst, src, seq, message, effects)
        if effects:
            self._post(dst, effects)

    def _post(self, actor: int, effects: list[Effect]) -> None:
        for dst, _, _ in self.mailboxes.post(actor, effects):
            self.woken[dst] = None

    def _note(self, when: int, actor: int, fact: Fact) -> None:
        for hearer in self._hearers:
            hearer.noted(when, actor, fact)
