"""Dynamic partial-order reduction: one order for each class of orders that no actor can tell apart.

Orders that differ only by exchanging adjacent independent events are one trace. Both algorithms
run an order, find its races (dependent events, adjacent in happens-before, that could have come the
other way round) and schedule the reversed order at the point where it parts:

* `source`: schedules one first step, unless one of the reversed sequence's initials is scheduled;
  with sleep sets. Never completes two orders of one trace, but may start some in vain (*blocked*).
* `optimal`: schedules the whole reversed sequence in a wakeup tree. Runs every trace once, and none
  is blocked, as long as what an event touches does not depend on the state in which it comes.

An event is the delivery of one message, named by the event that posted it and its place among the
posts; so it keeps its name in other orders.

Source: Abdulla, Aronis, Jonsson, Sagonas: Source sets (JACM 2017); message passing as in Aronis et
al. (TACAS 2018).
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum

import msgspec

from cluster.explore.strategies.happens import Happened, Past
from cluster.explore.strategies.wakeup import (
    Branch,
    SavedFootprint,
    flat,
    read_footprint,
    saved_footprint,
    tree,
)
from cluster.explore.strategy_api import Broken, Footprint, Run, StopAt, at_first, conflict, keep

#: after so many deliveries: machines that poll may keep a sleeping event from coming forever
GIVEN_UP_AFTER = 10_000


class Reduction(StrEnum):
    """Which algorithm schedules reversed races."""

    #: every order
    NONE = "none"
    SOURCE = "source"
    OPTIMAL = "optimal"


class Traces(msgspec.Struct, kw_only=True):
    """What a search has found so far."""

    #: orders run to their end: with either reduction, one per trace
    orders: int = 0
    #: orders begun in vain
    blocked: int = 0
    #: orders that did not end within `GIVEN_UP_AFTER` deliveries
    given_up: int = 0
    deliveries: int = 0
    races: int = 0
    longest: int = 0
    #: orders that broke a promise
    broken: int = 0
    #: nothing is left to be scheduled
    complete: bool = False
    found: list[Broken] = []
    #: roughly what part of the tree of orders is done, from 0 to 1
    done: float = 0.0


class _Node:
    """A point of the order being run: what has been tried from here, and what is left to try."""

    __slots__ = ("scheduled", "sleep", "tried")

    def __init__(self, sleep: dict[int, Footprint], scheduled: list[Branch]) -> None:
        #: events that need not come next: every order in which one does has been run
        self.sleep = sleep
        #: the first one is being run
        self.scheduled = scheduled
        self.tried = 0


class SavedTraces(msgspec.Struct, frozen=True):
    """A search that was stopped between two orders."""

    traces: Traces
    #: by event's name: (name of the event that posted it, place, channel)
    names: list[tuple[int, int, tuple[int, ...]]]
    #: channels that have been posted to, in the order of their bits
    channels: list[tuple[int, ...]]
    #: of each point of the next order: sleeping events, and how many have been tried
    nodes: list[tuple[list[tuple[int, SavedFootprint]], int]]
    #: the tree scheduled at the first point, in preorder: (depth, event, footprint)
    scheduled: list[tuple[int, int, SavedFootprint]]


#: called with what has been found so far, after every order; true: go on
Watch = Callable[[Traces], bool]


class Dpor:
    """A search over the traces of a run."""

    def __init__(
        self,
        new_run: Callable[[], Run],
        *,
        reduction: Reduction = Reduction.OPTIMAL,
        stop_at: StopAt = at_first,
        watch: Watch = lambda _: True,
        ended: Callable[[Past], None] = lambda _: None,
    ) -> None:
        """Set up a search; `ended` is called with every order that was run to its end."""
        self.traces = Traces()
        self._new_run = new_run
        self._reduction = reduction
        self._stop_at = stop_at
        self._watch = watch
        self._ended = ended
        #: (name of the event that posted it, place among the posts, channel) -> name
        self._names: dict[tuple[int, int, Hashable], int] = {}
        self._channels: list[Hashable] = []
        self._identities: list[tuple[object, ...]] = []
        self._channel_bits: dict[Hashable, int] = {}
        self._nodes: list[_Node] = [_Node({}, [])]
        self._begin()

    def search(self) -> Traces:
        """Run orders until none is left, a promise is broken, or `watch` says to stop."""
        traces = self.traces
        while not traces.complete:
            fresh = len(self._nodes) - 1
            promise = self._forward()
            if promise:
                path = tuple(event.channel for event in self._past.events)
                traces.broken += 1
                keep(traces.found, Broken(promise, path))
            self._reverse_races(fresh)
            traces.done = self._share_done()
            traces.complete = not self._next()
            if (promise and self._stop_at(promise)) or not self._watch(traces):
                break
        return traces

    def save(self) -> SavedTraces:
        """Return what is needed to go on; channels have to be tuples of ints."""
        return SavedTraces(
            traces=self.traces,
            names=list(self._names),  # type: ignore[arg-type]
            channels=list(self._channel_bits),  # type: ignore[arg-type]
            nodes=[
                ([(event, saved_footprint(part)) for event, part in node.sleep.items()], node.tried)
                for node in self._nodes
            ],
            scheduled=flat(self._nodes[0].scheduled) if self._nodes else [],
        )

    def resume(self, saved: SavedTraces) -> None:
        """Go on with a saved search; it must be of the same run."""
        self.traces = saved.traces
        self._names = {one: name for name, one in enumerate(saved.names)}
        self._channels = [channel for _, _, channel in saved.names]
        self._channel_bits = {channel: bit for bit, channel in enumerate(saved.channels)}
        self._nodes = []
        scheduled = tree(saved.scheduled)
        for sleep, tried in saved.nodes:
            node = _Node({event: read_footprint(text) for event, text in sleep}, scheduled)
            node.tried = tried
            self._nodes.append(node)
            # what follows the branch that is being run belongs to the next point
            scheduled = scheduled[0].then if scheduled else []
        self._begin()

    def identity(self, event: int) -> tuple[object, ...]:
        """Return what names an event in any search: how it came to be posted."""
        if len(self._identities) < len(self._names):
            self._identities = [()] * len(self._names)
            for (parent, place, channel), name in self._names.items():
                above = self._identities[parent] if parent >= 0 else ()
                self._identities[name] = (above, place, channel)
        return self._identities[event]

    # One order.

    def _begin(self) -> None:
        """Start a new run, and bring it to the last node."""
        self._run = self._new_run()
        self._past = Past()
        self._pending: dict[Hashable, deque[int]] = {}
        self._causes: dict[int, int] = {}
        self._post(-1, self._run.posted())
        for node in self._nodes[:-1]:
            self._deliver(node.scheduled[0])

    def _post(self, cause: int, channels: Sequence[Hashable]) -> None:
        parent = self._past.events[cause].name if cause >= 0 else -1
        for place, channel in enumerate(channels):
            name = self._names.setdefault((parent, place, channel), len(self._names))
            if name == len(self._channels):
                self._channels.append(channel)
            self._pending.setdefault(channel, deque()).append(name)
            self._causes[name] = cause

    def _deliver(self, branch: Branch) -> None:
        channel = self._channels[branch.event]
        queue = self._pending[channel]
        assert queue[0] == branch.event, "what is scheduled is at the head of its channel"
        queue.popleft()
        if not queue:
            del self._pending[channel]
        posted, footprint = self._run.deliver(channel)
        branch.footprint = footprint._replace(posts=self._bits(posted))
        self.traces.deliveries += 1
        happened = Happened(
            name=branch.event,
            channel=channel,
            receiver=self._run.receiver(channel),
            footprint=branch.footprint,
        )
        self._past.add(happened, self._causes[branch.event])
        self._post(len(self._past.events) - 1, posted)

    def _bits(self, channels: Sequence[Hashable]) -> int:
        bits = 0
        for channel in channels:
            bits |= 1 << self._channel_bits.setdefault(channel, len(self._channel_bits))
        return bits

    def _forward(self) -> str:
        """Run an order to its end; return the promise that it breaks, or an empty string."""
        while self._pending:
            node = self._nodes[-1]
            if self._reduction is Reduction.NONE and not node.scheduled:
                node.scheduled += [Branch(q[0], Footprint()) for q in self._pending.values()]
            if not node.scheduled:
                awake = [q[0] for q in self._pending.values() if q[0] not in node.sleep]
                if not awake:
                    self.traces.blocked += 1
                    return ""
                node.scheduled.append(Branch(awake[0], Footprint()))
            branch = node.scheduled[0]
            self._deliver(branch)
            self._nodes.append(_Node(self._still_asleep(node), branch.then))
            if promise := self._run.broken():
                self._over()
                return promise
            if len(self._past.events) == GIVEN_UP_AFTER:
                self.traces.given_up += 1
                return ""
        self._over()
        return self._run.ended()

    def _over(self) -> None:
        self.traces.orders += 1
        self.traces.longest = max(self.traces.longest, len(self._past.events))
        self._ended(self._past)

    def _still_asleep(self, node: _Node) -> dict[int, Footprint]:
        """Return the sleeping events that are independent of the last delivery."""
        last = self._past.events[-1]
        return {
            event: footprint
            for event, footprint in node.sleep.items()
            if not self._depend(event, footprint, last)
        }

    def _depend(self, event: int, footprint: Footprint, other: Happened) -> bool:
        channel = self._channels[event]
        if channel == other.channel:
            return True
        return self._run.receiver(channel) == other.receiver and conflict(
            footprint, other.footprint
        )

    # Races.

    def _reverse_races(self, fresh: int) -> None:
        """Schedule the reversals of races whose later event is new; for `optimal`, of all races."""
        if self._reduction is Reduction.NONE:
            return
        # its sequences run to the end: with another tail an old race has another sequence
        optimal = self._reduction is Reduction.OPTIMAL
        schedule = self._plant if optimal else self._add_first
        for later in range(0 if optimal else fresh, len(self._past.events)):
            for earlier in self._past.races(later):
                self.traces.races += 1
                end = len(self._past.events) if optimal else later
                schedule(self._nodes[earlier], self._past.reversed(earlier, later, end))

    def _may_begin(self, event: int, footprint: Footprint, sequence: list[Happened]) -> bool:
        """Say whether an event is a weak initial: may begin the sequence, or one with it added."""
        for other in sequence:
            if other.name == event:
                return True
            if self._depend(event, footprint, other):
                return False
        return True

    def _add_first(self, node: _Node, sequence: list[Happened]) -> None:
        initials = {e.name for e in sequence if self._may_begin(e.name, e.footprint, sequence)}
        known = {branch.event for branch in node.scheduled} | node.sleep.keys()
        if not initials & known:
            first = sequence[0]
            node.scheduled.append(Branch(first.name, first.footprint))

    def _plant(self, node: _Node, sequence: list[Happened]) -> None:
        """Add a sequence to a wakeup tree, unless one of its branches leads to the same trace."""
        if any(self._may_begin(e, f, sequence) for e, f in node.sleep.items()):
            return
        branches = node.scheduled
        while True:
            for branch in branches:
                if self._may_begin(branch.event, branch.footprint, sequence):
                    if not branch.then:
                        return  # anything may come after it
                    sequence = [e for e in sequence if e.name != branch.event]
                    branches = branch.then
                    break
            else:
                break
        for event in sequence:
            branch = Branch(event.name, event.footprint)
            branches.append(branch)
            branches = branch.then

    # The next order.

    def _next(self) -> bool:
        """Go back to the last point at which more is scheduled; False: there is none."""
        self._nodes.pop()
        while self._nodes:
            node = self._nodes[-1]
            done = node.scheduled.pop(0)
            node.sleep[done.event] = done.footprint
            node.tried += 1
            if node.scheduled:
                self._begin()
                return True
            self._nodes.pop()
        return False

    def _share_done(self) -> float:
        """Estimate how much of the tree is done, with equal weight for each known branch."""
        share, weight = 0.0, 1.0
        for node in self._nodes[:-1]:
            known = node.tried + len(node.scheduled)
            share += weight * node.tried / known
            weight /= known
        return share + weight
