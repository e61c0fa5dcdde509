"""A translation that a core was sent: a value."""

import msgspec

from cluster.properties.clock import At, Clock
from kernel import pte as pte_bits


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A translation sent to a core: it may be cached there until the core shows that it is not."""

    pfn: int
    writable: bool
    dirty: bool
    #: user code may use it, not only the kernel
    user: bool
    #: the vm's event that sent it
    sent: At
    #: the core's first event after the walk that shows neither this entry nor a live walk for it
    absent: At | None = None

    def is_within(self, pte: int, *, dirty: bool) -> bool:
        """Say whether the page table's entry gives all that the fill gives.

        dirty: the dirty bit counts as well, as a store through the fill would not set it again.
        """
        return (
            pte_bits.permits(pte, write=self.writable, kernel=not self.user)
            and pte_bits.pfn_of(pte) == self.pfn
            and not (dirty and self.dirty and not pte & pte_bits.D)
        )

    def is_over(self, clock: Clock) -> bool:
        """Say whether it is known, at an event of this clock, that its core does not use it."""
        return self.absent is not None and clock.knows(self.absent)

    def was_absent(self, at: At | None) -> "Fill":
        """Return it with its core's first event that shows it no more."""
        return Fill(self.pfn, self.writable, self.dirty, self.user, self.sent, at)


_P, _W, _D, _U = pte_bits.P, pte_bits.W, pte_bits.D, pte_bits.U
_SHIFT = pte_bits.PFN_SHIFT


def fill_of(pte: int, sent: At, absent: At | None) -> Fill:
    """Return the fill that a page table's entry makes."""
    return Fill(
        pte >> _SHIFT, pte & (_P | _W) == _P | _W, pte & _D != 0, pte & _U != 0, sent, absent
    )
