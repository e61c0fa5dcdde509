"""A resident page of an object (FreeBSD's vm_page).

Immutable: every change makes a new value. Its identity (object, page index) is the key under which
the object holds it; `busy` is the exclusive busy lock: `NOBODY`, or the operation that holds it.
"""

import msgspec

from kernel.hole import HoleState

NOBODY = -1

#: MADV_FREE was called, and nothing stored since as far as the page tables tell
LAZY_FREE = 1
#: stored to, as said by entries that are gone (vm_page_dirty)
DIRTY = 2
#: was zero when last checked, and still is unless stored to since (track_clean)
KNOWN_ZERO = 16


class Page(msgspec.Struct, frozen=True, gc=False):
    """One resident page; `pfn` is -1 while a fault waits for its frame."""

    pfn: int
    busy: int = NOBODY
    hole: HoleState = HoleState.LIVE
    flags: int = 0
    #: pins of devices; they veto HOLE, MADV_FREE and reclaim before anything is unmapped
    pins: int = 0
    #: where a TLB may hold it (`asid << ASID_SHIFT | vpn`): its page-table entries, and those that
    #: were removed and are not flushed yet. FreeBSD's pv entries
    mappings: tuple[int, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Say whether an operation has the page to itself."""
        return self.busy != NOBODY

    def with_busy(self, op: int) -> "Page":
        """Return the page busied by `op`, or unbusied (NOBODY)."""
        return Page(self.pfn, op, self.hole, self.flags, self.pins, self.mappings)

    def with_hole(self, hole: HoleState) -> "Page":
        """Return the page in another state of the hole table."""
        return Page(self.pfn, self.busy, hole, self.flags, self.pins, self.mappings)

    def with_flags(self, on: int = 0, off: int = 0) -> "Page":
        """Return the page with the flags `on` set and `off` cleared."""
        flags = self.flags & ~off | on
        return Page(self.pfn, self.busy, self.hole, flags, self.pins, self.mappings)

    def with_pins(self, more: int) -> "Page":
        """Return the page with `more` more pins (negative: fewer)."""
        pins = self.pins + more
        return Page(self.pfn, self.busy, self.hole, self.flags, pins, self.mappings)

    def with_frame(self, pfn: int) -> "Page":
        """Return the page with the frame that it waited for."""
        return Page(pfn, self.busy, self.hole, self.flags, self.pins, self.mappings)

    def mapped_at(self, va: int) -> "Page":
        """Return the page mapped at `va` as well."""
        if va in self.mappings:
            return self
        where = (*self.mappings, va)
        return Page(self.pfn, self.busy, self.hole, self.flags, self.pins, where)

    def not_mapped_at(self, va: int) -> "Page":
        """Return the page no longer mapped at `va`."""
        where = tuple(at for at in self.mappings if at != va)
        return Page(self.pfn, self.busy, self.hole, self.flags, self.pins, where)
