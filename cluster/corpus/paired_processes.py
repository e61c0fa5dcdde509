"""The recorded processes, and what calls of both recording and machine make of their ranges."""

from collections.abc import Callable, Iterator
from typing import Any

from cluster.corpus.paired_pages import Cell, Contents, PairedPage
from kernel.units import PAGE_SIZE

Operation = dict[str, Any]
#: an operation with the outcomes that the machine may have (None: it is not to be made), and
#: whether they are to be compared
Expected = tuple[Operation | None, bool]


class PairedProcess:
    """The pages of one process by number, and what calls of both make of ranges of them."""

    def __init__(self) -> None:
        """Start with nothing mapped."""
        self.pages: dict[int, PairedPage] = {}
        #: pages of which only one of the two has moved another there, or away
        self.parted: set[int] = set()
        #: only one of the two has stored, or may have had mappings that are one: they may not agree
        #: on which mappings were ever stored to, and so are forked with zero pages
        self.stored_apart = False
        #: memory that the machine's ZERO has zeroed, until the recording has
        self.zeroed: list[Contents] = []

    def mapped(self, pages: range) -> Iterator[tuple[int, PairedPage]]:
        """Yield what is mapped, by page."""
        for number in pages:
            page = self.pages.get(number)
            if page is not None:
                yield number, page

    def before_gap(self, pages: range) -> Iterator[PairedPage]:
        """Yield the pages before the first one that is not mapped."""
        for number in pages:
            page = self.pages.get(number)
            if page is None:
                return
            yield page

    def unlock_around(self, pages: range, new: range) -> None:
        """Give up on the locked pages next to what MREMAP_DONTUNMAP leaves: Linux unlocks some."""
        if not any(page.locked for _, page in self.mapped(pages)):
            return
        for step, number in ((-1, pages.start - 1), (1, pages.stop)):
            at = number
            while at in new or (at in self.pages and self.pages[at].locked):
                self.parted.add(at)
                at += step

    def reached(
        self, pages: range, refused: Callable[[PairedPage], bool]
    ) -> tuple[str, list[PairedPage]]:
        """Return what madvise gives, and the pages that it is done to: gaps are passed over.

        refused: says of a page whether it ends there, with EINVAL.
        """
        result, found = "ok", list[PairedPage]()
        for number in pages:
            page = self.pages.get(number)
            if page is None:
                result = "ENOMEM"
            elif refused(page):
                return "EINVAL", found
            else:
                found.append(page)
        return result, found


class Processes:
    """All processes of a sequence, and the shared memory that they have."""

    def __init__(self) -> None:
        """Start with one process that has nothing mapped."""
        self.by_number = {0: PairedProcess()}
        self._cells: dict[Cell, Contents] = {}
        self._objects = 0

    def new_object(self) -> int:
        """Return the number of an object that nobody has mapped yet."""
        self._objects += 1
        return self._objects

    def contents(self, cell: Cell | None) -> Contents:
        """Return the memory of a cell of a shared object; new memory for a private page."""
        return Contents() if cell is None else self._cells.setdefault(cell, Contents())

    def locked_elsewhere(self, page: PairedPage) -> bool:
        """Say whether shared memory is locked by another mapping: then the machine leaves it."""
        return page.cell is not None and any(
            other.locked and other.cell == page.cell
            for process in self.by_number.values()
            for other in process.pages.values()
        )


def pages_of(operation: Operation) -> range | None:
    """Return the pages of a call's range; None if it is not aligned."""
    start = operation["pg"] * PAGE_SIZE + operation.get("boff", 0)
    length = operation["n"] * PAGE_SIZE + operation.get("blen", 0)
    if operation["op"] in ("lock", "unlock"):  # the only ones that round the start down
        length += start % PAGE_SIZE
        start -= start % PAGE_SIZE
    if start % PAGE_SIZE or length < 0:
        return None
    return range(start // PAGE_SIZE, -(-(start + length) // PAGE_SIZE))


def moved_to(operation: Operation) -> range:
    """Return where mremap moves a range; nothing for other calls."""
    if operation["op"] != "remap":
        return range(0)
    return range(operation["to"], operation["to"] + operation["newn"])
