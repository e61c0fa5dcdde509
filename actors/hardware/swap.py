"""The swap device: slots, and what was written to them.

    page-out  vm  PageOut> memory  SwapWrite> swap  PagedOut> vm
    page-in   vm  PageIn> swap (ReadSlot)  SwapData> memory  PagedIn> vm

State, not a CPU, as memory is: it has latency, and does not wait for itself. It gives slots, lowest
first; a page keeps the one that it has. A page is busy while its slot is read or written.
Source: FreeBSD swap_pager.c (swp_pager_getswapspace, swap_pager_putpages, swap_pager_getpages).
"""

from collections import deque
from collections.abc import Hashable

from actors.machine import Effect, Machine, Send, Timer
from actors.message import NO_SLOT
from actors.messages import FreeSlots, PagedOut, PageIn, ReadSlot, SwapData, SwapWrite
from actors.settings import Settings
from kernel.frame import FrameContents, junk


class Swap(Machine):
    """Slots 0 to `settings.swap_slots` - 1, a page each."""

    ROLE = "swap"
    RECEIVES = SwapWrite | PageIn | ReadSlot | FreeSlots

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a device on which nothing was written yet."""
        self.me = me
        self.settings = settings
        self.contents: dict[int, FrameContents] = {}
        #: slots never used yet: numbers from here on
        self.fresh = 0
        self.freed: deque[int] = deque()

    def clone(self) -> "Swap":
        """Copy the containers; the values in them are immutable and shared."""
        twin = Swap(self.me, self.settings)
        twin.contents = self.contents.copy()
        twin.fresh = self.fresh
        twin.freed = self.freed.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple(
                (slot, c.bases, tuple(sorted(c.cells.items())))
                for slot, c in sorted(self.contents.items())
            ),
            self.fresh,
            tuple(self.freed),
        )

    def _slot(self) -> int:
        if self.freed:
            return self.freed.popleft()
        if self.fresh < self.settings.swap_slots:
            self.fresh += 1
            return self.fresh - 1
        return NO_SLOT

    def _write(self, _src: int, m: SwapWrite) -> list[Effect]:
        slots = []
        for slot, bases, cells in m.contents:
            to = self._slot() if slot == NO_SLOT else slot
            slots.append(to)
            if to != NO_SLOT:
                self.contents[to] = FrameContents(bases, dict(cells))
        answer = PagedOut(m.op, tuple(slots))
        return [Send(m.vm, answer, self.settings.costs.swap_write_ns)]

    def _page_in(self, src: int, m: PageIn) -> list[Effect]:
        """Read when it is this read's turn: until then the slot may not change."""
        return [Timer(self.settings.costs.swap_read_ns, ReadSlot(m.op, src, m.slot, m.pfn))]

    def _read(self, _src: int, m: ReadSlot) -> list[Effect]:
        found = self.contents.get(m.slot) or junk(self.settings.chunks)
        cells = tuple(sorted(found.cells.items()))
        data = SwapData(m.op, m.vm, m.pfn, found.bases, cells)
        return [Send(self.settings.memory_of(m.pfn), data)]

    def _free(self, _src: int, m: FreeSlots) -> list[Effect]:
        for slot in m.slots:
            del self.contents[slot]
            self.freed.append(slot)
        return []


Swap.HANDLERS = {
    SwapWrite: Swap._write,
    PageIn: Swap._page_in,
    ReadSlot: Swap._read,
    FreeSlots: Swap._free,
}
