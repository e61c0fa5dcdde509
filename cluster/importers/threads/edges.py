"""Find which operations of other threads a recorded operation has to come after.

Guest threads run at their own speed; an `Await` keeps one from touching memory before another has
mapped it. A call waits for the last earlier call of other threads on each of its pages and for
their touches since; a touch waits for the last earlier call only. Calls are remembered by interval,
touches by page, both until a later call covers them.
"""

from kernel.intervals import IntervalMap

#: most ranges of calls remembered; beyond that all are forgotten, and their waits with them
REMEMBERED_RANGES = 1 << 18
_INDEX_BITS = 40
_INDEX_MASK = (1 << _INDEX_BITS) - 1
_CHUNK_SHIFT = 9

Waits = list[tuple[int, int]]


class Edges:
    """The last operations on each page, as (thread, index of the instruction)."""

    def __init__(self) -> None:
        self._calls: IntervalMap[int] = IntervalMap()
        #: chunk of 512 pages -> page -> last touch of each thread since the last call on it
        self._touches: dict[int, dict[int, tuple[int, ...]]] = {}
        #: (waiter, thread) -> the largest index that the waiter is known to come after
        self._after: dict[tuple[int, int], int] = {}
        self.forgotten = 0

    def follows(self, waiter: int, thread: int, index: int) -> None:
        """Note that `waiter` follows an instruction without an `Await` (which created it)."""
        self._after[waiter, thread] = index

    def before_touch(self, waiter: int, page: int) -> Waits:
        """Return what `waiter` must await before it touches `page`."""
        call = self._calls.value(page)
        if call is None or call >> _INDEX_BITS == waiter:
            return []
        return self._new(waiter, {call >> _INDEX_BITS: call & _INDEX_MASK})

    def after(self, waiter: int, thread: int, index: int) -> Waits:
        """Return what `waiter` must await to come after one operation."""
        return [] if thread == waiter else self._new(waiter, {thread: index})

    def before_call(self, waiter: int, start: int, end: int) -> Waits:
        """Return what `waiter` must await before a call on the pages `[start, end)`."""
        latest: dict[int, int] = {}
        for _, _, call in self._calls.pieces(start, end):
            _keep_latest(latest, call)
        for pages, page in self._touched_in(start, end):
            for touch in pages[page]:
                _keep_latest(latest, touch)
        latest.pop(waiter, None)
        return self._new(waiter, latest)

    def touched(self, thread: int, index: int, page: int) -> None:
        """Note a touch."""
        pages = self._touches.setdefault(page >> _CHUNK_SHIFT, {})
        operation = thread << _INDEX_BITS | index
        before = pages.get(page)
        if before is None:
            pages[page] = (operation,)
        else:
            others = tuple(one for one in before if one >> _INDEX_BITS != thread)
            pages[page] = (*others, operation)

    def called(self, thread: int, index: int, start: int, end: int) -> None:
        """Note a call: whoever waits for it has waited for all earlier operations on its pages."""
        for pages, page in self._touched_in(start, end):
            del pages[page]
        for chunk in self._chunks(start, end):
            if not self._touches[chunk]:
                del self._touches[chunk]
        if len(self._calls) >= REMEMBERED_RANGES:
            self.forgotten += len(self._calls)
            self._calls.clear()
        self._calls.assign(start, end, thread << _INDEX_BITS | index)

    def _new(self, waiter: int, latest: dict[int, int]) -> Waits:
        """Return the waits that no earlier wait of the same thread implies."""
        waits = []
        for thread in sorted(latest):
            index = latest[thread]
            if self._after.get((waiter, thread), -1) < index:
                self._after[waiter, thread] = index
                waits.append((thread, index))
        return waits

    def _chunks(self, start: int, end: int) -> list[int]:
        """List the chunks with touches that overlap the range, in order."""
        first, last = start >> _CHUNK_SHIFT, (end - 1) >> _CHUNK_SHIFT
        if last - first < len(self._touches):
            return [chunk for chunk in range(first, last + 1) if chunk in self._touches]
        return sorted(chunk for chunk in self._touches if first <= chunk <= last)

    def _touched_in(self, start: int, end: int) -> list[tuple[dict[int, tuple[int, ...]], int]]:
        found = []
        for chunk in self._chunks(start, end):
            pages = self._touches[chunk]
            if end - start < len(pages):
                found += [(pages, page) for page in range(start, end) if page in pages]
            else:
                found += [(pages, page) for page in pages if start <= page < end]
        return found


def _keep_latest(latest: dict[int, int], operation: int) -> None:
    thread, index = operation >> _INDEX_BITS, operation & _INDEX_MASK
    if latest.get(thread, -1) < index:
        latest[thread] = index
