"""Names of lanes: guest threads, kernel threads, and TLB entries on their way out."""

import re
from collections.abc import Sequence

from actors.settings import KERNEL_LANE, TLB_LANE
from kernel.units import ASID_SHIFT, VPN_MASK

#: "tlb.p0.0x1": process, virtual page number
_ENTRY = re.compile(r"tlb\.p(\d{1,6})\.0x([0-9a-f]{1,10})")


def lane_name(lane: int, threads: Sequence[str], actors: Sequence[str]) -> str:
    """Name a lane; one that nobody has (in a trace that is none of ours) by its number."""
    if 0 <= lane < len(threads):
        return threads[lane]
    if KERNEL_LANE <= lane < KERNEL_LANE + len(actors):
        return actors[lane - KERNEL_LANE]
    if lane >= TLB_LANE:
        va = lane - TLB_LANE
        return f"tlb.p{va >> ASID_SHIFT}.0x{va & VPN_MASK:x}"
    return str(lane)


def lane_named(name: str, threads: Sequence[str], actors: Sequence[str]) -> int | None:
    """Find the lane of a name, if there is one."""
    if name in threads:
        return threads.index(name)
    if name in actors:
        return KERNEL_LANE + actors.index(name)
    if entry := _ENTRY.fullmatch(name):
        return TLB_LANE + (int(entry[1]) << ASID_SHIFT | int(entry[2], 16))
    return None
