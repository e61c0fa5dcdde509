"""The inline host: all machines in one process, in simulated time. Exact, fast, reproducible.

Deliveries go in the order of (arrival, dst, src, seq), seq counted for each (src, dst): a total
order that depends on nothing but the run. An actor that is busy (Spend) handles a message when it
is done; `vm` and `memory` never spend, they have latency but no occupancy.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from actors.facts import Fact
from actors.latency import LatencyTable
from actors.machine import Machine, ProtocolError, Send, Timer
from actors.message import Message
from actors.wiring import Wiring
from cluster.hosts.digest import RunDigest
from cluster.hosts.effects import Sent, interpret
from cluster.hosts.host import Listener, Observer, Outcome

#: (arrival, dst, src, seq, message)
_Entry = tuple[int, int, int, int, Message]


class InlineHost:
    """Runs machines to quiescence; observers are called for every delivery if there are any."""

    def __init__(
        self,
        wiring: Wiring,
        machines: list[Machine],
        latency: LatencyTable,
        *,
        observers: tuple[Observer, ...] = (),
        listeners: tuple[Listener, ...] = (),
        record: Callable[[int, bytes], None] | None = None,
        limit: int | None = None,
    ) -> None:
        """Set up a run.

        observers: called for every delivery and every fact.
        listeners: called for facts only, which costs the loop of deliveries nothing.
        record: called with (dst, digested bytes) of each delivery before it is handled, for a
            full trace: what a machine fails on is in the record.
        limit: stop after this many deliveries.
        """
        self.wiring = wiring
        self.machines = machines
        self._self_ns = latency.self_ns
        self._place_of = latency.place_of
        self._row_of = latency.row_of
        self.observers = observers
        self._noted = tuple(one.noted for one in (*observers, *listeners))
        self.record = record
        self.limit = limit
        self.digest = RunDigest(len(machines))
        self.now = 0
        self.deliveries = 0
        self._heap: list[_Entry] = []
        self._sent: list[Sent] = [{} for _ in machines]
        self._busy = [0] * len(machines)
        #: channels on which a message was delayed: what follows on them may not overtake it
        self._delayed: dict[tuple[int, int, int], int] = {}

    def start(self) -> None:
        """Let every machine say how it begins."""
        for actor, machine in enumerate(self.machines):
            effects = machine.start()
            for observer in self.observers:
                observer.started(actor, machine, effects)
            self._busy[actor] = interpret(actor, 0, effects, self._sent[actor], self)

    def run(self, pause_after: int | None = None) -> bool:
        """Deliver until quiescent (True), or until the limit or `pause_after` more deliveries."""
        heap, machines, busy, sent = self._heap, self.machines, self._busy, self._sent
        add, record, observers = self.digest.add, self.record, self.observers
        # what Machine.on does, without a call of its own for each delivery
        handlers = [machine.HANDLERS for machine in machines]
        refuse = Machine.on
        count = self.deliveries
        stop = count + pause_after if pause_after is not None else None
        if self.limit is not None:
            stop = self.limit if stop is None else min(stop, self.limit)
        now = self.now
        try:
            while heap and count != stop:
                arrival, dst, src, seq, message = heappop(heap)
                start = busy[dst]
                if start < arrival:  # noqa: PLR1730 - max() takes ten times as long
                    start = arrival
                data = add(dst, src, seq, arrival, message)
                if record is not None:
                    record(dst, data)
                count += 1
                try:
                    handler = handlers[dst].get(message.__class__, refuse)
                    effects = handler(machines[dst], src, message)
                except Exception as e:
                    e.add_note(f"delivery {count} at {start} ns: {message!r}")
                    e.add_note(f"from {self.wiring.names[src]} to {self.wiring.names[dst]}")
                    raise
                now = start
                for observer in observers:
                    observer.delivered(start, dst, src, seq, message, effects)
                if effects:
                    busy[dst] = interpret(dst, start, effects, sent[dst], self)
        finally:
            self.now, self.deliveries = now, count
        return not heap

    # What `interpret` does with the effects.

    def send(self, when: int, src: int, seq: int, effect: Send) -> None:
        """Put a message on its way: it arrives after the latency, in the order of its lane."""
        dst = effect.dst
        transit = self._self_ns if dst == src else self._row_of[src][self._place_of[dst]]
        if transit <= 0:
            raise ProtocolError(f"no channel from actor {src} to {dst}: {effect!r}")
        arrival = when + transit
        if effect.after_ns or self._delayed:
            arrival = self._in_order(src, effect, arrival)
        heappush(self._heap, (arrival, dst, src, seq, effect.message))

    def timer(self, when: int, actor: int, seq: int, effect: Timer) -> None:
        """Arm a timer; none is due at once."""
        arrival = when + max(1, effect.after_ns)
        heappush(self._heap, (arrival, actor, actor, seq, effect.message))

    def note(self, when: int, actor: int, fact: Fact) -> None:
        """Tell a fact to all who listen."""
        for noted in self._noted:
            noted(when, actor, fact)

    def _in_order(self, src: int, send: Send, arrival: int) -> int:
        """Clamp an arrival so that its lane stays first in, first out."""
        channel = (send.dst, src, send.message.op)
        arrival = max(arrival + send.after_ns, self._delayed.get(channel, 0))
        if send.after_ns:
            self._delayed[channel] = arrival
        return arrival

    def outcome(self) -> Outcome:
        """Say how the run stands."""
        waiting = [
            f"{name}: {what}"
            for name, machine in zip(self.wiring.names, self.machines, strict=True)
            for what in machine.waiting()
        ]
        return Outcome(
            deliveries=self.deliveries,
            simulated_ns=self.now,
            digest=self.digest.combined().hex(),
            complete=not self._heap,
            waiting=waiting if not self._heap else [],
        )
