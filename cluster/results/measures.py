"""Every measure of a run, declared once, in the order of summary.json.

A new measure is a declaration here and, where no fact tells it yet, a fact in `actors.facts` that a
machine states. Pages are 4 KiB pages, durations simulated nanoseconds, counts are of the whole run.
"""

from actors.call_names import call_name
from actors.facts import (
    BackgroundZeroed,
    CallEnded,
    CallStarted,
    Faulted,
    FaultStarted,
    FramesInUse,
    Killed,
    PagePinned,
    Reclaimed,
    Resident,
    Segv,
    Shooting,
    Shot,
    Stalled,
    SwapRead,
    SwapWritten,
    Touched,
    TransferEnded,
    ZeroCase,
)
from actors.operation import OpKind
from cluster.results.measure import (
    Counted,
    Distribution,
    Joined,
    Lasted,
    Level,
    Measure,
    Records,
    Row,
    Section,
    Stood,
    Sum,
    Told,
    Unit,
)
from cluster.results.sometimes import SOMETIMES
from kernel.errors import Errno, FaultCause, SegvCode
from kernel.policy.keys import AdviceKind
from kernel.units import GRANULE

_CALLS = {int(kind): kind.name.lower() for kind in OpKind}
_CAUSES = {int(c): c.name.lower() for c in FaultCause if c is not FaultCause.NONE}
_CODES = {int(code): code.name.lower() for code in SegvCode}
_ERRORS = {int(error): error.name for error in Errno}

#: the calls that the protocol is about: of these, tables also tell the pages
_ADVICE = frozenset({"hole", "zero", "reuse", "advise_free", "advise_dontneed"})
#: places of rows in their section: before and after those of the other measures
_FIRST, _LAST = -1, 1


def _p50_p99(path: str) -> tuple[str, str]:
    return f"{path}.p50_ns", f"{path}.p99_ns"


def _peak_mean(path: str) -> tuple[str, str]:
    return f"{path}.peak_pages", f"{path}.mean_pages"


CALLS = Distribution(
    name="operations.{kind}",
    unit=Unit.NS,
    help="System calls that returned.",
    fed=Lasted(start=CallStarted, end=CallEnded, by="kind", names=_CALLS),
    titles={name: call_name(kind, AdviceKind.HOLE_ZERO) for kind, name in _CALLS.items()},
    rows=(
        Row(
            Section.CALLS,
            "{kind}",
            ("operations.{kind}.count", "operation_pages.{kind}"),
            Joined.EACH,
            always=True,
            second_for=_ADVICE,
        ),
        Row(Section.CALLS, "{kind} p50 / p99", _p50_p99("operations.{kind}"), always=True),
        Row(
            Section.CALLS, "time in them", ("operations.{kind}.total_ns",), always=True, order=_LAST
        ),
    ),
    exposed="system_calls",
)
CALL_PAGES = Sum(
    name="operation_pages.{kind}",
    unit=Unit.PAGES,
    help="Pages of the ranges that system calls were made for, resident or not.",
    fed=(Counted(fact=CallStarted, add="pages", by="kind", names=_CALLS),),
    like=CALLS.name,
)
TOUCHES = Sum(
    name="touches.{kind}",
    unit=Unit.GRANULES,
    help="Granules that guest threads loaded or stored.",
    fed=(Counted(fact=Touched, add="count", by="write", names={False: "loads", True: "stores"}),),
    values=("loads", "stores"),
    rows=(Row(Section.RUN, "touches", always=True),),
    exposed="touches",
)
FAULTS = Sum(
    name="faults.{cause}",
    unit=Unit.EVENTS,
    help="Page faults resolved, by cause.",
    fed=(Counted(fact=Faulted, by="cause", names=_CAUSES),),
    values=tuple(_CAUSES.values()),
    rows=(Row(Section.FAULTS, "{cause}"),),
    exposed="page_faults",
)
FAULT_LATENCY = Distribution(
    name="fault_latency",
    unit=Unit.NS,
    help="Time from a walk that failed until the thread can go on.",
    fed=Lasted(start=FaultStarted, end=Faulted, more="ns"),
    rows=(
        Row(Section.FAULTS, "p50 / p99", _p50_p99("fault_latency"), always=True, order=_LAST),
        Row(Section.FAULTS, "time in them", ("fault_latency.total_ns",), always=True, order=_LAST),
    ),
)
SEGV = Sum(
    name="segv.{code}",
    unit=Unit.EVENTS,
    help="SIGSEGVs sent to guest threads.",
    fed=(Counted(fact=Segv, by="code", names=_CODES),),
    values=tuple(_CODES.values()),
    rows=(Row(Section.FAULTS, "SIGSEGV {code}"),),
    exposed="segmentation_faults",
)
IPIS_SENT = Sum(
    name="ipis.sent",
    unit=Unit.EVENTS,
    help="Shootdown interrupts sent.",
    fed=(Counted(fact=Shooting, add="targets"),),
    rows=(Row(Section.SHOOTDOWNS, "IPIs sent / acked", ("ipis.sent", "ipis.acked"), always=True),),
    exposed="ipis_sent",
)
IPIS_ACKED = Sum(
    name="ipis.acked",
    unit=Unit.EVENTS,
    help="Shootdown interrupts of completed shootdowns.",
    fed=(Counted(fact=Shot, add="targets"),),
    exposed="ipis_acked",
)
SHOOTDOWNS = Distribution(
    name="shootdown_wait",
    unit=Unit.NS,
    help="Shootdowns completed that had targets.",
    fed=Lasted(start=Shooting, end=Shot),
    rows=(
        Row(
            Section.SHOOTDOWNS,
            "of other cores",
            ("shootdown_wait.count",),
            always=True,
            order=_FIRST,
        ),
        Row(Section.SHOOTDOWNS, "wait p50 / p99", _p50_p99("shootdown_wait"), always=True),
    ),
    exposed="shootdowns",
)
ZEROED = Sum(
    name="pages_zeroed.{how}",
    unit=Unit.PAGES,
    help="Pages of holes zeroed, or found zero.",
    fed=(
        Counted(
            fact=ZeroCase,
            add="pages",
            by="case",
            # ZERO alone zeroed it, ended what the zeroing thread had begun, found it zero; or HOLE
            names={"inline": "inline", "stolen": "stolen", "zeroed": "skipped", "clean": "clean"},
        ),
        Counted(fact=BackgroundZeroed, add="pages", value="background"),
    ),
    values=("inline", "background", "stolen", "skipped", "clean"),
    rows=(
        Row(Section.MEMORY, "zeroed in background", ("pages_zeroed.background",), always=True),
        Row(Section.MEMORY, "zeroed after a steal", ("pages_zeroed.stolen",), always=True),
        Row(Section.MEMORY, "zeroed inline by ZERO", ("pages_zeroed.inline",), always=True),
        Row(Section.MEMORY, "found zero by ZERO", ("pages_zeroed.skipped",), always=True),
        Row(Section.MEMORY, "known zero at HOLE", ("pages_zeroed.clean",)),
    ),
    exposed="zeroed_pages",
)
RECLAIMED = Sum(
    name="reclaimed.pages",
    unit=Unit.PAGES,
    help="Pages that page daemons took.",
    fed=(Counted(fact=Reclaimed, add="pages"),),
    rows=(
        Row(
            Section.MEMORY,
            "reclaimed (out of holes)",
            ("reclaimed.pages", "reclaimed.holes"),
            Joined.OF_WHICH,
            always=True,
        ),
    ),
)
RECLAIMED_FROM = Sum(
    name="reclaimed.{from}",
    unit=Unit.PAGES,
    help="Pages that page daemons took.",
    fed=tuple(
        Counted(fact=Reclaimed, add=field, value=field) for field in ("holes", "free", "clean")
    ),
    values=("holes", "free", "clean"),
    exposed="reclaimed_pages",
)
SWAPPED = Sum(
    name="swap.{way}",
    unit=Unit.PAGES,
    help="Pages written to swap, or read from it.",
    fed=(
        Counted(fact=SwapWritten, add="pages", value="written"),
        Counted(fact=SwapRead, value="read"),
    ),
    values=("written", "read"),
    rows=(Row(Section.MEMORY, "written to swap / read", ("swap.written", "swap.read")),),
    exposed="swapped_pages",
)
STALLS = Sum(
    name="low_memory",
    unit=Unit.EVENTS,
    help="Allocations that found no frame and slept.",
    fed=(Counted(fact=Stalled),),
    rows=(Row(Section.MEMORY, "allocations that slept"),),
    exposed="memory_stalls",
)
KILLED = Records(
    name="killed",
    unit=Unit.EVENTS,
    help="Processes that were killed as memory was out: their pages then, frames that were free.",
    fed=Told(
        fact=Killed,
        fields={
            "process": "asid",
            "resident_pages": "resident",
            "swapped_pages": "swapped",
            "free_frames": "free",
        },
    ),
)
PINNED = Sum(
    name="transfers.pages_pinned",
    unit=Unit.PAGES,
    help="Pages pinned for devices.",
    fed=(Counted(fact=PagePinned),),
    rows=(Row(Section.MEMORY, "pinned for devices"),),
    exposed="pinned_pages",
)
DEVICE_BYTES = Sum(
    name="transfers.bytes_{how}",
    unit=Unit.BYTES,
    help="Bytes that devices stored or loaded.",
    fed=(
        Counted(
            fact=TransferEnded, add="granules", by="store", names={True: "stored", False: "loaded"}
        ),
    ),
    times=GRANULE,
    values=("stored", "loaded"),
    rows=(Row(Section.MEMORY, "KiB {how} by devices"),),
    exposed="device_bytes",
)
RESIDENT = Level(
    name="resident",
    unit=Unit.PAGES,
    help="Resident pages of all processes.",
    fed=Stood(fact=Resident, at="pages", part="asid"),
    by_part="resident_by_process.{process}",
    rows=(Row(Section.MEMORY, "resident set, peak / mean", _peak_mean("resident"), always=True),),
    exposed="resident_pages",
)
IN_USE = Level(
    name="frames_in_use",
    unit=Unit.PAGES,
    help="Frames that are not free, pages of holes included.",
    fed=Stood(fact=FramesInUse, at="frames"),
    rows=(
        Row(Section.MEMORY, "frames in use, peak / mean", _peak_mean("frames_in_use"), always=True),
    ),
)
CALL_ERRORS = Sum(
    name="errors.{errno}",
    unit=Unit.EVENTS,
    help="System calls that failed.",
    fed=(Counted(fact=CallEnded, by="error", names=_ERRORS, if_any="error"),),
    rows=(Row(Section.CALLS, "failed: {errno}"),),
    exposed="system_call_errors",
)

#: in the order of summary.json; rows of a table are in this order, too, within their section
ALL: tuple[Measure, ...] = (
    CALLS,
    CALL_PAGES,
    TOUCHES,
    FAULTS,
    FAULT_LATENCY,
    SEGV,
    IPIS_SENT,
    IPIS_ACKED,
    SHOOTDOWNS,
    ZEROED,
    RECLAIMED,
    RECLAIMED_FROM,
    SWAPPED,
    STALLS,
    KILLED,
    PINNED,
    DEVICE_BYTES,
    RESIDENT,
    IN_USE,
    CALL_ERRORS,
    *SOMETIMES,
)
