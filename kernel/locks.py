"""A sleepable shared/exclusive lock (FreeBSD's sx).

First come, first served: a reader does not overtake a waiting writer. Whoever is let in by a
release holds the lock from then on. To ask costs the same however many readers there are.
"""

from collections import deque
from collections.abc import Hashable
from typing import Self

NOBODY = -1


class SxLock:
    """Holders and waiters by the lane of their operation; `writer` is NOBODY or holds it alone."""

    __slots__ = ("readers", "waiters", "writer")

    def __init__(self) -> None:
        """Make a lock that nobody holds."""
        self.writer = NOBODY
        #: in the order in which they came
        self.readers: dict[int, None] = {}
        #: (lane, whether it wants to write)
        self.waiters: deque[tuple[int, bool]] = deque()

    def __repr__(self) -> str:
        """Show holders and waiters."""
        readers, waiters = tuple(self.readers), tuple(self.waiters)
        return f"SxLock(writer={self.writer}, readers={readers}, waiters={waiters})"

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.writer = self.writer
        twin.readers = self.readers.copy()
        twin.waiters = self.waiters.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return self.writer, tuple(self.readers), tuple(self.waiters)

    def acquire(self, lane: int, *, write: bool) -> bool:
        """Take the lock, or queue for it; say whether it was taken."""
        if self.writer >= 0 or self.waiters or (write and self.readers):
            self.waiters.append((lane, write))
            return False
        if write:
            self.writer = lane
        else:
            self.readers[lane] = None
        return True

    def release(self, lane: int) -> list[int]:
        """Give the lock back; return the waiters that are let in, in order."""
        if self.writer == lane:
            self.writer = NOBODY
        else:
            assert lane in self.readers, f"lane {lane} releases a lock that it does not hold"
            del self.readers[lane]
        woken = self._let_readers_in()
        if self.waiters and not self.readers:  # a writer is first
            self.writer, _ = self.waiters.popleft()
            woken.append(self.writer)
        return woken

    def downgrade(self, lane: int) -> list[int]:
        """Go on as a reader; return the waiting readers that are let in, in order."""
        assert self.writer == lane, f"lane {lane} downgrades a lock that is not its own"
        self.writer = NOBODY
        self.readers[lane] = None
        return self._let_readers_in()

    def _let_readers_in(self) -> list[int]:
        woken: list[int] = []
        waiters = self.waiters
        while waiters and not waiters[0][1]:
            lane, _ = waiters.popleft()
            self.readers[lane] = None
            woken.append(lane)
        return woken

    def held_by(self, lane: int) -> bool:
        """Say whether the lane holds the lock in either mode."""
        return self.writer == lane or lane in self.readers

    def idle(self) -> bool:
        """Say whether nobody holds it or waits for it."""
        return self.writer < 0 and not self.readers and not self.waiters
