"""What memory is: an object holds pages by index, and may shadow another (FreeBSD's vm_object).

A page that is not here is looked for in the backing object, at the same place shifted by `offset`;
at the end of a chain of anonymous objects is zero, at that of a file's object the file. Containers
are changed, values in them replaced. Source: FreeBSD vm_object.h (OBJ_ANON, OBJ_ONEMAPPING).
"""

from collections.abc import Hashable
from typing import Self

from kernel.hole_ranges import HoleRanges
from kernel.page import Page

#: no object
NONE = 0
#: an object's number is `(lane + 1) << OBJECT_SHIFT | n`: the n-th that a lane has made
OBJECT_SHIFT = 24
#: no file: the object is anonymous
ANONYMOUS = -1


class VmObject:
    """One object; entries of maps refer to it, and the objects in `shadows`."""

    __slots__ = (
        "backing",
        "file",
        "holes",
        "offset",
        "one_mapping",
        "pages",
        "punched",
        "reclaimed",
        "shadows",
        "size",
        "swap",
    )

    def __init__(self, size: int, file: int = ANONYMOUS) -> None:
        """Make an object without pages, of so many indexes."""
        self.size = size
        #: the file that it caches (a vnode object), or ANONYMOUS
        self.file = file
        #: indexes at which a file reads as zero since MADV_REMOVE
        self.punched = HoleRanges()
        self.pages: dict[int, Page] = {}
        #: swap slots by index
        self.swap: dict[int, int] = {}
        self.backing = NONE
        #: index in the backing object of what is index 0 here
        self.offset = 0
        #: objects that have this one for their backing
        self.shadows: tuple[int, ...] = ()
        #: each index is mapped by one entry at most (OBJ_ONEMAPPING)
        self.one_mapping = file == ANONYMOUS
        #: indexes in a hole, where mappings are shared
        self.holes = HoleRanges()
        #: indexes whose pages were reclaimed out of a hole (reclaim = zero-page)
        self.reclaimed = HoleRanges()

    @property
    def anonymous(self) -> bool:
        """Say whether there is no file behind it (OBJ_ANON)."""
        return self.file == ANONYMOUS

    def copy(self) -> Self:
        """Copy the containers."""
        twin = object.__new__(type(self))
        twin.size = self.size
        twin.file = self.file
        twin.punched = self.punched.copy()
        twin.pages = self.pages.copy()
        twin.swap = self.swap.copy()
        twin.backing = self.backing
        twin.offset = self.offset
        twin.shadows = self.shadows
        twin.one_mapping = self.one_mapping
        twin.holes = self.holes.copy()
        twin.reclaimed = self.reclaimed.copy()
        return twin

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return (
            tuple(sorted(self.pages.items())),
            tuple(sorted(self.swap.items())),
            self.punched.freeze(),
            (self.size, self.file, self.backing, self.offset, self.shadows, self.one_mapping),
            self.holes.freeze(),
            self.reclaimed.freeze(),
        )
