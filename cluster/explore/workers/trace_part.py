"""A worker's share of a search over traces: parts of the tree of orders, each for a while.

A part is all orders that follow the path to some point and go on there with an event, except those
that a sleeping event may begin. What a race asks for at a point of the path is passed to the
driver: others are below that point, too, and it decides what is tried there (`shared_traces`).

All deliveries to one receiver are taken to depend on one another: footprints are numbered per
process.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import msgspec

from cluster.explore.strategies.dpor import Dpor, Reduction, SavedTraces, Traces
from cluster.explore.strategies.wakeup import SavedFootprint, saved_footprint
from cluster.explore.strategy_api import WHOLE, Run, StopAt

#: how an event came about: the event that posted it (or -1), place among its posts, channel
Origin = tuple[int, int, Hashable]
_WHOLE = saved_footprint(WHOLE)


class Part(msgspec.Struct, frozen=True):
    """What to search; events are places in `origins`."""

    origins: list[Origin]
    #: events that lead to the point
    path: list[int]
    #: events that need not come next there
    asleep: list[int]
    #: the event that comes next there; -1: anything, and the part is the whole
    event: int
    #: by point of the path: events that are tried there by anyone
    tried: list[list[int]]


class Left(msgspec.Struct, frozen=True):
    """A point on the way to where a worker stopped."""

    #: events that need not come next, other than those below
    asleep: list[int]
    #: the event that leads on; -1: this is the last point
    event: int
    #: other events to be tried here
    events: list[int]


class PartDone(msgspec.Struct, frozen=True):
    """What was found in a part; events are places in `origins`."""

    origins: list[Origin]
    traces: Traces
    #: (point of the path, events): one of them must be tried there; the first, if none is yet
    news: list[tuple[int, list[int]]]
    #: points below the path that are not done
    left: list[Left]


class Packer:
    """Collects the events that are sent along with a message."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        """Start with none; `origins`: of all events, by name."""
        self.origins: list[Origin] = []
        self._all = origins
        self._places: dict[int, int] = {}

    def places(self, events: Iterable[int]) -> list[int]:
        """Return the places of events in `origins`, after adding them."""
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
    """A worker's share: it searches the parts that it is given."""

    def __init__(self, new_run: Callable[[], Run], stop_at: StopAt) -> None:
        """Set up a search over the traces of a run."""
        super().__init__(new_run, reduction=Reduction.SOURCE, stop_at=stop_at, watch=self._go_on)
        #: number of points that belong to the driver
        self._above = 0
        #: by such a point: events that are tried there
        self._tried: list[set[int]] = []
        self._news: dict[tuple[int, tuple[int, ...]], None] = {}
        self._until_s = 0.0
        self._most = 0

    def search_parts(self, parts: Sequence[Part], most: int, seconds: float) -> list[PartDone]:
        """Search parts one after another, for at most `seconds` and at most `most` orders.

        Returns what was found in those that were begun: at least one.
        """
        self._until_s = time.monotonic() + seconds
        done: list[PartDone] = []
        for part in parts:
            self._most = most - sum(one.traces.orders for one in done)
            done.append(self._search_part(part))
            traces = done[-1].traces
            stopped = any(self._stop_at(broken.promise) for broken in traces.found)
            if stopped or not self._go_on(traces):
                break
        return done

    def _go_on(self, traces: Traces) -> bool:
        return traces.orders < self._most and time.monotonic() < self._until_s

    def _search_part(self, part: Part) -> PartDone:
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
        return PartDone(packer.origins, traces, news, left)

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
