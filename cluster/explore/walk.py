"""One order of deliveries, made in place and judged as it goes; ignores time.

Strategies that begin anew for every order use it: `Walks` makes the initial state once.
"""

from collections.abc import Iterable

from actors.facts import Fact
from actors.machine import Effect, Machine, Send, Timer
from actors.wiring import build
from cluster.explore.footprint import Dependency, Footprints
from cluster.explore.strategy_api import WHOLE, Delivered
from cluster.hosts.channel import TIMER, Channel, sender
from cluster.hosts.effects import interpret
from cluster.hosts.mailboxes import Mailboxes
from cluster.hosts.untimed import failure_text
from cluster.properties.checker import Checker
from cluster.properties.violation import Violation
from cluster.scenario.setup import Setup

#: what a promise is called that no machine raises
PROTOCOL = "protocol"


class Walk:
    """A run whose next delivery the caller chooses."""

    __slots__ = ("_posted", "checker", "error", "first", "footprints", "machines", "mailboxes")

    def __init__(
        self,
        machines: list[Machine],
        mailboxes: Mailboxes,
        checker: Checker,
        first: list[Channel],
        footprints: Footprints | None,
    ) -> None:
        """Take over a state; `first`: channels of what is in flight, oldest first."""
        self.footprints = footprints
        self.first = first
        self.machines = machines
        self.mailboxes = mailboxes
        self.checker = checker
        #: what a machine raised: it took a message that it must not get
        self.error = ""
        #: channels of what the last machine to be heard posted
        self._posted: list[Channel] = []

    def start(self) -> None:
        """Let every machine say how it begins."""
        for machine in self.machines:
            effects = machine.start()
            self.checker.started(machine.me, machine, effects)
            self.first += self._post(machine.me, effects)

    def posted(self) -> list[Channel]:
        """Return the channels of what is in flight at the start, oldest first."""
        return self.first

    def enabled(self) -> list[Channel]:
        """Return the channels that hold a message, in the order in which they came to hold one."""
        return list(self.mailboxes)

    def receiver(self, channel: Channel) -> int:
        """Return the actor that a channel leads to."""
        return channel[0]

    def deliver(self, channel: Channel) -> Delivered:
        """Deliver the oldest message of a channel."""
        dst, src = channel[0], sender(channel)
        seq, message = self.mailboxes.take(channel)
        footprints = self.footprints
        footprint = WHOLE if footprints is None else footprints.of(self.machines[dst], message)
        try:
            effects = self.machines[dst].on(src, message)
        except Exception as e:  # noqa: BLE001 - whatever a machine raises, it broke the protocol
            self.error = failure_text(e)
            return Delivered([])
        self.checker.delivered(0, dst, src, seq, message, effects)
        return Delivered(self._post(dst, effects), footprint)

    def _post(self, actor: int, effects: list[Effect]) -> list[Channel]:
        self._posted = []
        interpret(actor, 0, effects, self.mailboxes.sent[actor], self)
        return self._posted

    # What `interpret` does with the effects; the checker hears the facts by itself.

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:  # noqa: ARG002 - as Sink
        """Put a message into its mailbox."""
        message = effect.message
        channel = (effect.dst, src, message.op)
        self.mailboxes.put(channel, seq, message)
        self._posted.append(channel)

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:  # noqa: ARG002 - as Sink
        """Put a timer's message into its mailbox: it may come at any time."""
        message = effect.message
        channel = (actor, TIMER, message.op)
        self.mailboxes.put(channel, seq, message)
        self._posted.append(channel)

    def note(self, when: int, actor: int, fact: Fact) -> None:
        """Leave facts to the checker, which hears them with the delivery."""

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""
        if self.error:
            return PROTOCOL
        return next((v.property for v in self.checker.reports.found if v.promised), "")

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing in flight; or nothing."""
        if not self.error:
            self.checker.finish(complete=True)
        return self.broken()

    def violation(self) -> Violation | None:
        """Return the first broken promise."""
        if self.error:
            return crash(self.error)
        return next((v for v in self.checker.reports.found if v.promised), None)


def crash(error: str) -> Violation:
    """Tell what a machine raised as a broken promise."""
    return Violation(
        property=PROTOCOL,
        promised=True,
        text=error,
        asid=0,
        vpn=-1,
        ops=(),
        operations=(),
        delivery=0,
        actor=-1,
        when=0,
    )


class Walks:
    """Makes walks of one setup; the initial state is copied."""

    def __init__(self, setup: Setup, dependency: Dependency = Dependency.RECEIVER) -> None:
        """Build the machines, and start them."""
        machines = build(setup.wiring, setup.settings, setup.guest)
        footprints = Footprints() if dependency is Dependency.FOOTPRINT else None
        self._start = Walk(machines, Mailboxes(len(machines)), Checker(setup), [], footprints)
        self._start.start()

    def __call__(self) -> Walk:
        """Make a walk that has delivered nothing."""
        start = self._start
        machines = [machine.clone() for machine in start.machines]
        checker = start.checker.copy(machines)
        return Walk(machines, start.mailboxes.copy(), checker, start.first, start.footprints)


def follow(walks: Walks, path: Iterable[Channel]) -> Walk:
    """Make a walk along a path; it is ended if nothing is left."""
    walk = walks()
    for channel in path:
        walk.deliver(channel)
    if not walk.mailboxes:
        walk.ended()
    return walk
