"""Delay-bounded orders: the oldest message first, but at most so many times one is put off.

The order without delays, then all with one, and so on; a delay moves the message that would come
next to the end of the line. What is found first needs the fewest delays.

Source: Emmi, Qadeer, Rakamaric: Delay-bounded scheduling (POPL 2011).
"""

from collections import deque
from collections.abc import Hashable, Sequence


class DelayBounded:
    """Every order with at most `delays` delays, each once."""

    def __init__(self, delays: int = 2) -> None:
        """Start with the order without delays."""
        self.delays = delays
        #: plans: numbers of the deliveries before which one is put off (twice: so are two)
        self._waiting: deque[tuple[int, ...]] = deque([()])
        self._plan: tuple[int, ...] = ()
        self._begun = False
        self._count = 0
        #: message -> its place in the line
        self._rank: dict[int, int] = {}
        self._last = 0

    def begin(self) -> bool:
        """Plan the orders with one delay more than the last one, and start the next."""
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
        """Take the first in the line, after the delays that the plan has here."""
        rank = self._rank
        for _ in range(self._plan.count(self._count)):
            put_off = min(pending.values(), key=rank.__getitem__)
            self._last += 1
            rank[put_off] = self._last
        self._count += 1
        return min(pending, key=lambda channel: rank[pending[channel]])

    def save(self) -> list[int]:
        """Return the last order's deliveries, then all plans, its own first, with lengths."""
        saved = [self._count, int(self._begun)]
        for plan in (self._plan, *self._waiting):
            saved += [len(plan), *plan]
        return saved

    def resume(self, saved: list[int]) -> None:
        """Go on after that order."""
        self._count, self._begun = saved[0], bool(saved[1])
        plans, at = [], 2
        while at < len(saved):
            plans.append(tuple(saved[at + 1 : at + 1 + saved[at]]))
            at += 1 + saved[at]
        self._plan, self._waiting = plans[0], deque(plans[1:])

    def posted(self, numbers: Sequence[int]) -> None:
        """Put new messages at the end of the line."""
        for number in numbers:
            self._last += 1
            self._rank[number] = self._last
