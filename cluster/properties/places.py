"""What each address space shows where, by what its system calls said: never by what a vm did.

A mapping is new with each mmap, so nothing of an older one at the same address is ever found again.
While a call that changes the map is in flight, and for threads that do not know that it is over,
what a page shows is not certain: such accesses are not judged by their contents.
"""

from collections.abc import Iterable

import msgspec

from cluster.intervals import IntervalMap
from cluster.properties.clocks import At, Clock

#: pages of a mapping: `mapping << MAPPING_SHIFT | page`; the page is where it was mapped first
MAPPING_SHIFT = 40
#: numbers of mappings that are shared files: FILES | file
FILES = 1 << 60
NO_FILE = -1
#: the line of all that is shared; private memory's is the number of its address space
SHARED = -1


class Shown(msgspec.Struct, frozen=True):
    """What a range of pages shows: page `vpn + shift` of a mapping, and over which file's page."""

    mapping: int
    shift: int
    shared: bool
    file: int
    file_shift: int
    #: vm's events: the call arrived, it returned
    called: At
    since: At

    def page(self, vpn: int) -> int:
        """Give the key of a page."""
        return self.mapping << MAPPING_SHIFT | vpn + self.shift

    def file_page(self, vpn: int) -> int:
        """Give the key of the file's page that lies below, or NO_FILE."""
        if self.file == NO_FILE:
            return NO_FILE
        return (FILES | self.file) << MAPPING_SHIFT | vpn + self.file_shift


def page_text(line: int, page: int) -> str:
    """Render the key of a page of a line."""
    mapping, index = page >> MAPPING_SHIFT, page & (1 << MAPPING_SHIFT) - 1
    if line != SHARED:
        return f"page {index:#x} of p{line}"
    if mapping & FILES:
        return f"page {index:#x} of file{mapping & ~FILES}"
    return f"page {index:#x} of shared memory"


class Change(msgspec.Struct, frozen=True):
    """A call in flight that changes the map of [start, end)."""

    asid: int
    start: int
    end: int
    called: At


class Places:
    """The maps of all address spaces."""

    def __init__(self, processes: int) -> None:
        """Start with nothing mapped."""
        self.maps: list[IntervalMap[Shown]] = [IntervalMap() for _ in range(processes)]
        #: by lane
        self.changes: dict[int, Change] = {}
        #: stored to while its mapping was being made: contents are not certain; (asid, vpn) -> call
        self.uncertain: dict[tuple[int, int], At] = {}
        #: mappings that each lane has made: they are named after it
        self.made: dict[int, int] = {}

    def new_mapping(self, lane: int) -> int:
        """Number a mapping."""
        number = self.made[lane] = self.made.get(lane, 0) + 1
        return (lane + 1) << 24 | number

    def at(self, asid: int, vpn: int, issued: Clock, *, write: bool) -> Shown | None:
        """Give what an access sees at a page, or None if that is not certain."""
        for change in self.changes.values():
            if change.asid == asid and change.start <= vpn < change.end:
                if not issued.knows(change.called):
                    if self.uncertain.get((asid, vpn)) == change.called:
                        return None  # somebody who does know has stored there
                    break
                if write:
                    self.uncertain[asid, vpn] = change.called
                return None
        shown = self.maps[asid].value(vpn)
        if shown is None:
            return None
        if not issued.knows(shown.since):
            if write and issued.knows(shown.called):
                self.uncertain[asid, vpn] = shown.called
            return None
        return None if self.uncertain.get((asid, vpn)) == shown.called else shown

    def pieces(self, asid: int, start: int, end: int) -> Iterable[tuple[Shown, int, int]]:
        """Give (shown, first page, end) of the parts of a range that are mapped."""
        return [(shown, low, high) for low, high, shown in self.maps[asid].pieces(start, end)]

    # Changes.

    def begins(self, lane: int, change: Change) -> None:
        """A call that changes the map arrived."""
        self.changes[lane] = change

    def ends(self, lane: int, shown: Shown | None, *, failed: bool) -> None:
        """It returned: [start, end) shows this now, or nothing."""
        change = self.changes.pop(lane)
        if failed:
            return
        self.maps[change.asid].remove(change.start, change.end)
        if shown is not None:
            self.maps[change.asid].assign(change.start, change.end, shown)

    def fork(self, parent: int, child: int) -> None:
        """A child's map is its parent's; what is being changed there is not certain here."""
        self.maps[child] = self.maps[parent].copy()
        for change in self.changes.values():
            if change.asid == parent:
                self.maps[child].remove(change.start, change.end)
        for (asid, vpn), called in list(self.uncertain.items()):
            if asid == parent:
                self.uncertain[child, vpn] = called

    # For exploring.

    def copy(self) -> "Places":
        """Copy the containers."""
        twin = object.__new__(Places)
        twin.maps = [one.copy() for one in self.maps]
        twin.changes = self.changes.copy()
        twin.uncertain = self.uncertain.copy()
        twin.made = self.made.copy()
        return twin

    def retained(self) -> tuple[object, ...]:
        """Give what a later verdict may depend on."""
        return (
            tuple(
                tuple((low, high, *msgspec.structs.astuple(s)) for low, high, s in one.all())
                for one in self.maps
            ),
            tuple((lane, *msgspec.structs.astuple(c)) for lane, c in sorted(self.changes.items())),
            tuple(sorted(self.uncertain.items())),
            tuple(sorted(self.made.items())),
        )
