"""Which pages the recorded kernel had present, and why each faulted, from the recording alone.

Tracked for private anonymous memory. Nothing of the simulated kernel is used here: this is what it
is compared with. A page is present from a recorded fault on until a call takes it away; what else
Linux might do (swap, page migration, merging) was turned off on the recording machine.
"""

from collections.abc import Callable
from enum import IntEnum

import msgspec

from cluster.importers.memory.memory_calls import x86_rights
from cluster.importers.memory.witness import RecordedMemory
from cluster.importers.recording import linux
from cluster.importers.recording.recorded import Call, Touch
from kernel.units import PAGE_SHIFT, page_span

_CHUNK_SHIFT = 9
_NO_PLACE = (0, 0)


class Cause(IntEnum):
    """Why the recorded program faulted on private anonymous memory."""

    #: no fault on this page was recorded before
    FIRST_TOUCH = 0
    AFTER_DONTNEED = 1
    #: MADV_FREE, and the kernel has taken the page since
    AFTER_FREE = 2
    #: after munmap, an mmap over it, or brk; it has been mapped again
    AFTER_UNMAP = 3
    #: it had only been read: the shared zero page gives way to a private page
    ZERO_PAGE_WRITE = 4
    #: mprotect changed its rights since its last fault
    AFTER_PROTECT = 5
    #: a child process shares it until one of them writes
    COPY_AFTER_FORK = 6
    #: it was present: mostly, a second thread faults while another thread's fault is going on
    ALREADY_PRESENT = 7
    #: a failed or unmodelled call met the page: what became of it is unknown
    UNSURE = 8


class State(IntEnum):
    """What became of a page since its last fault."""

    PRESENT = 0
    DONTNEED = 1
    FREE = 2
    UNMAPPED = 3
    UNSURE = 4


#: after MADV_FREE Linux keeps a page mapped until it takes it
MAPPED = frozenset({State.PRESENT, State.FREE})
_LOST = {
    State.DONTNEED: Cause.AFTER_DONTNEED,
    State.FREE: Cause.AFTER_FREE,
    State.UNMAPPED: Cause.AFTER_UNMAP,
    State.UNSURE: Cause.UNSURE,
}


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page that faulted at least once."""

    state: State
    #: it faulted for a store: not the zero page
    written: bool = False
    #: a child process may share it
    forked: bool = False
    #: its rights have changed since its last fault
    protected: bool = False
    #: (thread, index) of the access that faulted last
    place: tuple[int, int] = _NO_PLACE


class RecordedPages:
    """Pages by number; the cost of a call goes by known pages, not by the pages of its range."""

    def __init__(self) -> None:
        self._chunks: dict[int, dict[int, Page]] = {}

    def copy(self) -> "RecordedPages":
        """Copy it, for a child: as much is known about its pages as about its parent's."""
        twin = RecordedPages()
        twin._chunks = {number: pages.copy() for number, pages in self._chunks.items()}
        return twin

    def get(self, page: int) -> Page | None:
        """Return what is known about a page; None before its first fault."""
        return self._chunks.get(page >> _CHUNK_SHIFT, {}).get(page)

    def fault(self, touch: Touch, place: tuple[int, int]) -> Cause:
        """Take in a fault that became the access at `place`; return its cause."""
        number = touch.va >> PAGE_SHIFT
        before = self.get(number)
        written = touch.write or (
            before is not None and before.state is State.PRESENT and before.written
        )
        self._put(number, Page(State.PRESENT, written=written, place=place))
        if before is None:
            # a present page that never faulted was shared with the parent, or moved by mremap
            return Cause.UNSURE if touch.present else Cause.FIRST_TOUCH
        if not touch.present:
            return _LOST.get(before.state, Cause.ALREADY_PRESENT)
        return _upgrade(before)

    def fork(self) -> None:
        """Note that a child shares every page from now on."""
        for pages in self._chunks.values():
            for number, page in pages.items():
                if page.state in MAPPED and not page.forked:
                    pages[number] = msgspec.structs.replace(page, forked=True)

    def call(self, call: Call, memory: RecordedMemory) -> None:
        """Take in a call that `memory` has not seen yet."""
        take = _TAKE.get(call.name)
        if take is not None:
            take(self, call, memory)

    def lose(self, start: int, end: int, state: State) -> None:
        """Note that the pages `[start, end)` are gone, or no longer known to be present."""
        for pages, number in self._known(start, end):
            pages[number] = msgspec.structs.replace(pages[number], state=state)

    def protect(self, start: int, end: int) -> None:
        """Note that the rights of `[start, end)` have changed."""
        for pages, number in self._known(start, end):
            pages[number] = msgspec.structs.replace(pages[number], protected=True)

    def _put(self, number: int, page: Page) -> None:
        self._chunks.setdefault(number >> _CHUNK_SHIFT, {})[number] = page

    def _known(self, start: int, end: int) -> list[tuple[dict[int, Page], int]]:
        first, last = start >> _CHUNK_SHIFT, (end - 1) >> _CHUNK_SHIFT
        if last - first < len(self._chunks):
            chunks = [one for one in range(first, last + 1) if one in self._chunks]
        else:
            chunks = [one for one in self._chunks if first <= one <= last]
        return [
            (self._chunks[chunk], number)
            for chunk in chunks
            for number in self._chunks[chunk]
            if start <= number < end
        ]


def _upgrade(before: Page) -> Cause:
    """Return why a present page did not permit the access."""
    if before.state not in MAPPED:
        return Cause.UNSURE
    if before.forked:
        return Cause.COPY_AFTER_FORK
    if before.protected:
        return Cause.AFTER_PROTECT
    return Cause.ALREADY_PRESENT if before.written else Cause.ZERO_PAGE_WRITE


def _mmap(pages: RecordedPages, call: Call, _memory: RecordedMemory) -> None:
    if not linux.failed(call.result):
        pages.lose(*page_span(call.result, call.args[1]), State.UNMAPPED)


def _munmap(pages: RecordedPages, call: Call, _memory: RecordedMemory) -> None:
    gone = State.UNSURE if linux.failed(call.result) else State.UNMAPPED
    pages.lose(*page_span(*call.args[:2]), gone)


def _mremap(pages: RecordedPages, call: Call, _memory: RecordedMemory) -> None:
    pages.lose(*page_span(call.args[0], max(call.args[1], 1)), State.UNSURE)
    if not linux.failed(call.result):
        pages.lose(*page_span(call.result, max(call.args[2], 1)), State.UNSURE)


def _brk(pages: RecordedPages, call: Call, memory: RecordedMemory) -> None:
    before, after = memory.space.break_page, page_span(call.result, 0)[1]
    if before is not None and after < before:
        pages.lose(after, before, State.UNMAPPED)


def _mprotect(pages: RecordedPages, call: Call, memory: RecordedMemory) -> None:
    start, end = page_span(*call.args[:2])
    if linux.failed(call.result):
        pages.lose(start, end, State.UNSURE)
        return
    prot = x86_rights(call.args[2])
    for low, high, mapping in memory.space.pieces(start, end):
        if mapping.prot != prot:
            pages.protect(low, high)


_ADVICE = {
    linux.MADV_DONTNEED: State.DONTNEED,
    linux.MADV_FREE: State.FREE,
    linux.NAMES["MADV_DONTNEED_LOCKED"]: State.DONTNEED,
    linux.NAMES["MADV_REMOVE"]: State.UNSURE,
    linux.NAMES["MADV_HUGEPAGE"]: State.UNSURE,
    linux.NAMES["MADV_COLLAPSE"]: State.UNSURE,
    linux.NAMES["MADV_PAGEOUT"]: State.UNSURE,
    linux.MADV_POPULATE_WRITE: State.UNSURE,
}


def _madvise(pages: RecordedPages, call: Call, _memory: RecordedMemory) -> None:
    state = _ADVICE.get(call.args[2])
    if state is not None:
        failed = linux.failed(call.result)
        pages.lose(*page_span(*call.args[:2]), State.UNSURE if failed else state)


_TAKE: dict[str, Callable[[RecordedPages, Call, RecordedMemory], None]] = {
    "mmap": _mmap,
    "munmap": _munmap,
    "mremap": _mremap,
    "brk": _brk,
    "mprotect": _mprotect,
    "pkey_mprotect": _mprotect,
    "madvise": _madvise,
}
