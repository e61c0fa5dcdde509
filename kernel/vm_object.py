"""What entries map: an object holds pages by index, and may shadow another (FreeBSD's vm_object).

A page that is not here is looked for in the backing object, at its index plus `offset`. A chain of
anonymous objects ends in zero, one that ends in a file's object in the file. Containers are
mutated, the values in them replaced. Source: FreeBSD vm_object.h (OBJ_ANON, OBJ_ONEMAPPING).
"""

from collections.abc import Hashable

from kernel.hole_ranges import HoleRanges
from kernel.page import Page

#: no object
NONE = 0
#: an object's number is `(lane + 1) << OBJECT_SHIFT | n`: the n-th that the lane made
OBJECT_SHIFT = 24
#: no file: the object is anonymous
ANONYMOUS = -1


class VmObject:
    """One object; map entries refer to it, and so do the objects in `shadows`."""

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
        """Make an object of `size` pages, none of them resident."""
        self.size = size
        #: the file of which it caches pages (a vnode object), or ANONYMOUS
        self.file = file
        #: indexes at which the file reads as zero since MADV_REMOVE
        self.punched = HoleRanges()
        self.pages: dict[int, Page] = {}
        #: swap slots by index
        self.swap: dict[int, int] = {}
        self.backing = NONE
        #: index in the backing object that index 0 here corresponds to
        self.offset = 0
        #: objects that have this one as their backing object
        self.shadows: tuple[int, ...] = ()
        #: each index is mapped by at most one entry (OBJ_ONEMAPPING)
        self.one_mapping = file == ANONYMOUS
        #: indexes in a hole, if the mappings are shared
        self.holes = HoleRanges()
        #: indexes whose pages were reclaimed while in a hole (reclaim = zero-page)
        self.reclaimed = HoleRanges()

    @property
    def anonymous(self) -> bool:
        """Say whether no file backs it (OBJ_ANON)."""
        return self.file == ANONYMOUS

    def copy(self) -> "VmObject":
        """Copy the containers."""
        twin = VmObject(self.size, self.file)
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
        """Return the canonical state."""
        return (
            tuple(sorted(self.pages.items())),
            tuple(sorted(self.swap.items())),
            self.punched.freeze(),
            (self.size, self.file, self.backing, self.offset, self.shadows, self.one_mapping),
            self.holes.freeze(),
            self.reclaimed.freeze(),
        )
