"""What each access of a workload stands for: a recorded fault and its cause, or a made-up touch.

Every access of an imported recording was a fault, so a kernel that always faults would agree with
it. Therefore present pages are touched again between the recorded faults: those must not fault.
"""

from array import array
from collections import Counter
from enum import IntEnum
from random import Random

from actors.guest.program import Access, Prot
from cluster.importers.memory.address_space import Kind, Mapping
from cluster.importers.memory.witness import RecordedMemory
from cluster.importers.recording.recorded import Call, Event, Flush, Fork, Touch
from cluster.oracle.recorded_pages import MAPPED, Cause, Page, RecordedPages, State
from kernel.units import PAGE_SHIFT, PAGE_SIZE

_WRITE, _READ = int(Prot.WRITE), int(Prot.READ)
#: how often a page is drawn before a re-touch is given up
_DRAWS = 8
_ANONYMOUS = frozenset({Kind.ANONYMOUS, Kind.STACK})


class Label(IntEnum):
    """What an access stands for; below `FILE`, a recorded fault by its `Cause`."""

    FIRST_TOUCH = Cause.FIRST_TOUCH
    AFTER_DONTNEED = Cause.AFTER_DONTNEED
    AFTER_FREE = Cause.AFTER_FREE
    AFTER_UNMAP = Cause.AFTER_UNMAP
    ZERO_PAGE_WRITE = Cause.ZERO_PAGE_WRITE
    AFTER_PROTECT = Cause.AFTER_PROTECT
    COPY_AFTER_FORK = Cause.COPY_AFTER_FORK
    ALREADY_PRESENT = Cause.ALREADY_PRESENT
    UNSURE = Cause.UNSURE
    #: a recorded fault in a file mapping
    FILE = 16
    #: a recorded fault in memory that processes share
    SHARED = 17
    #: a recorded fault in memory that no traced call mapped: program, main stack, inherited
    IMPLIED = 18
    #: made up: the page has been present since a recorded fault, so it must not fault
    RETOUCH = 32
    #: made up: present, but mprotect took rights away and gave them back; Linux restores the
    #: entries, FreeBSD lets the next access fault
    RETOUCH_REPROTECTED = 33
    #: made up: after MADV_FREE, which leaves pages mapped on Linux while memory is not short
    RETOUCH_FREED = 34


_OF_KIND = {Kind.FILE: Label.FILE, Kind.SHARED: Label.SHARED, Kind.IMPLIED: Label.IMPLIED}


class Labels:
    """The labelled accesses of every thread in program order: indexes and their labels."""

    def __init__(self) -> None:
        self.indexes: list[array[int]] = []
        self.labels: list[array[int]] = []
        self.counts: Counter[Label] = Counter()

    def add(self, place: tuple[int, int], label: Label) -> None:
        """Label the access at `place` (thread, index), after all earlier ones of its thread."""
        thread, index = place
        while thread >= len(self.indexes):
            self.indexes.append(array("Q"))
            self.labels.append(array("B"))
        self.indexes[thread].append(index)
        self.labels[thread].append(label)
        self.counts[label] += 1


class _Process:
    """What is known about one process, and the pages from which its re-touches are drawn."""

    def __init__(self, pages: RecordedPages) -> None:
        self.pages = pages
        #: pages to draw from, each once; one that has gone is dropped when drawn
        self.pool: list[int] = []
        self.pooled: set[int] = set()

    def add(self, page: int) -> None:
        if page not in self.pooled:
            self.pooled.add(page)
            self.pool.append(page)

    def fork(self) -> "_Process":
        child = _Process(self.pages.copy())
        child.pool, child.pooled = self.pool.copy(), self.pooled.copy()
        return child


class Expectations:
    """A witness of an import that labels accesses and adds re-touches of present pages."""

    def __init__(self, seed: int, *, retouch: bool = True) -> None:
        """Draw pages by `seed`; without `retouch`, add nothing."""
        self.labels = Labels()
        #: recorded faults after which no present page was found to touch again
        self.undrawn = 0
        #: recorded TLB flushes by context and reason
        self.flushes: Counter[tuple[str, int]] = Counter()
        self._processes = {0: _Process(RecordedPages())}
        self._random = Random(seed)
        self._retouch = retouch

    def event(self, event: Event, memory: RecordedMemory) -> None:
        """Take in what happened to the pages."""
        if isinstance(event, Call):
            self._processes[memory.process].pages.call(event, memory)
        elif isinstance(event, Fork) and not event.borrows:
            self._processes[memory.process].pages.fork()
        elif isinstance(event, Flush):
            self.flushes[event.context, event.reason] += 1

    def forked(self, parent: int, child: int) -> None:
        """Begin a child with a copy of what is known about its parent; an exec with nothing."""
        begun = _Process(RecordedPages())
        self._processes[child] = begun if parent == child else self._processes[parent].fork()

    def touched(
        self, touch: Touch, mapping: Mapping, place: tuple[int, int], memory: RecordedMemory
    ) -> None:
        """Label a recorded fault and touch another page again."""
        if mapping.kind not in _ANONYMOUS:
            self.labels.add(place, _OF_KIND[mapping.kind])
            return
        process = self._processes[memory.process]
        self.labels.add(place, Label(process.pages.fault(touch, place)))
        if self._retouch:
            page = touch.va >> PAGE_SHIFT
            self._touch_again(place[0], page, process, memory)
            process.add(page)

    def _touch_again(
        self, thread: int, just: int, process: _Process, memory: RecordedMemory
    ) -> None:
        """Add an access of `thread` to a present page other than `just`, if one is drawn."""
        pool = process.pool
        for _ in range(min(_DRAWS, len(pool))):
            drawn = self._random.randrange(len(pool))
            number = pool[drawn]
            page = process.pages.get(number)
            if page is None or page.state not in MAPPED:
                pool[drawn] = pool[-1]
                pool.pop()
                process.pooled.discard(number)
            elif number != just and (chosen := self._permitted(number, page, memory)):
                label, write = chosen
                access = Access(number << PAGE_SHIFT, 1, PAGE_SIZE, write)
                index = memory.streams.touch_again(thread, access, number, page.place)
                self.labels.add((thread, index), label)
                return
        self.undrawn += 1

    def _permitted(
        self, number: int, page: Page, memory: RecordedMemory
    ) -> tuple[Label, bool] | None:
        """Return how a present page can be touched without a fault on Linux: label, for a store."""
        mapping = memory.space.value(number)
        if mapping is None or not mapping.prot & _READ:
            return None
        own = page.written and not page.forked and bool(mapping.prot & _WRITE)
        label = Label.RETOUCH_FREED if page.state is State.FREE else Label.RETOUCH
        if page.protected:
            label = Label.RETOUCH_REPROTECTED
        return label, own and self._random.random() < 0.5
