"""What system calls mean for contents: mappings, forks, discards, ZEROs, holes."""

from collections.abc import Iterable, Iterator

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At, Clock
from cluster.properties.known.calls import Forking, InFlight, Span
from cluster.properties.known.history import Discard, History, Zeroed
from cluster.properties.known.known import Known
from cluster.properties.known.shown import FILES, NO_FILE, SHARED, Change, Shown
from kernel.errors import Errno
from kernel.units import VPN_LIMIT, page_span
from kernel.vm_map import INHERITED_ZERO

_HOLES = frozenset({OpKind.HOLE, OpKind.ZERO})
_ZEROES = frozenset({OpKind.ZERO, OpKind.ADVISE_DONTNEED, OpKind.ADVISE_REMOVE})
_MAPS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})
#: errors after which all that is mapped was done nevertheless
_DONE = frozenset({Errno.OK, Errno.ENOMEM})


# Calls.


def called(known: Known, m: Call, at: At, sent: Clock) -> None:
    """Note that a call arrived at its vm, in event `at`."""
    start, end = page_span(m.va, m.length)
    spans: tuple[Span, ...] = ()
    if m.kind in _MAPS:
        if m.kind in _WHOLE:
            start, end = 0, VPN_LIMIT
        _begins(known, m.op, (Change(m.asid, start, end, at),))
    elif m.kind == OpKind.MREMAP:
        new = page_span(*m.args[:2])
        _begins(known, m.op, (Change(m.asid, start, end, at), Change(m.asid, *new, at)))
    elif m.kind == OpKind.MINHERIT:
        for child in known.calls.children(m.asid):  # it may have gone before
            known.places.forget(child, start, end)
    elif m.kind == OpKind.FORK:
        _fork(known, m, sent)
    elif m.kind in known.given.discards:
        spans = _discard(known, m, start, end, at)
        during = known.calls.during
        for lane, changes in known.places.changes.items():
            if changes[0].asid == m.asid:
                during[lane] = (*during[lane], (m, at))
    known.calls.in_flight[m.op] = InFlight(m, sent, spans, at)


def _begins(known: Known, lane: int, changes: tuple[Change, ...]) -> None:
    """Note that a call begins to change the map; calls in flight may discard what it makes."""
    asid, calls = changes[0].asid, known.calls
    known.places.begins(lane, changes, calls.children(asid))
    discards = known.given.discards
    calls.during[lane] = tuple(
        (f.call, f.at)
        for f in calls.in_flight.values()
        if f.call.kind in discards and f.call.asid == asid
    )


def _discard(known: Known, m: Call, start: int, end: int, at: At) -> tuple[Span, ...]:
    """Open a window in which contents may be lost, also in children that are being forked off."""
    children = known.calls.children(m.asid)
    zeroes = m.kind in _ZEROES
    found = []
    for shown, low, high in known.places.pieces(m.asid, start, end):
        if m.kind == OpKind.ADVISE_REMOVE and not shown.shared:
            continue
        kept = m.kind == OpKind.ADVISE_DONTNEED and (shown.shared or shown.file != NO_FILE)
        for number in [SHARED] if shown.shared else [m.asid, *children]:
            zero = zeroes and not kept and number not in children
            found.append(Span(number, shown.page(low), shown.page(high), zero))
    discard = Discard(m.op, at, None, m.kind in _HOLES)
    for span in found:
        history = known.histories.of[span.line]
        history.called(span.low, span.high, discard, reopens=m.kind == OpKind.ZERO)
    return tuple(found)


def _fork(known: Known, m: Call, sent: Clock) -> None:
    """Note a fork: the child has its parent's map, contents and windows, as they are now."""
    child = known.given.process_of[m.args[0]]
    parent, calls = m.asid, known.calls
    known.places.fork(m.op, parent, child)
    known.cells.fork(parent, child)
    for flight in calls.in_flight.values():
        if flight.call.kind == OpKind.MINHERIT and flight.call.asid == parent:
            known.places.forget(child, *page_span(flight.call.va, flight.call.length))
    lines, histories = known.lines.of, known.histories.of
    lines[child] = lines[parent].fork(child, sent)
    histories[child] = histories[parent].copy()
    for lane, flight in calls.in_flight.items():
        copied = (
            Span(child, s.low, s.high, zeroes=False) for s in flight.spans if s.line == parent
        )
        calls.in_flight[lane] = flight.with_spans((*flight.spans, *copied))
    calls.forks[m.op] = Forking(parent, child, sent, None)


def returned(known: Known, lane: int, error: int, at: At) -> None:
    """Note that the vm has answered a call, in event `at`."""
    flight = known.calls.in_flight.pop(lane, None)
    if flight is None:
        return  # of a page daemon
    m = flight.call
    if m.kind in _MAPS:
        _mapped(known, m, at, failed=bool(error))
    elif m.kind == OpKind.MREMAP:
        known.places.moved(m.op, at, keep=bool(m.args[2]), failed=bool(error))
        _met(known, m.op, (page_span(m.va, m.length), page_span(*m.args[:2])), at)
    elif m.kind == OpKind.MINHERIT:
        _inherited(known, m, error)
    known.calls.forks.pop(lane, None)
    for span in flight.spans:
        history = known.histories.of[span.line]
        history.ended(span.low, span.high, lane, at)
        if m.kind == OpKind.ZERO:
            history.returned(span.low, span.high, lane, at)
        elif span.zeroes and error in _DONE:
            history.zeroed(span.low, span.high, Zeroed(lane, flight.called, None, at))


def _mapped(known: Known, m: Call, at: At, *, failed: bool) -> None:
    (change,) = known.places.changes[m.op]
    shown = None
    if m.kind == OpKind.MMAP:
        _, shared, file, first = m.args
        below = first - change.start if file != NO_FILE else 0
        if shared and file != NO_FILE:
            mapping, shift = FILES | file, below
        else:
            mapping, shift = known.places.new_mapping(m.op), 0
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
    known.places.ends(m.op, shown, failed=failed)
    _met(known, m.op, ((change.start, change.end),), at)


def _met(known: Known, lane: int, ranges: tuple[tuple[int, int], ...], at: At) -> None:
    """Note that calls in flight may have discarded what `lane` has just mapped in these ranges.

    Whether they meant that, or what was there before, is not known: so neither need be zero.
    """
    in_flight = known.calls.in_flight
    for m, arrived in known.calls.during.pop(lane):
        start, end = page_span(m.va, m.length)
        flight = in_flight.get(m.op)
        for low, high in ranges:
            found = _discard(known, m, max(low, start), min(high, end), arrived)
            if flight is not None and flight.call is m:
                spans = (Span(s.line, s.low, s.high, zeroes=False) for s in (*flight.spans, *found))
                flight = in_flight[m.op] = flight.with_spans(tuple(spans))
                continue
            for span in found:
                known.histories.of[span.line].ended(span.low, span.high, m.op, at)


def _inherited(known: Known, m: Call, error: int) -> None:
    """Note what children see from now on; an error means that it ended at shared memory."""
    on, off = m.args
    if not (on | off) & INHERITED_ZERO:
        return
    start, end = page_span(m.va, m.length)
    for shown, low, high in known.places.pieces(m.asid, start, end):
        if error not in _DONE and (shown.shared or shown.file != NO_FILE):
            return
        known.places.wipes(m.asid, low, high, wiped=bool(on))


# What is stated.


def settled(known: Known, asid: int, start: int, end: int, at: At) -> None:
    """Note that HOLE's invalidation of a range is complete."""
    if known.places.is_changing(asid, start, end):
        return  # the map may have changed already, or not
    for history, low, high in _pages(known, asid, start, end):
        history.settled(low, high, at)


def granted(known: Known, lane: int, asid: int, pages: tuple[int, int], at: At) -> None:
    """Note that ZERO gives pages [start, end) back."""
    zero = Zeroed(lane, known.calls.in_flight[lane].called, at, None)
    for history, low, high in _pages(known, asid, *pages):
        history.granted(low, high, zero)
    for child in known.calls.children(asid):  # it may have been forked off before that or after
        for history, low, high in _pages(known, child, *pages):
            history.reopened(low, high, lane, at)


def _pages(known: Known, asid: int, start: int, end: int) -> Iterator[tuple[History, int, int]]:
    """Yield the histories of what a range shows, with the keys of the pages there."""
    pieces: Iterable[tuple[Shown, int, int]] = known.places.pieces(asid, start, end)
    for shown, low, high in pieces:
        yield known.histories.of[shown.line(asid)], shown.page(low), shown.page(high)
