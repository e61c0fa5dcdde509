"""The address space of the recorded process, as its calls shaped it."""

from enum import IntEnum

import msgspec

from kernel.intervals import IntervalMap
from kernel.units import VPN_LIMIT

#: memory that no traced call mapped is taken to be mapped in aligned blocks of so many pages
IMPLIED_PAGES = 16


class Kind(IntEnum):
    """What a mapping was in the recorded process; in the workload all are anonymous."""

    ANONYMOUS = 0
    #: anonymous, asked for with MAP_STACK
    STACK = 1
    #: mapped by no traced call: program, stack, vdso, or inherited by fork
    IMPLIED = 2
    FILE = 3
    SHARED = 4


#: kinds whose contents a release gives back; what it does to others is not modelled
RELEASABLE = frozenset({Kind.ANONYMOUS, Kind.STACK, Kind.IMPLIED})


class Mapping(msgspec.Struct, frozen=True, gc=False):
    """What is known about a range of pages."""

    prot: int
    kind: Kind
    #: its content was given back since it was mapped
    given_back: bool = False


class AddressSpace(IntervalMap[Mapping]):
    """Ranges of page numbers of the recorded process."""

    def __init__(self) -> None:
        super().__init__()
        #: the page after the heap, once a brk has said where that is
        self.break_page: int | None = None

    def copy(self) -> "AddressSpace":
        """Copy it, for a child."""
        twin = AddressSpace()
        for start, end, mapping in self.all():
            twin.assign(start, end, mapping)
        twin.break_page = self.break_page
        return twin

    def implied_block(self, page: int) -> tuple[int, int]:
        """Return the pages around an unmapped `page` that are taken to be mapped with it."""
        low = page - page % IMPLIED_PAGES
        high = min(low + IMPLIED_PAGES, VPN_LIMIT)
        for start, end in self.gaps(low, high):
            if start <= page < end:
                return start, end
        raise ValueError(f"page {page:#x} is mapped")

    def set_prot(self, start: int, end: int, prot: int) -> None:
        """Change the protection of what is mapped in `[start, end)`."""
        for low, high, mapping in self.pieces(start, end):
            self.assign(low, high, msgspec.structs.replace(mapping, prot=prot))

    def set_given_back(self, start: int, end: int) -> None:
        """Note that the content of `[start, end)` was given back."""
        for low, high, mapping in self.pieces(start, end):
            if not mapping.given_back:
                self.assign(low, high, msgspec.structs.replace(mapping, given_back=True))
