"""The inline host: all machines in one process, in simulated time. Exact, fast, reproducible.

Deliveries go in the order of (arrival, dst, src, seq), seq counted for each (src, dst): a total
order that depends on nothing but the run. An actor that is busy (Spend) handles a message when it
is done; `vm` and `memory` never spend, they have latency but no occupancy.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from actors.machine import Effect, Machine, Note, ProtocolError, Send, Spend, Timer
from actors.message import Message
from actors.wiring import Wiring
from cluster.hosts.digest import RunDigest
from cluster.hosts.host import Listener, Observer, Outcome

#: (arrival, dst, src, seq, message)
_Entry = tuple[int, int, int, int, Message]


class InlineHost:
    """Runs machines to quiescence; observers are called for every delivery if there are any."""

    def __init__(
        self,
        wiring: Wiring,
        machines: list[Machine],
        latency: list[list[int]],
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
        self.latency = latency
        self.observers = observers
        self._noted = tuple(one.noted for one in (*observers, *listeners))
        self.record = record
        self.limit = limit
        self.digest = RunDigest(len(machines))
        self.now = 0
        self.deliveries = 0
        self._heap: list[_Entry] = []
        self._seq: list[list[int]] = [[0] * len(machines) for _ in machines]
        self._busy = [0] * len(machines)
        #: channels on which a message was delayed: what follows on them may not overtake it
        self._delayed: dict[tuple[int, int, int], int] = {}

    def start(self) -> None:
        """Let every machine say how it begins."""
        for actor, machine in enumerate(self.machines):
            self._apply(actor, 0, machine.start())

    def run(self, pause_after: int | None = None) -> bool:
        """Deliver until quiescent (True), or until the limit or `pause_after` more deliveries."""
        heap, machines, busy = self._heap, self.machines, self._busy
        add, record, observers = self.digest.add, self.record, self.observers
        apply = self._apply
        # what Machine.on does, without a call of its own for each delivery
        handlers = [machine.HANDLERS for machine in machines]
        count = self.deliveries
        stop = count + pause_after if pause_after is not None else None
        if self.limit is not None:
            stop = self.limit if stop is None else min(stop, self.limit)
        while heap:
            if count == stop:
                self.deliveries = count
                return False
            arrival, dst, src, seq, message = heappop(heap)
            start = busy[dst]
            if start < arrival:  # noqa: PLR1730 - max() takes ten times as long
                start = arrival
            data = add(dst, src, seq, arrival, message)
            count += 1
            if record is not None:
                record(dst, data)
            try:
                handler = handlers[dst].get(message.__class__)
                machine = machines[dst]
                effects = (handler or type(machine).on)(machine, src, message)
            except Exception as e:
                self.deliveries = count
                e.add_note(f"delivery {count} at {start} ns: {message!r}")
                e.add_note(f"from {self.wiring.names[src]} to {self.wiring.names[dst]}")
                raise
            self.now = start
            for observer in observers:
                observer.delivered(start, dst, src, seq, message, effects)
            if effects:
                apply(dst, start, effects)
        self.deliveries = count
        return True

    def _apply(self, actor: int, when: int, effects: list[Effect]) -> None:
        row, seqs, heap = self.latency[actor], self._seq[actor], self._heap
        for effect in effects:
            kind = effect.__class__
            if kind is Send:
                dst = effect.dst  # type: ignore[union-attr]
                transit = row[dst]
                if transit <= 0:
                    raise ProtocolError(f"no channel from actor {actor} to {dst}: {effect!r}")
                arrival = when + transit
                if effect.after_ns or self._delayed:  # type: ignore[union-attr]
                    arrival = self._in_order(actor, effect, arrival)  # type: ignore[arg-type]
                seq = seqs[dst]
                seqs[dst] = seq + 1
                heappush(heap, (arrival, dst, actor, seq, effect.message))  # type: ignore[union-attr]
            elif kind is Spend:
                when += effect.ns  # type: ignore[union-attr]
            elif kind is Note:
                for noted in self._noted:
                    noted(when, actor, effect.fact)  # type: ignore[union-attr]
            else:
                assert isinstance(effect, Timer)
                seq = seqs[actor]
                seqs[actor] = seq + 1
                heappush(heap, (when + max(1, effect.after_ns), actor, actor, seq, effect.message))
        self._busy[actor] = when

    def _in_order(self, src: int, send: Send, arrival: int) -> int:
        """Clamp an arrival so that its lane stays first in, first out."""
        channel = (src, send.message.op, send.dst)
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
