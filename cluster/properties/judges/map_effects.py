"""What system calls mean for what each address space shows where."""

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At
from cluster.properties.judges import windows
from cluster.properties.known.calls import InFlight
from cluster.properties.known.known import Known
from cluster.properties.known.shown import FILES, NO_FILE, UNSURE, Change, Shown
from cluster.properties.outcomes import Outcome
from kernel.units import VPN_LIMIT, page_span

_MAPS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})


def called(known: Known, m: Call, at: At) -> None:
    """Note that a call arrived which may change a map."""
    start, end = page_span(m.va, m.length)
    if m.kind in _MAPS:
        if m.kind in _WHOLE:
            start, end = 0, VPN_LIMIT
        _begins(known, m.op, (Change(m.asid, start, end, at),))
    elif m.kind == OpKind.MREMAP:
        new = page_span(*m.args[:2])
        _begins(known, m.op, (Change(m.asid, start, end, at), Change(m.asid, *new, at)))
    elif m.kind == OpKind.MINHERIT:
        for child in known.calls.children(m.asid):  # it may have gone before
            known.places.doubt(child, start, end)


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


def returned(known: Known, flight: InFlight, done: Outcome, at: At) -> None:
    """Note that a call has returned, and what is mapped now."""
    m = flight.call
    if m.kind in _MAPS:
        _mapped(known, m, at, failed=done is Outcome.NOTHING)
        known.cells.settled(flight.at, known.places)
    elif m.kind == OpKind.MREMAP:
        known.places.moved(m.op, at, keep=bool(m.args[2]), done=done)
        known.cells.settled(flight.at, known.places)
        _met(known, m.op, (page_span(m.va, m.length), page_span(*m.args[:2])), at)
    elif m.kind == OpKind.MINHERIT:
        _inherited(known, m, done)


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
        shown = Shown(mapping, shift, bool(shared), file, below, 0, change.called, at)
    known.places.ends(m.op, shown, at, failed=failed)
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
            found = windows.opens(known, m, max(low, start), min(high, end), arrived)
            if flight is not None and flight.call is m:
                spans = tuple([span.unsure() for span in (*flight.spans, *found)])
                flight = in_flight[m.op] = flight.with_spans(spans)
                continue
            for span in found:
                known.histories.of[span.line].ended(span.low, span.high, m.op, at)


def _inherited(known: Known, m: Call, done: Outcome) -> None:
    """Note what children see from now on; what was done only in part is not certain."""
    if done is not Outcome.NOTHING:
        on, off = m.args
        on, off = (on, off) if done is Outcome.DONE else (UNSURE, 0)
        known.places.inherits(m.asid, *page_span(m.va, m.length), on, off)
