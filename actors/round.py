"""A round of interrupts, as its initiator keeps it."""

import msgspec


class Round(msgspec.Struct, frozen=True, gc=False):
    """A shootdown round in flight: who asked for it, who has not acknowledged yet."""

    vm: int
    number: int
    targets: int
    pending: frozenset[int]

    def freeze(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Return the canonical state."""
        return self.vm, self.number, self.targets, tuple(sorted(self.pending))
