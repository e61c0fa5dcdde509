"""PAGE_OUT: no page of a hole is written to swap."""

from cluster.properties.known.known import Known
from kernel.policy.keys import HoleAccess, Rogue
from kernel.policy.promises import Property
from kernel.units import CELL_SHIFT


def no_hole_goes_out(known: Known, pfn: int, lane: int) -> None:
    """Judge that a frame is sent to swap, by what was stored there."""
    policy = known.given.policy
    if policy.hole_access is HoleAccess.PERMISSIVE and policy.rogue is Rogue.REUSE_PAGE:
        return  # a page that is touched leaves the hole
    for line, key in sorted(
        {(line, key >> CELL_SHIFT) for _, (line, key) in known.cells.page(pfn)}
    ):
        if known.histories.of[line].at(key).is_hole:
            text = f"frame {pfn:#x} is written to swap, but its page is in a hole"
            known.reports.add(Property.PAGE_OUT, text, 0, -1, (lane,))
            return
