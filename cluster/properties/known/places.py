"""What each address space shows where, by what its system calls said: never by what a vm did.

A mapping is new with each mmap, so nothing of an older one at the same address is ever found again.
While a call that changes the map is in flight, and for threads that do not know that it is over,
what a page shows is not certain: such accesses are not judged by their contents.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import EVERY_FILE, NO_FILE, SHARED, Change, Shown
from kernel.intervals import IntervalMap
from kernel.units import ASID_SHIFT


class Places(Part):
    """The maps of all address spaces, and the calls that are changing them."""

    __slots__ = ("changes", "made", "maps")

    def __init__(self, processes: int) -> None:
        """Begin with nothing mapped."""
        super().__init__()
        self.maps: list[IntervalMap[Shown]] = [IntervalMap() for _ in range(processes)]
        #: by lane
        self.changes: dict[int, tuple[Change, ...]] = {}
        #: mappings that each lane has made: they are named after it
        self.made: dict[int, int] = {}

    def new_mapping(self, lane: int) -> int:
        """Number a mapping."""
        number = self.made[lane] = self.made.get(lane, 0) + 1
        return (lane + 1) << 24 | number

    def at(
        self, asid: int, vpn: int, issued: Clock, uncertain: dict[int, At], *, write: bool
    ) -> Shown | None:
        """Return what an access sees at a page, or None if that is not certain.

        uncertain: by page, the call that made it so; a store whose effect is not certain is added.
        """
        va = asid << ASID_SHIFT | vpn
        change = self._change_at(asid, vpn) if self.changes else None
        if change is not None:
            if issued.knows(change.called):
                if write:
                    uncertain[va] = change.called
                return None
            if uncertain.get(va) == change.called:
                return None  # somebody who does know has stored there
        shown = self.maps[asid].value(vpn)
        if shown is None:
            return None
        if not issued.knows(shown.since):
            if write and issued.knows(shown.called):
                uncertain[va] = shown.called
            return None
        return None if uncertain.get(va) == shown.called else shown

    def _change_at(self, asid: int, vpn: int) -> Change | None:
        for changes in self.changes.values():
            for change in changes:
                if change.asid == asid and change.start <= vpn < change.end:
                    return change
        return None

    def pieces(self, asid: int, start: int, end: int) -> Iterable[tuple[Shown, int, int]]:
        """Return (shown, first page, end) of the parts of a range that are mapped."""
        return [(shown, low, high) for low, high, shown in self.maps[asid].pieces(start, end)]

    # Changes.

    def begins(self, lane: int, changes: tuple[Change, ...], children: Iterable[int]) -> None:
        """Note that a call that changes the map arrived.

        children: processes that are being forked off. They may get the map from before the call or
        from after it, so what they show there is never certain.
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
        """Note that it returned: [start, end) shows this now, or nothing."""
        (change,) = self.changes.pop(lane)
        if failed:
            return
        self.maps[change.asid].remove(change.start, change.end)
        if shown is not None:
            self.maps[change.asid].assign(change.start, change.end, shown)

    def moved(self, lane: int, at: At, *, keep: bool, failed: bool) -> None:
        """Note that a call returned that moves what its first range shows to its second.

        keep: the first stays mapped, with new memory if it is private. If the second is longer,
        its end is new memory, or more of what is shared.
        """
        old, new = self.changes.pop(lane)
        if failed:
            return
        space = self.maps[old.asid]
        length = min(old.end - old.start, new.end - new.start)
        by = new.start - old.start
        found = space.pieces(old.start, old.start + length)
        space.remove(old.start, old.end)
        space.remove(new.start, new.end)  # where nothing certain is moved to, nothing is judged
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
        """Return what a mapping shows as new memory; shared memory is itself."""
        mapping, shift = shown.mapping, shown.shift
        if not shown.shared:
            mapping, shift = self.new_mapping(lane), 0
        return msgspec.structs.replace(shown, mapping=mapping, shift=shift, called=called, since=at)

    def wipes(self, asid: int, start: int, end: int, *, wiped: bool) -> None:
        """Let children of later forks see zero in a range, or a copy again."""
        space = self.maps[asid]
        for low, high, shown in space.pieces(start, end):
            space.assign(low, high, msgspec.structs.replace(shown, wiped=wiped))

    def forget(self, asid: int, start: int, end: int) -> None:
        """Judge nothing in a range until it is mapped again."""
        self.maps[asid].remove(start, end)

    def fork(self, lane: int, parent: int, child: int) -> None:
        """Give a child its parent's map, but for what is wiped, or is being changed there."""
        space = self.maps[child] = self.maps[parent].copy()
        for low, high, shown in self.maps[parent].all():
            if shown.wiped:  # memory of its own, whatever the parent has there
                own = msgspec.structs.replace(shown, shared=False, file=NO_FILE)
                space.assign(low, high, self._anew(lane, own, shown.called, shown.since))
        for change in chain.from_iterable(self.changes.values()):
            if change.asid == parent:
                space.remove(change.start, change.end)

    def pages(self) -> dict[int, PageRanges]:
        """Return the pages that can still be accessed, by line.

        All of a shared file can: a later call may map it again.
        """
        found: dict[int, list[tuple[int, int]]] = {SHARED: [EVERY_FILE]}
        for asid, space in enumerate(self.maps):
            mine = found[asid] = []
            for low, high, shown in space.all():
                ranges = found[SHARED] if shown.shared else mine
                ranges.append((shown.page(low), shown.page(high)))
        return {line: PageRanges(ranges) for line, ranges in found.items()}

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.maps = [one.copy() for one in self.maps]
        twin.changes = self.changes.copy()
        twin.made = self.made.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                tuple((low, high, *msgspec.structs.astuple(s)) for low, high, s in one.all())
                for one in self.maps
            ),
            tuple(
                (lane, *map(msgspec.structs.astuple, found))
                for lane, found in sorted(self.changes.items())
            ),
            tuple(sorted(self.made.items())),
        )
