"""Orders made by a scheduler, one after another, each judged to its end."""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import msgspec

from cluster.explore.strategy_api import Broken, Run, StopAt, at_first, keep

#: deliveries after which an order is given up; reported, and never counted as ended
GIVEN_UP_AFTER = 100_000


class Scheduler(Protocol):
    """Chooses what is delivered next, in one order after another; all randomness is seeded."""

    def begin(self) -> bool:
        """Start another order; False: all of its orders have been made."""

    def choose(self, pending: dict[Hashable, int]) -> Hashable:
        """Choose a channel.

        pending: channels that hold a message, each with the number of its oldest, in the order in
        which they came to hold one. Messages are numbered in the order posted.
        """

    def save(self) -> list[int]:
        """Return what is needed to go on after the last order."""

    def resume(self, saved: list[int]) -> None:
        """Go on after the last order of a saved scheduler."""

    def posted(self, numbers: Sequence[int]) -> None:
        """Take in the messages that the last delivery posted, or those in flight at the start."""


class Orders(msgspec.Struct, kw_only=True):
    """What has been found so far."""

    orders: int = 0
    deliveries: int = 0
    longest: int = 0
    #: orders that did not end within `GIVEN_UP_AFTER` deliveries
    given_up: int = 0
    #: orders that broke a promise
    broken: int = 0
    #: the scheduler has no more orders
    complete: bool = False
    found: list[Broken] = []


#: called with what has been found so far, after every order; true: go on
Watch = Callable[[Orders], bool]


def run_orders(
    new_run: Callable[[], Run],
    scheduler: Scheduler,
    *,
    stop_at: StopAt = at_first,
    watch: Watch = lambda _: True,
    so_far: Orders | None = None,
) -> Orders:
    """Run orders until none is left, one breaks a promise, or `watch` says to stop.

    so_far: what an earlier part of the same search found; it is added to.
    """
    result = so_far or Orders()
    while scheduler.begin():
        broken = _run_one(new_run(), scheduler, result)
        result.orders += 1
        if broken is not None:
            result.broken += 1
            keep(result.found, broken)
            if stop_at(broken.promise):
                return result
        if not watch(result):
            return result
    result.complete = True
    return result


def _run_one(run: Run, scheduler: Scheduler, result: Orders) -> Broken | None:
    flight = _Flight()
    scheduler.posted(flight.post(run.posted()))
    path: list[Hashable] = []
    promise = ""
    while flight.pending and not promise:
        if len(path) == GIVEN_UP_AFTER:
            result.given_up += 1
            break
        channel = scheduler.choose(flight.pending)
        flight.take(channel)
        path.append(channel)
        posted, _ = run.deliver(channel)
        scheduler.posted(flight.post(posted))
        promise = run.broken()
    if not promise and not flight.pending:
        promise = run.ended()
    result.deliveries += len(path)
    result.longest = max(result.longest, len(path))
    return Broken(promise, tuple(path)) if promise else None


class _Flight:
    """Numbers of the messages in flight."""

    def __init__(self) -> None:
        self._count = 0
        #: what `Scheduler.choose` gets
        self.pending: dict[Hashable, int] = {}
        #: by channel: the others, after its oldest
        self._later: dict[Hashable, list[int]] = {}

    def post(self, channels: Sequence[Hashable]) -> range:
        first = self._count
        for number, channel in enumerate(channels, first):
            if channel in self.pending:
                self._later.setdefault(channel, []).append(number)
            else:
                self.pending[channel] = number
        self._count += len(channels)
        return range(first, self._count)

    def take(self, channel: Hashable) -> None:
        del self.pending[channel]
        later = self._later.get(channel)
        if later:
            self.pending[channel] = later.pop(0)
