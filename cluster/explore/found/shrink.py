"""Shrink an order that breaks a promise: first the scenario, then the order.

The scenario is made simpler step by step, as long as some order still breaks the same promise: the
one at hand, by name and without what is missing, or one of a few random ones. Then the shortest
order is searched for, breadth first; if there are too many states for that, deliveries are left
out. The result depends on the input only: nothing here reads a clock.
"""

from collections.abc import Callable

import msgspec

from cluster.explore.choices import Chosen, Strategy
from cluster.explore.found.effort import Effort
from cluster.explore.found.named import Named, along, channels, named
from cluster.explore.found.simpler import Simpler, simpler, size, tidied
from cluster.explore.search import SearchResult, explore
from cluster.explore.strategies.orders import Orders, run_orders
from cluster.explore.strategies.pct import Pct
from cluster.explore.strategies.random_order import RandomOrder
from cluster.explore.walk import Walks
from cluster.hosts.channel import Channel
from cluster.input_error import InputError
from cluster.scenario.scenario import Scenario
from cluster.scenario.setup import Setup, prepare


class ShrinkError(InputError):
    """An order that cannot be shrunk; says why."""


class Shrunk(msgspec.Struct, kw_only=True):
    """What is left of an order, and of its scenario."""

    setup: Setup
    promise: str
    path: tuple[Channel, ...]
    #: cores, threads, instructions and deliveries before shrinking
    before: tuple[int, int, int, int]
    #: what was simplified, in order
    steps: list[str]
    #: no order of this scenario breaks the promise with fewer deliveries
    shortest: bool = False
    #: it was told to stop before it was done
    stopped: bool = False

    @property
    def now(self) -> tuple[int, int, int, int]:
        """Return the size now, as `before`."""
        return *size(self.setup.scenario), len(self.path)


class StopShrinking(Exception):  # noqa: N818 - not an error: whoever watches raises it
    """Raised to stop shrinking: what is left is small enough."""


#: called with what is left and what is tried, before each attempt; may raise StopShrinking
Watch = Callable[[Shrunk, str], None]


def shrink(
    setup: Setup,
    path: tuple[Channel, ...],
    *,
    effort: Effort | None = None,
    watch: Watch = lambda _, __: None,
) -> Shrunk:
    """Shrink an order that breaks a promise; what is left breaks the same promise.

    Raises:
        ShrinkError: it breaks none, or its guest is a recorded workload.
    """
    effort = effort or Effort()
    if not setup.scenario.thread:
        raise ShrinkError(
            "this run's guest is a recorded workload, which cannot be made simpler line by line: "
            "write the part that matters as [[thread]] tables, and explore that"
        )
    _, broken = along(Walks(setup), path, to_rest=True)
    if not broken.promise:
        raise ShrinkError("this run breaks no promise of its policy: there is nothing to shrink to")
    shrunk = Shrunk(
        setup=_again(tidied(setup.scenario), setup),
        promise=broken.promise,
        path=broken.path,
        before=(*size(setup.scenario), len(path)),
        steps=[],
    )
    try:
        _simplify(shrunk, effort, watch)
        _shorten(shrunk, effort, watch)
    except StopShrinking:
        shrunk.stopped = True
    return shrunk


def _simplify(shrunk: Shrunk, effort: Effort, watch: Watch) -> None:
    """Take simpler scenarios that still break the promise, until there are none."""
    tried: set[bytes] = set()
    again = True
    while again:
        again = False
        for candidate in simpler(shrunk.setup.scenario):
            key = msgspec.msgpack.encode(candidate.scenario)
            if key in tried:
                continue
            tried.add(key)
            watch(shrunk, candidate.what)
            if _take(shrunk, candidate, effort):
                again = True
                break


def _take(shrunk: Shrunk, candidate: Simpler, effort: Effort) -> bool:
    setup = _prepared(candidate.scenario, shrunk.setup)
    if setup is None:
        return False
    path = _still(setup, shrunk.promise, named(shrunk.setup, shrunk.path), effort)
    if path is None:
        return False
    shrunk.setup, shrunk.path = setup, path
    shrunk.steps.append(candidate.what)
    return True


def _prepared(scenario: Scenario, of: Setup) -> Setup | None:
    try:
        return _again(scenario, of)
    except InputError:
        return None


def _again(scenario: Scenario, of: Setup) -> Setup:
    setup = prepare(scenario, "shrink", profile=of.profile)
    return msgspec.structs.replace(setup, also_promised=of.also_promised)


def _still(
    setup: Setup, promise: str, path: tuple[Named, ...], effort: Effort
) -> tuple[Channel, ...] | None:
    """Return an order of `setup` that breaks the promise, like `path` or drawn; None: none."""
    walks = Walks(setup)
    _, broken = along(walks, channels(setup, path), to_rest=True)
    if broken.promise == promise:
        return broken.path

    def more(orders: Orders) -> bool:
        return orders.orders < effort.drawn and orders.deliveries < effort.deliveries

    for scheduler in (Pct(depth=4), RandomOrder()):
        orders = run_orders(walks, scheduler, stop_at=promise.__eq__, watch=more)
        for found in orders.found:
            if found.promise == promise:
                return found.path
    return None


def _shorten(shrunk: Shrunk, effort: Effort, watch: Watch) -> None:
    def goes_on(_: SearchResult) -> bool:
        watch(shrunk, "the shortest order")
        return True

    chosen = Chosen(strategy=Strategy.BFS, budget=effort.states, wanted=shrunk.promise)
    for finding in explore(shrunk.setup, chosen, goes_on).found:
        if finding.property == shrunk.promise:
            shrunk.path, shrunk.shortest = finding.path, True
            return
    _leave_out(shrunk, watch)


def _leave_out(shrunk: Shrunk, watch: Watch) -> None:
    """Leave deliveries out, long stretches first, until no single one can be."""
    walks, length = Walks(shrunk.setup), max(1, len(shrunk.path) // 2)
    while True:
        before = len(shrunk.path)
        end = before
        while end > 0:
            start = max(0, end - length)
            watch(shrunk, f"without deliveries {start + 1} to {end}")
            path = (*shrunk.path[:start], *shrunk.path[end:])
            _, broken = along(walks, path, to_rest=False)
            if broken.promise == shrunk.promise and len(broken.path) < len(shrunk.path):
                shrunk.path = broken.path
            end = min(start, len(shrunk.path))
        if length > 1:
            length //= 2
        elif len(shrunk.path) == before:
            return
