"""Runs to record, and a live run without Ray: nodes, and a seeded scheduler for the transport."""

from collections import deque
from pathlib import Path
from random import Random

import msgspec

from actors.wiring import build, build_one
from cluster.hosts.digest import combine
from cluster.hosts.inline import InlineHost
from cluster.live.node import LiveNode
from cluster.scenario.scenario import Scenario, ThreadTable
from cluster.scenario.setup import Setup, prepare
from cluster.trace.format import End, end_of, header_of
from cluster.trace.receiver_log import ReceiverLog
from cluster.trace.writer import TraceWriter

CONTENDED = Scenario(
    machine=msgspec.convert({"cores": 2}, type(Scenario().machine)),
    thread=[
        ThreadTable(
            name="a",
            core=0,
            run=[
                "map 0x10 4", "store 0x10 4", "load 0x10 4", "hole 0x10 4", "think 3000",
                "zero 0x10 4", "load 0x10 4", "store 0x10", "fence", "hole 0x12 2", "zero 0x12 2",
            ],
        ),
        ThreadTable(
            name="b",
            core=1,
            run=[
                "await a 0", "store 0x11", "load 0x11", "hole 0x11 1", "zero 0x10 2", "think 500",
                "store 0x12", "load 0x10 4", "hole 0x10 4", "zero 0x10 4", "load 0x13",
            ],
        ),
    ],
)  # fmt: skip

#: about 4,000 deliveries: long enough to be met in the middle
LONG = msgspec.structs.replace(
    CONTENDED,
    thread=[
        ThreadTable(name="a", core=0, run=["map 0x10 4", *["store 0x10 4", "hole 0x10 4"] * 60]),
        ThreadTable(name="b", core=1, run=["await a 0", *["zero 0x10 4", "load 0x11"] * 60]),
    ],
)


def contended() -> Setup:
    return prepare(CONTENDED)


def host_of(setup: Setup, **more: object) -> InlineHost:
    machines = build(setup.wiring, setup.settings, setup.guest)
    return InlineHost(setup.wiring, machines, setup.latency(), **more)


def record_inline(path: Path, kind: str, *, every: int = 20, limit: int | None = None) -> End:
    setup = contended()
    with TraceWriter(path, header_of(setup, engine="inline", kind=kind)) as trace:
        host = host_of(setup, record=trace.record if kind == "full" else None, limit=limit)
        host.start()
        while not trace.run(host, every):
            pass
        end = end_of(host.outcome(), verdict="kept")
        trace.finish(end)
    return end


class Laboratory:
    """Nodes of a free run in this process; what a transport may do is drawn from a seed."""

    def __init__(self, seed: int, kind: str, *, jitter: bool = False, every: int = 16) -> None:
        setup = self.setup = contended()
        self.random = Random(seed)
        self.nodes = [
            LiveNode(
                actor,
                build_one(setup.wiring, actor, setup.settings, setup.guest),
                ReceiverLog(actor, full=kind == "full", checkpoint_every=every),
                jitter=seed if jitter else None,
            )
            for actor in range(len(setup.wiring.names))
        ]
        #: batches on their way, in order for each (src, dst)
        self.wire: dict[tuple[int, int], deque[bytes]] = {}
        for node in self.nodes:
            node.begin()
            self._send(node)

    def _send(self, node: LiveNode) -> None:
        for dst, batch in node.outgoing():
            self.wire.setdefault((node.me, dst), deque()).append(batch)

    @property
    def handled(self) -> int:
        return sum(node.handled for node in self.nodes)

    def step(self) -> bool:
        """Deliver a batch or pump a node; False when nothing is left to do."""
        todo = [pair for pair, batches in sorted(self.wire.items()) if batches]
        ready = [node for node in self.nodes if not node.idle]
        if not todo and not ready:
            return False
        at = self.random.randrange(len(todo) + len(ready))
        if at < len(todo):
            self.nodes[todo[at][1]].enqueue(self.wire[todo[at]].popleft())
        else:
            node = ready[at - len(todo)]
            node.pump(self.random.choice((1, 2, 64)))
            self._send(node)
        return True

    def end(self) -> End:
        return End(
            deliveries=self.handled,
            digest=combine(node.digest for node in self.nodes).hex(),
            complete=not any(node.failed for node in self.nodes),
            failures={
                self.setup.wiring.names[node.me]: node.failed for node in self.nodes if node.failed
            },
        )


def record_live(path: Path, seed: int, kind: str = "order", **more: bool) -> End:
    """Record a live run; logs are collected now and then, as by the polls of a driver."""
    laboratory = Laboratory(seed, kind, **more)
    with TraceWriter(path, header_of(laboratory.setup, engine="ray-free", kind=kind)) as trace:
        while laboratory.step():
            if laboratory.random.random() < 0.05:
                for node in laboratory.random.sample(laboratory.nodes, 2):
                    trace.append(node.log.take())
        for node in laboratory.nodes:
            node.log.checkpoint(node.digest)
            trace.append(node.log.take())
        end = laboratory.end()
        trace.finish(end)
    return end
