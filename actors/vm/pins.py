"""Pins: pages that a device stores to, or loads from, by frame number.

A page counts its pins. One that leaves its object while it is pinned (munmap, exit, MADV_DONTNEED)
leaves its frame behind, which is free when the last hold goes: a pin, or the shootdown that the
operation which discarded the page still owes.

Owns the holds on frames without a page. Touches pages (their pin counts and dirty flags).
Source: FreeBSD vm_page_wire, vm_page_unwire (an unqueued page without an object is freed then).
"""

from collections.abc import Hashable
from typing import Any, Self

from actors.facts import PinMet
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Free, Unpin, Unpinned
from actors.settings import Settings
from actors.vm.op import Op
from actors.vm.pages import Pages
from kernel.hazards.switches import Hazard
from kernel.page import DIRTY, Page


class Pins:
    """Counting pins, and the holds on frames without a page."""

    __slots__ = ("pages", "settings", "unowned")

    def __init__(self, settings: Settings, pages: Pages) -> None:
        """Begin with nothing pinned."""
        self.settings = settings
        self.pages = pages
        #: holds by frame: pins, and a shootdown that is due
        self.unowned: dict[int, int] = {}

    def clone(self, pages: Pages) -> Self:
        """Copy the containers, for a vm with these pages."""
        twin = type(self)(self.settings, pages)
        twin.unowned = self.unowned.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.unowned.items()))

    def waiting(self) -> list[str]:
        """Name the frames that are still held."""
        return [f"frame {pfn:#x} without a page has {n} holds" for pfn, n in self.unowned.items()]

    def pin(self, key: PageKey) -> None:
        """Pin a page."""
        self.pages.put(key, self.pages.at(key).with_pins(1))

    def unpin(self, pfn: int, *, stored: bool) -> bool:
        """Take a pin away; say whether the frame is free now.

        stored: a device stored to it, and no page table has seen that: the page is dirty.
        """
        key = self.pages.frames.get(pfn)
        if key is None:
            return self.let_go_of_frame(pfn)
        page = self.pages.at(key).with_pins(-1)
        if stored and not self.settings.hazards & Hazard.DMA_LEAVES_CLEAN:
            page = page.with_flags(on=DIRTY)
        self.pages.put(key, page)
        return False

    def outlives(self, page: Page, op: Op[Any], out: list[Effect], *, freed_now: bool) -> bool:
        """Note that a page has left its object; say whether pins keep its frame.

        op: the operation that discards it, and frees it now or when its shootdown is complete.
        """
        if not page.pins:
            return False
        self.unowned[page.pfn] = page.pins + (not freed_now)
        out.append(Note(PinMet(op.lane, "discard")))
        return True

    def let_go_of_frame(self, pfn: int) -> bool:
        """Take away a hold on a frame without a page; say whether it was the last."""
        holds = self.unowned.pop(pfn, 1) - 1
        if holds:
            self.unowned[pfn] = holds
        return not holds

    def free(self, lane: int, frames: tuple[int, ...], out: list[Effect]) -> None:
        """Free frames that no TLB can reach, except those that something else still holds."""
        by_memory: dict[int, list[int]] = {}
        for pfn in filter(self.let_go_of_frame, frames):
            by_memory.setdefault(self.settings.memory_of(pfn), []).append(pfn)
        out.extend(
            Send(memory, Free(lane, tuple(pfns), zeroed=False))
            for memory, pfns in sorted(by_memory.items())
        )

    def give_back(self, src: int, m: Unpin) -> list[Effect]:
        """A device is done with frames; one whose page is gone may be free then."""
        out: list[Effect] = [
            Send(self.settings.memory_of(pfn), Free(m.op, (pfn,), zeroed=False))
            for pfn in m.pfns
            if self.unpin(pfn, stored=m.stored)
        ]
        return [*out, Send(src, Unpinned(m.op))]
