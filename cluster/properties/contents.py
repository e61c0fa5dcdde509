"""Properties of what loads return: ZERO, KEEP, ISOLATE, FORK, FATAL. Judged where memory performs.

Loads and stores of a granule are ordered by the memory that performs them; whether a system call
lies before or after them is decided by happens-before alone. A store is *issued* when its thread
executes it (it may wait in the store buffer) and *performed* when memory does it.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import NamedTuple, Self

from actors.messages import CopyChunk, Load, Store, ZeroChunk
from cluster.properties.call_effects import CallEffects
from cluster.properties.clocks import At, Clock
from cluster.properties.frames import Frames
from cluster.properties.history import PageHistory
from cluster.properties.lines import INITIAL, Line, Stored
from cluster.properties.places import MAPPING_SHIFT, NO_FILE, SHARED, Shown, page_text
from cluster.properties.reports import Reports
from cluster.properties.swap_contents import Origin, SwapContents
from kernel.policy.promises import Property
from kernel.stamp import JUNK, ZERO, file_stamp, stamp_text
from kernel.units import CELL_MASK, CELL_SHIFT


class Access(NamedTuple):
    """One load of a granule: by whom, where, what it gave, when it was issued and performed."""

    op: int
    asid: int
    vpn: int
    shown: Shown
    line: Line
    #: line that the page belongs to, and the granule's key there
    number: int
    key: int
    #: frame and granule in it
    granule: tuple[int, int]
    memory: int
    value: int
    issued: Clock
    clock: Clock


class Contents:
    """Who stored what, and what loads may give."""

    def __init__(
        self,
        reports: Reports,
        effects: CallEffects,
        *,
        forks: bool,
        zero_pages: Iterable[int] = (),
    ) -> None:
        """Start with empty memory; `forks` if a guest forks while other threads store."""
        self.reports = reports
        self.effects = effects
        self.forks = forks
        #: what was stored last at (frame, granule)
        self.origin: dict[tuple[int, int], Origin] = {}
        self.frames = Frames(reports, zero_pages)
        self.swap = SwapContents(self.frames)
        #: stores executed and not performed yet, of each core: (first stamp, clock)
        self.executed: dict[int, deque[tuple[int, Clock]]] = {}
        #: origins on their way from one memory to another, by lane
        self.copied: dict[int, tuple[tuple[int, Origin], ...]] = {}

    def execute(self, core: int, first: int, clock: Clock) -> None:
        """A core executed a stretch of stores."""
        self.executed.setdefault(core, deque()).append((first, clock))

    # Memory performs.

    def store(self, core: int, m: Store, at: At, clock: Clock) -> None:
        """Perform a stretch of stores of a core."""
        first, issued = self.executed[core].popleft()
        assert first == m.items[0][2], "stores are performed in the order executed"
        effects, asid, page = self.effects, m.asid, -1
        for cell, pfn, version in m.items:
            vpn = cell >> CELL_SHIFT
            self.frames.check_access(core, m, vpn, pfn)
            if vpn != page:
                page = vpn
                shown = effects.places.at(asid, vpn, issued, write=True)
                if shown is not None:
                    number = SHARED if shown.shared else asid
                    line, base = effects.lines[number], shown.page(vpn) << CELL_SHIFT
                    history = line.history.at(shown.page(vpn))
                    keeps = self.forks or may_be_undone(history, issued)
                    self._fatal(m.op, asid, vpn, history, issued, clock)
            granule = cell & CELL_MASK
            if shown is None:
                self.origin[pfn, granule] = asid, cell
                continue
            key = base | granule
            self.origin[pfn, granule] = number, key
            stored = Stored(version, issued, at)
            line.put(key, stored, keeps=keeps)
            if effects.forks and number == asid:
                effects.stored(asid, key, stored)

    def load(
        self, memory: int, core: int, m: Load, stamps: tuple[int, ...], issued: Clock, clock: Clock
    ) -> None:
        """Perform a stretch of loads."""
        effects, asid, page = self.effects, m.asid, -1
        for (cell, pfn), value in zip(m.items, stamps, strict=True):
            vpn = cell >> CELL_SHIFT
            if not self.frames.check_access(core, m, vpn, pfn):
                continue
            if vpn != page:
                page = vpn
                shown = effects.places.at(asid, vpn, issued, write=False)
                if shown is not None:
                    number = SHARED if shown.shared else asid
                    line, base = effects.lines[number], shown.page(vpn) << CELL_SHIFT
                    history = line.history.at(shown.page(vpn))
                    self._fatal(m.op, asid, vpn, history, issued, clock)
            if shown is not None:
                granule = cell & CELL_MASK
                self.judge(
                    Access(
                        m.op, asid, vpn, shown, line, number, base | granule, (pfn, granule),
                        memory, value, issued, clock,
                    ),
                    history,
                )  # fmt: skip

    def zero(self, m: ZeroChunk) -> None:
        """Zero a chunk of frames."""
        for pfn in m.pfns:
            self.frames.check_work(m.op, pfn, "zeroed")

    def copy_chunk(self, m: CopyChunk, chunks: int, *, arrived: bool) -> None:
        """Read a chunk that is copied, and write it if the target is in the same memory."""
        self.frames.check_work(m.op, m.src, "copied")
        size = (CELL_MASK + 1) // chunks
        origins = self.origin
        found = (
            (granule, origins.get((m.src, granule)))
            for granule in range(m.chunk * size, (m.chunk + 1) * size)
        )
        self.copied[m.op] = tuple((granule, one) for granule, one in found if one is not None)
        if arrived:
            self.copy_arrived(m.op, m.dst)

    def copy_arrived(self, op: int, pfn: int) -> None:
        """Write a chunk that was copied."""
        self.frames.check_work(op, pfn, "copied to")
        for granule, origin in self.copied.pop(op):
            self.origin[pfn, granule] = origin

    # What a load may give.

    def judge(self, a: Access, history: PageHistory) -> None:
        """Judge what a load gave."""
        value = a.value
        if value == JUNK:
            self._foreign(a, None)
            return

        def excused(stored: Stored) -> bool:
            return _undone(history, stored, a.clock)

        found = list(a.line.candidates(a.key, a.clock, excused))
        match = next((s for s in found if s is not None and s.stamp == value), None)
        if match is not None:
            self._zero(a, history, match.issued, match.performed)
            if len(found) > 1 and a.key not in a.line.own:
                a.line.own[a.key] = match  # of several that a child may have, it has this one
        elif self._is_initial(a):
            if None not in found:
                assert found[0] is not None
                self._broken(Property.KEEP, a, f"lost: {_instead(a, found[0])}")
            elif found[0] is not None:
                lost = Stored(INITIAL, a.clock, At(a.memory, a.clock[a.memory]))
                a.line.put(a.key, lost, keeps=True)
            if value != ZERO:
                self._zero(a, history, None, None)
        else:
            self._wrong(a, found)

    def _is_initial(self, a: Access) -> bool:
        """Say whether a value is what was there before any store of the line."""
        if a.value == ZERO:
            return a.shown.file == NO_FILE or self._reads_as_zero(a)
        if a.shown.file == NO_FILE:
            return False
        page = a.shown.file_page(a.vpn)
        if a.value == file_stamp(a.shown.file, a.vpn + a.shown.file_shift):
            return True
        return self.origin.get(a.granule) == (SHARED, page << CELL_SHIFT | a.granule[1])

    def _reads_as_zero(self, a: Access) -> bool:
        """Say whether a page over a file may be zero: it was zeroed, or the file has a hole there.

        The latter by MADV_REMOVE, of any mapping of the file.
        """
        if a.line.history.at(a.key >> CELL_SHIFT).zeros:
            return True
        of_file = self.effects.lines[SHARED].history.at(a.shown.file_page(a.vpn))
        return bool(of_file.zeros or of_file.discards)

    def _wrong(self, a: Access, found: list[Stored | None]) -> None:
        origin = self.origin.get(a.granule)
        if origin is not None and _is_uncertain(a, origin):
            return
        if origin is None or origin[1] != a.key or origin[0] not in a.line.ancestors:
            self._foreign(a, origin)
        elif origin[0] != a.number:
            text = f"forked: {_instead(a, found[0])}, and fork has not given it that"
            self._broken(Property.FORK, a, text)
        elif None in found:
            text = f"rewound: {_instead(a, found[0])}, whose loss would not bring that back"
            self._broken(Property.FORK, a, text)
        else:
            self._broken(Property.KEEP, a, f"rewound: {_instead(a, found[0])}")

    def _broken(self, broken: Property, a: Access, text: str) -> None:
        if broken is Property.KEEP:
            text += " and no call had released it since"
        self.reports.add(broken, f"page {a.vpn:#x} {text}", a.asid, a.vpn, (a.op,))

    def _foreign(self, a: Access, origin: Origin | None) -> None:
        whose = "memory at power-on"
        if origin is not None:
            line, key = origin
            whose = page_text(line, key >> CELL_SHIFT)
        text = f"a load of page {a.vpn:#x} gave {stamp_text(a.value)}, which was written to {whose}"
        self.reports.add(Property.ISOLATE, text, a.asid, a.vpn, (a.op,))

    def _zero(
        self, a: Access, history: PageHistory, stored: Clock | None, performed: At | None
    ) -> None:
        """Judge a value that is not zero by the calls that left zero; None: no store made it."""
        for zero in reversed(history.zeros):
            if zero.returned is None or not a.issued.knows(zero.returned):
                continue
            call = "the discard" if zero.grant is None else "ZERO"
            told = f"a load of page {a.vpn:#x} after {call} gave {stamp_text(a.value)}, "
            ops = (a.op, zero.op)
            if zero.grant is not None and not (stored is not None and stored.knows(zero.grant)):
                text = told + "stored before the grant"
                self.reports.add(Property.ZERO_STRONG, text, a.asid, a.vpn, ops)
            if performed is None or zero.called.knows(performed):
                text = told + f"stored before {call} was called"
                self.reports.add(Property.ZERO_WEAK, text, a.asid, a.vpn, ops)

    def _fatal(
        self, op: int, asid: int, vpn: int, history: PageHistory, issued: Clock, clock: Clock
    ) -> None:
        for hole in history.holes:
            if not issued.knows(hole.settled):
                continue
            if hole.reopened is None or not clock.knows(hole.reopened):
                text = f"an access to page {vpn:#x} of a settled hole got data instead of SIGSEGV"
                self.reports.add(Property.FATAL, text, asid, vpn, (op,))

    # For exploring.

    def copy(self, reports: Reports) -> Self:
        """Copy the containers."""
        twin = object.__new__(type(self))
        twin.reports = reports
        twin.effects = self.effects.copy()
        twin.forks = self.forks
        twin.origin = self.origin.copy()
        twin.frames = self.frames.copy(reports)
        twin.swap = self.swap.copy(twin.frames)
        twin.executed = {core: q.copy() for core, q in self.executed.items()}
        twin.copied = self.copied.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return (
            self.effects.retained(),
            tuple(
                (at, line, key >> 48, key & _LOW) for at, (line, key) in sorted(self.origin.items())
            ),
            self.frames.retained(),
            self.swap.retained(),
            tuple((core, tuple(q)) for core, q in sorted(self.executed.items()) if q),
            tuple(
                (op, tuple((g, line, key >> 48, key & _LOW) for g, (line, key) in found))
                for op, found in sorted(self.copied.items())
            ),
        )


_LOW = (1 << 48) - 1


def _instead(a: Access, latest: Stored | None) -> str:
    was = "none" if latest is None else stamp_text(latest.stamp)
    return f"a load gave {stamp_text(a.value)}, the latest store was {was}"


def _is_uncertain(a: Access, origin: Origin) -> bool:
    """Say whether a store meant the page perhaps: its thread's map was being changed there."""
    line, key = origin
    return not key >> CELL_SHIFT + MAPPING_SHIFT and (
        a.number == SHARED or line in a.line.ancestors
    )


def _undone(history: PageHistory, stored: Stored, clock: Clock) -> bool:
    """Say whether some discard was called before the load and not over for the store."""
    return any(
        clock.knows(d.call) and not (d.end is not None and stored.issued.knows(d.end))
        for d in history.discards
    )


def may_be_undone(history: PageHistory, issued: Clock) -> bool:
    """Say whether some discard, known or not, is not over for a store."""
    return any(d.end is None or not issued.knows(d.end) for d in history.discards)
