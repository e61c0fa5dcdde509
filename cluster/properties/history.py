"""What the system calls did to each page: windows in which contents may go, ZEROs, fatal holes.

Kept by range of the pages of mappings (`Shown.page`), never by page. A page keeps the latest few of
each: whatever an older window would excuse, a younger one that is not over for the store excuses
too.
"""

from collections.abc import Callable, Hashable

import msgspec

from cluster.properties.clocks import At, Clock
from kernel.intervals import IntervalMap

_KEEP = 4


class Discard(msgspec.Struct, frozen=True):
    """From the call on, until `end` is known to a store, the page's contents may become zero."""

    op: int
    call: At
    #: None while the range is still in a hole or the call has not returned
    end: At | None
    #: HOLE stays open until a grant or a new mapping
    hole: bool
    returned: bool = False


class Zeroed(msgspec.Struct, frozen=True):
    """One call that zeroes a page: when it was called (clock of the caller), granted, returned.

    MADV_DONTNEED that discards has no grant: it zeroes when it returns.
    """

    op: int
    called: Clock
    grant: At | None
    returned: At | None


class FatalHole(msgspec.Struct, frozen=True):
    """From `settled` on, until `reopened` was called, an access must be fatal."""

    settled: At
    reopened: At | None


class PageHistory(msgspec.Struct, frozen=True):
    """What is remembered of a range of pages."""

    discards: tuple[Discard, ...] = ()
    zeros: tuple[Zeroed, ...] = ()
    holes: tuple[FatalHole, ...] = ()


_EMPTY = PageHistory()


class History:
    """The histories of the pages of one line."""

    def __init__(self) -> None:
        """Remember nothing."""
        self.pages: IntervalMap[PageHistory] = IntervalMap()

    def at(self, vpn: int) -> PageHistory:
        """Give the history of one page."""
        return self.pages.value(vpn) or _EMPTY

    def _change(self, start: int, end: int, change: Callable[[PageHistory], PageHistory]) -> None:
        for low, high, old in self.pages.pieces(start, end):
            self.pages.assign(low, high, change(old))

    def _fill(self, start: int, end: int) -> None:
        for low, high in self.pages.gaps(start, end):
            self.pages.assign(low, high, _EMPTY)

    def called(self, start: int, end: int, discard: Discard, *, reopens: bool) -> None:
        """A call that may discard contents arrived; some (ZERO, mmap) end a fatal hole too."""

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
        """The call of lane `op` returned: stores that know that are safe, but in a hole."""

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
        """The range is no hole any more (granted, or mapped anew by `op`): windows are over.

        Not those of other calls in flight: they may yet do what they were called for.
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
        """ZERO granted the range."""
        self._fill(start, end)
        self._change(
            start,
            end,
            lambda old: PageHistory(old.discards, (*old.zeros, zero)[-_KEEP:], old.holes),
        )
        assert zero.grant is not None
        self.reopened(start, end, zero.op, zero.grant)

    def discarded(self, start: int, end: int, zero: Zeroed) -> None:
        """A call returned that leaves zero behind: it was no hole."""
        self._fill(start, end)
        self._change(
            start,
            end,
            lambda old: PageHistory(old.discards, (*old.zeros, zero)[-_KEEP:], old.holes),
        )

    def returned(self, start: int, end: int, op: int, at: At) -> None:
        """ZERO of lane `op` returned."""

        def change(old: PageHistory) -> PageHistory:
            zeros = tuple(
                Zeroed(z.op, z.called, z.grant, at) if z.op == op and z.returned is None else z
                for z in old.zeros
            )
            return PageHistory(old.discards, zeros, old.holes)

        self._change(start, end, change)

    def settled(self, start: int, end: int, at: At) -> None:
        """HOLE's invalidation of the range is complete."""
        hole = FatalHole(at, None)
        self._fill(start, end)
        self._change(
            start,
            end,
            lambda old: PageHistory(old.discards, old.zeros, (*old.holes, hole)[-_KEEP:]),
        )

    def copy(self) -> "History":
        """Copy the containers."""
        twin = History()
        twin.pages = self.pages.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return tuple(
            (
                *_split(low),
                *_split(high),
                tuple((d.op, d.call, d.end or (), d.hole, d.returned) for d in h.discards),
                tuple((z.op, z.called, z.grant or (), z.returned or ()) for z in h.zeros),
                tuple((f.settled, f.reopened or ()) for f in h.holes),
            )
            for low, high, h in self.pages.all()
        )


def _split(page: int) -> tuple[int, int]:
    return page >> 40, page & (1 << 40) - 1
