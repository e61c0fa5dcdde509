"""What system calls mean for contents: mappings, forks, discards, ZEROs, holes."""

from collections.abc import Iterator
from typing import NamedTuple

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clocks import At, Clock
from cluster.properties.history import Discard, History, Zeroed
from cluster.properties.lines import Line, Stored
from cluster.properties.places import FILES, MAPPING_SHIFT, NO_FILE, SHARED, Change, Places, Shown
from kernel.errors import Errno
from kernel.units import VPN_LIMIT, page_span
from kernel.vm_map import INHERITED_ZERO

#: kinds that may discard contents
_DISCARDS = frozenset(
    {
        OpKind.ADVISE_FREE,
        OpKind.ADVISE_DONTNEED,
        OpKind.ADVISE_REMOVE,
        OpKind.HOLE,
        OpKind.ZERO,
    }
)
_HOLES = frozenset({OpKind.HOLE, OpKind.ZERO})
_ZEROES = frozenset({OpKind.ZERO, OpKind.ADVISE_DONTNEED, OpKind.ADVISE_REMOVE})
_MAPS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})
#: errors after which all that is mapped was done nevertheless
_DONE = frozenset({Errno.OK, Errno.ENOMEM})


class Forking(NamedTuple):
    """A fork under way."""

    parent: int
    child: int
    called: Clock
    #: the vm's event from which on no store of the parent reaches the child
    protected: At | None


class Span(NamedTuple):
    """Pages of a line that a call may discard; `zeroes` if it is to leave zero there."""

    line: int
    low: int
    high: int
    zeroes: bool


class InFlight(NamedTuple):
    """A call in flight: as it was made, the caller's clock, what it may discard."""

    call: Call
    called: Clock
    spans: tuple[Span, ...]
    #: the vm's event in which it arrived
    at: At


class CallEffects:
    """Places, lines and forks, as the calls of the run make them."""

    def __init__(
        self, process_of: tuple[int, ...], processes: int, *, keeps_dontneed: bool
    ) -> None:
        """Start with empty address spaces; `keeps_dontneed` if MADV_DONTNEED keeps contents."""
        self.process_of = process_of
        self.discards = _DISCARDS - {OpKind.ADVISE_DONTNEED} if keeps_dontneed else _DISCARDS
        self.places = Places(processes)
        self.lines = {asid: Line(frozenset({asid})) for asid in range(processes)}
        self.lines[SHARED] = Line(frozenset({SHARED}))
        #: by lane
        self.in_flight: dict[int, InFlight] = {}
        self.forks: dict[int, Forking] = {}
        #: by lane of a call that changes the map: calls in flight with it that discard there
        self.during: dict[int, tuple[tuple[Call, At], ...]] = {}

    def _pages(self, asid: int, start: int, end: int) -> Iterator[tuple[History, int, int]]:
        for shown, low, high in self.places.pieces(asid, start, end):
            line = self.lines[SHARED if shown.shared else asid]
            yield line.history, shown.page(low), shown.page(high)

    # Calls.

    def called(self, m: Call, at: At, sent: Clock) -> None:
        """A call arrived at its vm."""
        start, end = page_span(m.va, m.length)
        spans: tuple[Span, ...] = ()
        if m.kind in _MAPS:
            if m.kind in _WHOLE:
                start, end = 0, VPN_LIMIT
            change = Change(m.asid, start, end, at)
            self._begins(m.op, (change,))
        elif m.kind == OpKind.MREMAP:
            new = page_span(*m.args[:2])
            self._begins(m.op, (Change(m.asid, start, end, at), Change(m.asid, *new, at)))
        elif m.kind == OpKind.MINHERIT:
            for child in self._children(m.asid):  # it may have gone before
                self.places.forget(child, start, end)
        elif m.kind == OpKind.FORK:
            self._fork(m, sent)
        elif m.kind in self.discards:
            spans = self._discard(m, start, end, at)
            for lane, changes in self.places.changes.items():
                if changes[0].asid == m.asid:
                    self.during[lane] = (*self.during[lane], (m, at))
        self.in_flight[m.op] = InFlight(m, sent, spans, at)

    def _discard(self, m: Call, start: int, end: int, at: At) -> tuple[Span, ...]:
        """Note a window in which contents may go; in children that are being forked off, too."""
        children = self._children(m.asid)
        zeroes = m.kind in _ZEROES
        found = []
        for shown, low, high in self.places.pieces(m.asid, start, end):
            if m.kind == OpKind.ADVISE_REMOVE and not shown.shared:
                continue
            kept = m.kind == OpKind.ADVISE_DONTNEED and (shown.shared or shown.file != NO_FILE)
            for number in [SHARED] if shown.shared else [m.asid, *children]:
                zero = zeroes and not kept and number not in children
                found.append(Span(number, shown.page(low), shown.page(high), zero))
        discard = Discard(m.op, at, None, m.kind in _HOLES)
        for span in found:
            history = self.lines[span.line].history
            history.called(span.low, span.high, discard, reopens=m.kind == OpKind.ZERO)
        return tuple(found)

    def _begins(self, lane: int, changes: tuple[Change, ...]) -> None:
        """A call begins to change the map; calls in flight that discard may meet what it makes."""
        asid = changes[0].asid
        self.places.begins(lane, changes, self._children(asid))
        calls = (f for f in self.in_flight.values() if f.call.kind in self.discards)
        self.during[lane] = tuple((f.call, f.at) for f in calls if f.call.asid == asid)

    def _met(self, lane: int, ranges: tuple[tuple[int, int], ...], at: At) -> None:
        """What ranges show now may have been discarded by calls in flight with the one that did it.

        Whether they meant that, or what was there then, is not known: so neither need be zero.
        """
        for m, called in self.during.pop(lane):
            start, end = page_span(m.va, m.length)
            flight = self.in_flight.get(m.op)
            for low, high in ranges:
                found = self._discard(m, max(low, start), min(high, end), called)
                if flight is not None and flight.call is m:
                    spans = (span._replace(zeroes=False) for span in (*flight.spans, *found))
                    flight = flight._replace(spans=tuple(spans))
                    self.in_flight[m.op] = flight
                    continue
                for span in found:
                    self.lines[span.line].history.ended(span.low, span.high, m.op, at)

    def _children(self, asid: int) -> list[int]:
        """List the processes that are being forked off another."""
        return [fork.child for fork in self.forks.values() if fork.parent == asid]

    def _fork(self, m: Call, sent: Clock) -> None:
        child = self.process_of[m.args[0]]
        parent = self.lines[m.asid]
        self.places.fork(m.op, m.asid, child)
        for flight in self.in_flight.values():
            if flight.call.kind == OpKind.MINHERIT and flight.call.asid == m.asid:
                start, end = page_span(flight.call.va, flight.call.length)
                self.places.forget(child, start, end)
        self.lines[child] = parent.fork(child, sent)
        for lane, flight in self.in_flight.items():
            copied = (
                span._replace(line=child, zeroes=False)
                for span in flight.spans
                if span.line == m.asid
            )
            self.in_flight[lane] = flight._replace(spans=(*flight.spans, *copied))
        self.forks[m.op] = Forking(m.asid, child, sent, None)

    def returned(self, lane: int, error: int, at: At) -> None:
        """The vm has answered a call."""
        flight = self.in_flight.pop(lane, None)
        if flight is None:
            return  # of a page daemon
        m = flight.call
        if m.kind in _MAPS:
            self._mapped(m, at, failed=bool(error))
        elif m.kind == OpKind.MREMAP:
            self.places.moved(m.op, at, keep=bool(m.args[2]), failed=bool(error))
            self._met(m.op, (page_span(m.va, m.length), page_span(*m.args[:2])), at)
        elif m.kind == OpKind.MINHERIT:
            self._inherited(m, error)
        self.forks.pop(lane, None)
        for span in flight.spans:
            history = self.lines[span.line].history
            history.ended(span.low, span.high, lane, at)
            if m.kind == OpKind.ZERO:
                history.returned(span.low, span.high, lane, at)
            elif span.zeroes and error in _DONE:
                history.discarded(span.low, span.high, Zeroed(lane, flight.called, None, at))

    def _mapped(self, m: Call, at: At, *, failed: bool) -> None:
        (change,) = self.places.changes[m.op]
        shown = None
        if m.kind == OpKind.MMAP:
            _, shared, file, first = m.args
            below = first - change.start if file != NO_FILE else 0
            if shared and file != NO_FILE:
                mapping, shift = FILES | file, below
            else:
                mapping, shift = self.places.new_mapping(m.op), 0
            shown = Shown(
                mapping,
                shift,
                bool(shared),
                file,
                below,
                wiped=False,
                called=change.called,
                since=at,
            )
        self.places.ends(m.op, shown, failed=failed)
        self._met(m.op, ((change.start, change.end),), at)

    def _inherited(self, m: Call, error: int) -> None:
        """Take in what children see from now on; an error means that it ended at shared memory."""
        on, off = m.args
        if not (on | off) & INHERITED_ZERO:
            return
        start, end = page_span(m.va, m.length)
        for shown, low, high in self.places.pieces(m.asid, start, end):
            if error not in _DONE and (shown.shared or shown.file != NO_FILE):
                return
            self.places.wipes(m.asid, low, high, wiped=bool(on))

    # What is stated.

    def protected(self, lane: int, at: At) -> None:
        """An operation's shootdown is complete: a fork's, say, of the parent's right to store."""
        fork = self.forks.get(lane)
        if fork is not None and fork.protected is None:
            self.forks[lane] = fork._replace(protected=at)

    def starts_over(self, lane: int) -> None:
        """An operation gives up what it holds: the parent of a fork may store again."""
        fork = self.forks.get(lane)
        if fork is not None:
            self.forks[lane] = fork._replace(protected=None)

    def settled(self, asid: int, start: int, end: int, at: At) -> None:
        """HOLE's invalidation of a range is complete."""
        if self.places.is_changing(asid, start, end):
            return  # the map may have changed already, or not
        for history, low, high in self._pages(asid, start, end):
            history.settled(low, high, at)

    def granted(self, lane: int, asid: int, start: int, end: int, at: At) -> None:
        """ZERO gives a range back."""
        zero = Zeroed(lane, self.in_flight[lane].called, at, None)
        for history, low, high in self._pages(asid, start, end):
            history.granted(low, high, zero)
        for child in self._children(asid):  # it may have been forked off before that or after
            for history, low, high in self._pages(child, start, end):
                history.reopened(low, high, lane, at)

    def stored(self, asid: int, key: int, stored: Stored) -> None:
        """A store to private memory: what is being forked off may have it or not."""
        for fork in self.forks.values():
            if fork.parent == asid and not (
                fork.protected is not None and stored.issued.knows(fork.protected)
            ):
                child = self.lines[fork.child]
                child.maybe[key] = (stored, *child.maybe.get(key, ()))

    # For exploring.

    def copy(self) -> "CallEffects":
        """Copy the containers."""
        twin = object.__new__(CallEffects)
        twin.process_of = self.process_of
        twin.discards = self.discards
        twin.places = self.places.copy()
        twin.lines = {number: line.copy() for number, line in self.lines.items()}
        twin.in_flight = self.in_flight.copy()
        twin.forks = self.forks.copy()
        twin.during = self.during.copy()
        return twin

    def retained(self) -> tuple[object, ...]:
        """Give what a later verdict may depend on."""
        return (
            self.places.retained(),
            tuple(line.retained() for _, line in sorted(self.lines.items())),
            tuple(
                (
                    lane,
                    flight.called,
                    flight.at,
                    tuple((s.line, *_split(s.low), *_split(s.high)) for s in flight.spans),
                )
                for lane, flight in sorted(self.in_flight.items())
            ),
            tuple(
                (lane, f.parent, f.child, f.called, f.protected or ())
                for lane, f in sorted(self.forks.items())
            ),
            tuple(
                (lane, tuple((m.op, m.kind, m.va, m.length, at) for m, at in found))
                for lane, found in sorted(self.during.items())
                if found
            ),
        )


def _split(page: int) -> tuple[int, int]:
    return page >> MAPPING_SHIFT, page & (1 << MAPPING_SHIFT) - 1
