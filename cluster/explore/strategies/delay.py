"""Delay-bounded orders: the oldest message first, but for at most so many that are put off.

All orders with no delay, then with one, and so on; each delay puts the message that would come next
behind all others that are in flight. What is found first needs fewest delays.

Source: Emmi, Qadeer, Rakamaric: Delay-bounded scheduling (POPL 2011).
"""

from collections import deque
from collections.abc import Hashable, Sequence


class DelayBounded:
    """Every order with at most `delays` delays, each once."""

    def __init__(self, delays: int = 2) -> None:
        """Start with the order without any."""
        self.delays = delays
        #: deliveries before which one is put off; a delivery may be named again
        self._waiting: deque[tuple[int, ...]] = deque([()])
        self._plan: tuple[int, ...] = ()
        self._begun = False
        self._count = 0
        #: messages in the order in which they are to come, by number
        self._rank: dict[int, int] = {}
        self._last = 0

    def begin(self) -> bool:
        """Plan the orders that have one delay more than the last, and start the next."""
        if self._begun and len(self._plan) < self.delays:
            first = self._plan[-1] if self._plan else 0
            self._waiting.extend((*self._plan, at) for at in range(first, self._count))
        if not self._waiting:
            return False
        self._plan = self._waiting.popleft()
        self._begun = True
        self._count = 0
        self._rank, self._last = {}, 0
        return True

    def choose(self, pending: dict[Hashable, int]) -> Hashable:
        """Take the first in line, after putting off those that are to be."""
        rank = self._rank
        for _ in range(self._plan.count(self._count)):
            put_off = min(pending.values(), key=rank.__getitem__)
            self._last += 1
            rank[put_off] = self._last
        self._count += 1
        return min(pending, key=lambda channel: rank[pending[channel]])

    def save(self) -> list[int]:
        """Give the plans: length and places of each, first of the last order and its deliveries."""
        saved = [self._count, int(self._begun)]
        for plan in (self._plan, *self._waiting):
            saved += [len(plan), *plan]
        return saved

    def resume(self, saved: list[int]) -> None:
        """Go on behind that order."""
        self._count, self._begun = saved[0], bool(saved[1])
        plans, at = [], 2
        while at < len(saved):
            plans.append(tuple(saved[at + 1 : at + 1 + saved[at]]))
            at += 1 + saved[at]
        self._plan, self._waiting = plans[0], deque(plans[1:])

    def posted(self, numbers: Sequence[int]) -> None:
        """Put new messages behind the others."""
        for number in numbers:
            self._last += 1
            self._rank[number] = self._last
