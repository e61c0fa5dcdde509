"""Objects and their pages, resident or in swap; queues of those that are."""

from collections.abc import Callable, Collection, Iterator

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import FreeSlots
from actors.settings import DOMAIN_SHIFT
from actors.vm.entries import VmEntries
from kernel.hole import HoleState
from kernel.page import DIRTY, KNOWN_ZERO, LAZY_FREE, Page
from kernel.page_queue import QUEUES, Queue
from kernel.units import VPN_LIMIT
from kernel.vm_map import NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vm_object import NONE, OBJECT_SHIFT, VmObject
from kernel.vmspace import VmSpace

#: plain numbers: each fault ends with one
_ACTIVE, _HOLES, _LIVE = int(Queue.ACTIVE), int(Queue.HOLES), HoleState.LIVE


class VmPages(VmEntries):
    """Finding, adding and removing pages."""

    # Objects.

    def make_object(self, lane: int, size: int) -> int:
        """Make an empty anonymous object of so many indexes and give its number."""
        number = self.made.get(lane, 0) + 1
        self.made[lane] = number
        oid = (lane + 1) << OBJECT_SHIFT | number
        self.objects[oid] = VmObject(size)
        return oid

    def file_object(self, file: int) -> int:
        """Give the object that caches a file; there is one as long as somebody maps it."""
        oid = -1 - file
        if oid not in self.objects:
            self.objects[oid] = VmObject(VPN_LIMIT, file)
        return oid

    def refs(self, oid: int) -> int:
        """Count what refers to an object: entries of maps, and objects that shadow it."""
        entries = sum(space.map.refs.get(oid, 0) for space in self.spaces.values())
        return entries + len(self.objects[oid].shadows)

    def shadow(self, space: VmSpace, entry: MapEntry, lane: int) -> None:
        """Give an entry that needs a copy an object of its own to write to.

        Source: FreeBSD vm_map_lookup, vm_object_shadow: an object that nobody else refers to needs
        no shadow.
        """
        source = self.objects[entry.oid]
        if source.anonymous and self.refs(entry.oid) == 1:
            space.map.change(entry.start, entry.end, lambda e: e.with_flags(off=NEEDS_COPY))
            return
        oid = self.make_object(lane, entry.end - entry.start)
        top = self.objects[oid]
        top.backing, top.offset = entry.oid, entry.offset
        source.shadows = (*source.shadows, oid)
        space.map.change(
            entry.start,
            entry.end,
            lambda e: e.with_object(oid, 0).with_flags(off=NEEDS_COPY),
        )

    def shadowed(self, entry: MapEntry) -> bool:
        """Say whether an older copy of a private page may lie below what the entry shows."""
        if entry.flags & SHARED:
            return False
        top = self.objects[entry.oid]
        return bool(entry.flags & NEEDS_COPY or top.backing or not top.one_mapping)

    def anonymous(self, entry: MapEntry) -> bool:
        """Say whether no file lies at the end of the entry's chain."""
        return self.objects[self.bottom(entry)[0]].anonymous

    def bottom(self, entry: MapEntry) -> PageKey:
        """Give the object at the end of the entry's chain, and the index there of its start."""
        oid, index = entry.oid, entry.offset
        while self.objects[oid].backing:
            index += self.objects[oid].offset
            oid = self.objects[oid].backing
        return oid, index

    def exclusive(self, entry: MapEntry) -> bool:
        """Say whether the pages of the entry's top object are nobody else's."""
        return self.objects[entry.oid].one_mapping

    def is_wired(self, key: PageKey, page: Page) -> bool:
        """Say whether a page must stay: it is pinned, or an entry that mlock wired shows it."""
        if page.pins:
            return True
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
        """Yield the page of an entry that shows a page of an object, were there none above."""
        oid, shift = entry.oid, entry.start - entry.offset
        while oid != key[0] and self.objects[oid].backing:
            shift -= self.objects[oid].offset
            oid = self.objects[oid].backing
        if oid == key[0] and entry.start <= key[1] + shift < entry.end:
            yield key[1] + shift

    # Pages.

    def find(self, entry: MapEntry, vpn: int) -> tuple[PageKey, Page] | None:
        """Find the resident page that an entry shows, in its object or behind it."""
        oid, index = entry.oid, entry.pindex(vpn)
        while oid != NONE and index < self.objects[oid].size:
            one = self.objects[oid]
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
        page = self.objects[entry.oid].pages.get(key[1])
        return None if page is None else (key, page)

    def held_in(
        self, space: VmSpace, start: int, end: int, only: Callable[[MapEntry], bool] | None = None
    ) -> Iterator[int]:
        """Yield where in [start, end) top objects have a page, or a copy in swap, ascending.

        Costs by page that is there or by page of the range, whichever is less.
        only: look at those entries only for which this is true.
        """
        for piece in space.map.pieces(start, end):
            if only is not None and not only(piece):
                continue
            top = self.objects[piece.oid]
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
        self, space: VmSpace, start: int, end: int, only: Callable[[MapEntry], bool] | None = None
    ) -> Iterator[int]:
        """Yield where in [start, end) top objects have a page, ascending; `only` as above."""
        for vpn in self.held_in(space, start, end, only):
            if self.page_at(space, vpn) is not None:
                yield vpn

    def give_frame(self, key: PageKey, page: Page, pfn: int) -> Page:
        """Give a page the frame that it waited for."""
        page = page.with_frame(pfn)
        self.put(key, page)
        self.frames[pfn] = key
        return page

    def drop_slot(self, key: PageKey) -> None:
        """Let go of a page's copy in swap, if there is one: it is told when the step ends."""
        slot = self.objects[key[0]].swap.pop(key[1], None)
        if slot is not None:
            self.dropped[slot] = None

    def free_slots(self, lane: int, out: list[Effect]) -> None:
        """Tell the swap device which slots are free."""
        (swap,) = self.settings.swaps
        out.append(Send(swap, FreeSlots(lane, tuple(self.dropped))))
        self.dropped.clear()

    def rename(self, old: PageKey, new: PageKey) -> Page:
        """Move a page to another object; it is no hole and not known to be zero any more.

        Source: FreeBSD vm_page_rename: mappings stay, the page is dirty, so a copy of it in swap
        counts no more.
        """
        page = self.objects[old[0]].pages.pop(old[1])
        self.drop_slot(old)
        self.deferred.pop(old, None)
        if page.hole is not HoleState.LIVE:
            page = page.with_hole(HoleState.LIVE)
            self.account(page, 1)
        page = page.with_flags(on=DIRTY, off=LAZY_FREE | KNOWN_ZERO)
        self.objects[new[0]].pages[new[1]] = page
        self.frames[page.pfn] = new
        return page

    def forget(self, key: PageKey, page: Page) -> None:
        """Take a page out of its object."""
        del self.objects[key[0]].pages[key[1]]
        self.frames.pop(page.pfn, None)
        self.queues.remove(page.pfn)

    def enqueue(self, pfn: int, queue: Queue, activity: int = 0) -> None:
        """Put a page at the tail of a queue of its frame's domain."""
        self.queues.put(pfn, (pfn >> DOMAIN_SHIFT) * QUEUES + queue, activity)

    def activate(self, page: Page) -> None:
        """Put a page that is used into the active queue, one of a hole among those to go."""
        pfn, queues = page.pfn, self.queues
        number = (pfn >> DOMAIN_SHIFT) * QUEUES + (_ACTIVE if page.hole is _LIVE else _HOLES)
        if queues.where.get(pfn) != number:
            queues.put(pfn, number, self.settings.act_init)
