"""What memory is: an object holds pages by index, and may shadow another (FreeBSD's vm_object).

A page that is not here is looked for in the backing object, at the same place shifted by `offset`;
at the end of the chain is zero. Containers are changed, values in them replaced.
Source: FreeBSD vm_object.h; ref_count, shadow_count, OBJ_ANON, OBJ_ONEMAPPING.
"""

from collections.abc import Hashable
from typing import Self

from kernel.locks import SxLock
from kernel.page import Page

#: no object
NONE = 0
#: an object's number is `(lane + 1) << OBJECT_SHIFT | n`: the n-th that a lane has made
OBJECT_SHIFT = 24


class VmObject:
    """One object; `refs` counts map entries and shadows that refer to it."""

    __slots__ = ("backing", "lock", "offset", "one_mapping", "pages", "refs", "shadows")

    def __init__(self) -> None:
        """Make an anonymous object without pages, that one entry maps."""
        self.pages: dict[int, Page] = {}
        self.refs = 1
        #: objects that this one is the backing of
        self.shadows = 0
        self.backing = NONE
        #: index in the backing object of what is index 0 here
        self.offset = 0
        #: each index is mapped by one entry at most (OBJ_ONEMAPPING)
        self.one_mapping = True
        self.lock = SxLock()

    def copy(self) -> Self:
        """Copy the containers."""
        twin = object.__new__(type(self))
        twin.pages = self.pages.copy()
        twin.refs = self.refs
        twin.shadows = self.shadows
        twin.backing = self.backing
        twin.offset = self.offset
        twin.one_mapping = self.one_mapping
        twin.lock = self.lock
        return twin

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return (
            tuple(sorted(self.pages.items())),
            (self.refs, self.shadows, self.backing, self.offset, self.one_mapping),
            self.lock,
        )
