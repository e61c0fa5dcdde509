"""The driver of a search over traces by several workers: each trace once, whoever runs it.

A tree of points: at each, events are tried in turn, and a later one lets the earlier ones sleep
although those may still be running: somebody runs them to their end. Source sets make this sound: a
race only asks that one of some events be tried at a point, sooner or later. Wakeup trees would have
to grow in places that others have left long ago.

As many orders are run to their end as by a single worker with either reduction. Some may be begun
in vain; and if orders break a promise, and so end early, which of them do is not determined.
"""

from collections.abc import Callable, Sequence

from cluster.explore.strategies.dpor import Traces, Watch
from cluster.explore.strategy_api import Run, StopAt, at_first, keep
from cluster.explore.workers.crew import Crew, HereCrew
from cluster.explore.workers.trace_part import Origin, Packer, Part, PartDone, TracePart

#: orders run per worker before the work is shared out
_ALONE = 64
#: how long a worker may work on its parts
_PARTS_S = 0.4
#: waiting parts: below this the largest are handed out first, to keep all workers busy; above it
#: the smallest, to keep memory small
_PLENTY = 1000
_ENDLESS = 1 << 62


class _Point:
    """A point of an order, from which several events are tried."""

    __slots__ = ("above", "depth", "event", "tried")

    def __init__(self, above: "_Point | None", event: int, tried: list[int]) -> None:
        self.above = above
        #: the event that leads here from `above`
        self.event = event
        self.depth: int = 0 if above is None else above.depth + 1
        #: each sleeps while later ones are run
        self.tried = tried

    def way(self) -> list["_Point"]:
        """Return the points on the way here, and this one."""
        points: list[_Point] = []
        at: _Point | None = self
        while at is not None:
            points.append(at)
            at = at.above
        return points[::-1]


class _Job:
    """A branch that nobody runs yet."""

    __slots__ = ("asleep", "event", "point")

    def __init__(self, point: _Point, event: int) -> None:
        self.point = point
        self.asleep = point.tried.copy()
        self.event = event
        point.tried.append(event)


class SharedTraces:
    """The driver of such a search."""

    def __init__(
        self,
        new_run: Callable[[], Run],
        *,
        budget: int | None = None,
        stop_at: StopAt = at_first,
        watch: Watch = lambda _: True,
    ) -> None:
        """Set up a search of at most `budget` orders; `watch` is asked now and then."""
        self.traces = Traces()
        self._new_run = new_run
        self._stop_at = stop_at
        self._watch = watch
        self._unspent = _ENDLESS if budget is None else budget
        self._over = False
        self._names: dict[Origin, int] = {}
        self._origins: list[Origin] = []
        #: by the depth of their points
        self._jobs: dict[int, list[_Job]] = {}
        self._waiting = 0
        self._add(_Job(_Point(None, -1, []), -1))

    def run(self, crew: Crew) -> Traces:
        """Run orders until none is left, one breaks a promise, or `watch` or the budget ends it."""
        alone = HereCrew([TracePart(self._new_run, self._stop_at)])
        self._hand_out(alone, lambda: self.traces.orders >= _ALONE * crew.size)
        self._hand_out(crew, lambda: False)
        return self.traces

    def _hand_out(self, crew: Crew, enough: Callable[[], bool]) -> None:
        """Have jobs done until none is left, the search is over, or it is `enough`."""
        #: worker -> its jobs, and how many orders it may run
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
                    crew.ask(
                        worker, "search_parts", [self._part(job) for job in jobs], most, _PARTS_S
                    )
            if not busy:
                return
            worker, done = crew.answer()
            jobs, most = busy.pop(worker)
            many[worker] = 1 + 2 * len(done)
            self._unspent += most
            for job, one in zip(jobs, done, strict=False):
                self._take_in(job, one)
            for job in jobs[len(done) :]:
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
        points = job.point.way()
        tried = [packer.places(point.tried) for point in points]
        return Part(
            path=packer.places(point.event for point in points[1:]),
            asleep=packer.places(job.asleep),
            event=packer.places([job.event])[0],
            tried=tried,
            origins=packer.origins,
        )

    def _take_in(self, job: _Job, done: PartDone) -> None:
        """Add what a worker has counted, and what it says is left to do."""
        self._count(done.traces)
        names = self._learn(done.origins)
        points = job.point.way()
        for depth, places in done.news:
            events = [names[place] for place in places]
            if not set(points[depth].tried).intersection(events):
                self._add(_Job(points[depth], events[0]))
        above, event = (job.point, job.event) if job.event >= 0 else (None, -1)
        for left in done.left:
            point = _Point(above, event, [names[place] for place in left.asleep])
            if left.event >= 0:
                above, event = point, names[left.event]
                point.tried.append(event)
            for place in left.events:
                self._add(_Job(point, names[place]))

    def _learn(self, origins: Sequence[Origin]) -> list[int]:
        """Return the names of the events of a worker's answer."""
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
