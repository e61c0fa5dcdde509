"""What a run costs: metrics built from the facts that machines state, at the host's times.

A `Results` is a listener of a host: it hears facts only, never deliveries, and keeps counters and
histograms, so its memory does not grow with the run. Times are simulated nanoseconds; a free run
has none, and its durations are null.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from actors.facts import (
    BackgroundZeroed,
    CallEnded,
    CallStarted,
    CoresCaughtUp,
    Fact,
    Faulted,
    FaultStarted,
    FramesInUse,
    HoleSettled,
    Killed,
    Outstanding,
    PagePinned,
    PinMet,
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
from cluster.results.histogram import Histogram
from cluster.results.page_meter import PageMeter
from cluster.results.run_metrics import KilledProcess, Metrics
from kernel.errors import Errno, FaultCause, SegvCode
from kernel.units import GRANULE

_CALLS = {int(kind): kind.name.lower() for kind in OpKind}
_CAUSES = {int(c): c.name.lower() for c in FaultCause if c is not FaultCause.NONE}
_CODES = {int(code): code.name.lower() for code in SegvCode}
_ERRORS = {int(error): error.name for error in Errno}
_ZERO_CASES = {"zeroed": "skipped", "stolen": "stolen", "inline": "inline", "clean": "clean"}

_ZERO_SOMETIMES = {
    "skipped": "sometimes_zero_skips",
    "stolen": "sometimes_zero_steals",
    "inline": "sometimes_zero_inline",
    "clean": "sometimes_hole_finds_zero",
}

_PIN_SOMETIMES = {
    "hole": "sometimes_pin_stops_hole",
    "discard": "sometimes_frame_outlives_page",
    "fork": "sometimes_fork_copies_pinned",
}

#: what a run may show at least once; a green run in which all are 0 has shown nothing. Counted are
#: calls, shootdowns, faults, reports of the zeroing thread: events, never pages
SOMETIMES = (
    "sometimes_hole_settles",
    "sometimes_zero_skips",
    "sometimes_zero_steals",
    "sometimes_zero_inline",
    "sometimes_hole_finds_zero",
    "sometimes_zeroed_in_background",
    "sometimes_zero_recalls",
    "sometimes_zero_ahead_of_flush",
    "sometimes_cores_catch_up",
    "sometimes_shootdown_has_targets",
    "sometimes_reclaim_hits_a_hole",
    "sometimes_reclaim_takes_a_free_page",
    "sometimes_reclaim_takes_a_clean_page",
    "sometimes_memory_is_low",
    "sometimes_memory_is_out",
    "sometimes_page_goes_to_swap",
    "sometimes_page_comes_from_swap",
    "sometimes_pin_stops_hole",
    "sometimes_frame_outlives_page",
    "sometimes_fork_copies_pinned",
    "sometimes_segv_in_hole",
    "sometimes_hole_is_touched",
    "sometimes_fault_is_spurious",
    "sometimes_call_fails",
)


class Results:
    """Hears the facts of one run and sums them up."""

    def __init__(self, *, timed: bool = True) -> None:
        """Start with nothing heard; `timed` if the host has a simulated time."""
        self.timed = timed
        self.calls: dict[int, Histogram] = {}
        self.call_pages: Counter[int] = Counter()
        self.touches = [0, 0]
        self.faults: Counter[int] = Counter()
        self.fault_latency = Histogram()
        self.segv: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        self.ipis_sent = 0
        self.ipis_acked = 0
        self.shootdown_wait = Histogram()
        self.zeroed: Counter[str] = Counter()
        self.reclaimed = 0
        self.reclaimed_holes = 0
        self.reclaimed_free = 0
        self.stalls = 0
        self.killed: list[KilledProcess] = []
        self.swap: Counter[str] = Counter()
        self.pinned = 0
        #: granules loaded, stored
        self.transferred = [0, 0]
        self.resident = PageMeter()
        self.in_use = PageMeter()
        self.sometimes: dict[str, int] = dict.fromkeys(SOMETIMES, 0)
        self._call_since: dict[int, int] = {}
        self._fault_since: dict[int, int] = {}
        self._shooting_since: dict[int, int] = {}
        #: cases that the ZERO in flight of each lane has shown
        self._zero_showed: dict[int, set[str]] = {}

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """Take one fact in; facts that no metric needs cost a look-up."""
        if isinstance(fact, FramesInUse):  # the only one for which it matters who states it
            self.in_use.change(when, actor, fact.frames)
            return
        take = self._TAKE.get(fact.__class__)
        if take is not None:
            take(self, when, fact)

    def finish(self, when: int) -> None:
        """Close the time-weighted means at the end of the run."""
        self.resident.advance(when)
        self.in_use.advance(when)

    def metrics(self) -> Metrics:
        """Sum up what was heard so far."""
        known = _CALLS.items()
        return Metrics(
            operations={
                name: self.calls[kind].spread(timed=self.timed)
                for kind, name in known
                if kind in self.calls
            },
            operation_pages={
                name: self.call_pages[kind] for kind, name in known if kind in self.calls
            },
            touches={"loads": self.touches[0], "stores": self.touches[1]},
            faults=_named(self.faults, _CAUSES),
            fault_latency=self.fault_latency.spread(timed=self.timed),
            segv=_named(self.segv, _CODES),
            ipis={"sent": self.ipis_sent, "acked": self.ipis_acked},
            shootdown_wait=self.shootdown_wait.spread(timed=self.timed),
            pages_zeroed={
                how: self.zeroed[how]
                for how in ("inline", "background", "stolen", "skipped", "clean")
            },
            reclaimed={
                "pages": self.reclaimed,
                "holes": self.reclaimed_holes,
                "free": self.reclaimed_free,
                "clean": self.reclaimed - self.reclaimed_holes - self.reclaimed_free,
            },
            swap={"written": self.swap["written"], "read": self.swap["read"]},
            low_memory=self.stalls,
            killed=list(self.killed),
            transfers={
                "pages_pinned": self.pinned,
                "bytes_stored": self.transferred[1] * GRANULE,
                "bytes_loaded": self.transferred[0] * GRANULE,
            },
            resident=self.resident.total(),
            resident_by_process=self.resident.by_part(),
            frames_in_use=self.in_use.total(),
            errors={_ERRORS.get(e, str(e)): n for e, n in sorted(self.errors.items())},
            sometimes=dict(self.sometimes),
        )

    # One method a fact.

    def _call_started(self, when: int, fact: CallStarted) -> None:
        self._call_since[fact.op] = when
        self.call_pages[fact.kind] += fact.pages

    def _call_ended(self, when: int, fact: CallEnded) -> None:
        since = self._call_since.pop(fact.op)
        self._zero_showed.pop(fact.op, None)
        durations = self.calls.get(fact.kind)
        if durations is None:
            durations = self.calls[fact.kind] = Histogram()
        durations.add(when - since)
        if fact.error:
            self.errors[fact.error] += 1
            self.sometimes["sometimes_call_fails"] += 1

    def _touched(self, _when: int, fact: Touched) -> None:
        self.touches[fact.write] += fact.count

    def _fault_started(self, when: int, fact: FaultStarted) -> None:
        self._fault_since[fact.op] = when

    def _faulted(self, when: int, fact: Faulted) -> None:
        self.faults[fact.cause] += 1
        self.fault_latency.add(when + fact.ns - self._fault_since.pop(fact.op))
        if fact.cause == FaultCause.ROGUE:
            self.sometimes["sometimes_hole_is_touched"] += 1
        elif fact.cause == FaultCause.SPURIOUS:
            self.sometimes["sometimes_fault_is_spurious"] += 1

    def _page_pinned(self, _when: int, _fact: PagePinned) -> None:
        self.pinned += 1

    def _pin_met(self, _when: int, fact: PinMet) -> None:
        self.sometimes[_PIN_SOMETIMES[fact.case]] += 1

    def _transfer_ended(self, _when: int, fact: TransferEnded) -> None:
        self.transferred[fact.store] += fact.granules

    def _segv(self, _when: int, fact: Segv) -> None:
        self.segv[fact.code] += 1
        if fact.code == SegvCode.HOLE:
            self.sometimes["sometimes_segv_in_hole"] += 1

    def _shooting(self, when: int, fact: Shooting) -> None:
        self._shooting_since[fact.op] = when
        self.ipis_sent += fact.targets
        self.sometimes["sometimes_shootdown_has_targets"] += 1

    def _shot(self, when: int, fact: Shot) -> None:
        self.shootdown_wait.add(when - self._shooting_since.pop(fact.op))
        self.ipis_acked += fact.targets

    def _hole_settled(self, _when: int, _fact: HoleSettled) -> None:
        self.sometimes["sometimes_hole_settles"] += 1

    def _zero_case(self, _when: int, fact: ZeroCase) -> None:
        if not fact.pages:
            return  # ZERO ends what it stole; nothing was zeroed by it from the start
        how = _ZERO_CASES[fact.case]
        self.zeroed[how] += fact.pages
        if how not in self._zero_showed.setdefault(fact.op, set()):
            self._zero_showed[fact.op].add(how)
            self.sometimes[_ZERO_SOMETIMES[how]] += 1

    def _outstanding(self, _when: int, fact: Outstanding) -> None:
        met = "sometimes_zero_recalls" if fact.recalled else "sometimes_zero_ahead_of_flush"
        self.sometimes[met] += 1

    def _cores_caught_up(self, _when: int, _fact: CoresCaughtUp) -> None:
        self.sometimes["sometimes_cores_catch_up"] += 1

    def _background_zeroed(self, _when: int, fact: BackgroundZeroed) -> None:
        self.zeroed["background"] += fact.pages
        self.sometimes["sometimes_zeroed_in_background"] += 1

    def _reclaimed(self, _when: int, fact: Reclaimed) -> None:
        self.reclaimed += fact.pages
        self.reclaimed_holes += fact.holes
        self.reclaimed_free += fact.free
        self.sometimes["sometimes_reclaim_hits_a_hole"] += bool(fact.holes)
        self.sometimes["sometimes_reclaim_takes_a_free_page"] += bool(fact.free)
        self.sometimes["sometimes_reclaim_takes_a_clean_page"] += (
            fact.pages > fact.holes + fact.free
        )

    def _stalled(self, _when: int, _fact: Stalled) -> None:
        self.stalls += 1
        self.sometimes["sometimes_memory_is_low"] += 1

    def _process_killed(self, when: int, fact: Killed) -> None:
        one = KilledProcess(
            process=fact.asid,
            resident_pages=fact.resident,
            swapped_pages=fact.swapped,
            free_frames=fact.free,
            when_ns=when if self.timed else None,
        )
        self.killed.append(one)
        self.sometimes["sometimes_memory_is_out"] += 1

    def _swap_written(self, _when: int, fact: SwapWritten) -> None:
        self.swap["written"] += fact.pages
        self.sometimes["sometimes_page_goes_to_swap"] += 1

    def _swap_read(self, _when: int, _fact: SwapRead) -> None:
        self.swap["read"] += 1
        self.sometimes["sometimes_page_comes_from_swap"] += 1

    def _resident(self, when: int, fact: Resident) -> None:
        self.resident.change(when, fact.asid, fact.pages)

    _TAKE: ClassVar[dict[type, Callable[["Results", int, Any], None]]] = {
        CallStarted: _call_started,
        CallEnded: _call_ended,
        Touched: _touched,
        FaultStarted: _fault_started,
        Faulted: _faulted,
        Segv: _segv,
        Shooting: _shooting,
        Shot: _shot,
        HoleSettled: _hole_settled,
        ZeroCase: _zero_case,
        Outstanding: _outstanding,
        CoresCaughtUp: _cores_caught_up,
        BackgroundZeroed: _background_zeroed,
        Reclaimed: _reclaimed,
        Killed: _process_killed,
        Stalled: _stalled,
        SwapWritten: _swap_written,
        SwapRead: _swap_read,
        PagePinned: _page_pinned,
        PinMet: _pin_met,
        TransferEnded: _transfer_ended,
        Resident: _resident,
    }


def _named(counts: Counter[int], names: dict[int, str]) -> dict[str, int]:
    return {name: counts[number] for number, name in names.items()}
