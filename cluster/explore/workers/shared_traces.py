"""The driver of a search over traces by several workers: each trace once, whoever runs it.

A tree of points: at each, events are tried one after the other, and those behind need not begin
with what was tried before, although that may be running still: somebody runs it to its end. Source
sets make this sound. What a race asks for is that one of some events is tried at a point, whenever;
wakeup trees would have to grow where others have long been.

The number of orders that are run to their end is that of one worker with any reduction. Orders
begun in vain are possible; and where orders break a promise and end there, which do is not fixed.
"""

from collections.abc import Callable, Sequence

from cluster.explore.strategies.dpor import Traces, Watch
from cluster.explore.strategy_api import Run, StopAt, at_first, keep
from cluster.explore.workers.crew import Crew, HereCrew
from cluster.explore.workers.trace_part import Explored, Origin, Packer, Part, TracePart

#: orders run for each worker before the work is shared out
_ALONE = 64
#: how long a worker is at its parts
_PARTS_S = 0.4
#: parts that wait: with fewer, the largest are given away first, to keep all busy; with more, the
#: smallest, to keep memory small
_PLENTY = 1000
_ENDLESS = 1 << 62


class _Point:
    """A point of an order from which several things are tried."""

    __slots__ = ("above", "depth", "event", "tried")

    def __init__(self, above: "_Point | None", event: int, tried: list[int]) -> None:
        self.above = above
        #: that leads here from `above`
        self.event = event
        self.depth: int = 0 if above is None else above.depth + 1
        #: each sleeps while those behind it are run
        self.tried = tried

    def all(self) -> list["_Point"]:
        """Give the points on the way here, and this one."""
        points: list[_Point] = []
        at: _Point | None = self
        while at is not None:
            points.append(at)
            at = at.above
        return points[::-1]


class _Job:
    """A branch that nobody runs."""

    __slots__ = ("asleep", "event", "point")

    def __init__(self, point: _Point, event: int) -> None:
        self.point = point
        self.asleep = point.tried.copy()
        self.event = event
        point.tried.append(event)


class SharedTraces:
    """The driver."""

    def __init__(
        self,
        new_run: Callable[[], Run],
        *,
        budget: int | None = None,
        stop_at: StopAt = at_first,
        watch: Watch = lambda _: True,
    ) -> None:
        """Set up a search; it makes at most so many orders, and asks `watch` now and then."""
        self.traces = Traces()
        self._new_run = new_run
        self._stop_at = stop_at
        self._watch = watch
        self._unspent = _ENDLESS if budget is None else budget
        self._over = False
        self._names: dict[Origin, int] = {}
        self._origins: list[Origin] = []
        #: by depth of their points
        self._jobs: dict[int, list[_Job]] = {}
        self._waiting = 0
        self._add(_Job(_Point(None, -1, []), -1))

    def run(self, crew: Crew) -> Traces:
        """Run orders until none is left, one breaks a promise, or `watch` or the budget says so."""
        alone = HereCrew([TracePart(self._new_run, self._stop_at)])
        self._hand_out(alone, lambda: self.traces.orders >= _ALONE * crew.size)
        self._hand_out(crew, lambda: False)
        return self.traces

    def _hand_out(self, crew: Crew, enough: Callable[[], bool]) -> None:
        """Have jobs done until there is none, the search is over or it is enough."""
        #: by worker: what it is at, and how many orders it may run
        busy: dict[int, tuple[list[_Job], int]] = {}
        many = [1] * crew.size
        while True:
            for worker in range(crew.size):
                if worker not in busy and self._waiting and not (self._over or enough()):
                    most = -(-self._unspent // crew.size)
                    if not most:
                        break
                    jobs = self._take(min(many[worker], -(-self._waiting // crew.size)))
                    busy[worker] = jobs, most
                    self._unspent -= most
                    crew.ask(worker, "explore", [self._part(job) for job in jobs], most, _PARTS_S)
            if not busy:
                return
            worker, explored = crew.answer()
            jobs, most = busy.pop(worker)
            many[worker] = 1 + 2 * len(explored)
            self._unspent += most
            for job, one in zip(jobs, explored, strict=False):
                self._take_in(job, one)
            for job in jobs[len(explored) :]:
                self._add(job)
            traces = self.traces
            traces.complete = not self._waiting and not busy
            traces.done = float(traces.complete)
            self._over = self._over or not self._watch(traces)

    def _add(self, job: _Job) -> None:
        self._jobs.setdefault(job.point.depth, []).append(job)
        self._waiting += 1

    def _take(self, many: int) -> list[_Job]:
        taken = []
        for _ in range(many):
            depth = min(self._jobs) if self._waiting < _PLENTY else max(self._jobs)
            taken.append(self._jobs[depth].pop())
            if not self._jobs[depth]:
                del self._jobs[depth]
            self._waiting -= 1
        return taken

    def _part(self, job: _Job) -> Part:
        if job.event < 0:
            return Part([], [], [], -1, [])
        packer = Packer(self._origins)
        points = job.point.all()
        tried = [packer.places(point.tried) for point in points]
        return Part(
            path=packer.places(point.event for point in points[1:]),
            asleep=packer.places(job.asleep),
            event=packer.places([job.event])[0],
            tried=tried,
            origins=packer.origins,
        )

    def _take_in(self, job: _Job, explored: Explored) -> None:
        """Add what a worker has counted, and what it says that there is to do."""
        self._count(explored.traces)
        names = self._learn(explored.origins)
        points = job.point.all()
        for depth, places in explored.news:
            events = [names[place] for place in places]
            if not set(points[depth].tried).intersection(events):
                self._add(_Job(points[depth], events[0]))
        above, event = (job.point, job.event) if job.event >= 0 else (None, -1)
        for left in explored.left:
            point = _Point(above, event, [names[place] for place in left.asleep])
            if left.event >= 0:
                above, event = point, names[left.event]
                point.tried.append(event)
            for place in left.events:
                self._add(_Job(point, names[place]))

    def _learn(self, origins: Sequence[Origin]) -> list[int]:
        """Give the names of events that a worker tells of."""
        names: list[int] = []
        for parent, place, channel in origins:
            origin = (names[parent] if parent >= 0 else -1, place, channel)
            names.append(self._names.setdefault(origin, len(self._names)))
            if names[-1] == len(self._origins):
                self._origins.append(origin)
        return names

    def _count(self, more: Traces) -> None:
        traces = self.traces
        traces.orders += more.orders
        traces.blocked += more.blocked
        traces.given_up += more.given_up
        traces.deliveries += more.deliveries
        traces.races += more.races
        traces.longest = max(traces.longest, more.longest)
        traces.broken += more.broken
        self._unspent -= more.orders
        for broken in more.found:
            keep(traces.found, broken)
            self._over = self._over or self._stop_at(broken.promise)
