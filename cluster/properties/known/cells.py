"""Where each granule's contents come from, and stores on their way to memory."""

from collections.abc import Hashable, Iterable
from typing import Self

from actors.core.values import Buffered
from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock
from cluster.properties.known.places import Places
from cluster.properties.known.shown import Shown
from kernel.units import ASID_SHIFT, CELL_MASK, CELL_SHIFT, CELLS_PER_PAGE, VPN_MASK

#: (page, the vm's event that sent the entry which an access goes by), for each page of a stretch
By = tuple[tuple[int, At | None], ...]
#: (line, key) that a stamp was stored for
Origin = tuple[int, int]
#: (granule, origin) of those granules of a page, or of a chunk of one, that have an origin
Origins = tuple[tuple[int, Origin], ...]
_LOW_SHIFT = 48
_LOW = (1 << _LOW_SHIFT) - 1


class Cells(Part):
    """Origins by granule of a frame; stores that were executed and not performed; doubts."""

    __slots__ = ("copied", "executed", "latest", "origin", "uncertain")

    def __init__(self) -> None:
        """Begin with memory that nobody has written."""
        super().__init__()
        #: by granule (`pfn << CELL_SHIFT | granule`): what was stored there last
        self.origin: dict[int, Origin] = {}
        #: by core: stores executed and not performed yet, (first stamp, clock, what they go by)
        self.executed: dict[int, tuple[tuple[int, Clock, By], ...]] = {}
        #: by core: the first stamp of the youngest of its stores
        self.latest: dict[int, int] = {}
        #: by lane: origins on their way from one memory to another
        self.copied: dict[int, Origins] = {}
        #: pages (`asid << ASID_SHIFT | vpn`) that were stored to while a call was mapping them, and
        #: the event in which that call arrived: what they hold is not certain
        self.uncertain: dict[int, At] = {}

    def is_new(self, core: int, entry: Buffered) -> bool:
        """Say whether an entry of a core's store buffer has not been seen yet.

        A stamp names one store of one instruction of a thread.
        """
        items = entry.items
        return len(items) > 0 and self.latest.get(core) != items[0][2]

    def execute(self, core: int, first: int, clock: Clock, by: By) -> None:
        """Note that a core executed a stretch of stores, whose first stamp is given."""
        self.executed[core] = (*self.executed.get(core, ()), (first, clock, by))
        self.latest[core] = first

    def perform(self, core: int, first: int) -> tuple[Clock, By]:
        """Take the oldest stretch of stores of a core.

        Return the clock of its execution, and what it goes by.
        """
        stores = self.executed[core]
        stamp, issued, by = stores[0]
        assert stamp == first, "stores are performed in the order executed"
        self.executed[core] = stores[1:]
        return issued, by

    def page(self, pfn: int) -> Origins:
        """Return the origins of a frame."""
        return self.chunk(pfn, 0, CELLS_PER_PAGE)

    def chunk(self, pfn: int, start: int, end: int) -> Origins:
        """Return the origins of granules [start, end) of a frame."""
        get, base = self.origin.get, pfn << CELL_SHIFT
        found = ((granule, get(base | granule)) for granule in range(start, end))
        return tuple((granule, one) for granule, one in found if one is not None)

    def put(self, pfn: int, origins: Origins) -> None:
        """Write origins into a frame; those of other granules stay."""
        for granule, origin in origins:
            self.origin[pfn << CELL_SHIFT | granule] = origin

    def replace(self, pfn: int, origins: Origins) -> None:
        """Make these the only origins of a frame."""
        for granule in range(CELLS_PER_PAGE):
            self.origin.pop(pfn << CELL_SHIFT | granule, None)
        self.put(pfn, origins)

    def fork(self, parent: int, child: int) -> None:
        """Let a child doubt what its parent doubts."""
        doubts = [one for one in self.uncertain.items() if one[0] >> ASID_SHIFT == parent]
        for va, called in doubts:
            self.uncertain[child << ASID_SHIFT | va & VPN_MASK] = called

    def settled(self, called: At, places: Places) -> None:
        """Note that a call which changes a map has returned: some doubts matter no more."""
        if called in self.uncertain.values():
            self.uncertain = {
                va: by
                for va, by in self.uncertain.items()
                if by != called or places.is_doubted(va, by)
            }

    def forget(self, places: Places, pinned: Iterable[Shown]) -> None:
        """Forget doubts about what was mapped by other calls than what is mapped now, or pinned."""
        of_use = {shown.called for shown in pinned}
        self.uncertain = {
            va: by for va, by in self.uncertain.items() if by in of_use or places.is_doubted(va, by)
        }

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.origin = self.origin.copy()
        twin.executed = self.executed.copy()
        twin.latest = self.latest.copy()
        twin.copied = self.copied.copy()
        twin.uncertain = self.uncertain.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple((at, *_row(origin)) for at, origin in sorted(self.origin.items())),
            tuple(
                (core, tuple((*one[:2], _by_rows(one[2])) for one in stores))
                for core, stores in sorted(self.executed.items())
                if stores
            ),
            tuple((lane, rows(found)) for lane, found in sorted(self.copied.items())),
            tuple(sorted(self.uncertain.items())),
        )


def rows(origins: Origins) -> Hashable:
    """Return origins with no number of more than 64 bits."""
    return tuple((granule, *_row(origin)) for granule, origin in origins)


def _by_rows(by: By) -> Hashable:
    return tuple((vpn, placed(at)) for vpn, at in by)


def _row(origin: Origin) -> tuple[int, int, int]:
    line, key = origin
    return line, key >> _LOW_SHIFT, key & _LOW


def granule_of(pfn: int, cell: int) -> int:
    """Return the granule of a frame that a virtual granule lies in."""
    return pfn << CELL_SHIFT | cell & CELL_MASK
