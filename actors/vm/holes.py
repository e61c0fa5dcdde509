"""The life of holes: events of THE TABLE, and the record of which memory is in a hole.

Whatever changes the hole state of a page goes through `event`, which asks THE TABLE.

Owns the pages whose invalidation is left to other cores. Touches the record of holes (in the map,
beside it, or in shared objects, as the policy says), pages, and the resident sets that a page
enters and leaves with its hole.
"""

from collections.abc import Hashable, Iterator
from typing import Any, Self

from actors.message import PageKey
from actors.settings import Settings
from actors.vm.entries import Entries
from actors.vm.objects import Objects
from actors.vm.op import Op
from actors.vm.pages import Pages
from kernel.hazards.switches import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState, transition
from kernel.page import DIRTY, KNOWN_ZERO, LAZY_FREE, NOBODY, Page
from kernel.policy.keys import HoleRecord, NotStarted
from kernel.vm_map import HOLE, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace

_LIVE, _DEFERRED = HoleState.LIVE, HoleState.DEFERRED
_WAIT, _ACCOUNT_IN, _ACCOUNT_OUT = Action.WAIT, Action.ACCOUNT_IN, Action.ACCOUNT_OUT


class Holes:
    """Which pages are in a hole, and what becomes of them."""

    __slots__ = ("deferred", "entries", "objects", "pages", "settings")

    def __init__(
        self, settings: Settings, objects: Objects, pages: Pages, entries: Entries
    ) -> None:
        """Begin without holes."""
        self.settings = settings
        self.objects = objects
        self.pages = pages
        self.entries = entries
        #: pages whose invalidation is left to other cores: its number, asid, vpn
        self.deferred: dict[PageKey, tuple[int, int, int]] = {}

    def clone(self, objects: Objects, pages: Pages, entries: Entries) -> Self:
        """Copy the containers, for a vm with these neighbours."""
        twin = type(self)(self.settings, objects, pages, entries)
        twin.deferred = self.deferred.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.deferred.items()))

    # Events.

    def event(
        self, key: PageKey, event: HoleEvent, op: Op[Any]
    ) -> tuple[Page | None, tuple[Action, ...]]:
        """Raise an event of THE TABLE on a page; accounting is done here, the rest is told.

        Return the page as it is now (None: it left its object) and the actions left to do.
        """
        page = self.pages.at(key)
        state, actions = transition(page.hole, event)
        if page.hole is _DEFERRED and state is not page.hole:
            del self.deferred[key]
        after: Page | None = page
        if _ACCOUNT_OUT in actions:
            self.entries.account(page, -1)
        elif event is HoleEvent.HOLE and self.settings.hazards & Hazard.RESIDENT_SET_DRIFT:
            self.entries.change_resident(op.asid, -1)
        if state is None:
            self.pages.forget(key, page)
            return None, actions
        if state != page.hole:
            after = page.with_hole(state)
            self.pages.put(key, after)
        if _ACCOUNT_IN in actions:
            self.entries.account(page, 1)
        return after, actions

    def table_says(self, page: Page, event: HoleEvent) -> tuple[Action, ...]:
        """Ask THE TABLE what an event would have done, without raising it."""
        return transition(page.hole, event)[1]

    def must_wait(self, page: Page, event: HoleEvent) -> bool:
        """Say whether an operation must sleep before it raises an event on a page.

        THE TABLE decides for a page of a hole that somebody works on; any other waits while it is
        busy for a fault or another operation.
        """
        if page.hole in IN_HANDS:
            return _WAIT in self.table_says(page, event)
        return page.busy != NOBODY

    def rename(self, old: PageKey, new: PageKey) -> Page:
        """Move a page to another object; it is no hole and not known to be zero any more.

        Source: FreeBSD vm_page_rename: mappings stay, the page is dirty, so a copy of it in swap
        counts no more.
        """
        page = self.objects.by_oid[old[0]].pages.pop(old[1])
        self.pages.drop_slot(old)
        self.deferred.pop(old, None)
        if page.hole is not _LIVE:
            page = page.with_hole(_LIVE)
            self.entries.account(page, 1)
        page = page.with_flags(on=DIRTY, off=LAZY_FREE | KNOWN_ZERO)
        self.pages.put(new, page)
        self.pages.frames[page.pfn] = new
        return page

    # What is known of a page's contents.

    @property
    def zeroes_now(self) -> bool:
        """Say whether ZERO zeroes a page whose flush is outstanding without waiting for it."""
        return self.settings.policy.zero_not_started is NotStarted.ZERO_THEN_REPERMIT

    def known_zero(self, page: Page) -> bool:
        """Say whether a page is known to be zero: it was, and its entries say no store since."""
        return bool(page.flags & KNOWN_ZERO) and not self.entries.dirtied(page)

    # The record of holes.

    def includes(self, space: VmSpace, entry: MapEntry, vpn: int) -> bool:
        """Say whether the record of holes has a page: of shared memory the object keeps it."""
        if entry.flags & SHARED:
            return self.objects.by_oid[entry.oid].holes.holds(entry.pindex(vpn))
        return bool(entry.flags & HOLE) or space.holes.holds(vpn)

    def mark(self, space: VmSpace, start: int, end: int, *, hole: bool) -> None:
        """Change the record of holes for what is mapped in [start, end)."""
        record = self.settings.policy.hole_state
        if record is HoleRecord.PAGE_FLAG:
            return
        for piece in list(space.map.pieces(start, end)):
            if hole and piece.flags & WIRED:
                continue
            if piece.flags & SHARED:
                holes, low, high = (
                    self.objects.by_oid[piece.oid].holes,
                    piece.offset,
                    piece.pindex(piece.end),
                )
            elif record is HoleRecord.RANGE_LIST:
                holes, low, high = space.holes, piece.start, piece.end
            else:
                on, off = (HOLE, 0) if hole else (0, HOLE)
                change = MapEntry.with_flags
                space.map.change(piece.start, piece.end, lambda e: change(e, on, off))  # noqa: B023
                continue
            (holes.add if hole else holes.remove)(low, high)

    def unclip(self, space: VmSpace) -> None:
        """Let entries say no more where holes are, if the record is beside the map."""
        if self.settings.policy.hole_state is HoleRecord.RANGE_LIST:
            for entry in [e for e in space.map.entries if e.flags & HOLE]:
                space.map.change(entry.start, entry.end, lambda e: e.with_flags(off=HOLE))

    def within(self, space: VmSpace, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of [start, end) that the record of holes has."""
        for piece in space.map.pieces(start, end):
            if piece.flags & SHARED:
                shift = piece.start - piece.offset
                holes = self.objects.by_oid[piece.oid].holes
                inside = holes.inside(piece.offset, piece.pindex(piece.end))
                yield from ((low + shift, high + shift) for low, high in inside)
            elif piece.flags & HOLE:
                yield piece.start, piece.end
            else:
                yield from space.holes.inside(piece.start, piece.end)

    def punch_files(self, space: VmSpace, start: int, end: int) -> None:
        """Let the files that are mapped shared in [start, end) read as zero there from now on."""
        for piece in space.map.pieces(start, end):
            one = self.objects.by_oid[piece.oid]
            if piece.flags & SHARED and not one.anonymous:
                one.punched.add(piece.offset, piece.pindex(piece.end))
