"""A round of interrupts, as its initiator keeps it."""

import msgspec


class Round(msgspec.Struct, frozen=True, gc=False):
    """A round in flight: the vm that asked for it, and the cores that have not acknowledged."""

    vm: int
    number: int
    targets: int
    pending: frozenset[int]

    def freeze(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Return the canonical state."""
        return self.vm, self.number, self.targets, tuple(sorted(self.pending))
