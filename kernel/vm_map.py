"""The map of an address space: entries sorted by address, clipped and merged.

Splitting an entry does not split its object. Pages are numbers; ranges are half-open.
Source: FreeBSD vm_map.c (vm_map_clip_start/_end, vm_map_try_merge_entries).
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator

import msgspec

#: the range is a hole (hole_state = map-entry)
HOLE = 1
#: the object is shared until a store, which first gets a shadow of it (MAP_ENTRY_NEEDS_COPY)
NEEDS_COPY = 2
#: everyone who maps the object sees the others' stores, children too (INHERIT_SHARE)
SHARED = 4
#: nothing is mapped here in a child (INHERIT_NONE, MADV_DONTFORK)
NOT_INHERITED = 8
#: a child reads zero here (INHERIT_ZERO, MADV_WIPEONFORK)
INHERITED_ZERO = 16
#: mlock(2): its pages stay resident
WIRED = 32


class MapEntry(msgspec.Struct, frozen=True, gc=False):
    """One vm_map entry: pages [start, end) map object `oid` from page index `offset` on."""

    start: int
    end: int
    prot: int
    oid: int
    offset: int
    flags: int = 0

    def pindex(self, vpn: int) -> int:
        """Return the index in the object of page `vpn` of this entry."""
        return vpn - self.start + self.offset

    def cut(self, start: int, end: int) -> "MapEntry":
        """Return the part of the entry in [start, end)."""
        return MapEntry(start, end, self.prot, self.oid, self.pindex(start), self.flags)

    def is_like(self, other: "MapEntry") -> bool:
        """Say whether two entries differ in what they map only, and in how it is kept."""
        differ = (self.flags ^ other.flags) & ~(NEEDS_COPY | HOLE)
        return self.prot == other.prot and not differ

    def with_prot(self, prot: int) -> "MapEntry":
        """Return the entry with another protection."""
        return MapEntry(self.start, self.end, prot, self.oid, self.offset, self.flags)

    def with_flags(self, on: int = 0, off: int = 0) -> "MapEntry":
        """Return the entry with the flags `on` set and `off` cleared."""
        flags = self.flags & ~off | on
        return MapEntry(self.start, self.end, self.prot, self.oid, self.offset, flags)

    def with_object(self, oid: int, offset: int) -> "MapEntry":
        """Return the entry mapping another object."""
        return MapEntry(self.start, self.end, self.prot, oid, offset, self.flags)


Change = Callable[[MapEntry], MapEntry]


class VmMap:
    """Entries of one address space; `starts` mirrors them for bisection."""

    __slots__ = ("entries", "refs", "starts", "wired")

    def __init__(self) -> None:
        """Make an empty map."""
        self.starts: list[int] = []
        self.entries: list[MapEntry] = []
        #: how many entries map each object
        self.refs: dict[int, int] = {}
        #: how many entries are WIRED
        self.wired = 0

    def lookup(self, vpn: int) -> MapEntry | None:
        """Return the entry that holds page `vpn`, if any."""
        i = bisect_right(self.starts, vpn) - 1
        if i >= 0 and vpn < self.entries[i].end:
            return self.entries[i]
        return None

    def overlapping(self, start: int, end: int) -> list[MapEntry]:
        """List the entries that hold a page of [start, end)."""
        if start >= end:
            return []
        i = max(bisect_right(self.starts, start) - 1, 0)
        found = []
        while i < len(self.entries) and self.entries[i].start < end:
            if self.entries[i].end > start:
                found.append(self.entries[i])
            i += 1
        return found

    def pieces(self, start: int, end: int) -> Iterator[MapEntry]:
        """Yield the parts of entries that lie in [start, end); the map is not clipped."""
        for entry in self.overlapping(start, end):
            yield entry.cut(max(start, entry.start), min(end, entry.end))

    def has_gap(self, start: int, end: int) -> bool:
        """Say whether any page of [start, end) is not mapped."""
        at = start
        for entry in self.overlapping(start, end):
            if entry.start > at:
                return True
            at = entry.end
        return at < end

    def mapped_until(self, start: int) -> int:
        """Return the first page from `start` on that is not mapped."""
        at = start
        while (entry := self.lookup(at)) is not None:
            at = entry.end
        return at

    def alike(self, entry: MapEntry) -> tuple[int, int]:
        """Return the run of mappings side by side with an entry that differ in objects only.

        To Linux they are one mapping, mostly.
        """
        start, end = entry.start, entry.end
        while (left := self.lookup(start - 1)) is not None and left.is_like(entry):
            start = left.start
        while (right := self.lookup(end)) is not None and right.is_like(entry):
            end = right.end
        return start, end

    def clip(self, start: int, end: int) -> None:
        """Split entries so that none crosses `start` or `end`; for no pages, leave them whole."""
        if start >= end:
            return
        for at in (start, end):
            i = bisect_right(self.starts, at) - 1
            if i >= 0 and self.entries[i].start < at < self.entries[i].end:
                entry = self.entries[i]
                self._replace(i, i + 1, [entry.cut(entry.start, at), entry.cut(at, entry.end)])

    def remove(self, start: int, end: int) -> list[MapEntry]:
        """Remove [start, end) from the map; return the entries that were there."""
        self.clip(start, end)
        gone = self.overlapping(start, end)
        if gone:
            i = bisect_right(self.starts, gone[0].start) - 1
            self._replace(i, i + len(gone), [])
        return gone

    def insert(self, entry: MapEntry) -> MapEntry:
        """Add an entry where nothing is mapped, merged with like neighbours; return the result."""
        i = bisect_right(self.starts, entry.start)
        self._replace(i, i, [entry])
        return self._merge_around(entry.start)

    def change(self, start: int, end: int, change: Change) -> None:
        """Clip to [start, end), replace each entry there, merge like neighbours."""
        self.clip(start, end)
        found = self.overlapping(start, end)
        for entry in found:
            i = bisect_right(self.starts, entry.start) - 1
            self._replace(i, i + 1, [change(entry)])
        for entry in found:
            self._merge_around(entry.start)

    def _replace(self, first: int, last: int, entries: list[MapEntry]) -> None:
        refs = self.refs
        for entry in entries:
            refs[entry.oid] = refs.get(entry.oid, 0) + 1
            self.wired += bool(entry.flags & WIRED)
        for entry in self.entries[first:last]:
            self.wired -= bool(entry.flags & WIRED)
            if refs[entry.oid] == 1:
                del refs[entry.oid]
            else:
                refs[entry.oid] -= 1
        self.entries[first:last] = entries
        self.starts[first:last] = [entry.start for entry in entries]

    def _merge_around(self, at: int) -> MapEntry:
        i = bisect_right(self.starts, at) - 1
        for left in (i, i - 1):
            if left < 0 or left + 1 >= len(self.entries):
                continue
            a, b = self.entries[left], self.entries[left + 1]
            if (
                a.end == b.start
                and a.oid == b.oid
                and a.pindex(a.end) == b.offset
                and a.prot == b.prot
                and a.flags == b.flags
            ):
                merged = MapEntry(a.start, b.end, a.prot, a.oid, a.offset, a.flags)
                self._replace(left, left + 2, [merged])
        found = self.lookup(at)
        assert found is not None
        return found

    def copy(self) -> "VmMap":
        """Copy the containers."""
        twin = VmMap()
        twin.starts = self.starts.copy()
        twin.entries = self.entries.copy()
        twin.refs = self.refs.copy()
        twin.wired = self.wired
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.entries)
