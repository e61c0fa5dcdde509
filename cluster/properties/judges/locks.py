"""LOCKED: what is locked, or pinned, stays, whatever is advised; no hole is certain there."""

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.known.calls import InFlight, Span
from cluster.properties.known.known import Known
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import SHARED
from cluster.properties.outcomes import Outcome
from kernel.policy.promises import Property
from kernel.units import VPN_LIMIT, page_span

#: calls that take locks away where they take the memory
_ENDS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.MREMAP, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})
_HOLDS = frozenset({OpKind.MLOCK, OpKind.DMA})


def _ranges(m: Call) -> list[tuple[int, int]]:
    if m.kind in _WHOLE:
        return [(0, VPN_LIMIT)]
    found = [page_span(m.va, m.length)]
    return [*found, page_span(*m.args[:2])] if m.kind == OpKind.MREMAP else found


def called(known: Known, m: Call) -> None:
    """Note that a call arrived which may lock memory, pin it, or let it go."""
    rights = known.rights
    if m.kind in _HOLDS:
        start, end = page_span(m.va, m.length)
        if m.kind == OpKind.MLOCK:
            rights.doubt_locks(m.asid, start, end)
            for low, high in rights.locks[m.asid].gaps(start, end):
                rights.lock(m.asid, low, high, certain=False)
        _held(known, m.asid, start, end)
    elif m.kind == OpKind.MUNLOCK or m.kind in _ENDS:
        for start, end in _ranges(m):
            for low, high, _ in rights.locked(m.asid, start, end):
                rights.lock(m.asid, low, high, certain=False)
                for shown, first, last, _ in known.places.maybe(m.asid, low, high):
                    history = known.histories.of[shown.line(m.asid)]
                    history.may_discard(shown.page(first), shown.page(last))


def _held(known: Known, asid: int, start: int, end: int) -> None:
    """Note that pages may be held from now on: holes, and calls in flight, may leave them alone."""
    for shown, low, high, _ in known.places.maybe(asid, start, end):
        line, first, last = shown.line(asid), shown.page(low), shown.page(high)
        known.histories.of[line].doubted(first, last)
        for lane, flight in known.calls.in_flight.items():
            if any(_overlap(s, line, first, last) for s in flight.spans):
                spans = tuple(
                    s.unsure() if _overlap(s, line, first, last) else s for s in flight.spans
                )
                known.calls.in_flight[lane] = flight.with_spans(spans)


def _overlap(span: Span, line: int, low: int, high: int) -> bool:
    return span.line == line and span.low < high and low < span.high


def returned(known: Known, flight: InFlight, done: Outcome) -> None:
    """Note that a call has returned, and what is locked now."""
    m, rights = flight.call, known.rights
    if m.kind == OpKind.MLOCK and done is Outcome.DONE:
        rights.lock(m.asid, *page_span(m.va, m.length), certain=True)
    elif (m.kind == OpKind.MUNLOCK or m.kind in _ENDS) and done is Outcome.DONE:
        moved = rights.locked(m.asid, *page_span(m.va, m.length)) if m.kind == OpKind.MREMAP else []
        for start, end in _ranges(m):
            rights.unlock(m.asid, start, end)
        _moved(known, m, moved)
    elif m.kind == OpKind.MREMAP:
        _moved(known, m, rights.locked(m.asid, *page_span(m.va, m.length)))


def _moved(known: Known, m: Call, locked: list[tuple[int, int, bool]]) -> None:
    """Note that mremap may have moved locks along; what a mapping grows by is locked, too."""
    if not locked:
        return
    (old, _), (new, end) = _ranges(m)
    for low, high, _ in locked:
        at = new + low - old
        known.rights.lock(m.asid, at, max(min(at + high - low, end), at), certain=False)
    grown = new + locked[-1][1] - old
    if grown < end:
        known.rights.lock(m.asid, grown, end, certain=False)


def are_pins(known: Known) -> bool:
    """Say whether a device may have pinned anything."""
    if known.transfers.held:
        return True
    return any(f.call.kind == OpKind.DMA for f in known.calls.in_flight.values())


def spared(known: Known, m: Call, start: int, end: int) -> list[tuple[int, int, int]]:
    """List what a call must not discard, as it is locked: (line, first page, end)."""
    ranges = []
    if m.kind != OpKind.ADVISE_DONTNEED or not m.args:  # MADV_DONTNEED_LOCKED
        found = known.rights.locked(m.asid, start, end)
        ranges = [(low, high) for low, high, certain in found if certain]
    return [
        (shown.line(m.asid), shown.page(first), shown.page(last))
        for low, high in ranges
        for shown, first, last in known.places.pieces(m.asid, low, high)
    ]


def handed_out(known: Known, pfn: int, lane: int) -> None:
    """Judge that a vm gives a frame out to be zeroed."""
    if any(one.pfn == pfn for held in known.transfers.held.values() for one in held):
        text = f"frame {pfn:#x} is given out to be zeroed while a device has it pinned"
        known.reports.add(Property.LOCKED, text, 0, -1, (lane,))


def split(known: Known, span: Span) -> list[Span]:
    """Split a span, so that no part is sure which something holds."""
    if not span.sure:
        return [span]
    free = without_vetoed(known, span)
    held = PageRanges(free).gaps(span.low, span.high)
    return [Span(span.line, low, high, sure=True) for low, high in free] + [
        Span(span.line, low, high) for low, high in held
    ]


def without_vetoed(known: Known, span: Span) -> list[tuple[int, int]]:
    """List the parts of a span that nothing holds: neither locks nor pins nor calls in flight."""
    held = []
    for asid in range(len(known.rights.locks)) if span.line == SHARED else (span.line,):
        ranges = [(low, high) for low, high, _ in known.rights.locks[asid].all()]
        ranges += [(p.vpn, p.vpn + 1) for p in known.transfers.pinned() if p.asid == asid]
        ranges += [
            page_span(f.call.va, f.call.length)
            for f in known.calls.in_flight.values()
            if f.call.kind in _HOLDS and f.call.asid == asid
        ]
        for low, high in ranges:
            held += [
                (shown.page(first), shown.page(last))
                for shown, first, last, _ in known.places.maybe(asid, low, high)
                if shown.line(asid) == span.line
            ]
    if not held:
        return [(span.low, span.high)]
    return PageRanges(held).gaps(span.low, span.high)
