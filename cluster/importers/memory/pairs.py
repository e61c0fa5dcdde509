"""Find the releases and reuses of memory in the calls of a recorded program.

A release is madvise(FREE or DONTNEED), mprotect(PROT_NONE) of writable memory, or both on one
range by one thread with no other memory call in between. A reuse is the mprotect back, or, where
access was never taken away, the first touch. What is released is kept in an interval map, each
range with the release that it belongs to, so that reusing a part leaves the rest released.
"""

import msgspec

from actors.guest.program import How
from kernel.intervals import IntervalMap

# `How` as plain numbers: an operation on an IntFlag costs a microsecond
FREE = int(How.FREE)
DONTNEED = int(How.DONTNEED)
CLOSED = int(How.NONE)
OPENED = int(How.OPEN)
TOUCHED = int(How.TOUCH)


class Released(msgspec.Struct, frozen=True, gc=False):
    """The state of a released range: which release, and how it was done (`How` bits)."""

    serial: int
    how: int


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """A release instruction that the thread's next call may still join."""

    index: int
    start: int
    end: int
    state: Released


class Releases:
    """What is released at this point of the recording; ranges in pages."""

    def __init__(self) -> None:
        self._map: IntervalMap[Released] = IntervalMap()
        self._serial = 0
        #: thread -> the release that its last memory call made
        self._latest: dict[int, Stretch] = {}

    def copy(self) -> "Releases":
        """Copy it, for a child."""
        twin = Releases()
        twin._map = self._map.copy()
        twin._serial = self._serial
        return twin

    def release(self, thread: int, index: int, start: int, end: int, how: int) -> None:
        """Note the release that became instruction `index` of `thread`.

        A range that is PROT_NONE stays so when its content is released once more.
        """
        self._serial += 1
        closed = [piece for piece in self._map.pieces(start, end) if piece[2].how & CLOSED]
        state = Released(self._serial, how)
        self._map.assign(start, end, state)
        if not how & CLOSED:
            for low, high, _ in closed:
                self._map.assign(low, high, Released(self._serial, how | CLOSED))
        self._latest[thread] = Stretch(index, start, end, state)

    def joinable(self, thread: int, start: int, end: int, how: int) -> Stretch | None:
        """Return the thread's last release if this call completes it: advice and PROT_NONE meet."""
        latest = self._latest.get(thread)
        if latest is None or (latest.start, latest.end) != (start, end):
            return None
        if bool(latest.state.how & CLOSED) == bool(how & CLOSED):
            return None
        if self._map.pieces(start, end) != [(start, end, latest.state)]:
            return None
        return latest

    def join(self, thread: int, latest: Stretch, how: int) -> int:
        """Make two calls one release; return the joint `how`."""
        del self._latest[thread]
        joint = latest.state.how | how
        state = Released(latest.state.serial, joint)
        self._map.assign(latest.start, latest.end, state)
        return joint

    def next_call(self, thread: int) -> None:
        """Note that the thread made another memory call: its last release is complete."""
        self._latest.pop(thread, None)

    def end(self, start: int, end: int) -> None:
        """Note that the range is in use again, or gone."""
        self._map.remove(start, end)

    def closed(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts that are released and PROT_NONE, adjacent ones joined."""
        found: list[tuple[int, int]] = []
        for low, high, state in self._map.pieces(start, end):
            if not state.how & CLOSED:
                continue
            if found and found[-1][1] == low:
                found[-1] = (found[-1][0], high)
            else:
                found.append((low, high))
        return found

    def states(self, start: int, end: int) -> list[tuple[int, int, Released]]:
        """Return the released parts of a range, with their states."""
        return self._map.pieces(start, end)

    def open_at(self, page: int) -> tuple[int, int] | None:
        """Return what is left of the release that holds `page`, if a touch alone ends it."""
        found = self._map.find(page)
        if found is None or found[2].how & CLOSED:
            return None
        return found[0], found[1]
