"""PAGE_OUT: no page of a hole is written to swap."""

from cluster.properties.clock import Clock
from cluster.properties.known.history import FatalHole
from cluster.properties.known.known import Known
from kernel.policy.keys import HoleAccess, HoleRecord, Rogue
from kernel.policy.promises import Property
from kernel.units import CELL_SHIFT


def no_hole_goes_out(known: Known, memory: int, pfn: int, lane: int, sent: Clock) -> None:
    """Judge that a memory writes a frame to swap: by what it holds, and was told to when.

    Where a touch may take a page out of its hole, what was stored before the hole must be there.
    """
    policy = known.given.policy
    permissive = policy.hole_access is HoleAccess.PERMISSIVE
    if permissive and policy.rogue is Rogue.REUSE_PAGE:
        return
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
            if not _is_open(hole, sent):
                continue
            old = stored is not None and stored.used and stored.used.number < hole.settled.number
            if old or not flagged:
                text = f"frame {pfn:#x} is written to swap, but its page is in a hole"
                known.reports.add(Property.PAGE_OUT, text, 0, -1, (lane,))
                return


def _is_open(hole: FatalHole, sent: Clock) -> bool:
    return sent.knows(hole.settled) and not (hole.reopened and sent.knows(hole.reopened))
