"""Memory objects: made, shadowed, and searched through the entries of maps.

Owns the objects by number, and how many each lane has made. Touches the maps of address spaces: it
counts their references, and gives an entry its shadow.
"""

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Self

from actors.message import PageKey
from kernel.page import Page
from kernel.units import VPN_LIMIT
from kernel.vm_map import NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vm_object import NONE, OBJECT_SHIFT, VmObject
from kernel.vmspace import VmSpace

#: chooses entries of a map
Only = Callable[[MapEntry], bool]


class Objects:
    """Objects by number (`by_oid`), and what entries of maps show of them."""

    __slots__ = ("by_oid", "made", "spaces")

    def __init__(self, spaces: dict[int, VmSpace]) -> None:
        """Begin with none."""
        self.spaces = spaces
        self.by_oid: dict[int, VmObject] = {}
        #: objects that each lane has made: they are named after it
        self.made: dict[int, int] = {}

    def clone(self, spaces: dict[int, VmSpace]) -> Self:
        """Copy the containers, for a vm with these address spaces."""
        twin = type(self)(spaces)
        twin.by_oid = {oid: one.copy() for oid, one in self.by_oid.items()}
        twin.made = self.made.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple((oid, one.freeze()) for oid, one in sorted(self.by_oid.items())),
            tuple(sorted(self.made.items())),
        )

    def waiting(self) -> list[str]:
        """Name pages that are busy or pinned."""
        found = []
        for oid, one in self.by_oid.items():
            found += [
                f"page {index} of object {oid} is busy for lane {page.busy}"
                for index, page in one.pages.items()
                if page.is_busy
            ]
            found += [
                f"page {index} of object {oid} is pinned {page.pins} times"
                for index, page in one.pages.items()
                if page.pins
            ]
        return found

    def make(self, lane: int, size: int) -> int:
        """Make an empty anonymous object of so many indexes and return its number."""
        number = self.made.get(lane, 0) + 1
        self.made[lane] = number
        oid = (lane + 1) << OBJECT_SHIFT | number
        self.by_oid[oid] = VmObject(size)
        return oid

    def of_file(self, file: int) -> int:
        """Return the number of the object that caches a file; it stays as long as the run."""
        oid = -1 - file
        if oid not in self.by_oid:
            self.by_oid[oid] = VmObject(VPN_LIMIT, file)
        return oid

    def refs(self, oid: int) -> int:
        """Count what refers to an object: entries of maps, and objects that shadow it."""
        entries = sum(space.map.refs.get(oid, 0) for space in self.spaces.values())
        return entries + len(self.by_oid[oid].shadows)

    def shadow(self, space: VmSpace, entry: MapEntry, lane: int) -> None:
        """Let an entry that needs a copy write to an object of its own.

        Source: FreeBSD vm_map_lookup, vm_object_shadow: an object that nobody else refers to needs
        no shadow.
        """
        source = self.by_oid[entry.oid]
        if source.anonymous and self.refs(entry.oid) == 1:
            space.map.change(entry.start, entry.end, lambda e: e.with_flags(off=NEEDS_COPY))
            return
        oid = self.make(lane, entry.end - entry.start)
        top = self.by_oid[oid]
        top.backing, top.offset = entry.oid, entry.offset
        source.shadows = (*source.shadows, oid)
        space.map.change(
            entry.start,
            entry.end,
            lambda e: e.with_object(oid, 0).with_flags(off=NEEDS_COPY),
        )

    # What an entry of a map shows.

    def shadowed(self, entry: MapEntry) -> bool:
        """Say whether an older copy of a private page may lie below what the entry shows."""
        if entry.flags & SHARED:
            return False
        top = self.by_oid[entry.oid]
        return bool(entry.flags & NEEDS_COPY or top.backing or not top.one_mapping)

    def anonymous(self, entry: MapEntry) -> bool:
        """Say whether no file lies at the end of the entry's chain."""
        return self.by_oid[self.bottom(entry)[0]].anonymous

    def bottom(self, entry: MapEntry) -> PageKey:
        """Return the object at the end of the entry's chain, and the index there of its start."""
        oid, index = entry.oid, entry.offset
        while self.by_oid[oid].backing:
            index += self.by_oid[oid].offset
            oid = self.by_oid[oid].backing
        return oid, index

    def exclusive(self, entry: MapEntry) -> bool:
        """Say whether the pages of the entry's top object are nobody else's."""
        return self.by_oid[entry.oid].one_mapping

    def is_wired(self, key: PageKey, page: Page) -> bool:
        """Say whether a page must stay: it is pinned, or an entry that mlock wired shows it."""
        return bool(page.pins) or self.is_locked(key)

    def is_locked(self, key: PageKey) -> bool:
        """Say whether an entry that mlock wired shows a page, in any space."""
        return any(
            found[0] == key
            for space in self.spaces.values()
            if space.map.wired
            for entry in space.map.entries
            if entry.flags & WIRED
            for vpn in self._shown_at(entry, key)
            if (found := self.find(entry, vpn)) is not None
        )

    def _shown_at(self, entry: MapEntry, key: PageKey) -> Iterator[int]:
        """Yield where an entry would show a page of an object if no copy lay above it."""
        oid, shift = entry.oid, entry.start - entry.offset
        while oid != key[0] and self.by_oid[oid].backing:
            shift -= self.by_oid[oid].offset
            oid = self.by_oid[oid].backing
        if oid == key[0] and entry.start <= key[1] + shift < entry.end:
            yield key[1] + shift

    def find(self, entry: MapEntry, vpn: int) -> tuple[PageKey, Page] | None:
        """Find the resident page that an entry shows, in its object or down its chain."""
        oid, index = entry.oid, entry.pindex(vpn)
        while oid != NONE and index < self.by_oid[oid].size:
            one = self.by_oid[oid]
            page = one.pages.get(index)
            if page is not None:
                return (oid, index), page
            index += one.offset
            oid = one.backing
        return None

    def page_at(self, space: VmSpace, vpn: int) -> tuple[PageKey, Page] | None:
        """Find the resident page that the top object of the map shows at `vpn`."""
        entry = space.map.lookup(vpn)
        if entry is None:
            return None
        key = (entry.oid, entry.pindex(vpn))
        page = self.by_oid[entry.oid].pages.get(key[1])
        return None if page is None else (key, page)

    def held_in(
        self, space: VmSpace, start: int, end: int, only: Only | None = None
    ) -> Iterator[int]:
        """Yield where in [start, end) top objects have a page, or a copy in swap, ascending.

        Costs by page that is there or by page of the range, whichever is less.
        only: look at those entries only for which this is true.
        """
        for piece in space.map.pieces(start, end):
            if only is not None and not only(piece):
                continue
            top = self.by_oid[piece.oid]
            pages: Collection[int] = top.pages.keys() | top.swap.keys() if top.swap else top.pages
            if piece.end - piece.start <= len(pages):
                shift = piece.start - piece.offset
                for pindex in range(piece.offset, piece.pindex(piece.end)):
                    if pindex in pages:
                        yield pindex + shift
            else:
                yield from sorted(
                    i - piece.offset + piece.start
                    for i in pages
                    if piece.offset <= i < piece.pindex(piece.end)
                )

    def resident_in(
        self, space: VmSpace, start: int, end: int, only: Only | None = None
    ) -> Iterator[int]:
        """Yield where in [start, end) top objects have a page, ascending; `only` as above."""
        for vpn in self.held_in(space, start, end, only):
            if self.page_at(space, vpn) is not None:
                yield vpn
