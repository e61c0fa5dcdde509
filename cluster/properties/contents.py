"""Properties of what loads return: ZERO, KEEP, ISOLATE, FATAL. Judged where memory performs.

Loads and stores of a granule are ordered by the memory that performs them; whether a system call
lies before or after them is decided by happens-before alone. A store is *issued* when its thread
executes it (it may wait in the store buffer) and *performed* when memory does it.
"""

from collections import deque
from collections.abc import Hashable
from typing import NamedTuple

from actors.messages import Load, Store, ZeroChunk
from cluster.properties.clocks import At, Clock
from cluster.properties.frames import Frames
from cluster.properties.history import Discard, PageHistory, SpaceHistory
from cluster.properties.reports import Reports
from kernel.promises import Property
from kernel.stamp import JUNK, ZERO, stamp_text
from kernel.units import CELL_MASK, CELL_SHIFT


class Stored(NamedTuple):
    """The latest store to a granule of an address space, or its accepted loss (stamp ZERO)."""

    stamp: int
    issued: Clock
    performed: At


class Contents:
    """Latest stores, the lives of frames and the history of every page."""

    def __init__(self, reports: Reports, processes: int, vm_of: tuple[int, ...]) -> None:
        """Start with empty address spaces and no frame owned."""
        self.reports = reports
        self.vm_of = vm_of
        self.history = [SpaceHistory() for _ in range(processes)]
        #: by memory (each decides an order of its own), address space and cell
        self.latest: dict[tuple[int, int, int], Stored] = {}
        #: who stored last at (frame, granule): (asid, cell)
        self.writer: dict[tuple[int, int], tuple[int, int]] = {}
        self.frames = Frames(reports)
        #: stores executed and not performed yet, of each core: (first stamp, clock)
        self.executed: dict[int, deque[tuple[int, Clock]]] = {}

    def execute(self, core: int, first: int, clock: Clock) -> None:
        """A core executed a stretch of stores."""
        self.executed.setdefault(core, deque()).append((first, clock))

    def store(self, core: int, m: Store, at: At, clock: Clock) -> None:
        """Memory performs a stretch of stores of a core."""
        first, issued = self.executed[core].popleft()
        assert first == m.items[0][2], "stores are performed in the order executed"
        for cell, pfn, version in m.items:
            vpn = cell >> CELL_SHIFT
            self.frames.check_access(core, m, vpn, pfn)
            self.writer[pfn, cell & CELL_MASK] = (m.asid, cell)
            self.latest[at.actor, m.asid, cell] = Stored(version, issued, at)
            self._fatal(m.op, m.asid, vpn, issued, clock)

    def load(
        self, memory: int, core: int, m: Load, stamps: tuple[int, ...], issued: Clock, clock: Clock
    ) -> None:
        """Memory performs a stretch of loads."""
        for (cell, pfn), value in zip(m.items, stamps, strict=True):
            vpn = cell >> CELL_SHIFT
            if not self.frames.check_access(core, m, vpn, pfn):
                continue
            if value != ZERO and self._foreign(m, cell, pfn, value):
                continue
            self._fatal(m.op, m.asid, vpn, issued, clock)
            stored = self.latest.get((memory, m.asid, cell))
            if stored is None:
                continue
            if value == stored.stamp:
                if value != ZERO:
                    self._zero(m, cell, stored, issued)
            else:
                self._lost(m, cell, value, stored, clock)

    def zero(self, m: ZeroChunk) -> None:
        """Memory zeroes a chunk of frames."""
        for pfn in m.pfns:
            self.frames.check_work(m.op, pfn, "zeroed")

    # ISOLATE.

    def _foreign(self, m: Load, cell: int, pfn: int, value: int) -> bool:
        vpn = cell >> CELL_SHIFT
        source = self.writer.get((pfn, cell & CELL_MASK))
        if value != JUNK and source == (m.asid, cell):
            return False
        whose = "memory at power-on" if value == JUNK or source is None else (
            f"page {source[1] >> CELL_SHIFT:#x} of p{source[0]}"
        )  # fmt: skip
        text = f"a load of page {vpn:#x} gave {stamp_text(value)}, which was written to {whose}"
        self.reports.add(Property.ISOLATE, text, m.asid, vpn, (m.op,))
        return True

    # ZERO.

    def _zero(self, m: Load, cell: int, stored: Stored, issued: Clock) -> None:
        vpn = cell >> CELL_SHIFT
        for zero in reversed(self.history[m.asid].at(vpn).zeros):
            if zero.returned is None or not issued.knows(zero.returned):
                continue
            told = f"a load of page {vpn:#x} after ZERO gave {stamp_text(stored.stamp)}, "
            if not stored.issued.knows(zero.grant):
                text = told + "stored before the grant"
                self.reports.add(Property.ZERO_STRONG, text, m.asid, vpn, (m.op, zero.op))
            if zero.called.knows(stored.performed):
                text = told + "stored before ZERO was called"
                self.reports.add(Property.ZERO_WEAK, text, m.asid, vpn, (m.op, zero.op))

    # KEEP.

    def _lost(self, m: Load, cell: int, value: int, stored: Stored, clock: Clock) -> None:
        vpn = cell >> CELL_SHIFT
        history = self.history[m.asid].at(vpn)
        if value == ZERO and _excused(history, stored, clock):
            memory = stored.performed.actor
            at = At(memory, clock[memory])
            self.latest[memory, m.asid, cell] = Stored(ZERO, clock, at)
            return
        kind = "lost" if value == ZERO else "rewound"
        text = (
            f"page {vpn:#x} {kind}: a load gave {stamp_text(value)}, the latest store was "
            f"{stamp_text(stored.stamp)} and no call had released it since"
        )
        self.reports.add(Property.KEEP, text, m.asid, vpn, (m.op,))

    # FATAL.

    def _fatal(self, op: int, asid: int, vpn: int, issued: Clock, clock: Clock) -> None:
        for hole in self.history[asid].at(vpn).holes:
            if not issued.knows(hole.settled):
                continue
            if hole.reopened is None or not clock.knows(hole.reopened):
                text = f"an access to page {vpn:#x} of a settled hole got data instead of SIGSEGV"
                self.reports.add(Property.FATAL, text, asid, vpn, (op,))

    def copy(self, reports: Reports) -> "Contents":
        """Copy the containers."""
        twin = object.__new__(Contents)
        twin.reports = reports
        twin.vm_of = self.vm_of
        twin.history = [h.copy() for h in self.history]
        twin.latest = self.latest.copy()
        twin.writer = self.writer.copy()
        twin.frames = self.frames.copy(reports)
        twin.executed = {core: q.copy() for core, q in self.executed.items()}
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return (
            tuple(h.retained() for h in self.history),
            tuple((k, tuple(v)) for k, v in sorted(self.latest.items())),
            tuple(sorted(self.writer.items())),
            self.frames.retained(),
            tuple((core, tuple(q)) for core, q in sorted(self.executed.items()) if q),
        )


def _excused(history: PageHistory, stored: Stored, clock: Clock) -> bool:
    """Say whether some discard was called before the load and not over for the store."""

    def excuses(d: Discard) -> bool:
        return clock.knows(d.call) and not (d.end is not None and stored.issued.knows(d.end))

    return any(excuses(d) for d in history.discards)
