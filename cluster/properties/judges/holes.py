"""Pages of holes: none is written to swap (PAGE_OUT), none is mapped (FATAL)."""

from actors.messages import Call
from cluster.properties.clock import Clock
from cluster.properties.known.known import Known
from kernel import pte as pte_bits
from kernel.policy.keys import HoleAccess, HoleRecord, Rogue
from kernel.policy.promises import Property
from kernel.units import CELL_SHIFT, page_span


def no_hole_goes_out(known: Known, memory: int, vm: int, pfn: int, lane: int, sent: Clock) -> None:
    """Judge that a memory writes a frame to swap: by what it holds, and when its vm said so.

    Where a touch may take a page out of its hole, what was stored before the hole must be there.
    """
    policy = known.given.policy
    permissive = policy.hole_access is HoleAccess.PERMISSIVE
    if permissive and policy.rogue is Rogue.REUSE_PAGE:
        return
    number = sent.number(vm)
    flagged = policy.hole_state is HoleRecord.PAGE_FLAG
    for granule in known.observed.stored_in(memory, pfn):
        origin = known.cells.origin.get(pfn << CELL_SHIFT | granule)
        if origin is None:
            continue
        line, key = origin
        if any(line in other.ancestors for n, other in known.lines.of.items() if n != line):
            return  # a child may have the frame, and no hole
        stored = known.lines.of[line].own.get(key)
        for hole in known.histories.of[line].at(key >> CELL_SHIFT).holes:
            if not hole.is_open_at(number):
                continue
            old = stored is not None and stored.used and stored.used.number < hole.settled.number
            if old or not flagged:
                text = f"frame {pfn:#x} is written to swap, but its page is in a hole"
                known.reports.add(Property.PAGE_OUT, text, 0, -1, (lane,))
                return


def none_is_mapped(known: Known, vm: int, m: Call) -> None:
    """Judge that the page table gives user code no page of a hole, when HOLE returns."""
    ptes = known.observed.page_table(vm, m.asid)
    for shown, low, high in known.places.pieces(m.asid, *page_span(m.va, m.length)):
        history = known.histories.of[shown.line(m.asid)]
        pages = ptes if len(ptes) < high - low else range(low, high)
        for vpn in sorted(vpn for vpn in pages if low <= vpn < high and vpn in ptes):
            usable = pte_bits.permits(ptes[vpn], write=False)
            if usable and history.at(shown.page(vpn)).is_hole:
                text = f"HOLE has returned, and the page table still gives page {vpn:#x}"
                known.reports.add(Property.FATAL, text, m.asid, vpn, (m.op,))
