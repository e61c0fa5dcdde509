"""Random orders with a guarantee: probabilistic concurrency testing for message passing.

Messages form chains: the first that a delivery posts continues the chain of what was delivered, the
others begin chains of their own. Chains have random priorities and the highest goes first, but at
`depth - 1` random deliveries the chain that is served gets the lowest priority. A run shows a bug
that needs `depth` messages in a certain order with a probability of at least 1 in
`width**2 * deliveries**(depth - 1)`.

Source: Ozkan, Majumdar, Niksic, Befrouei, Weissenbacher: Randomized testing of distributed systems
with probabilistic guarantees (OOPSLA 2018).
"""

from collections.abc import Hashable, Sequence
from random import Random

#: assumed length of an order until one has ended
_FIRST_GUESS = 100
#: orders from which the length is learned; later ones do not depend on one another
TRIALS = 16
#: after so many deliveries the oldest message is served: otherwise a machine that polls another
#: could keep it from being served forever
_FAIR_AFTER = 1_000


class Pct:
    """Endless; the n-th order depends on seed, n and the longest of the first `TRIALS` orders."""

    def __init__(self, seed: int = 0, *, depth: int = 3, first: int = 0, step: int = 1) -> None:
        """Make the orders first, first + step, ... of a seed."""
        self.depth = depth
        self._seed = seed
        self._next = first
        self._step = step
        self._random = Random()
        self._longest = 0
        self._count = 0
        self._changes: dict[int, int] = {}
        #: by message: its chain; below, by chain: its priority
        self._chain: list[int] = []
        self._priority: list[float] = []
        self._served = -1

    def begin(self) -> bool:
        """Draw at which deliveries priorities change."""
        self._longest = self._longest_trial()
        self._random = Random(f"{self._seed} {self._next}")
        self._next += self._step
        steps = range(min(self._longest, _FAIR_AFTER) or _FIRST_GUESS)
        drawn = self._random.sample(steps, min(self.depth - 1, len(steps)))
        # lower than all priorities, and each lower than the one before
        self._changes = {at: -place for place, at in enumerate(drawn, 1)}
        self._count = 0
        self._chain, self._priority = [], []
        self._served = -1
        return True

    def choose(self, pending: dict[Hashable, int]) -> Hashable:
        """Serve the chain with the highest priority; after a while, the oldest message."""
        if self._count >= _FAIR_AFTER:
            self._count += 1
            oldest = min(pending, key=pending.__getitem__)
            self._served = self._chain[pending[oldest]]
            return oldest
        chain, priority = self._chain, self._priority
        channel = max(pending, key=lambda c: priority[chain[pending[c]]])
        self._served = chain[pending[channel]]
        if self._count in self._changes:
            priority[self._served] = self._changes[self._count]
            channel = max(pending, key=lambda c: priority[chain[pending[c]]])
            self._served = chain[pending[channel]]
        self._count += 1
        return channel

    def _longest_trial(self) -> int:
        last_is_trial = self._next - self._step < TRIALS
        return max(self._longest, self._count) if last_is_trial else self._longest

    def save(self) -> list[int]:
        """Return the number of the next order, and the length of the longest trial."""
        return [self._next, self._longest_trial()]

    def resume(self, saved: list[int]) -> None:
        """Go on with that order."""
        self._next, self._longest = saved
        self._count = 0

    def posted(self, numbers: Sequence[int]) -> None:
        """Put messages into chains."""
        for place, _ in enumerate(numbers):
            if place == 0 and self._served >= 0:
                self._chain.append(self._served)
            else:
                self._chain.append(len(self._priority))
                self._priority.append(self._random.random())
