"""What each address space shows where, by what its system calls said: never by what a vm did.

A mapping is new with each mmap, so nothing of an older one at the same address is ever found again.
While a call that changes the map is in flight, and for threads that do not know that it is over,
what a page shows is not certain: such accesses are not judged by their contents.
"""

from collections.abc import Iterable
from itertools import chain

import msgspec

from cluster.properties.clocks import At, Clock
from kernel.intervals import IntervalMap

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
    #: a child sees zero here
    wiped: bool
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
        self.changes: dict[int, tuple[Change, ...]] = {}
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
        for change in chain.from_iterable(self.changes.values()):
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

    def begins(self, lane: int, changes: tuple[Change, ...], children: Iterable[int]) -> None:
        """A call that changes the map arrived; children that are being forked off may have either.

        What they show is never certain then.
        """
        self.changes[lane] = changes
        for child in children:
            for change in changes:
                self.maps[child].remove(change.start, change.end)

    def is_changing(self, asid: int, start: int, end: int) -> bool:
        """Say whether a call in flight changes a part of a range."""
        changes = chain.from_iterable(self.changes.values())
        return any(c.asid == asid and c.start < end and start < c.end for c in changes)

    def ends(self, lane: int, shown: Shown | None, *, failed: bool) -> None:
        """It returned: [start, end) shows this now, or nothing."""
        (change,) = self.changes.pop(lane)
        if failed:
            return
        self.maps[change.asid].remove(change.start, change.end)
        if shown is not None:
            self.maps[change.asid].assign(change.start, change.end, shown)

    def moved(self, lane: int, at: At, *, keep: bool, failed: bool) -> None:
        """A call that moves what the first of its ranges shows to the second returned.

        keep: the first stays mapped, with new memory if it is private. Behind the end of what is
        moved is new memory, or more of what is shared.
        """
        old, new = self.changes.pop(lane)
        if failed:
            return
        space = self.maps[old.asid]
        length = min(old.end - old.start, new.end - new.start)
        by = new.start - old.start
        found = space.pieces(old.start, old.start + length)
        space.remove(old.start, old.end)
        space.remove(new.start, new.end)  # behind gaps, and what is not certain, is not judged
        for low, high, shown in found:
            there = msgspec.structs.replace(
                shown,
                shift=shown.shift - by,
                file_shift=shown.file_shift - by,
                called=old.called,
                since=at,
            )
            space.assign(low + by, high + by, there)
            if keep:
                space.assign(low, high, self._anew(lane, shown, old.called, at))
        if found and new.start + length < new.end:
            longer = self._anew(lane, there, old.called, at)
            space.assign(new.start + length, new.end, longer)

    def _anew(self, lane: int, shown: Shown, called: At, at: At) -> Shown:
        """Give what a mapping shows where nothing of it was stored yet; shared memory is itself."""
        mapping, shift = shown.mapping, shown.shift
        if not shown.shared:
            mapping, shift = self.new_mapping(lane), 0
        return msgspec.structs.replace(shown, mapping=mapping, shift=shift, called=called, since=at)

    def wipes(self, asid: int, start: int, end: int, *, wiped: bool) -> None:
        """Children of later forks see zero in a range, or a copy again."""
        space = self.maps[asid]
        for low, high, shown in space.pieces(start, end):
            space.assign(low, high, msgspec.structs.replace(shown, wiped=wiped))

    def forget(self, asid: int, start: int, end: int) -> None:
        """Judge nothing in a range until it is mapped again."""
        self.maps[asid].remove(start, end)

    def fork(self, lane: int, parent: int, child: int) -> None:
        """A child's map is its parent's, but for what is wiped, or is being changed there."""
        space = self.maps[child] = self.maps[parent].copy()
        for low, high, shown in list(self.maps[parent].all()):
            if shown.wiped:  # memory of its own, whatever the parent has there
                own = msgspec.structs.replace(shown, shared=False, file=NO_FILE)
                space.assign(low, high, self._anew(lane, own, shown.called, shown.since))
        for change in chain.from_iterable(self.changes.values()):
            if change.asid == parent:
                space.remove(change.start, change.end)
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
            tuple(
                (lane, *map(msgspec.structs.astuple, found))
                for lane, found in sorted(self.changes.items())
            ),
            tuple(sorted(self.uncertain.items())),
            tuple(sorted(self.made.items())),
        )
