"""What system calls did to each page: windows in which contents may be lost, ZEROs, fatal holes.

Kept by range of the pages of mappings (`Shown.page`), never by page. Of each kind a page keeps the
latest few: where an older window would excuse a loss, so does a younger one that is not over for
the store.
"""

from collections.abc import Callable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import SHARED, split
from kernel.intervals import IntervalMap
from kernel.policy.promises import Property

_KEEP = 4


class Discard(msgspec.Struct, frozen=True, gc=False):
    """A window: from the call on the page may become zero, but no store that knows of `end`."""

    op: int
    call: At
    #: None while the range is still in a hole or the call has not returned
    end: At | None
    #: HOLE stays open until a ZERO has returned, or a new mapping has
    hole: bool
    #: it is a ZERO, which ends the holes before it
    zero: bool = False
    returned: bool = False
    #: a HOLE and a ZERO were under way at once: which of them came last is not known
    meets: bool = False
    #: stores by translations sent after this event came after the grant: they are safe
    spares: At | None = None
    #: the call must not discard here: the promise that is broken if it did
    void: Property | None = None

    def undoes(self, issued: Clock, used: At | None) -> bool:
        """Say whether the window is not over for a store: when it was issued, by what entry."""
        if self.end is not None and issued.knows(self.end):
            return False
        return self.spares is None or used is None or used.number < self.spares.number


class Zeroed(msgspec.Struct, frozen=True, gc=False):
    """One call that zeroes a page: when it was called (clock of the caller), arrived, returned."""

    op: int
    called: Clock
    arrived: At
    returned: At
    #: ZERO, which is strong where the policy says so; else an advice that discards
    zero: bool


class FatalHole(msgspec.Struct, frozen=True, gc=False):
    """A hole in which accesses must be fatal: from `settled` on, until `reopened`.

    closed: the policy lets nobody in, so what counts is when an entry was sent, not who knows what.
    """

    settled: At
    reopened: At | None
    closed: bool

    def was_reopened(self, at: At) -> "FatalHole":
        """Return it, a hole no more from an event on."""
        return FatalHole(self.settled, at, self.closed) if self.reopened is None else self

    def is_open_at(self, number: int) -> bool:
        """Say whether the pages were in the hole, as of an event of the vm."""
        began = self.settled.number <= number
        return began and (self.reopened is None or number < self.reopened.number)


class PageHistory(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a range of pages."""

    discards: tuple[Discard, ...] = ()
    zeros: tuple[Zeroed, ...] = ()
    holes: tuple[FatalHole, ...] = ()

    @property
    def is_hole(self) -> bool:
        """Say whether the pages are certainly in a hole, and no ZERO of it was called."""
        return any(hole.reopened is None for hole in self.holes)


_EMPTY = PageHistory()


class History:
    """The histories of the pages of one line."""

    __slots__ = ("pages",)

    def __init__(self) -> None:
        """Remember nothing."""
        self.pages: IntervalMap[PageHistory] = IntervalMap()

    def at(self, page: int) -> PageHistory:
        """Return the history of one page."""
        return self.pages.value(page) or _EMPTY

    def _change(self, start: int, end: int, change: Callable[[PageHistory], PageHistory]) -> None:
        for low, high, old in self.pages.pieces(start, end):
            self.pages.assign(low, high, change(old))

    def _fill(self, start: int, end: int) -> None:
        for low, high in self.pages.gaps(start, end):
            self.pages.assign(low, high, _EMPTY)

    def called(self, start: int, end: int, discard: Discard, *, closed: bool) -> None:
        """Note the arrival of a call that may discard contents; ZERO ends a fatal hole, too.

        closed: nobody can store in a hole: what is stored after its ZERO went by a translation
        that came after the grant.
        """

        def change(old: PageHistory) -> PageHistory:
            discards = _with(_standing(old.discards), discard)
            changed = PageHistory(discards, old.zeros, old.holes)
            return _reopening(changed, discard.call, closed=closed) if discard.zero else changed

        self._fill(start, end)
        self._change(start, end, change)

    def reopens(self, start: int, end: int, at: At) -> None:
        """Note the arrival of a call that ends holes, and discards nothing."""
        self._change(start, end, lambda old: _reopening(old, at, closed=False))

    def ended(self, start: int, end: int, op: int, at: At) -> None:
        """Note the return of lane `op`'s call: stores that know of it are safe, but in a hole."""

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                msgspec.structs.replace(d, end=None if d.hole else at, returned=True)
                if d.end is None and d.op == op and not d.returned
                else d
                for d in old.discards
            )
            return PageHistory(discards, old.zeros, old.holes)

        self._change(start, end, change)

    def voided(self, start: int, end: int, call: At, void: Property) -> None:
        """Note that a call in flight must not have discarded anything."""

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                msgspec.structs.replace(d, void=void) if d.call == call else d for d in old.discards
            )
            return PageHistory(discards, old.zeros, old.holes)

        self._change(start, end, change)

    def may_discard(self, start: int, end: int) -> None:
        """Note that memory may not be locked any more: calls in flight may discard it after all."""

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                msgspec.structs.replace(d, void=None) if not d.returned and d.void else d
                for d in old.discards
            )
            return PageHistory(discards, old.zeros, old.holes)

        self._change(start, end, change)

    def reopened(self, start: int, end: int, op: int, at: At) -> None:
        """Note that `op` has given back the range, or mapped it anew: no hole is left.

        The windows of other calls in flight are not over: they may yet do what they were called
        for.
        """

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                msgspec.structs.replace(d, end=at, hole=False)
                if d.end is None and d.hole and (d.op == op or (d.returned and not d.meets))
                else d
                for d in old.discards
            )
            # a ZERO that was called before the HOLE had returned, and waited for it, ends it here
            holes = tuple(h.was_reopened(at) for h in old.holes)
            return PageHistory(discards, old.zeros, holes)

        self._change(start, end, change)

    def zeroed(self, start: int, end: int, zero: Zeroed) -> None:
        """Note that a call which leaves zero has returned."""

        def change(old: PageHistory) -> PageHistory:
            return PageHistory(old.discards, (*old.zeros, zero)[-_KEEP:], old.holes)

        self._fill(start, end)
        self._change(start, end, change)

    def settled(self, pages: tuple[int, int], op: int, call: At, at: At, *, closed: bool) -> None:
        """Note that HOLE has returned: access is fatal, unless a ZERO was called meanwhile."""
        start, end = pages
        hole = FatalHole(at, None, closed)

        def change(old: PageHistory) -> PageHistory:
            if any(_meets(d, op, call) for d in old.discards):
                return old
            return PageHistory(old.discards, old.zeros, (*old.holes, hole)[-_KEEP:])

        self._fill(start, end)
        self._change(start, end, change)

    def doubted(self, start: int, end: int) -> None:
        """Note that the pages may leave their hole otherwise than by a ZERO."""
        self._change(start, end, lambda old: PageHistory(old.discards, old.zeros, ()))

    def forget(self, shown: PageRanges) -> None:
        """Forget all pages but these."""
        if not len(self.pages):
            return
        old, self.pages = self.pages, IntervalMap()
        for start, end in shown.all():
            for low, high, value in old.pieces(start, end):
                self.pages.assign(low, high, value)

    def copy(self) -> "History":
        """Copy the containers."""
        twin = History()
        twin.pages = self.pages.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return tuple(
            (
                *split(low),
                *split(high),
                tuple(
                    (
                        d.op, d.call, d.end or (), d.hole, d.zero, d.returned, placed(d.spares),
                        d.void or "", d.meets,
                    )
                    for d in h.discards
                ),
                tuple((z.op, z.called, placed(z.arrived), z.returned, z.zero) for z in h.zeros),
                tuple(map(_hole_row, h.holes)),
            )
            for low, high, h in self.pages.all()
        )  # fmt: skip


def _standing(windows: tuple[Discard, ...]) -> tuple[Discard, ...]:
    """Return the windows to keep as another one comes, in their order.

    Calls that must not discard stand for no others: of them the latest are kept apart.
    """
    if len(windows) < _KEEP:
        return windows
    kept = {*_latest([d for d in windows if d.void is None])}
    kept.update(_latest([d for d in windows if d.void is not None]))
    return tuple([d for d in windows if d in kept])


def _with(windows: tuple[Discard, ...], new: Discard) -> tuple[Discard, ...]:
    """Return windows and a new one; note which holes it meets."""
    if new.zero:  # what has returned it comes after
        windows = tuple(
            [
                msgspec.structs.replace(d, meets=not d.returned)
                if d.hole and not d.zero and d.meets == d.returned
                else d
                for d in windows
            ]
        )
    elif new.hole and any(d.zero and d.end is None and not d.returned for d in windows):
        new = msgspec.structs.replace(new, meets=True)
    return (*windows, new)


def _latest(windows: list[Discard]) -> list[Discard]:
    """Return the younger windows, and of the older ones what they do not stand for.

    A call in flight may yet discard, however many younger ones have come and gone; one hole that is
    open says as much as several.
    """
    old, young = windows[: 1 - _KEEP], windows[1 - _KEEP :]
    kept = [d for d in old if d.end is None and not d.returned]
    holes = [d for d in old if d.end is None and d.returned]
    if holes and not any(d.end is None and d.returned for d in young):
        kept.append(holes[-1])
    return [*kept, *young]


def _hole_row(hole: FatalHole) -> Retained:
    if hole.closed:
        return placed(hole.settled), placed(hole.reopened)
    return hole.settled, hole.reopened or ()


def _reopening(old: PageHistory, at: At, *, closed: bool) -> PageHistory:
    """Return a history after a call arrived that ends holes."""
    discards = old.discards
    if closed and old.is_hole:
        discards = tuple(
            msgspec.structs.replace(d, spares=at)
            if d.spares is None and d.end is None and d.hole
            else d
            for d in discards
        )
    holes = tuple(h.was_reopened(at) for h in old.holes)
    return PageHistory(discards, old.zeros, holes)


def _meets(other: Discard, op: int, call: At) -> bool:
    """Say whether a ZERO overlaps in time with HOLE `op`, which was called then."""
    if not other.zero or other.op == op:
        return False
    return other.end is None or other.end.number > call.number


class Histories(Part):
    """The histories of all lines."""

    __slots__ = ("of",)

    def __init__(self, processes: int) -> None:
        """Remember nothing."""
        super().__init__()
        #: by line
        self.of = {line: History() for line in (*range(processes), SHARED)}

    def forget(self, shown: dict[int, PageRanges]) -> None:
        """Forget all pages but these, by line."""
        for line, one in self.of.items():
            one.forget(shown[line])

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.of = {line: one.copy() for line, one in self.of.items()}
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return tuple((line, one.retained()) for line, one in sorted(self.of.items()))
