"""Page-out and page-in."""

from actors.message import Message


class PageOut(Message, frozen=True, tag=73):
    """memory <- vm: write these frames to swap, each to its slot (-1: to one that swap chooses)."""

    pfns: tuple[int, ...]
    slots: tuple[int, ...]


class SwapWrite(Message, frozen=True, tag=74):
    """swap <- memory: write these pages (slot or -1, bases, cells) and tell `vm`."""

    vm: int
    contents: tuple[tuple[int, tuple[int, ...], tuple[tuple[int, int], ...]], ...]


class PagedOut(Message, frozen=True, tag=75):
    """vm <- swap: they are written, to these slots (-1: swap is full)."""

    slots: tuple[int, ...]


class PageIn(Message, frozen=True, tag=76):
    """swap <- vm: read a slot into a frame."""

    slot: int
    pfn: int


class ReadSlot(Message, frozen=True, tag=77):
    """swap <- swap (timer): the device has got to a read."""

    vm: int
    slot: int
    pfn: int


class SwapData(Message, frozen=True, tag=78):
    """memory <- swap: what a frame is to hold; tell `vm`."""

    vm: int
    pfn: int
    bases: tuple[int, ...]
    cells: tuple[tuple[int, int], ...]


class PagedIn(Message, frozen=True, tag=79):
    """vm <- memory: the frame holds the page."""


class FreeSlots(Message, frozen=True, tag=80):
    """swap <- vm: nothing refers to these slots any more."""

    slots: tuple[int, ...]


#: all messages of the family
SWAP: tuple[type[Message], ...] = (
    PageOut, SwapWrite, PagedOut, PageIn, ReadSlot, SwapData, PagedIn, FreeSlots,
)  # fmt: skip
