"""Where what lies in swap was stored: it follows a page out of its frame and into another."""

from collections.abc import Callable, Hashable
from typing import ClassVar

from actors.machine import Effect, Send
from actors.message import Message
from actors.messages import FreeSlots, PagedOut, PageOut, ReadSlot, SwapData, SwapWrite
from cluster.properties.frames import Frames
from kernel.units import CELLS_PER_PAGE

#: frame and granule
Place = tuple[int, int]
#: (line, key) that a stamp was stored for
Origin = tuple[int, int]
#: origins of the granules of a page
_Page = tuple[tuple[int, Origin], ...]
_LOW = (1 << 48) - 1


class SwapContents:
    """Origins by slot, and those on their way by lane."""

    def __init__(self, frames: Frames) -> None:
        """Start with nothing in swap."""
        self.frames = frames
        self.slots: dict[int, _Page] = {}
        self.out: dict[int, tuple[_Page, ...]] = {}
        self.coming: dict[int, _Page] = {}

    def delivered(self, m: Message, effects: list[Effect], origins: dict[Place, Origin]) -> None:
        """Follow a delivery of one of `JUDGES`."""
        self.JUDGES[m.__class__](self, m, effects, origins)

    def _page_out(self, m: PageOut, _effects: list[Effect], origins: dict[Place, Origin]) -> None:
        pages = []
        for pfn in m.pfns:
            self.frames.check_work(m.op, pfn, "paged out")
            found = ((g, origins.get((pfn, g))) for g in range(CELLS_PER_PAGE))
            pages.append(tuple((g, one) for g, one in found if one is not None))
        self.out[m.op] = tuple(pages)

    def _written(self, m: SwapWrite, effects: list[Effect], _origins: dict[Place, Origin]) -> None:
        answer = effects[0]
        assert isinstance(answer, Send)
        assert isinstance(answer.message, PagedOut)
        for slot, page in zip(answer.message.slots, self.out.pop(m.op), strict=True):
            if slot >= 0:
                self.slots[slot] = page

    def _read(self, m: ReadSlot, _effects: list[Effect], _origins: dict[Place, Origin]) -> None:
        self.coming[m.op] = self.slots.get(m.slot, ())

    def _paged_in(self, m: SwapData, _effects: list[Effect], origins: dict[Place, Origin]) -> None:
        self.frames.check_work(m.op, m.pfn, "paged in")
        for granule in range(CELLS_PER_PAGE):
            origins.pop((m.pfn, granule), None)
        for granule, origin in self.coming.pop(m.op):
            origins[m.pfn, granule] = origin

    def _freed(self, m: FreeSlots, _effects: list[Effect], _origins: dict[Place, Origin]) -> None:
        for slot in m.slots:
            self.slots.pop(slot, None)

    JUDGES: ClassVar[dict[type, Callable[..., None]]] = {
        PageOut: _page_out,
        SwapWrite: _written,
        ReadSlot: _read,
        SwapData: _paged_in,
        FreeSlots: _freed,
    }

    # For exploring.

    def copy(self, frames: Frames) -> "SwapContents":
        """Copy the containers."""
        twin = object.__new__(SwapContents)
        twin.frames = frames
        twin.slots = self.slots.copy()
        twin.out = self.out.copy()
        twin.coming = self.coming.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return (
            tuple((slot, _plain(page)) for slot, page in sorted(self.slots.items())),
            tuple((op, tuple(map(_plain, pages))) for op, pages in sorted(self.out.items())),
            tuple((op, _plain(page)) for op, page in sorted(self.coming.items())),
        )


def _plain(page: _Page) -> Hashable:
    return tuple((g, line, key >> 48, key & _LOW) for g, (line, key) in page)
