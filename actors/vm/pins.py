"""Pins: pages that a device stores to, or loads from, by frame number.

A page counts its pins. One that leaves its object while it is pinned (munmap, exit, MADV_DONTNEED)
leaves its frame behind, which is free when the last hold goes: a pin, or the shootdown that the
operation which discarded the page still owes.
Source: FreeBSD vm_page_wire, vm_page_unwire (an unqueued page without an object is freed then).
"""

from actors.facts import PinMet
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Free, Unpin, Unpinned
from actors.operation import Op
from actors.vm.objects import VmPages
from kernel.hazards.switches import Hazard
from kernel.page import DIRTY, Page


class VmPins(VmPages):
    """Counting pins, and the holds on frames without a page."""

    def pin(self, key: PageKey) -> None:
        """Pin a page."""
        self.put(key, self.objects[key[0]].pages[key[1]].with_pins(1))

    def unpin(self, pfn: int, *, stored: bool) -> bool:
        """Take a pin away; say whether the frame is free now.

        stored: a device stored to it, and no page table has seen that: the page is dirty.
        """
        key = self.frames.get(pfn)
        if key is None:
            return self.let_go_of_frame(pfn)
        page = self.objects[key[0]].pages[key[1]].with_pins(-1)
        if stored and not self.settings.hazards & Hazard.DMA_LEAVES_CLEAN:
            page = page.with_flags(on=DIRTY)
        self.put(key, page)
        return False

    def outlives(self, page: Page, op: Op, out: list[Effect], *, freed_now: bool) -> bool:
        """Note that a page has left its object; say whether pins keep its frame.

        op: the operation that discards it, and frees it now or when its shootdown is complete.
        """
        if not page.pins:
            return False
        self.unowned[page.pfn] = page.pins + (not freed_now)
        out.append(Note(PinMet(op.op, "discard")))
        return True

    def let_go_of_frame(self, pfn: int) -> bool:
        """Take away a hold on a frame without a page; say whether it was the last."""
        holds = self.unowned.pop(pfn, 1) - 1
        if holds:
            self.unowned[pfn] = holds
        return not holds

    def give_pins_back(self, src: int, m: Unpin) -> list[Effect]:
        """A device is done with frames; one whose page is gone may be free then."""
        out: list[Effect] = [
            Send(self.settings.memory_of(pfn), Free(m.op, (pfn,), zeroed=False))
            for pfn in m.pfns
            if self.unpin(pfn, stored=m.stored)
        ]
        return [*out, Send(src, Unpinned(m.op))]
