"""A translation that a core was sent: a value."""

import msgspec

from cluster.properties.clock import At, Clock
from kernel import pte as pte_bits


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A translation sent to a core: it may be cached there until a flush of it is known."""

    pfn: int
    writable: bool
    #: the vm's event that sent it
    sent: At
    #: the core's first flush that happened after that
    flushed: At | None
    #: the vm's word, later, that the core must flush before it uses anything
    ordered: At | None
    dirty: bool
    #: user code may use it, not only the kernel
    user: bool

    def is_good(self, pte: int) -> bool:
        """Say whether the page table, as it is now, gives all that the fill gives."""
        return (
            pte_bits.permits(pte, write=self.writable, kernel=not self.user)
            and pte_bits.pfn_of(pte) == self.pfn
            and not (self.dirty and not pte & pte_bits.D)
        )

    def is_over(self, clock: Clock) -> bool:
        """Say whether it is known, at an event of this clock, that no core uses it any more."""
        return (self.flushed is not None and clock.knows(self.flushed)) or (
            self.ordered is not None and clock.knows(self.ordered)
        )

    def was_flushed(self, at: At) -> "Fill":
        """Return it with its core's first flush."""
        return Fill(self.pfn, self.writable, self.sent, at, self.ordered, self.dirty, self.user)

    def was_ordered(self, at: At) -> "Fill":
        """Return it with the vm's word that its core must flush."""
        return Fill(self.pfn, self.writable, self.sent, self.flushed, at, self.dirty, self.user)


def fill_of(pte: int, sent: At) -> Fill:
    """Return the fill that a page table's entry makes."""
    writable = pte_bits.permits(pte, write=True, kernel=True)
    dirty, user = bool(pte & pte_bits.D), bool(pte & pte_bits.U)
    return Fill(pte_bits.pfn_of(pte), writable, sent, None, None, dirty, user)
