"""How hard shrinking tries. Imports no machine: `holezero shrink --help` shows the defaults."""

import msgspec


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to try."""

    #: orders drawn by each of two strategies where the order at hand breaks nothing in a candidate
    drawn: int = 60
    #: and at most so many deliveries in them
    deliveries: int = 25_000
    #: most states searched for the shortest order
    states: int = 100_000
