"""What a run may show at least once; a green run in which all of these are 0 has shown nothing.

Counted are calls, shootdowns, faults, reports of the zeroing thread: events, never pages.
"""

from actors.facts import (
    BackgroundZeroed,
    CallEnded,
    CoresCaughtUp,
    Fact,
    Faulted,
    HoleSettled,
    Killed,
    Outstanding,
    PinMet,
    Reclaimed,
    Segv,
    Shooting,
    Stalled,
    SwapRead,
    SwapWritten,
    ZeroCase,
)
from cluster.results.measure import Counted, Row, Section, Sum, Unit
from kernel.errors import FaultCause, SegvCode

_PREFIX = "sometimes_"


def _sometimes(name: str, help_text: str, fed: Counted) -> Sum:
    return Sum(
        name=f"sometimes.{_PREFIX}{name}",
        unit=Unit.EVENTS,
        help=help_text,
        fed=(fed,),
        rows=(Row(Section.SOMETIMES, name.replace("_", " "), always=True),),
    )


def _each(fact: type[Fact]) -> Counted:
    return Counted(fact=fact)


def _case(fact: type[Fact], field: str, wanted: int | str) -> Counted:
    return Counted(fact=fact, by=field, only=wanted)


def _any(fact: type[Fact], field: str) -> Counted:
    return Counted(fact=fact, if_any=field)


def _zero(case: str) -> Counted:
    """Count calls of ZERO that met a page in this case."""
    return Counted(fact=ZeroCase, by="case", only=case, if_any="pages", once_a_call=True)


SOMETIMES = (
    _sometimes("hole_settles", "HOLEs whose invalidation was complete.", _each(HoleSettled)),
    _sometimes("zero_skips", "ZEROs that found a page zeroed.", _zero("zeroed")),
    _sometimes("zero_steals", "ZEROs that ended a zeroing which had begun.", _zero("stolen")),
    _sometimes("zero_inline", "ZEROs that zeroed a page all by themselves.", _zero("inline")),
    _sometimes("hole_finds_zero", "Calls that found a page known to be zero.", _zero("clean")),
    _sometimes("zeroed_in_background", "Reports of the zeroing thread.", _each(BackgroundZeroed)),
    _sometimes(
        "zero_recalls",
        "Pages that ZERO invalidated at once, as that had been left to other cores.",
        _case(Outstanding, "recalled", wanted=True),
    ),
    _sometimes(
        "zero_ahead_of_flush",
        "Pages that ZERO zeroed although their invalidation was left to other cores.",
        _case(Outstanding, "recalled", wanted=False),
    ),
    _sometimes(
        "cores_catch_up",
        "Invalidations left to other cores that the last of them has done.",
        _each(CoresCaughtUp),
    ),
    _sometimes("shootdown_has_targets", "Shootdowns begun that had targets.", _each(Shooting)),
    _sometimes(
        "reclaim_hits_a_hole", "Reclaims that took pages of holes.", _any(Reclaimed, "holes")
    ),
    _sometimes(
        "reclaim_takes_a_free_page",
        "Reclaims that took MADV_FREE pages.",
        _any(Reclaimed, "free"),
    ),
    _sometimes(
        "reclaim_takes_a_clean_page", "Reclaims that took clean pages.", _any(Reclaimed, "clean")
    ),
    _sometimes("memory_is_low", "Allocations that found no frame and slept.", _each(Stalled)),
    _sometimes("memory_is_out", "Processes that were killed as memory was out.", _each(Killed)),
    _sometimes("page_goes_to_swap", "Writes to swap.", _each(SwapWritten)),
    _sometimes("page_comes_from_swap", "Pages read from swap.", _each(SwapRead)),
    _sometimes(
        "pin_stops_hole",
        "Pinned pages that HOLE or ZERO left alone.",
        _case(PinMet, "case", "hole"),
    ),
    _sometimes(
        "frame_outlives_page",
        "Pinned pages whose frame outlives them.",
        _case(PinMet, "case", "discard"),
    ),
    _sometimes(
        "fork_copies_pinned",
        "Pinned pages of which a child got a copy.",
        _case(PinMet, "case", "fork"),
    ),
    _sometimes("segv_in_hole", "SIGSEGVs for access to holes.", _case(Segv, "code", SegvCode.HOLE)),
    _sometimes(
        "hole_is_touched",
        "Faults on a page of a hole that may be touched.",
        _case(Faulted, "cause", FaultCause.ROGUE),
    ),
    _sometimes(
        "fault_is_spurious",
        "Faults on an entry that permitted the access after all.",
        _case(Faulted, "cause", FaultCause.SPURIOUS),
    ),
    _sometimes("call_fails", "System calls that failed.", _any(CallEnded, "error")),
)

#: their keys in summary.json, in order
SOMETIMES_KEYS = tuple(one.name.removeprefix("sometimes.") for one in SOMETIMES)
