"""Names of lanes: guest threads, kernel threads, and TLB entries on their way out."""

from collections.abc import Sequence

from actors.settings import KERNEL_LANE, TLB_LANE

_ENTRY = "tlb.0x"


def lane_name(lane: int, threads: Sequence[str], actors: Sequence[str]) -> str:
    """Name a lane; one that nobody has (in a trace that is none of ours) by its number."""
    if 0 <= lane < len(threads):
        return threads[lane]
    if KERNEL_LANE <= lane < KERNEL_LANE + len(actors):
        return actors[lane - KERNEL_LANE]
    if lane >= TLB_LANE:
        return f"{_ENTRY}{lane - TLB_LANE:x}"
    return str(lane)


def lane_named(name: str, threads: Sequence[str], actors: Sequence[str]) -> int | None:
    """Find the lane of a name, if there is one."""
    if name in threads:
        return threads.index(name)
    if name in actors:
        return KERNEL_LANE + actors.index(name)
    if name.startswith(_ENTRY):
        try:
            return TLB_LANE + int(name.removeprefix(_ENTRY), 16)
        except ValueError:
            return None
    return None
