"""The driver of a breadth-first search by several workers; see `sharded`."""

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import chain
from typing import Any

from cluster.explore.state import State
from cluster.explore.strategies.stateful import States, Watch
from cluster.explore.strategy_api import Broken, StopAt, at_first, keep, never
from cluster.explore.workers.crew import Crew, HereCrew, ask_all
from cluster.explore.workers.sharded import CHOICE_BITS, Shard, Taken, Visited

#: states per worker before the work is shared out
FRONTIER = 100
#: how long a batch should take: longer means less waiting, but stopping waits for its end
_BATCH_S = 0.4
_BATCH_FIRST = 64
#: a worker with so much more of a batch than the mean (fraction, states) gives states away
_LOPSIDED = (0.2, 32)


def sharded_search(
    start: Callable[[], State],
    crew: Crew,
    *,
    budget: int | None = None,
    stop_at: StopAt = at_first,
    watch: Watch = lambda _: True,
) -> States:
    """Search as `stateful.search` does breadth first, with the same result.

    The workers' shares are `Opening`s. If the search is over before there is enough for all to do,
    none is asked. `watch` is asked after each batch.
    """
    search = _Search(HereCrew([Shard(start)]), budget, stop_at, watch)
    if search.run(lambda: search.known - search.done >= FRONTIER * crew.size):
        search.share_out(crew)
        search.run(lambda: False)
    search.result.found = [
        Broken(one.promise, _choices(start(), one.path)) for one in search.result.found
    ]
    return search.result


def _choices(state: State, numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    path: list[Any] = []
    for number in numbers:
        path.append(state.enabled()[number])
        state = state.deliver(path[-1])
    return tuple(path)


class Opening(Shard):
    """A worker's share; every worker makes the first states itself."""

    def open(self, me: int, of: int, done: int) -> None:
        """Visit states as the driver did, up to a rank; then keep a part of what is known."""
        search = _Search(HereCrew([self]), None, never, lambda _: True)
        search.run(lambda: search.done >= done, until=done)
        search.settle()
        self.share(me, of)


class _Search:
    """What the driver knows: ranks, and which worker holds which state."""

    def __init__(self, crew: Crew, budget: int | None, stop_at: StopAt, watch: Watch) -> None:
        self.result = States()
        self.known = 1
        self.done = 0
        self._crew = crew
        self._budget = budget
        self._stop_at = stop_at
        self._watch = watch
        #: by rank: the key under which the state was found
        self._keys = array("Q", [0])
        #: by rank, from `done` on: the worker that holds the state
        self._holders = [0]
        #: by worker: how many states it holds
        self._held = [1]
        #: by depth: the first rank
        self._firsts = [0]
        #: by worker: keys and ranks of the last batch's new states
        self._new: list[tuple[list[int], list[int]]] = [([], [])]
        self._batch = _BATCH_FIRST

    def share_out(self, crew: Crew) -> None:
        """Go on with other workers."""
        self._crew, size = crew, crew.size
        ask_all(crew, "open", [(worker, size, self.done) for worker in range(size)])
        self._holders = [rank % size for rank in range(self.done, self.known)]
        self._held = [self._holders.count(worker) for worker in range(size)]
        self._new = [([], []) for _ in range(size)]

    def run(self, enough: Callable[[], bool], until: int | None = None) -> bool:
        """Visit states until it is `enough` (True), or all are visited, or the search is over."""
        while self.done < self.known:
            if enough():
                return True
            upto = min(self.known, self.done + self._batch)
            started_s = time.monotonic()
            if not self._visit(upto if until is None else min(upto, until)):
                return False
            took_s = max(time.monotonic() - started_s, 1e-6)
            self._batch = 1 + int(self._batch * min(2.0, max(0.5, _BATCH_S / took_s)))
            if not self._watch(self.result):
                return False
        self.result.complete = True
        return False

    def settle(self) -> None:
        """Have the workers take in the last new states."""
        ask_all(self._crew, "visit", [(Taken(*new), self.done) for new in self._new])

    def _visit(self, until: int) -> bool:
        """Visit a batch; False: the search is over."""
        taken = self._balanced(until)
        visited: list[Visited] = ask_all(self._crew, "visit", [(one, until) for one in taken])
        by_owner = zip(*(v.claims for v in visited), strict=True)
        judged = ask_all(self._crew, "judge", [(claims,) for claims in by_owner])
        new = sorted(sorted(claims) for claims in chain.from_iterable(judged))
        broken = sorted(chain.from_iterable(v.broken for v in visited))
        last, counted = self._last(new, broken)
        if last is None:
            self.result.transitions += sum(v.transitions for v in visited)
            self.result.quiescent += sum(v.quiescent for v in visited)
        else:
            for counts in ask_all(self._crew, "recount", [(counted,)] * self._crew.size):
                self.result.transitions += counts[0]
                self.result.quiescent += counts[1]
            del new[bisect_left(new, [(last, 0)]) :]
        for key, promise, by_ending in broken:
            if last is None or key <= last:
                path = self._path(key >> CHOICE_BITS)
                if not by_ending:
                    path.append(key & ((1 << CHOICE_BITS) - 1))
                keep(self.result.found, Broken(promise, tuple(path)))
        self._number(new, until - 1 if last is None else last >> CHOICE_BITS)
        return last is None

    def _last(
        self, new: list[list[tuple[int, int]]], broken: list[tuple[int, str, bool]]
    ) -> tuple[int | None, int]:
        """Return the key at which a single worker's search would be over (None: not in this batch).

        And the key up to which it would count: a state at which the budget is spent does not count.
        """
        ends = [key for key, promise, _ in broken if self._stop_at(promise)]
        last = counted = min(ends, default=None)
        if self._budget is not None and self.known + len(new) > self._budget:
            key, _ = new[self._budget - self.known][0]
            if last is None or key < last:
                last, counted = key, (key >> CHOICE_BITS << CHOICE_BITS) - 1
        return last, counted or 0

    def _number(self, new: list[list[tuple[int, int]]], visited: int) -> None:
        """Give new states their ranks and holders; `visited` is the last rank visited."""
        result = self.result
        before = bisect_left(new, [(visited << CHOICE_BITS, 0)])
        result.frontier = self.known + before - visited - 1
        for holder in self._holders[: visited + 1 - self.done]:
            self._held[holder] -= 1
        del self._holders[: visited + 1 - self.done]
        self.done = visited + 1
        self._new = [([], []) for _ in self._held]
        for claims in new:
            key = claims[0][0]
            if bisect_right(self._firsts, key >> CHOICE_BITS) == len(self._firsts):
                self._firsts.append(self.known)
            own, holder = min(claims, key=lambda claim: self._held[claim[1]])
            self._held[holder] += 1
            self._holders.append(holder)
            self._keys.append(key)
            self._new[holder][0].append(own)
            self._new[holder][1].append(self.known)
            self.known += 1
        result.states, result.depth = self.known, len(self._firsts) - 1

    def _balanced(self, until: int) -> list[Taken]:
        """Return what workers are to take in; in a lopsided batch some give states away."""
        size, many = self._crew.size, until - self.done
        taken = [Taken(*new, dropped=[], moved={}) for new in self._new]
        ours: list[list[int]] = [[] for _ in range(size)]
        for rank, worker in enumerate(self._holders[:many], self.done):
            ours[worker].append(rank)
        share, few = _LOPSIDED
        if max(map(len, ours)) <= (1 + share) * many / size + few:
            return taken
        fair = -(-many // size)
        takers = (taker for taker, own in enumerate(ours) for _ in range(fair - len(own)))
        for giver, own in enumerate(ours):
            taken[giver].dropped = own[fair:]
            for rank, taker in zip(own[fair:], takers, strict=False):
                taken[taker].moved[rank] = self._path(rank)
                self._holders[rank - self.done] = taker
                self._held[giver] -= 1
                self._held[taker] += 1
        return taken

    def _path(self, rank: int) -> list[int]:
        """Return the numbers of the choices by which a state was found."""
        path = []
        while rank:
            key = self._keys[rank]
            path.append(key & ((1 << CHOICE_BITS) - 1))
            rank = key >> CHOICE_BITS
        path.reverse()
        return path
