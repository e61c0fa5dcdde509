"""Explore the delivery orders of a setup by a strategy, and say honestly what that shows."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

import msgspec

from cluster.explore.checkpoint import Keeper, SavedOrders
from cluster.explore.choices import Chosen, Strategy, stop_at
from cluster.explore.footprint import Dependency
from cluster.explore.strategies.delay import DelayBounded
from cluster.explore.strategies.dpor import Dpor, Traces
from cluster.explore.strategies.orders import Orders, Scheduler, run_orders
from cluster.explore.strategies.pct import Pct
from cluster.explore.strategies.random_order import RandomOrder
from cluster.explore.strategies.stateful import Order, States, StateSearch
from cluster.explore.strategy_api import Broken
from cluster.explore.symmetry import first_state
from cluster.explore.walk import Walks, follow
from cluster.explore.workers.crew import Crew
from cluster.explore.workers.sharded_search import sharded_search
from cluster.explore.workers.shared_orders import OrderMaker, SharedOrders
from cluster.explore.workers.shared_traces import SharedTraces
from cluster.hosts.channel import Channel
from cluster.scenario.setup import Setup

NETWORK = (
    "messages of one sender, operation and receiver stay in order, any others may overtake; "
    "timers may fire at any time; what a handler sends leaves in one step"
)


class Verdict(StrEnum):
    """What is known after a search."""

    #: every order within the bound was run or is equal to one that was
    HELD = "held"
    VIOLATED = "violated"
    #: nothing was found, and there is more
    EXHAUSTED = "budget exhausted"
    #: nothing was found and nothing is left, but that is no proof: a bound on what is put off,
    #: footprints, or orders given up
    UNPROVED = "not proved"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise, and what was delivered until it showed."""

    property: str
    text: str
    operations: tuple[str, ...]
    path: tuple[Channel, ...]


class Explored(msgspec.Struct, kw_only=True):
    """How far a search has come, or how it ended."""

    strategy: Strategy
    verdict: Verdict = Verdict.EXHAUSTED
    complete: bool = False
    #: states seen, or orders run
    states: int = 0
    orders: int = 0
    #: dpor: orders begun in vain; given_up: orders that did not come to an end
    blocked: int = 0
    given_up: int = 0
    #: orders that broke a promise
    broken: int = 0
    deliveries: int = 0
    #: deliveries of the longest order or, with states, until the last was reached
    longest: int = 0
    frontier: int = 0
    #: about how much is done, from 0 to 1; negative: unknown
    done: float = -1.0
    bound: str = ""
    network: str = NETWORK
    dependency: str = ""
    found: list[Finding] = []


#: told now and then how far a search has come; true: go on
Watch = Callable[[Explored], bool]


def explore(
    setup: Setup,
    chosen: Chosen,
    watch: Watch = lambda _: True,
    keeper: Keeper | None = None,
    crew: Crew | None = None,
) -> Explored:
    """Search until all is seen, a promise breaks, the budget is spent, or `watch` says to stop.

    keeper: keeps the search on disk meanwhile, and has what is to be gone on with.
    crew: workers to share it, with shares of `shares.share_of`; without a keeper.
    """
    search = _Search(setup, chosen, watch, keeper, crew)
    found = search.run()
    result = search.result
    if found:
        result.verdict = Verdict.VIOLATED
        result.found = [_told(setup, broken) for broken in found]
    elif result.complete:
        proved = chosen.proves and not result.given_up
        result.verdict = Verdict.HELD if proved else Verdict.UNPROVED
    return result


def _bound(chosen: Chosen) -> str:
    if chosen.strategy is Strategy.DELAY:
        return f"at most {chosen.delays} deliveries are put off"
    if chosen.strategy in (Strategy.RANDOM, Strategy.PCT):
        return "orders are drawn: none of these strategies can be complete"
    return "none"


def _depends(chosen: Chosen) -> str:
    if chosen.strategy is Strategy.DPOR:
        if chosen.dependency is Dependency.FOOTPRINT:
            return (
                "deliveries to one machine depend on one another if they touch the same frame or "
                "page; verdicts rest on clocks that order them all: not found is no proof"
            )
        return "deliveries to one machine depend on one another, others do not"
    if chosen.strategy.counts == "states":
        up_to = ", up to exchanges of identical cores" if chosen.symmetry else ""
        return (
            "states are equal if machines, messages in flight, and the facts that verdicts may "
            f"still depend on are{up_to}"
        )
    return "no two orders are taken for equal"


class _Search:
    """One search: what it is told, and how far it is in the words that all strategies share."""

    def __init__(
        self,
        setup: Setup,
        chosen: Chosen,
        watch: Watch,
        keeper: Keeper | None,
        crew: Crew | None,
    ) -> None:
        self.setup = setup
        self.chosen = chosen
        self.watch = watch
        self.keeper = keeper
        self.found = None if keeper is None else keeper.found
        self.crew = crew
        self.stop_at = stop_at(chosen)
        self.result = Explored(
            strategy=chosen.strategy, bound=_bound(chosen), dependency=_depends(chosen)
        )

    def run(self) -> list[Broken]:
        """Search, and give what is broken."""
        if self.chosen.strategy in (Strategy.BFS, Strategy.DFS):
            return self._states()
        if self.chosen.strategy is Strategy.DPOR:
            return self._traces()
        return self._orders()

    def _goes_on(self) -> bool:
        """Ask whoever watches; a budget of orders is looked at here."""
        budget = self.chosen.budget
        return self.watch(self.result) and (budget is None or self.result.orders < budget)

    def _spent(self, kept: Traces | Orders) -> bool:
        """Say whether a search that is gone on with has made as many orders as it may."""
        return self.chosen.budget is not None and kept.orders >= self.chosen.budget

    def _states(self) -> list[Broken]:
        chosen, result, keeper = self.chosen, self.result, self.keeper

        def look(states: States) -> bool:
            result.states, result.deliveries = states.states, states.transitions
            result.longest, result.frontier = states.depth, states.frontier
            result.complete = states.complete
            if keeper is not None:
                keeper.states(search.save)
            return self.watch(result)

        budget, stop = chosen.budget, self.stop_at
        start = partial(first_state, self.setup, symmetry=chosen.symmetry)
        if self.crew is not None:
            states = sharded_search(start, self.crew, budget=budget, stop_at=stop, watch=look)
            look(states)
            return states.found
        order = Order.BREADTH_FIRST if chosen.strategy is Strategy.BFS else Order.DEPTH_FIRST
        search = StateSearch(start(), order=order, budget=budget, stop_at=stop, watch=look)
        if self.found is not None and self.found.states is not None:
            search.resume(self.found.states)
        states = search.run()
        look(states)
        if keeper is not None:
            keeper.states(search.save, now=True)
        return states.found

    def _traces(self) -> list[Broken]:
        chosen, result, keeper = self.chosen, self.result, self.keeper

        def look(traces: Traces) -> bool:
            result.orders, result.blocked = traces.orders, traces.blocked
            result.deliveries, result.longest = traces.deliveries, traces.longest
            result.done, result.complete = traces.done, traces.complete
            result.broken, result.given_up = traces.broken, traces.given_up
            if keeper is not None:
                keeper.traces(dpor.save)
            return self._goes_on()

        if self.crew is not None:
            shared = SharedTraces(
                Walks(self.setup), budget=chosen.budget, stop_at=self.stop_at, watch=look
            )
            traces = shared.run(self.crew)
            look(traces)
            return traces.found
        walks = Walks(self.setup, chosen.dependency)
        dpor = Dpor(walks, reduction=chosen.reduction, stop_at=self.stop_at, watch=look)
        if self.found is not None and self.found.traces is not None:
            dpor.resume(self.found.traces)
            if self._spent(traces := self.found.traces.traces):
                look(traces)
                return traces.found
        traces = dpor.search()
        look(traces)
        if keeper is not None:
            keeper.traces(dpor.save, now=True)
        return traces.found

    def _orders(self) -> list[Broken]:
        chosen, result, keeper = self.chosen, self.result, self.keeper
        chooser, so_far = scheduler(chosen), Orders()

        def save() -> SavedOrders:
            return SavedOrders(so_far, chooser.save())

        def look(orders: Orders) -> bool:
            result.orders, result.given_up = orders.orders, orders.given_up
            result.deliveries, result.longest = orders.deliveries, orders.longest
            result.complete, result.broken = orders.complete, orders.broken
            if chosen.budget is not None:
                result.done = orders.orders / chosen.budget
            if keeper is not None:
                keeper.orders(save)
            return self._goes_on()

        walks = Walks(self.setup)
        if self.crew is not None:
            maker = OrderMaker(walks, chosen, self.stop_at)
            so_far = SharedOrders(maker, chosen, stop_at=self.stop_at, watch=look).run(self.crew)
            look(so_far)
            return so_far.found
        if self.found is not None and self.found.orders is not None:
            so_far = self.found.orders.orders
            chooser.resume(self.found.orders.scheduler)
            if self._spent(so_far):
                look(so_far)
                return so_far.found
        run_orders(walks, chooser, stop_at=self.stop_at, watch=look, so_far=so_far)
        look(so_far)
        if keeper is not None:
            keeper.orders(save, now=True)
        return so_far.found


def scheduler(chosen: Chosen) -> Scheduler:
    """Make what chooses the orders of a strategy that makes them one by one."""
    if chosen.strategy is Strategy.RANDOM:
        return RandomOrder(chosen.seed)
    if chosen.strategy is Strategy.PCT:
        return Pct(chosen.seed, depth=chosen.depth)
    return DelayBounded(chosen.delays)


def _told(setup: Setup, broken: Broken) -> Finding:
    violation = follow(Walks(setup), broken.path).violation()
    assert violation is not None, "the same deliveries break the same promise"
    return Finding(
        property=violation.property,
        text=violation.text,
        operations=violation.operations,
        path=broken.path,
    )
