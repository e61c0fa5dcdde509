"""A resident page of an object (FreeBSD's vm_page).

Immutable: every change makes a new value. Identity (object, page index) is the key under which the
object holds it; `busy` is the exclusive busy lock, `NOBODY` or the operation that holds it.
"""

import msgspec

from kernel.hole import HoleState

NOBODY = -1

#: MADV_FREE was called and nothing written since, as far as the page tables tell
LAZY_FREE = 1
#: stored to, as entries that are gone told (vm_page_dirty)
DIRTY = 2
#: zero when that was last looked at, and zero still unless stored to (track_clean)
KNOWN_ZERO = 16


class Page(msgspec.Struct, frozen=True, gc=False):
    """One resident page; `pfn` is -1 while a fault still waits for its frame."""

    pfn: int
    busy: int = NOBODY
    hole: HoleState = HoleState.LIVE
    flags: int = 0
    #: pins of devices; they veto HOLE, FREE and reclaim before anything is unmapped
    wired: int = 0
    #: where a TLB may have it (`asid << ASID_SHIFT | vpn`): its entries in page tables, and those
    #: that were taken away and not flushed yet. FreeBSD's pv entries
    mappings: tuple[int, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Say whether an operation has the page to itself."""
        return self.busy != NOBODY

    def with_busy(self, op: int) -> "Page":
        """Give the page busied by `op`, or unbusied for NOBODY."""
        return Page(self.pfn, op, self.hole, self.flags, self.wired, self.mappings)

    def with_hole(self, hole: HoleState) -> "Page":
        """Give the page in another state of the hole table."""
        return Page(self.pfn, self.busy, hole, self.flags, self.wired, self.mappings)

    def with_flags(self, on: int = 0, off: int = 0) -> "Page":
        """Give the page with flags set, others cleared."""
        flags = self.flags & ~off | on
        return Page(self.pfn, self.busy, self.hole, flags, self.wired, self.mappings)

    def with_pins(self, more: int) -> "Page":
        """Give the page with so many more pins, or fewer."""
        wired = self.wired + more
        return Page(self.pfn, self.busy, self.hole, self.flags, wired, self.mappings)

    def with_frame(self, pfn: int) -> "Page":
        """Give the page with the frame that it waited for."""
        return Page(pfn, self.busy, self.hole, self.flags, self.wired, self.mappings)

    def mapped_at(self, va: int) -> "Page":
        """Give the page with one more mapping, if it has not got it."""
        if va in self.mappings:
            return self
        where = (*self.mappings, va)
        return Page(self.pfn, self.busy, self.hole, self.flags, self.wired, where)

    def not_mapped_at(self, va: int) -> "Page":
        """Give the page without a mapping."""
        where = tuple(at for at in self.mappings if at != va)
        return Page(self.pfn, self.busy, self.hole, self.flags, self.wired, where)
