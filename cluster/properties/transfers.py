"""Transfers of devices: for which pages of whom a frame was pinned, and until when it is in use.

A device has no translation: it may use a frame in the life that it had when it was pinned. Its
stores count as issued when the page was pinned: a call that came later may undo them.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from cluster.properties.clocks import At, Clock
from cluster.properties.frames import Frames
from cluster.properties.reports import Reports
from kernel.policy.promises import Property


class Pinned(NamedTuple):
    """A frame that was pinned: as which page, in which life, and when."""

    asid: int
    vpn: int
    pfn: int
    life: int
    at: Clock


class Transfers:
    """Pins of transfers that are not over, and when frames were used last."""

    def __init__(self, reports: Reports, frames: Frames) -> None:
        """Start with none."""
        self.reports = reports
        self.frames = frames
        #: by lane: what a call that goes on has pinned
        self.pinning: dict[int, tuple[Pinned, ...]] = {}
        #: by name: the frames of transfers that memory has not performed to the end
        self.pages: dict[int, dict[int, Pinned]] = {}
        #: by frame: the last end of a transfer of each device
        self.ends: dict[int, dict[int, At]] = {}

    # The vm.

    def pinned(self, lane: int, asid: int, vpn: int, pfn: int, clock: Clock) -> None:
        """A vm has pinned a page."""
        one = Pinned(asid, vpn, pfn, self.frames.known.get(pfn, 0), clock)
        self.pinning[lane] = (*self.pinning.get(lane, ()), one)

    def given_back(self, lane: int) -> None:
        """A call has ended; if it was to begin a transfer, it failed."""
        self.pinning.pop(lane, None)

    def begins(self, lane: int, name: int) -> None:
        """All pages are pinned; the device will hear of it."""
        self.pages[name] = {one.pfn: one for one in self.pinning.pop(lane)}

    def freed(self, op: int, pfn: int, clock: Clock) -> None:
        """A vm frees a frame."""
        in_use = any(pfn in pages for pages in self.pages.values())
        ends = self.ends.pop(pfn, {})
        if in_use or not all(clock.knows(end) for end in ends.values()):
            text = f"frame {pfn:#x} is freed while a device may use it"
            self.reports.add(Property.TRANSLATION, text, 0, -1, (op,))

    # The device, and memory for it.

    def ended(self, name: int, at: At) -> None:
        """A device knows that memory has performed all of a transfer."""
        for pfn in self.pages.pop(name):
            self.ends.setdefault(pfn, {})[at.actor] = at

    def page(self, op: int, name: int, pfn: int, what: str) -> Pinned | None:
        """Give what a frame was pinned as; None, and a report, if it is not that any more."""
        one = self.pages[name][pfn]
        if self.frames.is_of(pfn, one.life):
            return one
        text = f"frame {pfn:#x} was {what} by a device, but it {self.frames.what_is(pfn)}"
        self.reports.add(Property.ISOLATE, text, 0, -1, (op,))
        return None

    # For exploring.

    def copy(self, reports: Reports, frames: Frames) -> "Transfers":
        """Copy the containers."""
        twin = object.__new__(Transfers)
        twin.reports = reports
        twin.frames = frames
        twin.pinning = self.pinning.copy()
        twin.pages = self.pages.copy()
        twin.ends = {pfn: ends.copy() for pfn, ends in self.ends.items()}
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on: a life that is over never comes again."""
        return (
            tuple((lane, self._rows(pages)) for lane, pages in sorted(self.pinning.items())),
            tuple((name, self._rows(pages.values())) for name, pages in sorted(self.pages.items())),
            tuple((pfn, tuple(ends.values())) for pfn, ends in sorted(self.ends.items())),
        )

    def _rows(self, pages: Iterable[Pinned]) -> Hashable:
        is_of = self.frames.is_of
        return tuple((p.asid, p.vpn, p.pfn, is_of(p.pfn, p.life), p.at) for p in pages)
