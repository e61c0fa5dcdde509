"""How hard shrinking tries. Imports no machine: `holezero shrink --help` tells the defaults."""

import msgspec


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to try."""

    #: orders drawn for a candidate that the order at hand does not show, by each of two strategies
    drawn: int = 60
    #: and at most so many deliveries of them
    deliveries: int = 25_000
    #: states to which the shortest order is looked for
    states: int = 100_000
