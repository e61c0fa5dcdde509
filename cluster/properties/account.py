"""ACCOUNT and PROGRESS: full recounts of state, and nothing left over at the end."""

from actors.messages import Call, Free, Load, Store, ZeroChunk
from cluster.properties.observed import Observed
from cluster.properties.reports import Reports
from kernel.policy.promises import Property

#: messages whose delivery says that a thread gets on, or that pages are zeroed
GETS_ON: frozenset[type] = frozenset({Load, Store, Call, ZeroChunk})
#: deliveries without anything done: far beyond what the largest operation takes
LIVELOCK = 1_000_000


def recount(observed: Observed, vm: int, reports: Reports, lanes: tuple[int, ...]) -> None:
    """Check the resident sets of a vm by a full count; `lanes` are those with a call in flight."""
    for one in observed.resident_sets(vm):
        if one.booked != one.counted:
            text = (
                f"the resident set of p{one.asid} is {one.booked} pages, counted are {one.counted}"
            )
            reports.add(Property.ACCOUNT, text, one.asid, -1, lanes)


def zero_as_believed(observed: Observed, memory: int, m: Free, reports: Reports) -> None:
    """Check that frames that are freed as known to be zero are zero."""
    for pfn in m.pfns:
        if not observed.is_zero(memory, pfn):
            text = f"frame {pfn:#x} is freed as known to be zero, and is not"
            reports.add(Property.CLEAN, text, 0, -1, (m.op,))


def every_frame_once(observed: Observed, reports: Reports) -> None:
    """Check at quiescence that each frame that was handed out is in one page, or free once."""
    held = observed.frames_held()
    for pfn in sorted(pfn for pfn, count in held.items() if count > 1):
        reports.add(Property.ACCOUNT, f"frame {pfn:#x} is in {held[pfn]} places", 0, -1, ())
    out = observed.frames_handed_out()
    if len(held) != out:
        text = f"{out} frames were handed out, {len(held)} are in a page or free"
        reports.add(Property.ACCOUNT, text, 0, -1, ())


def every_slot_once(observed: Observed, reports: Reports) -> None:
    """Check at quiescence that the slots of swap in use are each one page's copy."""
    held, in_use = observed.slots_held(), observed.slots_in_use()
    for slot in sorted(in_use.symmetric_difference(held)):
        what = "is in use, and no page's copy" if slot in in_use else "is a page's copy, and free"
        reports.add(Property.ACCOUNT, f"slot {slot} of swap {what}", 0, -1, ())
    for slot in sorted(slot for slot, count in held.items() if count > 1):
        reports.add(Property.ACCOUNT, f"slot {slot} of swap is the copy of two pages", 0, -1, ())


def nothing_waits(observed: Observed, names: tuple[str, ...], reports: Reports) -> bool:
    """Check that a quiet run has no operation, lock, busy page, interrupt or request left.

    Return whether it has none.
    """
    starved = observed.starved()
    if starved:
        text = (
            f"out of memory: {starved} allocations wait for a frame and nothing is left to "
            "reclaim; give the machine more frames (machine.frames)"
        )
        reports.add(Property.PROGRESS, text, 0, -1, ())
        return False
    in_vain = observed.awaited_in_vain()
    left = [(actor, what) for actor, what in observed.waiting() if what not in in_vain]
    for actor, what in left:
        reports.actor = actor
        text = f"nothing is in flight, but {names[actor]}: {what}"
        reports.add(Property.PROGRESS, text, 0, -1, ())
    return not left


def report_livelock(reports: Reports) -> None:
    """Report that nobody gets on: every operation ends within a bound."""
    text = f"no thread has got on in {LIVELOCK:,} deliveries"
    reports.add(Property.PROGRESS, text, 0, -1, ())
