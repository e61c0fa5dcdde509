"""Transfers of devices: for which pages of whom a frame was pinned, and until when it is in use.

A device has no translation: it may use a frame in the life that it had when it was pinned. Its
stores count as issued when the page was pinned: a call that came later may undo them.
"""

from collections.abc import Hashable, Iterable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.frames import Frames


class Pinned(msgspec.Struct, frozen=True, gc=False):
    """A frame that was pinned: as which page, in which life, and when."""

    asid: int
    vpn: int
    pfn: int
    life: int
    at: Clock


class Transfers(Part):
    """Pins of transfers that are not over, and when frames were used last."""

    __slots__ = ("ends", "frames", "pages", "pinning")

    def __init__(self, frames: Frames) -> None:
        """Begin with none."""
        super().__init__()
        self.frames = frames
        #: by lane: what a call that goes on has pinned
        self.pinning: dict[int, tuple[Pinned, ...]] = {}
        #: by name: the frames of transfers that memory has not performed to the end
        self.pages: dict[int, dict[int, Pinned]] = {}
        #: by frame: the last end of a transfer of each device
        self.ends: dict[int, dict[int, At]] = {}

    # The vm.

    def pinned(self, lane: int, asid: int, vpn: int, pfn: int, clock: Clock) -> None:
        """Note that a vm has pinned a page."""
        one = Pinned(asid, vpn, pfn, self.frames.known.get(pfn, 0), clock)
        self.pinning[lane] = (*self.pinning.get(lane, ()), one)

    def given_back(self, lane: int) -> None:
        """Note that a call has ended; if it was to begin a transfer, it failed."""
        self.pinning.pop(lane, None)

    def begins(self, lane: int, name: int) -> None:
        """Note that all pages are pinned; the device will hear of it."""
        self.pages[name] = {one.pfn: one for one in self.pinning.pop(lane)}

    def freed(self, pfn: int, clock: Clock) -> bool:
        """Note that a vm frees a frame; say whether no device uses it any more."""
        ends = self.ends.pop(pfn, {})
        in_use = any(pfn in pages for pages in self.pages.values())
        return not in_use and all(clock.knows(end) for end in ends.values())

    # The device, and memory for it.

    def ended(self, name: int, at: At) -> None:
        """Note that a device knows that memory has performed all of a transfer."""
        for pfn in self.pages.pop(name):
            self.ends.setdefault(pfn, {})[at.actor] = at

    def page(self, name: int, pfn: int) -> Pinned | None:
        """Return what a frame was pinned as, or None if it is not that any more."""
        one = self.pages[name][pfn]
        return one if self.frames.is_of(pfn, one.life) else None

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        return self.copy_with(self.frames)

    def copy_with(self, frames: Frames) -> Self:
        """Copy the containers, beside these frames."""
        twin = type(self)(frames)
        twin.pinning = self.pinning.copy()
        twin.pages = self.pages.copy()
        twin.ends = {pfn: ends.copy() for pfn, ends in self.ends.items()}
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on: a life that is over never comes again."""
        return (
            tuple((lane, self._rows(pages)) for lane, pages in sorted(self.pinning.items())),
            tuple((name, self._rows(pages.values())) for name, pages in sorted(self.pages.items())),
            tuple((pfn, tuple(ends.values())) for pfn, ends in sorted(self.ends.items())),
        )

    def _rows(self, pages: Iterable[Pinned]) -> Hashable:
        is_of = self.frames.is_of
        return tuple((p.asid, p.vpn, p.pfn, is_of(p.pfn, p.life), p.at) for p in pages)
