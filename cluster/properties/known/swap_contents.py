"""Where what lies in swap was stored: it follows a page out of its frame and into another."""

from collections.abc import Iterable
from typing import Self

from cluster.properties.canonical import Part, Retained
from cluster.properties.known.cells import Origins, rows


class SwapContents(Part):
    """Origins of pages by slot, and by lane of those on their way out and in."""

    __slots__ = ("coming", "out", "slots")

    def __init__(self) -> None:
        """Begin with nothing in swap."""
        super().__init__()
        self.slots: dict[int, Origins] = {}
        self.out: dict[int, tuple[Origins, ...]] = {}
        self.coming: dict[int, Origins] = {}

    def goes_out(self, lane: int, pages: tuple[Origins, ...]) -> None:
        """Note that memory sends pages to swap."""
        self.out[lane] = pages

    def written(self, lane: int, slots: Iterable[int]) -> None:
        """Note the slots to which a lane's pages were written; negative if swap is full."""
        for slot, page in zip(slots, self.out.pop(lane), strict=True):
            if slot >= 0:
                self.slots[slot] = page

    def read(self, lane: int, slot: int) -> None:
        """Note that swap sends a page to memory."""
        self.coming[lane] = self.slots.get(slot, ())

    def arrived(self, lane: int) -> Origins:
        """Return the origins of a page that memory writes into a frame."""
        return self.coming.pop(lane)

    def freed(self, slots: Iterable[int]) -> None:
        """Note that slots are free."""
        for slot in slots:
            self.slots.pop(slot, None)

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.slots = self.slots.copy()
        twin.out = self.out.copy()
        twin.coming = self.coming.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple((slot, rows(page)) for slot, page in sorted(self.slots.items())),
            tuple((lane, tuple(map(rows, pages))) for lane, pages in sorted(self.out.items())),
            tuple((lane, rows(page)) for lane, page in sorted(self.coming.items())),
        )
