"""Transfers of devices: for which pages of whom a frame was pinned, and until when it is in use.

A device has no translation: it may use a frame in the life that it had when its transfer was handed
over. Its stores count as issued when the transfer was asked for: a call that came later, or that
the caller did not know to be over, may undo them.
"""

from collections.abc import Hashable, Iterable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock
from cluster.properties.known.calls import InFlight
from cluster.properties.known.frames import Frames
from cluster.properties.known.places import Places
from cluster.properties.known.shown import Shown
from kernel.units import page_span


class Pinned(msgspec.Struct, frozen=True, gc=False):
    """A frame that was pinned: as which page, in which life.

    shown: what the page showed then, or None if that is not certain. The device stays with that,
        whatever is mapped there while it works.
    at, since: the caller's clock, and the vm's event in which its call arrived.
    """

    asid: int
    vpn: int
    pfn: int
    life: int
    shown: Shown | None
    at: Clock
    since: At


class Transfers(Part):
    """Pins of transfers that memory has not performed to the end, and when it had."""

    __slots__ = ("ends", "frames", "held", "left", "pages")

    def __init__(self, frames: Frames) -> None:
        """Begin with none."""
        super().__init__()
        self.frames = frames
        #: by name: the frames of transfers that memory has not performed to the end
        self.pages: dict[int, dict[int, Pinned]] = {}
        #: by name: those that the device has not given back
        self.held: dict[int, tuple[Pinned, ...]] = {}
        #: by name: granules that are not performed, once the device was asked
        self.left: dict[int, int] = {}
        #: by frame: the last end of a transfer in each memory
        self.ends: dict[int, dict[int, At]] = {}

    def begins(self, name: int, flight: InFlight, pfns: Iterable[int], places: Places) -> None:
        """Note that the pages of a call are pinned, in order, in these frames."""
        asid, called, at = flight.call.asid, flight.called, flight.at
        start, _ = page_span(flight.call.va, flight.call.length)
        self.pages[name] = {
            pfn: Pinned(
                asid, vpn, pfn, self.frames.known.get(pfn, 0),
                places.pinned(asid, vpn, called), called, at,
            )
            for vpn, pfn in enumerate(pfns, start)
        }  # fmt: skip
        self.held[name] = tuple(self.pages[name].values())

    def asked(self, name: int, granules: int) -> None:
        """Note that a device is asked to move so many granules."""
        self.left[name] = granules

    def performed(self, name: int, granules: int, at: At) -> None:
        """Note that memory has moved some of them, in its event `at`."""
        left = self.left[name] = self.left.get(name, 0) - granules
        if left > 0:
            return
        del self.left[name]
        for pfn in self.pages.pop(name, ()):
            self.ends.setdefault(pfn, {})[at.actor] = at

    def freed(self, pfn: int, clock: Clock) -> bool:
        """Note that a vm frees a frame; say whether no device uses it any more."""
        ends = self.ends.pop(pfn, {})
        in_use = any(pfn in pages for pages in self.pages.values())
        return not in_use and all(clock.knows(end) for end in ends.values())

    def page(self, name: int, pfn: int) -> Pinned | None:
        """Return what a frame was pinned as, or None if it is not that any more."""
        one = self.pages.get(name, {}).get(pfn)
        return one if one is not None and self.frames.is_of(pfn, one.life) else None

    def given_back(self, name: int, pfns: Iterable[int]) -> None:
        """Note that a vm hears that a device needs frames no more."""
        gone = set(pfns)
        left = tuple(one for one in self.held.pop(name, ()) if one.pfn not in gone)
        if left:
            self.held[name] = left

    def pinned(self) -> Iterable[Pinned]:
        """Yield the pages that are pinned."""
        for pages in self.held.values():
            yield from pages

    def used(self) -> Iterable[Pinned]:
        """Yield the pages that memory has still to access for a device."""
        for pages in self.pages.values():
            yield from pages.values()

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        return self.copy_with(self.frames)

    def copy_with(self, frames: Frames) -> Self:
        """Copy the containers, beside these frames."""
        twin = type(self)(frames)
        twin.held = self.held.copy()
        twin.left = self.left.copy()
        twin.pages = self.pages.copy()
        twin.ends = {pfn: ends.copy() for pfn, ends in self.ends.items()}
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on: a life that is over never comes again."""
        return (
            tuple((name, self._rows(held)) for name, held in sorted(self.held.items())),
            tuple(sorted(self.left.items())),
            tuple((name, self._rows(pages.values())) for name, pages in sorted(self.pages.items())),
            tuple((pfn, tuple(ends.values())) for pfn, ends in sorted(self.ends.items())),
        )

    def _rows(self, pages: Iterable[Pinned]) -> Hashable:
        is_of = self.frames.is_of
        return tuple(
            (
                p.asid, p.vpn, p.pfn, is_of(p.pfn, p.life), p.at, placed(p.since),
                () if p.shown is None else msgspec.structs.astuple(p.shown),
            )
            for p in pages
        )  # fmt: skip
