"""Judging at deadlines whether a core may still use what was taken away: TRANSLATION."""

from collections.abc import Callable, Iterable

from actors.operation import OpKind
from cluster.properties.clock import At, Clock
from cluster.properties.deadlines import RETURNS, Deadline, Due
from cluster.properties.known.calls import InFlight
from cluster.properties.known.debts import Owed
from cluster.properties.known.fill import Fill
from cluster.properties.known.known import Known
from cluster.properties.known.translations import Holder
from kernel import pte as pte_bits
from kernel.policy.promises import Property
from kernel.units import ASID_SHIFT, VPN_LIMIT, VPN_MASK, page_span

_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})
#: calls that may take entries away
_TAKES = frozenset(RETURNS) | {OpKind.ADVISE_PAGEOUT}
#: calls that leave alone what is locked or pinned
_VETOED = frozenset({OpKind.HOLE, OpKind.ZERO})
#: calls that are about shared memory alone, or about private memory
_SHARED: dict[int, bool] = {OpKind.FORK: False, OpKind.ADVISE_REMOVE: True}


def report(known: Known, holders: Iterable[Holder]) -> None:
    """Report cores that may use entries that they should have lost."""
    for holder in holders:
        name = known.given.names[holder.core]
        text = f"{holder.deadline}, but {name} may still use its old entry of page {holder.vpn:#x}"
        known.reports.add(Property.TRANSLATION, text, holder.asid, holder.vpn, (holder.lane,))


def returns(known: Known, vm: int, flight: InFlight, at: At, clock: Clock) -> None:
    """Judge what is due when a call has done what it was called for, in the vm's event `at`.

    What was sent since the call arrived may have been taken away after it by somebody else, who
    owes the flush: such an entry is judged only if there was nobody else.
    """
    m, alone = flight.call, None
    for row in RETURNS.get(OpKind(m.kind), ()):
        if not (row.under(known.given.policy) and row.taking(m.args)):
            continue
        base = m.asid << ASID_SHIFT
        ptes = known.observed.page_table(vm, m.asid)
        owed = Owed(f"{row.name} has returned", m.op, (), at if row.left else None)
        for start, end in _spans(known, flight):
            for va in known.translations.within(base | start, base + end):
                if alone is None:
                    alone = _is_alone(known, m.op)
                good = good_for(row.due, ptes.get(va & VPN_MASK, 0))
                if not alone:
                    good = _or_later(good, flight.at.number)
                if row.left:
                    known.translations.leave(va, good, clock, owed)
                else:
                    holders = known.translations.due(va, good, clock, known.roots, owed)
                    if holders:
                        report(known, holders)


def _is_alone(known: Known, lane: int) -> bool:
    """Say whether nobody else may have taken entries away: no call, fault, nor page daemon."""
    calls = known.calls
    return not (
        calls.scans
        or any(other != lane for other in calls.shooting)
        or any(other != lane for other in known.under_way.faults)
        or any(flight.call.kind in _TAKES for flight in calls.in_flight.values())
    )


def _or_later(good: Callable[[Fill], bool], arrived: int) -> Callable[[Fill], bool]:
    return lambda fill: fill.sent.number > arrived or good(fill)


def _spans(known: Known, flight: InFlight) -> list[tuple[int, int]]:
    """List the ranges of pages that a call is about; HOLE and ZERO leave alone what is held."""
    m = flight.call
    if m.kind in _WHOLE:
        return [(0, VPN_LIMIT)]
    span = (0, VPN_LIMIT) if m.kind == OpKind.FORK else page_span(m.va, m.length)
    if m.kind in _SHARED:
        pieces = known.places.pieces(m.asid, *span)
        return [(low, high) for shown, low, high in pieces if shown.shared is _SHARED[m.kind]]
    if m.kind in _VETOED:
        return _sure(known, flight)
    return [span, page_span(*m.args[:2])] if m.kind == OpKind.MREMAP else [span]


def _sure(known: Known, flight: InFlight) -> list[tuple[int, int]]:
    """List the pages that nothing has spared a call."""
    m, found = flight.call, []
    for shown, low, high in known.places.pieces(m.asid, *page_span(m.va, m.length)):
        line, first = shown.line(m.asid), shown.page(low)
        for span in flight.spans:
            if span.sure and span.line == line:
                start, end = max(span.low - first + low, low), min(span.high - first + low, high)
                if start < end:
                    found.append((start, end))
    return found


def of_frame(known: Known, vm: int, row: Deadline, pfn: int, lane: int, clock: Clock) -> None:
    """Judge what is due of a frame, at an event of its vm."""
    translations = known.translations
    for va in translations.of_frame(pfn):
        if va not in translations.cores:  # mostly: who took it away has flushed
            continue
        name = f"frame {pfn:#x} {_FRAME_TEXT[row.due]}"
        pte = known.observed.page_table(vm, va >> ASID_SHIFT).get(va & VPN_MASK, 0)
        judge = good_for(row.due, pte)

        def good(fill: Fill, judge: Callable[[Fill], bool] = judge) -> bool:
            return fill.pfn != pfn or judge(fill)

        report(known, translations.due(va, good, clock, known.roots, Owed(name, lane, (), None)))


_FRAME_TEXT = {
    Due.ALL: "is freed",
    Due.WRITE: "is given out to be zeroed or copied",
    Due.BOTH: "is sent to swap",
}


def replaced(known: Known, core: int, va: int, pfn: int, lane: int, clock: Clock) -> None:
    """Judge what is due when a core is let store to a page: all others show the same frame.

    Not where a call is about to take the page away: it flushes before it returns.
    """
    if _is_going(known, va >> ASID_SHIFT, va & VPN_MASK):
        return
    spared = 1 << core | known.translations.debts.debtors(va)

    def good(fill: Fill) -> bool:
        return fill.pfn == pfn

    name = f"a fault of page {va & VPN_MASK:#x} is resolved with another frame"
    owed = Owed(name, lane, (), None)
    report(known, known.translations.due(va, good, clock, known.roots, owed, spared=spared))


def _is_going(known: Known, asid: int, vpn: int) -> bool:
    """Say whether a page may be discarded, or mapped anew, by a call in flight."""
    if known.places.is_changing(asid, vpn, vpn + 1):
        return True
    found = known.places.pieces(asid, vpn, vpn + 1)
    if not found:
        return True
    shown, _, _ = found[0]
    history = known.histories.of[shown.line(asid)].at(shown.page(vpn))
    return any(not d.returned for d in history.discards)


def good_for(due: Due, pte: int) -> Callable[[Fill], bool]:
    """Return what says of a fill that it is not too much, against a page table's entry."""
    if due is Due.ALL:
        return lambda _fill: False
    if due is Due.RIGHTS:
        return lambda fill: fill.is_within(pte, dirty=False)
    if due is Due.BOTH:
        return lambda fill: not fill.writable or fill.is_within(pte, dirty=True)
    if due is Due.WRITE:
        return lambda fill: not fill.writable or fill.is_within(pte, dirty=False)
    assert due is Due.DIRTY
    same = pte_bits.pfn_of(pte) if pte & pte_bits.P else -1
    clean = not pte & pte_bits.D
    return lambda fill: not (fill.dirty and clean and fill.pfn == same)
