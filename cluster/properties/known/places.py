"""What each address space shows where, by what its system calls said: never by what a vm did.

A mapping is new with each mmap, so nothing of an older one at the same address is ever found again.
While a call that changes the map is in flight, and for threads that do not know that it is over,
what a page shows is not certain: such accesses are not judged by their contents.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple, Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import (
    EVERY_FILE,
    NO_FILE,
    SHARED,
    UNSURE,
    Change,
    Failed,
    Shown,
)  # fmt: skip
from cluster.properties.outcomes import Outcome
from kernel.intervals import IntervalMap
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vm_map import INHERITED_ZERO, NOT_INHERITED


class NotInherited(NamedTuple):
    """What a child does not have of its parent."""

    #: where it has nothing: (first page, end, whether that is certain)
    nothing: list[tuple[int, int, bool]]
    #: where it has fresh memory: [first page, end)
    wiped: list[tuple[int, int]]


class Places(Part):
    """The maps of all address spaces, and the calls that are changing them."""

    __slots__ = ("changes", "doubters", "failed", "made", "maps", "perhaps")

    def __init__(self, processes: int) -> None:
        """Begin with nothing mapped."""
        super().__init__()
        self.maps: list[IntervalMap[Shown]] = [IntervalMap() for _ in range(processes)]
        #: shared memory that a process may show where its map is not certain
        self.perhaps: list[IntervalMap[tuple[Shown, ...]]] = [
            IntervalMap() for _ in range(processes)
        ]
        #: by lane of a change: processes forked off meanwhile, which may have what it makes or not
        self.doubters: dict[int, tuple[int, ...]] = {}
        #: by lane
        self.changes: dict[int, tuple[Change, ...]] = {}
        #: calls that were to change a map and have not, as long as not all know that
        self.failed: tuple[Failed, ...] = ()
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
        if self.failed and self._met_failed(va, issued, uncertain, write=write):
            return None
        shown = self.maps[asid].value(vpn)
        if shown is None:
            return None
        if not issued.knows(shown.since):
            if write and issued.knows(shown.called):
                uncertain[va] = shown.called
            return None
        return None if uncertain.get(va) == shown.called else shown

    def _met_failed(self, va: int, issued: Clock, uncertain: dict[int, At], *, write: bool) -> bool:
        """Say whether an access knows of a call which failed, and not that it did."""
        asid, vpn = va >> ASID_SHIFT, va & VPN_MASK
        for one in self.failed:
            change = one.change
            if change.asid == asid and change.start <= vpn < change.end:
                if issued.knows(change.called):
                    if issued.knows(one.at):
                        continue
                    if write:
                        uncertain[va] = change.called
                    return True
                if uncertain.get(va) == change.called:
                    return True
        return False

    def is_doubted(self, va: int, called: At) -> bool:
        """Say whether a doubt about a page, that a call has raised, may still matter."""
        asid, vpn = va >> ASID_SHIFT, va & VPN_MASK
        shown = self.maps[asid].value(vpn)
        if shown is not None and shown.called == called:
            return True
        changes = chain(
            chain.from_iterable(self.changes.values()), [one.change for one in self.failed]
        )
        return any(
            c.called == called and c.asid == asid and c.start <= vpn < c.end for c in changes
        )

    def forget(self, known_to_all: Callable[[int], int]) -> None:
        """Forget of calls that they failed where all know that.

        known_to_all: gives, for an address space, the latest event of its vm that all know of.
        """
        self.failed = tuple(
            [one for one in self.failed if one.at.number > known_to_all(one.change.asid)]
        )

    def pinned(self, asid: int, vpn: int, issued: Clock) -> Shown | None:
        """Return what a page shows as its vm pins it for a call, or None if that is not certain.

        issued: the clock of the call.
        """
        shown = self.maps[asid].value(vpn)
        if shown is None or not issued.knows(shown.since) or self.is_changing(asid, vpn, vpn + 1):
            return None
        return shown

    def _change_at(self, asid: int, vpn: int) -> Change | None:
        for changes in self.changes.values():
            for change in changes:
                if change.asid == asid and change.start <= vpn < change.end:
                    return change
        return None

    def pieces(self, asid: int, start: int, end: int) -> list[tuple[Shown, int, int]]:
        """Return (shown, first page, end) of the parts of a range that are mapped."""
        return [(shown, low, high) for low, high, shown in self.maps[asid].pieces(start, end)]

    def maybe(self, asid: int, start: int, end: int) -> list[tuple[Shown, int, int, bool]]:
        """Return the same of what may be mapped, and whether it is certain."""
        found = [(shown, low, high, True) for shown, low, high in self.pieces(asid, start, end)]
        for low, high, several in self.perhaps[asid].pieces(start, end):
            found += [(shown, low, high, False) for shown in several]
        return found

    # Changes.

    def begins(self, lane: int, changes: tuple[Change, ...], children: Iterable[int]) -> None:
        """Note that a call that changes the map arrived.

        children: processes that are being forked off. They may get the map from before the call or
        from after it, so what they show there is never certain.
        """
        self.changes[lane] = changes
        for child in children:
            self._doubts(lane, child)
            for change in changes:
                self.doubt(child, change.start, change.end)

    def is_changing(self, asid: int, start: int, end: int) -> bool:
        """Say whether a call in flight changes a part of a range."""
        changes = chain.from_iterable(self.changes.values())
        return any(c.asid == asid and c.start < end and start < c.end for c in changes)

    def ends(self, lane: int, shown: Shown | None, at: At, *, failed: bool) -> None:
        """Note that it returned: [start, end) shows this now, or nothing."""
        (change,) = self.changes.pop(lane)
        doubters = self.doubters.pop(lane, ())
        if failed:
            self.failed = (*self.failed, Failed(change, at))
            return
        self._clear(change.asid, change.start, change.end)
        if shown is None:
            return
        self.maps[change.asid].assign(change.start, change.end, shown)
        for child in doubters:
            self._may_show(child, change.start, change.end, shown)

    def _clear(self, asid: int, start: int, end: int) -> None:
        self.maps[asid].remove(start, end)
        self.perhaps[asid].remove(start, end)

    def moved(self, lane: int, at: At, *, keep: bool, done: Outcome) -> None:
        """Note that a call returned that moves what its first range shows to its second.

        keep: the first stays mapped, with new memory if it is private. If the second is longer,
        its end is new memory, or more of what is shared. A call that failed may have unmapped what
        was at the second.
        """
        old, new = self.changes.pop(lane)
        doubters = self.doubters.pop(lane, ())
        if done is Outcome.NOTHING:
            self.failed = (*self.failed, Failed(old, at), Failed(new, at))
            return
        if done is Outcome.PART:
            self.failed = (*self.failed, Failed(old, at))
            self.doubt(old.asid, new.start, new.end)
            return
        space = self.maps[old.asid]
        found = space.pieces(old.start, old.start + min(old.end - old.start, new.end - new.start))
        self._clear(old.asid, old.start, old.end)
        self._clear(new.asid, new.start, new.end)  # where nothing certain is moved, none is judged
        by = new.start - old.start
        for low, high, shown in found:
            there = msgspec.structs.replace(
                shown,
                shift=shown.shift - by,
                file_shift=shown.file_shift - by,
                called=old.called,
                since=at,
            )
            space.assign(low + by, high + by, there)
            for child in doubters:
                self._may_show(child, low + by, high + by, there)
            if keep:
                space.assign(low, high, self._anew(lane, shown, old.called, at))
        end = new.start + old.end - old.start
        if found and end < new.end:
            space.assign(end, new.end, self._anew(lane, there, old.called, at))

    def _anew(self, lane: int, shown: Shown, called: At, at: At) -> Shown:
        """Return what a mapping shows as new memory; shared memory is itself."""
        mapping, shift = shown.mapping, shown.shift
        if not shown.shared:
            mapping, shift = self.new_mapping(lane), 0
        return msgspec.structs.replace(shown, mapping=mapping, shift=shift, called=called, since=at)

    def inherits(self, asid: int, start: int, end: int, on: int, off: int) -> None:
        """Set and clear what children of later forks get (`Shown.inherit`)."""
        space = self.maps[asid]
        for low, high, shown in space.pieces(start, end):
            inherit = shown.inherit & ~off | on
            space.assign(low, high, msgspec.structs.replace(shown, inherit=inherit))

    def doubt(self, asid: int, start: int, end: int) -> None:
        """Judge nothing in a range until it is mapped again: it may show what it showed, or not."""
        for low, high, shown in self.maps[asid].pieces(start, end):
            self._may_show(asid, low, high, shown)
        self.maps[asid].remove(start, end)

    def _may_show(self, asid: int, start: int, end: int, shown: Shown) -> None:
        if not shown.shared:
            return
        space = self.perhaps[asid]
        for low, high in space.gaps(start, end):
            space.assign(low, high, ())
        for low, high, several in space.pieces(start, end):
            if shown not in several:
                space.assign(low, high, (*several, shown))

    def _doubts(self, lane: int, child: int) -> None:
        doubters = self.doubters.get(lane, ())
        if child not in doubters:
            self.doubters[lane] = (*doubters, child)

    def fork(self, lane: int, parent: int, child: int) -> NotInherited:
        """Give a child its parent's map, but for what is being changed there, or is not inherited.

        Return what is not.
        """
        space = self.maps[child] = self.maps[parent].copy()
        self.perhaps[child] = self.perhaps[parent].copy()
        nothing, wiped = [], []
        for low, high, shown in self.maps[parent].all():
            if shown.inherit & UNSURE:
                self.doubt(child, low, high)
                nothing.append((low, high, False))
            elif shown.inherit & NOT_INHERITED:
                space.remove(low, high)
                nothing.append((low, high, True))
            elif shown.inherit & INHERITED_ZERO:  # its own, whatever the parent has there
                wiped.append((low, high))
                own = msgspec.structs.replace(shown, shared=False, file=NO_FILE)
                space.assign(low, high, self._anew(lane, own, shown.called, shown.since))
        for changing, changes in self.changes.items():
            for change in changes:
                if change.asid == parent:
                    self._doubts(changing, child)
                    self.doubt(child, change.start, change.end)
        return NotInherited(nothing, wiped)

    def pages(self, pinned: Iterable[tuple[int, int]]) -> dict[int, PageRanges]:
        """Return the pages that can still be accessed, by line.

        All of a shared file can: a later call may map it again. pinned: (line, page) of what a
        device can, mapped or not.
        """
        found: dict[int, list[tuple[int, int]]] = {SHARED: [EVERY_FILE]}
        for asid, space in enumerate(self.maps):
            mine = found[asid] = []
            for low, high, shown in space.all():
                ranges = found[SHARED] if shown.shared else mine
                ranges.append((shown.page(low), shown.page(high)))
            for low, high, several in self.perhaps[asid].all():
                found[SHARED] += [(shown.page(low), shown.page(high)) for shown in several]
        for line, page in pinned:
            found[line].append((page, page + 1))
        return {line: PageRanges(ranges) for line, ranges in found.items()}

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.maps = [one.copy() for one in self.maps]
        twin.perhaps = [one.copy() for one in self.perhaps]
        twin.doubters = self.doubters.copy()
        twin.changes = self.changes.copy()
        twin.made = self.made.copy()
        twin.failed = self.failed
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                tuple((low, high, *msgspec.structs.astuple(s)) for low, high, s in one.all())
                for one in self.maps
            ),
            tuple(
                tuple(
                    (low, high, tuple(map(msgspec.structs.astuple, several)))
                    for low, high, several in one.all()
                )
                for one in self.perhaps
            ),
            tuple(sorted(self.doubters.items())),
            tuple(
                (lane, *map(msgspec.structs.astuple, found))
                for lane, found in sorted(self.changes.items())
            ),
            tuple(sorted(self.made.items())),
            tuple([(*msgspec.structs.astuple(one.change), one.at) for one in self.failed]),
        )
