"""Other orders of one run: the same deliveries at each receiver, interleaved otherwise.

A delivery comes after the delivery that sent its message and after the receiver's earlier ones;
any order that respects both is a linear extension of the same run.
"""

from collections import deque
from random import Random

from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from actors.wiring import build
from cluster.hosts.effects import Sent, interpret
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.scenario.setup import Setup

#: (src, seq) of each delivery, in the order of the receiver
Log = list[list[tuple[int, int]]]
#: property, promised, page, sentence
Finding = tuple[str, bool, int, str]


class Recorder:
    """An observer that keeps what every receiver took."""

    def __init__(self, actors: int) -> None:
        self.log: Log = [[] for _ in range(actors)]

    def noted(self, when: int, actor: int, fact: object) -> None:
        pass

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        pass

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        self.log[dst].append((src, seq))


def findings(checker: Checker) -> set[Finding]:
    """Give what a checker found, whether promised or not, without when it found it."""
    return {(v.property, v.promised, v.vpn, v.text) for v in checker.reports.found}


def record(setup: Setup) -> tuple[Log, set[Finding], dict[str, int]]:
    """Run inline; give the log, the findings and how often each property was broken."""
    machines = build(setup.wiring, setup.settings, setup.guest)
    recorder, checker = Recorder(len(machines)), Checker(setup)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(recorder, checker))
    host.start()
    assert host.run()
    checker.finish(complete=True)
    return recorder.log, findings(checker), dict(checker.reports.counts)


class Extension:
    """One linear extension, chosen by a seeded generator, judged by a checker of its own."""

    def __init__(self, setup: Setup, log: Log, random: Random) -> None:
        self.machines = build(setup.wiring, setup.settings, setup.guest)
        self.checker = Checker(setup)
        self.random = random
        self.todo = [deque(row) for row in log]
        self.in_flight: dict[tuple[int, int, int], Message] = {}
        self.sent: list[Sent] = [{} for _ in self.machines]
        #: how eager each receiver is: far apart, one runs far ahead of the others
        self.eagerness = [random.choice((1, 8, 64)) for _ in log]
        for machine in self.machines:
            effects = machine.start()
            self.checker.started(machine.me, machine, effects)
            interpret(machine.me, 0, effects, self.sent[machine.me], self)

    def run(self) -> list[int]:
        """Deliver everything; give the receivers in the order in which they were chosen."""
        order = []
        while ready := self._ready():
            dst = self.random.choices(ready, [self.eagerness[d] for d in ready])[0]
            order.append(dst)
            src, seq = self.todo[dst].popleft()
            message = self.in_flight.pop((src, dst, seq))
            effects = self.machines[dst].on(src, message)
            self.checker.delivered(0, dst, src, seq, message, effects)
            interpret(dst, 0, effects, self.sent[dst], self)
        assert not any(self.todo), "the log cannot be followed"
        self.checker.finish(complete=True)
        return order

    def _ready(self) -> list[int]:
        return [
            dst
            for dst, row in enumerate(self.todo)
            if row and (row[0][0], dst, row[0][1]) in self.in_flight
        ]

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:
        self.in_flight[src, effect.dst, seq] = effect.message

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:
        self.in_flight[actor, actor, seq] = effect.message

    def note(self, when: int, actor: int, fact: object) -> None:
        pass
