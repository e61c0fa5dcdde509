"""A device: stores to memory, or loads from it, by frame number; no page table is asked.

    Transfer -> queue;  the first: its own latency; piece by piece to memory; all pieces are
    acknowledged: the pins go back to the vm; interrupt to the core that asked.

One transfer at a time. Its frames stay pinned until memory has performed the last piece.
Source: FreeBSD physio and aio_qbio (pages held by vm_fault_quick_hold_pages, let go by
vm_page_unhold_pages when the request is done); SOURCES.md H-11, H-42.
"""

from collections import deque
from collections.abc import Hashable

from actors.facts import TransferEnded
from actors.machine import Effect, Machine, Note, Send, Spend, Timer
from actors.message import StoreItem
from actors.messages import (
    BeginTransfer,
    DmaLoad,
    DmaStore,
    Loaded,
    Stored,
    Transfer,
    TransferDone,
    Unpin,
    Unpinned,
)
from actors.settings import KERNEL_LANE, Settings
from kernel.hazards.switches import Hazard
from kernel.units import GRANULE, PAGE_SIZE


class Device(Machine):
    """The head of `queue` is under way: `moved` granules done, `pinned` frames still pinned."""

    ROLE = "device"
    RECEIVES = Transfer | BeginTransfer | Loaded | Stored | Unpinned

    def __init__(self, me: int, settings: Settings) -> None:
        """Make an idle device."""
        self.me = me
        self.settings = settings
        self.lane = KERNEL_LANE + me
        #: (core that asked, transfer), oldest first
        self.queue: deque[tuple[int, Transfer]] = deque()
        self.moved = 0
        #: granules of the piece that memory has not acknowledged yet
        self.moving = 0
        self.pinned: tuple[int, ...] = ()
        self.unpinning = 0

    def clone(self) -> "Device":
        """Copy the container; the values in it are immutable and shared."""
        twin = Device(self.me, self.settings)
        twin.queue = self.queue.copy()
        twin.moved, twin.moving = self.moved, self.moving
        twin.pinned, twin.unpinning = self.pinned, self.unpinning
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.queue), self.moved, self.moving, self.pinned, self.unpinning

    def waiting(self) -> list[str]:
        """Name transfers that are not complete."""
        return [f"{len(self.queue)} transfers are under way"] if self.queue else []

    def _transfer(self, src: int, m: Transfer) -> list[Effect]:
        self.queue.append((src, m))
        return [] if len(self.queue) > 1 else self._begin()

    def _begin(self) -> list[Effect]:
        if not self.queue:
            return []
        _, m = self.queue[0]
        self.moved, self.pinned = 0, m.pfns
        return self._unpin(m) if self._early else self._arm()

    @property
    def _early(self) -> bool:
        return bool(self.settings.hazards & Hazard.UNPIN_BEFORE_DMA_DONE)

    def _arm(self) -> list[Effect]:
        return [Timer(self.settings.costs.dma_start_ns, BeginTransfer(self.lane))]

    def _begin_transfer(self, _src: int, _m: BeginTransfer) -> list[Effect]:
        return self._go_on()

    def _go_on(self) -> list[Effect]:
        """Move what is left; then let go of the pins; then tell the core."""
        core, m = self.queue[0]
        if self.moved < m.count:
            return self._move(m)
        if self.pinned:
            return self._unpin(m)
        self.queue.popleft()
        done = TransferDone(m.op, m.name)
        return [Send(core, done), *self._begin()]

    def _move(self, m: Transfer) -> list[Effect]:
        """Send memory the next granules: those of one page, or one when exploring."""
        most = 1 if self.settings.fine else m.count
        items: list[StoreItem] = []
        page = -1
        for element in range(self.moved, min(m.count, self.moved + most)):
            number, at = divmod(m.offset + element * m.stride, PAGE_SIZE)
            if page not in (-1, number):
                break
            page = number
            items.append((at // GRANULE, m.pfns[page], m.name + element))
        self.moving = len(items)
        message: DmaStore | DmaLoad = DmaStore(self.lane, m.name, tuple(items))
        if not m.store:
            message = DmaLoad(self.lane, m.name, tuple((cell, pfn) for cell, pfn, _ in items))
        ns = self.settings.costs.dma_page_ns * len(items) * GRANULE // PAGE_SIZE
        return [Spend(ns), Send(self.settings.memory_of(items[0][1]), message)]

    def _performed(self, _src: int, _m: Loaded | Stored) -> list[Effect]:
        _, m = self.queue[0]
        self.moved += self.moving
        self.moving = 0
        if self.moved < m.count:
            return self._go_on()
        return [Note(TransferEnded(self.lane, m.name, m.count, m.store)), *self._go_on()]

    def _unpin(self, m: Transfer) -> list[Effect]:
        """Give pins back: all, or one when exploring."""
        self.unpinning = 1 if self.settings.fine else len(self.pinned)
        return [Send(m.vm, Unpin(self.lane, m.name, m.store, self.pinned[: self.unpinning]))]

    def _unpinned(self, _src: int, _m: Unpinned) -> list[Effect]:
        self.pinned, self.unpinning = self.pinned[self.unpinning :], 0
        if not self._early:
            return self._go_on()
        return self._unpin(self.queue[0][1]) if self.pinned else self._arm()


Device.HANDLERS = {
    Transfer: Device._transfer,
    BeginTransfer: Device._begin_transfer,
    Loaded: Device._performed,
    Stored: Device._performed,
    Unpinned: Device._unpinned,
}
