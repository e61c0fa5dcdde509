"""A global state of machines and messages, and what may be delivered next.

Worlds share what they do not change: delivering clones one machine and the containers of channels
and checker. A channel is (src, lane, dst, timer): first in, first out; every head may come next.
Timers are always enabled, since exploring ignores time.
"""

from collections.abc import Hashable, Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from actors.wiring import build
from cluster.explore.walk import crash
from cluster.hosts.channel import TIMER
from cluster.hosts.channel import Channel as MailboxChannel
from cluster.hosts.untimed import failure_text
from cluster.input_error import InputError
from cluster.properties.checker import Checker
from cluster.properties.violation import Violation
from cluster.scenario.setup import Setup

#: (src, lane, dst, is a timer)
Channel = tuple[int, int, int, bool]


def mailbox(channel: Channel) -> MailboxChannel:
    """Name a channel as walks and traces do."""
    src, lane, dst, timer = channel
    return dst, TIMER if timer else src, lane


class Step(NamedTuple):
    """What a machine makes of a message."""

    #: both, so that nothing else can come to be where they are while their addresses are keys
    before: Machine
    message: Message
    after: Machine
    effects: list[Effect]
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
            step = Step(machine, message, after, effects, frozen)
            self._steps[key] = step
        return step


_STEPS_MOST = 1 << 16


class World:
    """One state; `deliver` gives the next, leaving this one as it is."""

    __slots__ = ("channels", "checker", "error", "frozen", "known", "machines", "seqs")

    def __init__(self, setup: Setup) -> None:
        """Make the initial state, with what the machines send at the start in flight."""
        self.machines = build(setup.wiring, setup.settings, setup.guest)
        self.channels: dict[Channel, tuple[tuple[int, Message], ...]] = {}
        self.seqs: dict[tuple[int, int], int] = {}
        self.checker = Checker(setup, self.machines)
        #: an exception of a machine: the protocol broke
        self.error = ""
        for machine in self.machines:
            self._put(machine.me, machine.start())
        #: canonical states of the machines, coded; kept as they change one at a time
        self.frozen = [_coded(m.freeze()) for m in self.machines]
        self.known = KnownSteps()

    def enabled(self) -> list[Channel]:
        """List the channels with a message, in a fixed order."""
        return sorted(self.channels)

    def deliver(self, channel: Channel) -> "World":
        """Give the state after the head of a channel was delivered."""
        src, _, dst, _ = channel
        twin = object.__new__(World)
        twin.machines = self.machines.copy()
        twin.channels = self.channels.copy()
        twin.seqs = self.seqs.copy()
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
        except InputError:
            raise  # the guest can not be read
        except Exception as e:  # noqa: BLE001 - whatever a machine raises, it broke the protocol
            twin.error = failure_text(e)
            twin.checker = self.checker.copy(twin.machines)
            return twin
        effects = step.effects
        twin.machines[dst], twin.frozen[dst] = step.after, step.frozen
        twin.checker = self.checker.copy_for(twin.machines, message, effects)
        twin.checker.delivered(0, dst, src, seq, message, effects)
        twin._put(dst, effects)
        return twin

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""
        violation = self.violation()
        return "" if violation is None else violation.property

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing in flight; or nothing."""
        self.checker.finish(self.machines, complete=True)
        return self.broken()

    def violation(self) -> Violation | None:
        """Give the first broken promise."""
        if self.error:
            return crash(self.error)
        return next((v for v in self.checker.reports.found if v.promised), None)

    def follow(self, path: Iterable[Channel]) -> "World":
        """Give the state after the heads of these channels; ends the run if nothing is left."""
        world = self
        for channel in path:
            world = world.deliver(channel)
        if not world.error and not world.channels:
            world.ended()
        return world

    def _put(self, src: int, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                dst, timer = effect.dst, False
            elif isinstance(effect, Timer):
                dst, timer = src, True
            else:
                continue
            seq = self.seqs.get((src, dst), 0)
            self.seqs[src, dst] = seq + 1
            channel = (src, effect.message.op, dst, timer)
            self.channels[channel] = (*self.channels.get(channel, ()), (seq, effect.message))

    def fingerprint(self) -> bytes:
        """Hash the canonical state: machines, messages, and what verdicts may still depend on.

        128 bits: a cache of millions of states stays small.
        """
        channels = sorted(self.channels.items())
        in_flight = [(c[0], c[2], seq) for c, held in channels for seq, _ in held]
        messages = tuple((c, tuple(m for _, m in held)) for c, held in channels)
        whole = blake2b(b"".join(self.frozen), digest_size=16)
        whole.update(_coded((messages, self.checker.freeze(in_flight))))
        return whole.digest()


def _coded(state: Hashable) -> bytes:
    return _ENCODER.encode(state)


_ENCODER = msgspec.msgpack.Encoder()
