"""Uniform random orders: every channel that holds a message is equally likely to be next.

The baseline for the other strategies.
"""

from collections.abc import Hashable, Sequence
from random import Random


class RandomOrder:
    """Endless; the n-th order depends only on the seed and n."""

    def __init__(self, seed: int = 0, *, first: int = 0, step: int = 1) -> None:
        """Make the orders first, first + step, ... of a seed."""
        self._seed = seed
        self._next = first
        self._step = step
        self._random = Random()

    def begin(self) -> bool:
        """Start the next order."""
        self._random = Random(f"{self._seed} {self._next}")
        self._next += self._step
        return True

    def choose(self, pending: dict[Hashable, int]) -> Hashable:
        """Draw a channel."""
        return self._random.choice(list(pending))

    def save(self) -> list[int]:
        """Return the number of the next order."""
        return [self._next]

    def resume(self, saved: list[int]) -> None:
        """Go on with that order."""
        (self._next,) = saved

    def posted(self, numbers: Sequence[int]) -> None:
        """Ignore it."""
