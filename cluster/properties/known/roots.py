"""Which page table each core has loaded, by its own events: what it had when others last heard."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Self

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At

NO_ROOT = -1


class Roots(Part):
    """By core: (number of the event, address space) of its loads, oldest first.

    Of those that every vm has heard of, only the last is kept.
    """

    __slots__ = ("loads", "now", "unheard")

    def __init__(self, cores: int) -> None:
        """Begin with no root loaded anywhere."""
        super().__init__()
        self.loads: list[tuple[tuple[int, int], ...]] = [((0, NO_ROOT),)] * cores
        #: the address space that each core has loaded now
        self.now = [NO_ROOT] * cores
        #: cores with loads that some vm has not heard of
        self.unheard: dict[int, None] = {}

    def loaded(self, at: At, asid: int) -> None:
        """Note that a core has loaded another root, in its event `at`."""
        core = at.actor
        self.loads[core] = (*self.loads[core], (at.number, asid))
        self.now[core] = asid
        self.unheard[core] = None

    def as_of(self, at: At) -> int:
        """Return the address space that a core had loaded after an event of its own."""
        loads = self.loads[at.actor]
        if len(loads) == 1:
            return loads[0][1]
        return loads[bisect_right(loads, (at.number, 1 << 62)) - 1][1]

    def next_load(self, at: At, asid: int) -> int | None:
        """Return the number of a core's first load of a root after an event of its own."""
        for number, loaded in self.loads[at.actor]:
            if number > at.number and loaded == asid:
                return number
        return None

    def heard(self, core: int, numbers: Iterable[int]) -> None:
        """Forget the loads before the last that every vm knows of: `numbers` are what they know."""
        number = min(numbers)
        loads = self.loads[core]
        kept = max(0, bisect_right(loads, (number, 1 << 62)) - 1)
        if kept:
            self.loads[core] = loads[kept:]
        if len(self.loads[core]) == 1:
            self.unheard.pop(core, None)

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.loads = self.loads.copy()
        twin.now = self.now.copy()
        twin.unheard = self.unheard.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return tuple(
            (loads[0][1], tuple((At(core, number), asid) for number, asid in loads[1:]))
            for core, loads in enumerate(self.loads)
        )
