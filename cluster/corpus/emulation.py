"""Where a recorded emulation of HOLE and ZERO no longer does what the real calls would.

The corpus emulates HOLE by FREE and PROT_NONE, ZERO by PROT_READ|PROT_WRITE and DONTNEED. A page
departs from what the calls would do, until it is mapped anew, at:

    a plain mprotect on a page of a hole    opens it; a real hole stays one until ZERO
    HOLE or ZERO of memory that is not rw   sets its protection; real ones leave it alone
    HOLE or ZERO across a gap               mprotect stops there; real ones do all that is mapped,
                                            as madvise does (FreeBSD's vm_map_madvise skips gaps)
"""

from typing import Any

_RW = "rw"
_ACCESSES = frozenset({"r", "w", "kr", "kw"})
#: operations that change neither protections nor holes
_NEUTRAL = _ACCESSES | {"fork", "exit"}


class Emulation:
    """Track the protections and holes of one process's pages."""

    def __init__(self) -> None:
        """Start with nothing mapped."""
        self.protection: dict[int, str] = {}
        self.holes: set[int] = set()
        #: pages about which the recording says nothing any more
        self.departed: set[int] = set()

    def copy(self) -> "Emulation":
        """Copy it, for a child."""
        twin = Emulation()
        twin.protection = self.protection.copy()
        twin.holes = self.holes.copy()
        twin.departed = self.departed.copy()
        return twin

    def follow(self, operation: dict[str, Any]) -> None:
        """Take in one operation of the recording; loads and stores change nothing."""
        kind, tag = operation["op"], operation.get("tag", "")
        if kind in _NEUTRAL or tag in ("hole2", "zero2"):
            return
        pages = range(operation["pg"], operation["pg"] + operation["n"])
        if tag:
            self._pair(pages, hole=tag == "hole1")
        elif kind in ("map", "unmap"):
            self.holes.difference_update(pages)
            self.departed.difference_update(pages)
            for page in pages:
                if kind == "map":
                    self.protection[page] = operation["prot"]
                else:
                    self.protection.pop(page, None)
        elif kind == "prot":
            for page in self._before_gap(pages):
                self.protection[page] = operation["prot"]
                if page in self.holes:
                    self.departed.add(page)

    def _pair(self, pages: range, *, hole: bool) -> None:
        reached = self._before_gap(pages)
        for page in pages:
            if page not in self.protection:
                continue
            if self.protection[page] != _RW or page not in reached:
                self.departed.add(page)
            if hole:
                self.holes.add(page)
            else:
                self.holes.discard(page)

    def _before_gap(self, pages: range) -> range:
        end = next((p for p in pages if p not in self.protection), pages.stop)
        return range(pages.start, end)

    def says_nothing(self, operation: dict[str, Any]) -> bool:
        """Say whether an operation accesses a page that has departed."""
        return operation["op"] in _ACCESSES and operation["pg"] in self.departed
