"""What each thread of a small guest sees: errno by call, what loads gave, signals; in order."""

from collections import defaultdict
from typing import Any

from actors.facts import CallEnded, Fact, Killed, Segv
from actors.machine import Effect, Machine
from actors.message import Message
from actors.messages import Loaded
from actors.operation import OpKind
from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.scenario.scenario import parse
from cluster.scenario.setup import prepare
from kernel.errors import Errno, SegvCode

#: a thread: its name, its program, and keys of `[[thread]]`
Thread = dict[str, Any]


class _Watch:
    def __init__(self) -> None:
        self.seen: dict[int, list[str]] = defaultdict(list)

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        del when, actor
        if isinstance(fact, CallEnded):
            self.seen[fact.op].append(f"{OpKind(fact.kind).name} {Errno(fact.error).name}")
        elif isinstance(fact, Segv):
            self.seen[fact.op].append(f"SIGSEGV {SegvCode(fact.code).name}")
        elif isinstance(fact, Killed):
            self.seen[-1].append(f"killed {fact.asid}")

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        pass

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        del when, dst, src, seq, effects
        if isinstance(message, Loaded):
            self.seen[message.op] += map(str, message.stamps)


class Outcomes:
    """One run to its end: `seen` by name of thread, `left` what is still waiting, `broken`."""

    def __init__(
        self, policy: dict[str, Any], *threads: Thread, grain: str = "fused", **machine: str | int
    ) -> None:
        keys: dict[str, str | int] = {"cores": 2, "frames": 64, "grain": grain, **machine}
        scenario = parse({"machine": keys, "policy": policy, "thread": list(threads)}, "outcomes")
        setup = prepare(scenario)
        machines = build(setup.wiring, setup.settings, setup.guest)
        watch, checker = _Watch(), Checker(setup)
        host = InlineHost(setup.wiring, machines, setup.latency(), observers=(watch, checker))
        host.start()
        assert host.run(), "it does not come to rest"
        checker.finish(complete=True)
        names = [info.name for info in setup.guest.threads]
        self.machines = machines
        self.seen = {name: watch.seen.get(i, []) for i, name in enumerate(names)}
        self.killed = watch.seen.get(-1, [])
        self.left = [line for machine in machines for line in machine.waiting()]
        self.broken = [f"{v.property}: {v.text}" for v in checker.violations]


def thread(name: str, *run: str, **keys: str | int | bool) -> Thread:
    """Describe a thread."""
    return {"name": name, "run": list(run), **keys}
