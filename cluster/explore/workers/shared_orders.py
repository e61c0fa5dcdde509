"""Orders made one by one by several workers (random, pct, delay); the result is that of one worker.

The n-th order of a strategy is the same whoever makes it. The driver hands out numbers in lots, and
counts what comes back in the order of numbers: orders after one that ends the search are wasted.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Protocol

import msgspec

from cluster.explore.choices import Chosen, Strategy
from cluster.explore.strategies.delay import DelayBounded
from cluster.explore.strategies.orders import Orders, Scheduler, Watch, run_orders
from cluster.explore.strategies.pct import TRIALS, Pct
from cluster.explore.strategies.random_order import RandomOrder
from cluster.explore.strategy_api import Broken, Run, StopAt, at_first, keep
from cluster.explore.workers.crew import Crew, HereCrew

#: orders that the driver makes itself: under pct, the others depend on them
FIRST = TRIALS
#: how long a worker may work on a lot
_LOT_S = 0.4
_LOT_FIRST = 8


class Made(msgspec.Struct, frozen=True):
    """One order."""

    deliveries: int
    given_up: int
    broken: Broken | None


class OrderMaker:
    """A worker's share."""

    def __init__(self, new_run: Callable[[], Run], chosen: Chosen, stop_at: StopAt) -> None:
        """Set up to make orders as chosen; each lot says which."""
        self._new_run = new_run
        self._stop_at = stop_at
        self._scheduler = _of_lots(chosen)

    def make(self, lot: list[int], many: int, seconds: float) -> list[Made]:
        """Make `many` orders; fewer if `seconds` have passed or one ends the search."""
        until_s = time.monotonic() + seconds
        self._scheduler.resume(lot)
        made: list[Made] = []
        while len(made) < many:
            one = run_orders(self._new_run, self._scheduler, watch=lambda _: False)
            broken = one.found[0] if one.found else None
            made.append(Made(one.deliveries, one.given_up, broken))
            if broken is not None and self._stop_at(broken.promise):
                break
            if time.monotonic() >= until_s:
                break
        return made


def _of_lots(chosen: Chosen) -> Scheduler:
    if chosen.strategy is Strategy.RANDOM:
        return RandomOrder(chosen.seed)
    if chosen.strategy is Strategy.PCT:
        return Pct(chosen.seed, depth=chosen.depth)
    return DelayBounded(0)  # follows the plans of a lot, and adds none


class _Lots(Protocol):
    """The orders that there are to hand out."""

    def known(self) -> float:
        """Return the number up to which (exclusive) orders can be made by now."""

    def lot(self, first: int, many: int) -> list[int]:
        """Return what a scheduler resumes with to make `many` orders from `first` on."""

    def counted(self, deliveries: int) -> None:
        """Take in how long the next order was; called in the order of numbers."""


class _Drawn:
    """Random and pct: endless."""

    def __init__(self, *, pct: bool) -> None:
        self._longest = [0] if pct else []
        self._trials = 0

    def known(self) -> float:
        return float("inf")

    def lot(self, first: int, _many: int) -> list[int]:
        return [first, *self._longest]

    def counted(self, deliveries: int) -> None:
        if self._longest and self._trials < TRIALS:
            self._trials += 1
            self._longest = [max(*self._longest, deliveries)]


class _Plans:
    """Delay: a plan that was followed yields those with one delay more."""

    def __init__(self, delays: int) -> None:
        self._delays = delays
        #: plans of the orders from the first that has not been counted
        self._plans: deque[tuple[int, ...]] = deque([()])
        self._first = 0

    def known(self) -> float:
        return self._first + len(self._plans)

    def lot(self, first: int, many: int) -> list[int]:
        lot = [0, 0, 0]
        begin = first - self._first
        for plan in islice(self._plans, begin, begin + many):
            lot += [len(plan), *plan]
        return lot

    def counted(self, deliveries: int) -> None:
        plan = self._plans.popleft()
        self._first += 1
        if len(plan) < self._delays:
            last = plan[-1] if plan else 0
            self._plans.extend((*plan, at) for at in range(last, deliveries))


class SharedOrders:
    """The driver of such a search."""

    def __init__(
        self,
        maker: OrderMaker,
        chosen: Chosen,
        *,
        stop_at: StopAt = at_first,
        watch: Watch = lambda _: True,
    ) -> None:
        """Set up a search; `maker` makes the driver's own orders, `watch` is asked now and then."""
        self.result = Orders()
        self._maker = maker
        self._stop_at = stop_at
        self._watch = watch
        self._lots: _Lots = _Drawn(pct=chosen.strategy is Strategy.PCT)
        if chosen.strategy is Strategy.DELAY:
            self._lots = _Plans(chosen.delays)
        #: the search ends before this number
        self._end = float("inf") if chosen.budget is None else chosen.budget
        #: numbers that nobody is making: [first, end) left over of lots, and all from `_next` on
        self._left: list[tuple[int, int]] = []
        self._next = 0
        #: made, but not counted yet
        self._made: dict[int, Made] = {}

    def run(self, crew: Crew) -> Orders:
        """Make orders until none is left, one ends the search, or `watch` or the budget does."""
        going_on = self._hand_out(HereCrew([self._maker]), FIRST)
        if going_on and self.result.orders == FIRST:
            going_on = self._hand_out(crew, float("inf"))
        self.result.complete = going_on and self.result.orders < self._end
        return self.result

    def _hand_out(self, crew: Crew, end: float) -> bool:
        """Have the orders below `end` made; False: `watch` said to stop."""
        many = [_LOT_FIRST] * crew.size
        #: worker -> the numbers that it is making
        busy: dict[int, tuple[int, int]] = {}
        going_on = True
        while True:
            for worker in range(crew.size):
                if going_on and worker not in busy:
                    first, stop = self._take(many[worker], min(end, self._end))
                    if first < stop:
                        busy[worker] = (first, stop)
                        lot = self._lots.lot(first, stop - first)
                        crew.ask(worker, "make", lot, stop - first, _LOT_S)
            if not busy:
                break
            worker, made = crew.answer()
            many[worker] = 1 + 2 * len(made)
            self._take_in(made, *busy.pop(worker))
            going_on = going_on and self._watch(self.result)
        for number in sorted(self._made):
            one = self._made.pop(number)
            if number < self._end:
                self._count(one)  # stopped: an earlier order was not made
        return going_on

    def _take_in(self, made: list[Made], first: int, stop: int) -> None:
        """Take in a lot; count orders as far as none is missing, up to the end of the search."""
        if first + len(made) < stop:
            heapq.heappush(self._left, (first + len(made), stop))
        for number, one in enumerate(made, first):
            self._made[number] = one
            if one.broken is not None and self._stop_at(one.broken.promise):
                self._end = min(self._end, number + 1)
        while self.result.orders < self._end and self.result.orders in self._made:
            one = self._made.pop(self.result.orders)
            self._count(one)
            self._lots.counted(one.deliveries)

    def _take(self, many: int, end: float) -> tuple[int, int]:
        """Take numbers that nobody is making, lowest first; none left: an empty range."""
        if self._left:
            first, stop = heapq.heappop(self._left)
            if stop - first > many:
                heapq.heappush(self._left, (first + many, stop))
            return first, int(min(first + many, stop, max(end, first)))
        first = self._next
        self._next = max(first, int(min(first + many, end, self._lots.known())))
        return first, self._next

    def _count(self, made: Made) -> None:
        result = self.result
        result.orders += 1
        result.deliveries += made.deliveries
        result.longest = max(result.longest, made.deliveries)
        result.given_up += made.given_up
        if made.broken is not None:
            result.broken += 1
            keep(result.found, made.broken)
