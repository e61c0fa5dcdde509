"""Entries of page tables, what their flushes owe, and the resident sets.

Every present entry maps a resident page, whose `mappings` name all places where a TLB may have it:
an entry that was taken away stays among them until its flush is complete. So whoever looks at a
page sees what may still be used of it, whoever took the entry away. FreeBSD drops its pv entries
first and has others wait in pmap_delayed_invl_wait; who flushes is all that differs.

Owns the flushes that are owed, and which resident sets have changed in a step. Touches the page
tables and resident sets of address spaces, and pages (their mappings and dirty flags).
"""

from collections.abc import Hashable, Iterator
from typing import Self

from actors.facts import Resident
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.settings import Settings
from actors.vm.pages import Pages
from actors.vm.unflushed import Unflushed
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.hole import HoleState
from kernel.page import DIRTY, Page
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import VmSpace

#: in place of the frame of an entry that has only lost its accessed bit
NO_FRAME = -1
#: an entry that was taken away: where it was, and its frame
Gone = tuple[int, int]

_LIVE = HoleState.LIVE


class Entries:
    """Writing and removing entries."""

    __slots__ = ("pages", "restated", "settings", "spaces", "unflushed")

    def __init__(self, settings: Settings, spaces: dict[int, VmSpace], pages: Pages) -> None:
        """Begin with empty page tables and nothing owed."""
        self.settings = settings
        self.spaces = spaces
        self.pages = pages
        #: entries that operations took away and have not flushed yet
        self.unflushed = Unflushed()
        #: spaces whose resident set has changed; stated when the operation's step ends
        self.restated: dict[int, None] = {}

    def clone(self, spaces: dict[int, VmSpace], pages: Pages) -> Self:
        """Copy the containers, for a vm with these neighbours."""
        twin = type(self)(self.settings, spaces, pages)
        twin.unflushed = self.unflushed.clone()
        twin.restated = self.restated.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state; between deliveries no resident set waits to be stated."""
        return self.unflushed.freeze()

    def enter(self, va: int, key: PageKey, page: Page, bits: int) -> int:
        """Write the entry for a page and return it; what it replaces is gone already."""
        space = self.spaces[va >> ASID_SHIFT]
        vpn = va & VPN_MASK
        ptes = space.pmap.ptes
        if page.hole is _LIVE and vpn not in ptes:
            self.change_resident(va >> ASID_SHIFT, 1)
        pte = ptes[vpn] = pte_bits.make(page.pfn, bits)
        if va not in page.mappings:
            self.pages.put(key, page.mapped_at(va))
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
        key = self.pages.frames.get(pfn)
        if key is None:
            return
        page = self.pages.at(key)
        if page.hole is _LIVE:
            self.change_resident(va >> ASID_SHIFT, -1)
        if pte & pte_bits.D and not page.flags & DIRTY:
            self.pages.put(key, page.with_flags(on=DIRTY))

    # Flushes that are owed.

    def owed(self, va: int) -> Gone | None:
        """Take over the flush that another operation owes for an entry, if one does."""
        outstanding = self.unflushed.seen(va)
        if not outstanding or self.settings.hazards & Hazard.IGNORES_UNFLUSHED:
            return None
        return self.must_flush(va, outstanding[-1])

    def owed_in(self, asid: int, start: int, end: int, gone: tuple[Gone, ...]) -> list[int]:
        """List the pages for whose entries a flush is owed, but those in `gone`; ascending.

        Every reader of page tables honours them: an entry that is gone may still be in a TLB, one
        without W be writable there. Source: Linux flush_tlb_batched_pending (3ea277194dae).
        """
        if not self.unflushed.places or self.settings.hazards & Hazard.IGNORES_UNFLUSHED:
            return []
        base = asid << ASID_SHIFT
        found = sorted(
            va
            for va in self.unflushed.within(base + start, base + end)
            if va not in self.unflushed.forgotten
        )
        if not found:
            return []
        own = {va for va, _ in gone}
        return [va - base for va in found if va not in own]

    def must_flush(self, va: int, pfn: int) -> Gone:
        """Note that the entry for a frame has lost something that a TLB may still give."""
        self.unflushed.add(va, pfn)
        return va, pfn

    def orphans_in(self, asid: int, start: int, end: int) -> list[Gone]:
        """List entries of pages that are gone, in [start, end), whose flush is outstanding.

        Where the page is still there it is busy until the flush is complete.
        """
        first, last = asid << ASID_SHIFT | start, asid << ASID_SHIFT | end
        frames = self.pages.frames
        return [
            (va, pfns[-1])
            for va, pfns in self.unflushed.oldest_first(first, last)
            if any(pfn not in frames for pfn in pfns)
        ]

    def clear_mark(self, asid: int) -> None:
        """Let nobody see any more what is owed in a space (a hazard)."""
        self.unflushed.forget(asid << ASID_SHIFT, (asid + 1) << ASID_SHIFT)

    def joins_others(self, gone: tuple[Gone, ...]) -> bool:
        """Say whether others owe the flush of one of these entries, too."""
        return any(len(self.unflushed.places.get(va, ())) > 1 for va, _ in gone)

    def has_flushed(self, gone: tuple[Gone, ...]) -> None:
        """Note that no TLB holds these entries any more; pages are mapped there no longer."""
        frames, spaces = self.pages.frames, self.spaces
        for va, pfn in gone:
            if pfn == NO_FRAME:
                continue
            left = self.unflushed.remove(va, pfn)
            key = frames.get(pfn)
            if key is None or pfn in left:
                continue
            pte = spaces[va >> ASID_SHIFT].pmap.ptes.get(va & VPN_MASK, 0)
            if not pte or pte_bits.pfn_of(pte) != pfn:
                self.pages.put(key, self.pages.at(key).not_mapped_at(va))

    # What entries say of a page.

    def of(self, page: Page) -> Iterator[tuple[int, int]]:
        """Yield (va, entry) of the entries that map a page now."""
        for va in page.mappings:
            pte = self.spaces[va >> ASID_SHIFT].pmap.ptes.get(va & VPN_MASK, 0)
            if pte and pte_bits.pfn_of(pte) == page.pfn:
                yield va, pte

    def dirtied(self, page: Page) -> bool:
        """Say whether a page was stored to, as far as its entries tell, present ones and past."""
        if page.flags & DIRTY:
            return True
        return any(pte & pte_bits.D for _, pte in self.of(page))

    def take_references(self, page: Page) -> tuple[int, list[Gone]]:
        """Clear the accessed bits of a page's entries: how many were set, and the flushes due.

        Nobody need wait for those: an entry has lost nothing that somebody may do through it. With
        batches (as on Linux) there are none: what a TLB goes on using looks unused.
        Source: FreeBSD pmap_ts_referenced (invalidates each entry whose bit it clears); Linux x86
        ptep_clear_flush_young (does not).
        """
        gone = []
        for va, pte in list(self.of(page)):
            if pte & pte_bits.A:
                self.spaces[va >> ASID_SHIFT].pmap.ptes[va & VPN_MASK] = pte & ~pte_bits.A
                gone.append((va, NO_FRAME))
        return len(gone), gone if self.settings.policy.daemon_batch == 1 else []

    # The resident set: entries of pages that are in no hole.

    def change_resident(self, asid: int, pages: int) -> None:
        """Change the resident set of a space."""
        self.spaces[asid].resident += pages
        self.restated[asid] = None

    def account(self, page: Page, sign: int) -> None:
        """Let a page's entries enter (1) or leave (-1) the resident sets of their spaces."""
        for va, _ in self.of(page):
            self.change_resident(va >> ASID_SHIFT, sign)

    def state_resident(self, lane: int, out: list[Effect]) -> None:
        """State the resident sets that have changed."""
        spaces = self.spaces
        out.extend(Note(Resident(lane, asid, spaces[asid].resident)) for asid in self.restated)
        self.restated.clear()
