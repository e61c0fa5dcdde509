"""Objects, their pages, and the entries of page tables that map them.

Every present entry maps a resident page, whose `mappings` name all places where a TLB may have it:
an entry that was taken away stays among them until its flush is complete. So whoever looks at a
page sees what may still be used of it, whoever took the entry away. FreeBSD drops its pv entries
first and has others wait in pmap_delayed_invl_wait; who flushes is all that differs.
"""

from collections.abc import Callable, Collection, Iterator

from actors.facts import Resident
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import FreeSlots
from actors.settings import DOMAIN_SHIFT
from actors.vm_locks import VmLocks
from kernel import pte as pte_bits
from kernel.hazards import Hazard
from kernel.hole import HoleState
from kernel.page import DIRTY, LAZY_FREE, Page
from kernel.page_queue import QUEUES, Queue
from kernel.units import ASID_SHIFT, VPN_LIMIT, VPN_MASK
from kernel.vm_map import NEEDS_COPY, SHARED, MapEntry
from kernel.vm_object import OBJECT_SHIFT, VmObject
from kernel.vmspace import VmSpace

#: plain numbers: each fault ends with one
_ACTIVE, _HOLES, _LIVE = int(Queue.ACTIVE), int(Queue.HOLES), HoleState.LIVE
#: in place of the frame of an entry that has only lost its accessed bit
NO_FRAME = -1
#: an entry that was taken away: where it was, and its frame
Gone = tuple[int, int]


class VmPages(VmLocks):
    """Finding, adding and removing pages and entries."""

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

    # Pages.

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
        if page.hole is not HoleState.LIVE:
            page = page.with_hole(HoleState.LIVE)
            self.account(page, 1)
        page = page.with_flags(on=DIRTY, off=LAZY_FREE)
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

    # Entries of page tables.

    def enter(self, va: int, key: PageKey, page: Page, bits: int) -> int:
        """Write the entry for a page and give it; what it replaces is gone already."""
        space = self.spaces[va >> ASID_SHIFT]
        vpn = va & VPN_MASK
        ptes = space.pmap.ptes
        if page.hole is HoleState.LIVE and vpn not in ptes:
            self.change_resident(va >> ASID_SHIFT, 1)
        pte = ptes[vpn] = pte_bits.make(page.pfn, bits)
        if va not in page.mappings:
            self.put(key, page.mapped_at(va))
        return pte

    def take_entry(self, va: int, *, keep: bool = False) -> Gone | None:
        """Remove an entry, or clear its user permission; None if no TLB can hold it.

        Where another operation has taken it and waits for its shootdown, a TLB may: every reader of
        page tables honours a flush that is outstanding. The dirty bit is kept with the page.
        """
        space = self.spaces[va >> ASID_SHIFT]
        ptes, vpn = space.pmap.ptes, va & VPN_MASK
        pte = ptes.get(vpn, 0)
        if not pte or (keep and not pte & pte_bits.U):
            return self.owed(va)
        pfn = pte_bits.pfn_of(pte)
        if keep:
            ptes[vpn] = pte & ~pte_bits.U
        else:
            del ptes[vpn]
            self._entry_went(va, pfn, pte)
        return self.must_flush(va, pfn)

    def _entry_went(self, va: int, pfn: int, pte: int) -> None:
        key = self.frames.get(pfn)
        if key is None:
            return
        page = self.objects[key[0]].pages[key[1]]
        if page.hole is HoleState.LIVE:
            self.change_resident(va >> ASID_SHIFT, -1)
        if pte & pte_bits.D and not page.flags & DIRTY:
            self.put(key, page.with_flags(on=DIRTY))

    def owed(self, va: int) -> Gone | None:
        """Take over the flush that another operation owes for an entry, if one does."""
        outstanding = self.unflushed.get(va)
        if not outstanding or self.settings.hazards & Hazard.IGNORES_UNFLUSHED:
            return None
        return self.must_flush(va, outstanding[-1])

    def owed_in(self, asid: int, start: int, end: int, gone: tuple[Gone, ...]) -> list[int]:
        """List the pages for whose entries a flush is owed, but those in `gone`; ascending.

        Every reader of page tables honours them: an entry that is gone may still be in a TLB, one
        without W be writable there. Source: Linux flush_tlb_batched_pending (3ea277194dae).
        """
        if not self.unflushed or self.settings.hazards & Hazard.IGNORES_UNFLUSHED:
            return []
        base = asid << ASID_SHIFT
        own = {va for va, _ in gone}
        return sorted(
            va - base for va in self.unflushed if start <= va - base < end and va not in own
        )

    def must_flush(self, va: int, pfn: int) -> Gone:
        """Note that the entry for a frame has lost something that a TLB may still give."""
        self.unflushed[va] = (*self.unflushed.get(va, ()), pfn)
        return va, pfn

    def has_flushed(self, gone: tuple[Gone, ...]) -> None:
        """Note that no TLB holds these entries any more; pages are mapped there no longer."""
        for va, pfn in gone:
            if pfn == NO_FRAME:
                continue
            left = list(self.unflushed.pop(va))
            left.remove(pfn)
            if left:
                self.unflushed[va] = tuple(left)
            key = self.frames.get(pfn)
            if key is None or pfn in left:
                continue
            pte = self.spaces[va >> ASID_SHIFT].pmap.ptes.get(va & VPN_MASK, 0)
            if not pte or pte_bits.pfn_of(pte) != pfn:
                self.put(key, self.objects[key[0]].pages[key[1]].not_mapped_at(va))

    def entries_of(self, page: Page) -> Iterator[tuple[int, int]]:
        """Yield (va, entry) of the entries that map a page now."""
        for va in page.mappings:
            pte = self.spaces[va >> ASID_SHIFT].pmap.ptes.get(va & VPN_MASK, 0)
            if pte and pte_bits.pfn_of(pte) == page.pfn:
                yield va, pte

    def dirtied(self, page: Page) -> bool:
        """Say whether a page was stored to, as far as its entries tell, present ones and past."""
        if page.flags & DIRTY:
            return True
        return any(pte & pte_bits.D for _, pte in self.entries_of(page))

    def take_references(self, page: Page) -> tuple[int, list[Gone]]:
        """Clear the accessed bits of a page's entries: how many were set, and the flushes due.

        Nobody need wait for those: an entry has lost nothing that somebody may do through it. With
        batches (as on Linux) there are none: what a TLB goes on using looks unused.
        Source: FreeBSD pmap_ts_referenced (invalidates each entry whose bit it clears); Linux x86
        ptep_clear_flush_young (does not).
        """
        gone = []
        for va, pte in list(self.entries_of(page)):
            if pte & pte_bits.A:
                self.spaces[va >> ASID_SHIFT].pmap.ptes[va & VPN_MASK] = pte & ~pte_bits.A
                gone.append((va, NO_FRAME))
        return len(gone), gone if self.settings.policy.daemon_batch == 1 else []

    # The resident set: entries of pages that are in no hole.

    def change_resident(self, asid: int, pages: int) -> None:
        """Change the resident set of a space; it is stated when the operation's step ends."""
        self.spaces[asid].resident += pages
        self.restated[asid] = None

    def account(self, page: Page, sign: int) -> None:
        """Let a page's entries enter (1) or leave (-1) the resident sets of their spaces."""
        for va, _ in self.entries_of(page):
            self.change_resident(va >> ASID_SHIFT, sign)

    def state_resident(self, lane: int, out: list[Effect]) -> None:
        """State the resident sets that have changed."""
        spaces = self.spaces
        out.extend(Note(Resident(lane, asid, spaces[asid].resident)) for asid in self.restated)
        self.restated.clear()
