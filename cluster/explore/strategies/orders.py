"""Orders made one after the other by a scheduler, each judged to its end."""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import msgspec

from cluster.explore.strategy_api import Broken, Run, StopAt, at_first, keep

#: deliveries after which an order is given up; told, and never taken for one that ended
GIVEN_UP_AFTER = 100_000


class Scheduler(Protocol):
    """Chooses what is delivered next. Kept for many orders; what it draws comes from a seed."""

    def begin(self) -> bool:
        """Start another order; False: the scheduler has made all of its orders."""

    def choose(self, pending: dict[Hashable, int]) -> Hashable:
        """Choose a channel.

        pending: channels that hold a message, with the number of the oldest there. Messages are
        numbered in the order posted; a channel is behind those that came to hold one before it.
        """

    def save(self) -> list[int]:
        """Give what is needed to go on behind the last order."""

    def resume(self, saved: list[int]) -> None:
        """Go on behind the last order of a scheduler that was saved."""

    def posted(self, numbers: Sequence[int]) -> None:
        """Hear which messages the last delivery posted, or which are in flight at the start."""


class Orders(msgspec.Struct, kw_only=True):
    """What was found so far."""

    orders: int = 0
    deliveries: int = 0
    longest: int = 0
    #: orders that did not end in `GIVEN_UP_AFTER` deliveries
    given_up: int = 0
    #: orders that broke a promise
    broken: int = 0
    #: the scheduler has no further order
    complete: bool = False
    found: list[Broken] = []


#: told (what was found so far) after every order; true: go on
Watch = Callable[[Orders], bool]


def run_orders(
    new_run: Callable[[], Run],
    scheduler: Scheduler,
    *,
    stop_at: StopAt = at_first,
    watch: Watch = lambda _: True,
    so_far: Orders | None = None,
) -> Orders:
    """Run orders until there is none, one breaks a promise, or `watch` says to stop.

    so_far: what an earlier part of the same search found, to be gone on with.
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
        #: what `Scheduler.choose` is given
        self.pending: dict[Hashable, int] = {}
        #: behind the oldest
        self._behind: dict[Hashable, list[int]] = {}

    def post(self, channels: Sequence[Hashable]) -> range:
        first = self._count
        for number, channel in enumerate(channels, first):
            if channel in self.pending:
                self._behind.setdefault(channel, []).append(number)
            else:
                self.pending[channel] = number
        self._count += len(channels)
        return range(first, self._count)

    def take(self, channel: Hashable) -> None:
        del self.pending[channel]
        behind = self._behind.get(channel)
        if behind:
            self.pending[channel] = behind.pop(0)
