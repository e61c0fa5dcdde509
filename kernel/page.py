"""A resident page of an anonymous object (FreeBSD's vm_page).

Immutable: every change makes a new value. Identity (object, page index) is the key under which the
object holds it; `busy` is the exclusive busy lock, `NOBODY` or the operation that holds it.
"""

import msgspec

from kernel.hole import HoleState

NOBODY = -1


class Page(msgspec.Struct, frozen=True, gc=False):
    """One resident page; `pfn` is -1 while a fault still waits for its frame."""

    pfn: int
    #: where it is mapped (one mapping, as there are no shared objects yet)
    vpn: int
    busy: int = NOBODY
    hole: HoleState = HoleState.LIVE
    #: MADV_FREE was called and nothing written since, as far as the page tables tell
    lazy_free: bool = False
    #: wirings veto HOLE, FREE and reclaim before anything is unmapped
    wired: int = 0
    #: an entry that mprotect took away had its dirty bit (vm_page_dirty)
    dirty: bool = False

    def with_busy(self, op: int) -> "Page":
        """Give the page busied by `op`, or unbusied for NOBODY."""
        return Page(self.pfn, self.vpn, op, self.hole, self.lazy_free, self.wired, self.dirty)

    def with_hole(self, hole: HoleState) -> "Page":
        """Give the page in another state of the hole table."""
        return Page(self.pfn, self.vpn, self.busy, hole, self.lazy_free, self.wired, self.dirty)

    def with_lazy_free(self, *, lazy: bool) -> "Page":
        """Give the page with the MADV_FREE mark set or cleared."""
        return Page(self.pfn, self.vpn, self.busy, self.hole, lazy, self.wired, self.dirty)

    def with_dirty(self, *, dirty: bool) -> "Page":
        """Give the page stored to (so MADV_FREE's mark is off), or as if it were not."""
        lazy = self.lazy_free and not dirty
        return Page(self.pfn, self.vpn, self.busy, self.hole, lazy, self.wired, dirty)
