"""A worker's share of a search over traces: parts of the tree of orders, each for a while.

A part is all orders that begin with the path to some point and go on there with an event, but for
those that a sleeping event may begin. What a race says to try at a point of the path is given back:
others are below that point, too, and the driver says what is tried there (`shared_traces`).

All deliveries to one receiver are taken to depend on one another: footprints number what they touch
anew in each process.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import msgspec

from cluster.explore.strategies.dpor import Dpor, Reduction, SavedTraces, Traces
from cluster.explore.strategies.wakeup import SavedFootprint, saved_footprint
from cluster.explore.strategy_api import WHOLE, Run, StopAt

#: how an event came to be: the event that posted it or -1, place among its posts, channel
Origin = tuple[int, int, Hashable]
_WHOLE = saved_footprint(WHOLE)


class Part(msgspec.Struct, frozen=True):
    """What to explore; events are places in `origins`."""

    origins: list[Origin]
    #: events that lead to the point
    path: list[int]
    #: events that need not come next there
    asleep: list[int]
    #: what comes next there; -1: anything, and the part is the whole
    event: int
    #: by point of the path: events that are tried there, by anyone
    tried: list[list[int]]


class Left(msgspec.Struct, frozen=True):
    """A point on the way to where a worker has stopped."""

    #: events that need not come next, without those that follow here
    asleep: list[int]
    #: the event on the way; -1: this is the last point
    event: int
    #: what else is to be tried here
    events: list[int]


class Explored(msgspec.Struct, frozen=True):
    """What came of a part; events are places in `origins`."""

    origins: list[Origin]
    traces: Traces
    #: (point of the path, events): one of these is to be tried there, the first if none is yet
    news: list[tuple[int, list[int]]]
    #: points below the path that are not done
    left: list[Left]


class Packer:
    """Chooses, of all events, those that are sent with a message."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        """Choose none yet; `origins`: of all, by name."""
        self.origins: list[Origin] = []
        self._all = origins
        self._places: dict[int, int] = {}

    def places(self, events: Iterable[int]) -> list[int]:
        """Give the places of events in `origins`."""
        return [self._place(event) for event in events]

    def _place(self, event: int) -> int:
        chain = []
        at = event
        while at >= 0 and at not in self._places:
            chain.append(at)
            at = self._all[at][0]
        for one in reversed(chain):
            parent, place, channel = self._all[one]
            self._places[one] = len(self.origins)
            self.origins.append((self._places[parent] if parent >= 0 else -1, place, channel))
        return self._places[event]


class TracePart(Dpor):
    """A worker."""

    def __init__(self, new_run: Callable[[], Run], stop_at: StopAt) -> None:
        """Set up a search over the traces of a run."""
        super().__init__(new_run, reduction=Reduction.SOURCE, stop_at=stop_at, watch=self._go_on)
        #: points that are the driver's
        self._above = 0
        #: by such a point: what is tried there
        self._tried: list[set[int]] = []
        self._news: dict[tuple[int, tuple[int, ...]], None] = {}
        self._until_s = 0.0
        self._most = 0

    def explore(self, parts: Sequence[Part], most: int, seconds: float) -> list[Explored]:
        """Explore parts, one after the other, while there is time and for at most so many orders.

        Gives what came of those that were begun: one at least.
        """
        self._until_s = time.monotonic() + seconds
        explored: list[Explored] = []
        for part in parts:
            self._most = most - sum(one.traces.orders for one in explored)
            explored.append(self._explore(part))
            traces = explored[-1].traces
            stopped = any(self._stop_at(broken.promise) for broken in traces.found)
            if stopped or not self._go_on(traces):
                break
        return explored

    def _go_on(self, traces: Traces) -> bool:
        return traces.orders < self._most and time.monotonic() < self._until_s

    def _explore(self, part: Part) -> Explored:
        events = part.path if part.event < 0 else [*part.path, part.event]
        self._above = len(events)
        self._tried, self._news = [set(tried) for tried in part.tried], {}
        sleeps: list[list[tuple[int, SavedFootprint]]] = [[] for _ in part.path]
        sleeps.append([(event, _WHOLE) for event in part.asleep])
        self.resume(
            SavedTraces(
                traces=Traces(),
                names=part.origins,  # type: ignore[arg-type]
                channels=[],
                nodes=[(sleep, 0) for sleep in sleeps],
                scheduled=[(depth, event, _WHOLE) for depth, event in enumerate(events)],
            )
        )
        traces = self.search()
        packer = Packer(list(self._names))
        news = [(point, packer.places(initials)) for point, initials in self._news]
        left = [] if traces.complete else list(self._left(packer))
        return Explored(packer.origins, traces, news, left)

    def _left(self, packer: Packer) -> Iterator[Left]:
        last = len(self._nodes) - 1
        for place, node in enumerate(self._nodes[self._above :], self._above):
            events = packer.places(branch.event for branch in node.scheduled)
            event = -1 if place == last else events.pop(0)
            yield Left(packer.places(node.sleep), event, events)

    def _reverse_races(self, fresh: int) -> None:
        for later in range(fresh, len(self._past.events)):
            for earlier in self._past.races(later):
                self.traces.races += 1
                sequence = self._past.reversed(earlier, later, later)
                if earlier >= self._above:
                    self._add_first(self._nodes[earlier], sequence)
                    continue
                firsts: dict[int, int] = {}
                for event in sequence:
                    firsts.setdefault(event.receiver, event.name)
                if self._tried[earlier].isdisjoint(firsts.values()):
                    self._news[earlier, tuple(firsts.values())] = None
