"""A sleepable shared/exclusive lock (FreeBSD's sx) as an immutable value.

First come, first served: a reader does not overtake a waiting writer. `acquire` and `release`
return the new lock; a release also returns the waiters it let in, which hold the lock from then on.
"""

import msgspec


class SxLock(msgspec.Struct, frozen=True, gc=False):
    """Holders and waiters by operation; `writer` is -1 when nobody holds it exclusively."""

    writer: int = -1
    readers: tuple[int, ...] = ()
    waiters: tuple[tuple[int, bool], ...] = ()

    def acquire(self, op: int, *, write: bool) -> tuple["SxLock", bool]:
        """Take the lock or queue for it; return whether it was taken."""
        free = self.writer < 0 and not self.waiters and not (write and self.readers)
        if not free:
            return SxLock(self.writer, self.readers, (*self.waiters, (op, write))), False
        if write:
            return SxLock(op, (), ()), True
        return SxLock(-1, (*self.readers, op), ()), True

    def release(self, op: int) -> tuple["SxLock", tuple[int, ...]]:
        """Release the lock; return the waiters that were let in, in order."""
        if not self.waiters and self.readers == (op,):
            return _FREE, ()
        if self.writer == op:
            readers: tuple[int, ...] = ()
        else:
            assert op in self.readers, f"operation {op} releases a lock that it does not hold"
            readers = tuple(r for r in self.readers if r != op)
        waiters = self.waiters
        woken: list[int] = []
        while waiters and not (waiters[0][1] and readers):
            (head, write), waiters = waiters[0], waiters[1:]
            woken.append(head)
            if write:
                return SxLock(head, (), waiters), tuple(woken)
            readers = (*readers, head)
        return SxLock(-1, readers, waiters), tuple(woken)

    def downgrade(self, op: int) -> tuple["SxLock", tuple[int, ...]]:
        """Go on as a reader; return the waiting readers that were let in, in order."""
        assert self.writer == op, f"operation {op} downgrades a lock that is not its own"
        readers: tuple[int, ...] = (op,)
        waiters = self.waiters
        while waiters and not waiters[0][1]:
            readers = (*readers, waiters[0][0])
            waiters = waiters[1:]
        return SxLock(-1, readers, waiters), readers[1:]

    def held_by(self, op: int) -> bool:
        """Say whether `op` holds the lock in either mode."""
        return self.writer == op or op in self.readers

    def idle(self) -> bool:
        """Say whether nobody holds it or waits for it."""
        return self.writer < 0 and not self.readers and not self.waiters


_FREE = SxLock()
