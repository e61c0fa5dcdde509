"""A global state of machines and messages, and what may be delivered next.

Worlds share what they do not change: delivering clones one machine, and copies the containers of
messages and of the checker. The oldest message of every channel may come next; timers as well,
since exploring ignores time.
"""

from collections.abc import Hashable, Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from actors.facts import Fact
from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from actors.wiring import build
from cluster.explore.walk import crash
from cluster.hosts.channel import TIMER, Channel, in_fixed_order, sender
from cluster.hosts.effects import Sent, interpret
from cluster.hosts.untimed import failure_text
from cluster.properties.checker import Checker
from cluster.properties.violation import Violation
from cluster.scenario.setup import Setup


class Posts:
    """A sink that keeps what a machine posts, numbered from 0; the checker hears the facts."""

    __slots__ = ("posted", "sent")

    def __init__(self, actor: int, effects: list[Effect]) -> None:
        """Take the effects of one delivery."""
        #: in their order, each with its channel
        self.posted: list[tuple[Channel, int, Message]] = []
        #: how many, by receiver
        self.sent: Sent = {}
        interpret(actor, 0, effects, self.sent, self)

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:  # noqa: ARG002 - as Sink
        """Keep a message."""
        message = effect.message
        self.posted.append(((effect.dst, src, message.op), seq, message))

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:  # noqa: ARG002 - as Sink
        """Keep the message of a timer: it may come at any time."""
        message = effect.message
        self.posted.append(((actor, TIMER, message.op), seq, message))

    def note(self, when: int, actor: int, fact: Fact) -> None:
        """Leave a fact to the checker."""


class Step(NamedTuple):
    """What a machine makes of a message."""

    #: both, so that nothing else can come to be where they are while their addresses are keys
    before: Machine
    message: Message
    after: Machine
    effects: list[Effect]
    posts: Posts
    #: the canonical state of `after`, coded
    frozen: bytes


class KnownSteps:
    """What machines have made of messages lately: few states of one go with many of the others."""

    def __init__(self) -> None:
        """Know none."""
        self._steps: dict[tuple[int, int, int], Step] = {}
        self._equal: dict[tuple[int, bytes], Machine] = {}

    def step(self, machine: Machine, src: int, message: Message) -> Step:
        """Have a machine take a message, leaving it as it is. Raises what it raises."""
        key = id(machine), src, id(message)
        step = self._steps.get(key)
        if step is None:
            if len(self._steps) >= _STEPS_MOST:
                self._steps.clear()
                self._equal.clear()
            after = machine.clone()
            effects = after.on(src, message)
            frozen = _coded(after.freeze())
            after = self._equal.setdefault((after.me, frozen), after)
            posts = Posts(machine.me, effects)
            step = Step(machine, message, after, effects, posts, frozen)
            self._steps[key] = step
        return step


_STEPS_MOST = 1 << 16


class World:
    """One state; `deliver` returns the next, leaving this one as it is."""

    __slots__ = ("channels", "checker", "error", "frozen", "known", "machines", "sent")

    def __init__(self, setup: Setup) -> None:
        """Make the initial state, with what the machines send at the start in flight."""
        self.machines = build(setup.wiring, setup.settings, setup.guest)
        self.channels: dict[Channel, tuple[tuple[int, Message], ...]] = {}
        #: by sender
        self.sent: list[Sent] = [{} for _ in self.machines]
        self.checker = Checker(setup)
        #: an exception of a machine: the protocol broke
        self.error = ""
        for machine in self.machines:
            effects = machine.start()
            self.checker.started(machine.me, machine, effects)
            self._post(machine.me, Posts(machine.me, effects))
        #: canonical states of the machines, coded; kept as they change one at a time
        self.frozen = [_coded(m.freeze()) for m in self.machines]
        self.known = KnownSteps()

    def enabled(self) -> list[Channel]:
        """List the channels with a message, in a fixed order."""
        return in_fixed_order(self.channels)

    def deliver(self, channel: Channel) -> "World":
        """Return the state after the oldest message of a channel was delivered."""
        dst, src = channel[0], sender(channel)
        twin = object.__new__(World)
        twin.machines = self.machines.copy()
        twin.channels = self.channels.copy()
        twin.sent = self.sent.copy()
        twin.frozen = self.frozen.copy()
        twin.known = self.known
        twin.error = ""
        (seq, message), *rest = twin.channels[channel]
        if rest:
            twin.channels[channel] = tuple(rest)
        else:
            del twin.channels[channel]
        try:
            step = self.known.step(self.machines[dst], src, message)
        except Exception as e:  # noqa: BLE001 - whatever a machine raises, it broke the protocol
            twin.error = failure_text(e)
            twin.checker = self.checker.copy(twin.machines)
            return twin
        effects = step.effects
        twin.machines[dst], twin.frozen[dst] = step.after, step.frozen
        twin.checker = self.checker.copy_for(twin.machines, dst, message, effects)
        twin.checker.delivered(0, dst, src, seq, message, effects)
        if step.posts.posted:
            twin._post(dst, step.posts)
        return twin

    def _post(self, actor: int, posts: Posts) -> None:
        """Put what a machine posts after what it has sent before."""
        channels, before = self.channels, self.sent[actor]
        sent = self.sent[actor] = before.copy()
        for channel, number, message in posts.posted:
            one = (before.get(channel[0], 0) + number, message)
            held = channels.get(channel)
            channels[channel] = (one,) if held is None else (*held, one)
        for dst, count in posts.sent.items():
            sent[dst] = before.get(dst, 0) + count

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""
        violation = self.violation()
        return "" if violation is None else violation.property

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing in flight; or nothing."""
        self.checker.finish(complete=True)
        return self.broken()

    def violation(self) -> Violation | None:
        """Return the first broken promise."""
        if self.error:
            return crash(self.error)
        found = self.checker.reports.found
        return next((v for v in found if v.promised), None) if found else None

    def follow(self, path: Iterable[Channel]) -> "World":
        """Return the state after these deliveries; the run is ended if nothing is left."""
        world = self
        for channel in path:
            world = world.deliver(channel)
        if not world.error and not world.channels:
            world.ended()
        return world

    def fingerprint(self) -> bytes:
        """Hash the canonical state: machines, messages, and what verdicts may still depend on.

        128 bits: a cache of millions of states stays small.
        """
        channels = sorted(self.channels.items())
        in_flight = [
            (dst if src == TIMER else src, dst, seq)
            for (dst, src, _), held in channels
            for seq, _ in held
        ]
        messages = [(channel, [m for _, m in held]) for channel, held in channels]
        whole = blake2b(b"".join(self.frozen), digest_size=16)
        whole.update(_coded((messages, self.checker.freeze(in_flight))))
        return whole.digest()


def _coded(state: Hashable) -> bytes:
    return _ENCODER.encode(state)


_ENCODER = msgspec.msgpack.Encoder()
