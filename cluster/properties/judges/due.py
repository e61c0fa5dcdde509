"""Judging at deadlines whether a core may still use what was taken away: TRANSLATION."""

from collections.abc import Callable, Iterable

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At, Clock
from cluster.properties.deadlines import RETURNS, Deadline, Due
from cluster.properties.known.fill import Fill
from cluster.properties.known.known import Known
from cluster.properties.known.translations import Holder, Owed
from kernel import pte as pte_bits
from kernel.policy.promises import Property
from kernel.units import ASID_SHIFT, VPN_LIMIT, VPN_MASK, page_span

_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC, OpKind.FORK})


def report(known: Known, holders: Iterable[Holder]) -> None:
    """Report cores that may use entries that they should have lost."""
    for holder in holders:
        name = known.given.names[holder.core]
        text = f"{holder.deadline}, but {name} may still use its old entry of page {holder.vpn:#x}"
        known.reports.add(Property.TRANSLATION, text, holder.asid, holder.vpn, (holder.lane,))


def returns(known: Known, vm: int, m: Call, at: At, clock: Clock) -> None:
    """Judge what is due when a call has done what it was called for, in the vm's event `at`."""
    kind = OpKind(m.kind)
    for row in RETURNS.get(kind, ()):
        if not (row.under(known.given.policy) and row.taking(m.args)):
            continue
        spans = [(0, VPN_LIMIT)] if kind in _WHOLE else [page_span(m.va, m.length)]
        if kind is OpKind.MREMAP:
            spans.append(page_span(*m.args[:2]))
        base = m.asid << ASID_SHIFT
        ptes = known.observed.page_table(vm, m.asid)
        left = at if row.left else None
        owed = Owed(f"{row.name} has returned", m.op, (), left)
        for start, end in spans:
            for va in known.translations.within(base | start, base + end):
                good = good_for(row.due, ptes.get(va & VPN_MASK, 0))
                if row.left:
                    known.translations.leave(va, good, clock, owed)
                else:
                    holders = known.translations.due(va, good, clock, known.roots, owed)
                    if holders:
                        report(known, holders)


def of_frame(known: Known, vm: int, row: Deadline, pfn: int, lane: int, clock: Clock) -> None:
    """Judge what is due of a frame, at an event of its vm."""
    translations = known.translations
    name = f"frame {pfn:#x} {_FRAME_TEXT[row.due]}"
    for va in translations.of_frame(pfn):
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
    """Judge what is due when a core is let store to a page: all others show the same frame."""

    def good(fill: Fill) -> bool:
        return fill.pfn == pfn

    owed = Owed(
        f"a fault of page {va & VPN_MASK:#x} is resolved with another frame", lane, (), None
    )
    found = known.translations.due(va, good, clock, known.roots, owed, spared=1 << core)
    report(known, found)


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
