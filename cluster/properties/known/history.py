"""What system calls did to each page: windows in which contents may be lost, ZEROs, fatal holes.

Kept by range of the pages of mappings (`Shown.page`), never by page. Of each kind a page keeps the
latest few: where an older window would excuse a loss, so does a younger one that is not over for
the store.
"""

from collections.abc import Callable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At, Clock
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import SHARED, split
from kernel.intervals import IntervalMap

_KEEP = 4


class Discard(msgspec.Struct, frozen=True, gc=False):
    """A window: from the call on the page may become zero, but no store that knows of `end`."""

    op: int
    call: At
    #: None while the range is still in a hole or the call has not returned
    end: At | None
    #: HOLE stays open until a grant or a new mapping
    hole: bool
    returned: bool = False


class Zeroed(msgspec.Struct, frozen=True, gc=False):
    """One call that zeroes a page: when it was called (clock of the caller), granted, returned.

    MADV_DONTNEED that discards has no grant: it zeroes when it returns.
    """

    op: int
    called: Clock
    grant: At | None
    returned: At | None


class FatalHole(msgspec.Struct, frozen=True, gc=False):
    """A hole in which accesses must be fatal: from `settled` on, until `reopened`."""

    settled: At
    reopened: At | None


class PageHistory(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a range of pages."""

    discards: tuple[Discard, ...] = ()
    zeros: tuple[Zeroed, ...] = ()
    holes: tuple[FatalHole, ...] = ()


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

    def called(self, start: int, end: int, discard: Discard, *, reopens: bool) -> None:
        """Note the arrival of a call that may discard contents; ZERO ends a fatal hole, too."""

        def change(old: PageHistory) -> PageHistory:
            holes = old.holes
            if reopens:
                holes = tuple(
                    FatalHole(h.settled, discard.call) if h.reopened is None else h for h in holes
                )
            # a call in flight may yet discard, however many younger ones have come and gone
            older = tuple(d for d in old.discards[: 1 - _KEEP] if d.end is None and not d.returned)
            discards = (*older, *old.discards[1 - _KEEP :], discard)
            return PageHistory(discards, old.zeros, holes)

        self._fill(start, end)
        self._change(start, end, change)

    def ended(self, start: int, end: int, op: int, at: At) -> None:
        """Note the return of lane `op`'s call: stores that know of it are safe, but in a hole."""

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                Discard(d.op, d.call, None if d.hole else at, d.hole, returned=True)
                if d.end is None and d.op == op
                else d
                for d in old.discards
            )
            return PageHistory(discards, old.zeros, old.holes)

        self._change(start, end, change)

    def reopened(self, start: int, end: int, op: int, at: At) -> None:
        """Note that `op` granted the range, or mapped it anew: no hole is left, windows are over.

        Those of other calls in flight are not: they may yet do what they were called for.
        """

        def change(old: PageHistory) -> PageHistory:
            discards = tuple(
                Discard(d.op, d.call, at, hole=False)
                if d.end is None and d.hole and (d.returned or d.op == op)
                else d
                for d in old.discards
            )
            # a ZERO that was called before the HOLE had settled, and waited for it, ends it here
            holes = tuple(FatalHole(h.settled, at) if h.reopened is None else h for h in old.holes)
            return PageHistory(discards, old.zeros, holes)

        self._change(start, end, change)

    def granted(self, start: int, end: int, zero: Zeroed) -> None:
        """Note that ZERO granted the range."""
        self.zeroed(start, end, zero)
        assert zero.grant is not None
        self.reopened(start, end, zero.op, zero.grant)

    def zeroed(self, start: int, end: int, zero: Zeroed) -> None:
        """Note a call that leaves zero: ZERO at its grant, another discard at its return."""

        def change(old: PageHistory) -> PageHistory:
            return PageHistory(old.discards, (*old.zeros, zero)[-_KEEP:], old.holes)

        self._fill(start, end)
        self._change(start, end, change)

    def returned(self, start: int, end: int, op: int, at: At) -> None:
        """Note that ZERO of lane `op` returned."""

        def change(old: PageHistory) -> PageHistory:
            zeros = tuple(
                Zeroed(z.op, z.called, z.grant, at) if z.op == op and z.returned is None else z
                for z in old.zeros
            )
            return PageHistory(old.discards, zeros, old.holes)

        self._change(start, end, change)

    def settled(self, start: int, end: int, at: At) -> None:
        """Note that HOLE's invalidation of the range is complete."""
        hole = FatalHole(at, None)

        def change(old: PageHistory) -> PageHistory:
            return PageHistory(old.discards, old.zeros, (*old.holes, hole)[-_KEEP:])

        self._fill(start, end)
        self._change(start, end, change)

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
                tuple((d.op, d.call, d.end or (), d.hole, d.returned) for d in h.discards),
                tuple((z.op, z.called, z.grant or (), z.returned or ()) for z in h.zeros),
                tuple((f.settled, f.reopened or ()) for f in h.holes),
            )
            for low, high, h in self.pages.all()
        )


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
