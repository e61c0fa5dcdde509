"""All that the checker knows of a run: machines, clocks, reports, and the parts."""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from actors.machine import Machine
from cluster.properties.canonical import Canonical, Canonicals
from cluster.properties.clock import Clock
from cluster.properties.clocks import Clocks, clocks_of
from cluster.properties.known.calls import Calls
from cluster.properties.known.cells import Cells
from cluster.properties.known.debts import Debts
from cluster.properties.known.frames import Frames
from cluster.properties.known.given import Given
from cluster.properties.known.history import Histories
from cluster.properties.known.lines import Lines
from cluster.properties.known.places import Places
from cluster.properties.known.rights import Rights
from cluster.properties.known.roots import Roots
from cluster.properties.known.swap_contents import SwapContents
from cluster.properties.known.transfers import Transfers
from cluster.properties.known.translations import Translations
from cluster.properties.known.under_way import UnderWay
from cluster.properties.observed import Observed
from cluster.properties.reports import Reports

#: the parts, for masks of those that a delivery changes
(
    CALLS, CELLS, FRAMES, HISTORIES, LINES, PLACES, RIGHTS, ROOTS, SWAP, TRANSFERS, TRANSLATIONS,
    UNDER_WAY,
) = (1 << place for place in range(12))  # fmt: skip
EVERY_PART = (1 << 12) - 1


class Parts(NamedTuple):
    """What a later verdict may depend on, besides clocks."""

    calls: Calls
    cells: Cells
    frames: Frames
    histories: Histories
    lines: Lines
    places: Places
    rights: Rights
    roots: Roots
    swap: SwapContents
    transfers: Transfers
    translations: Translations
    under_way: UnderWay


class Known:
    """What is known, and what was given before the run."""

    __slots__ = (
        "_canonical", "_canonicals", "calls", "cells", "clocks", "frames", "given", "histories",
        "is_shared", "lines", "machines", "observed", "parts", "places", "reports", "rights",
        "roots", "swap", "transfers", "translations", "under_way",
    )  # fmt: skip

    def __init__(
        self,
        given: Given,
        machines: list[Machine],
        reports: Reports,
        clocks: Clocks,
        canonicals: Canonicals,
        parts: Parts,
    ) -> None:
        """Begin with these; the machines are read, never changed."""
        self.given = given
        self.machines = machines
        self.observed = Observed(machines)
        self.reports = reports
        self.clocks = clocks
        self.parts = parts
        (
            self.calls, self.cells, self.frames, self.histories, self.lines, self.places,
            self.rights, self.roots, self.swap, self.transfers, self.translations, self.under_way,
        ) = parts  # fmt: skip
        #: the canonical form of the parts, as long as they stay
        self._canonical: Canonical | None = None
        self._canonicals = canonicals
        #: whether it was copied, or is a copy
        self.is_shared = False

    # For exploring.

    def copy(self, machines: list[Machine], changes: int) -> "Known":
        """Copy what a delivery changes, for a continuation of the run with these machines.

        changes: a mask of parts; the others are shared.
        """
        parts = self._changing(changes) if changes else self.parts
        reports, clocks = self.reports.copy(), self.clocks.copy()
        twin = Known(self.given, machines, reports, clocks, self._canonicals, parts)
        if not changes:
            twin._canonical = self._canonical
        self.is_shared = twin.is_shared = True
        return twin

    def _changing(self, changes: int) -> Parts:
        """Return the parts, copies of those in a mask."""
        frames = self.frames.copy() if changes & FRAMES else self.frames
        return Parts(
            self.calls.copy() if changes & CALLS else self.calls,
            self.cells.copy() if changes & CELLS else self.cells,
            frames,
            self.histories.copy() if changes & HISTORIES else self.histories,
            self.lines.copy() if changes & LINES else self.lines,
            self.places.copy() if changes & PLACES else self.places,
            self.rights.copy() if changes & RIGHTS else self.rights,
            self.roots.copy() if changes & ROOTS else self.roots,
            self.swap.copy() if changes & SWAP else self.swap,
            # what is retained of transfers depends on the lives of frames
            self.transfers.copy_with(frames) if changes & (TRANSFERS | FRAMES) else self.transfers,
            self.translations.copy() if changes & TRANSLATIONS else self.translations,
            self.under_way.copy() if changes & UNDER_WAY else self.under_way,
        )

    def freeze(self, in_flight: Iterable[tuple[int, int, int]]) -> Hashable:
        """Return, canonically, all that a later verdict may depend on.

        in_flight: (src, dst, seq) of all messages in flight, in an order that the caller's own
            state decides.
        """
        known = self._canonical
        if known is None:
            known = self._canonical = self._canonicals.of(self.parts)
        clocks = known.clocks(self.clocks.retained(in_flight))
        counts = self.reports.counts
        return known.digest, clocks, tuple(sorted(counts)) if counts else ()

    # For long runs.

    def size(self) -> int:
        """Count what may have to be forgotten."""
        return (
            len(self.cells.uncertain)
            + len(self.frames.fills)
            + sum(len(one.pages) for one in self.histories.of.values())
            + sum(line.size() for line in self.lines.of.values())
            + self.rights.size()
            + sum(map(len, self.translations.fills.values()))
        )

    def forget(self) -> None:
        """Forget what no verdict can depend on any more."""
        assert not self.is_shared, "others know the same, at other clocks"
        self.frames.forget()
        self.translations.forget(self._clock_of)
        self.places.forget(self._known_to_all)
        pinned = [(one, one.shown) for one in self.transfers.used() if one.shown is not None]
        shown = self.places.pages((at.line(one.asid), at.page(one.vpn)) for one, at in pinned)
        self.histories.forget(shown)
        self.lines.forget(shown)
        self.cells.forget(self.places, [at for _, at in pinned])
        self.rights.forget(self._known_to_all)

    def _known_to_all(self, asid: int) -> int:
        """Return the number of the latest event of a space's vm that whoever may access it knows.

        A core without an entry has to ask for one first, and hears of everything then.
        """
        vm, cores, clocks = self.given.vm_of[asid], self.given.cores, self.clocks
        heard = [clocks.now[core] for core, fills in self.translations.fills.items() if fills]
        heard += [one[1] for stores in self.cells.executed.values() for one in stores]
        heard += [c for (src, dst, _), c in clocks.in_flight.items() if src < cores <= dst]
        return min(
            (one.latest(vm).number for one in heard), default=clocks.now[vm].latest(vm).number
        )

    def _clock_of(self, asid: int) -> Clock:
        return self.clocks.now[self.given.vm_of[asid]]


def nothing_known(given: Given) -> Known:
    """Return what is known before a run."""
    frames = Frames(given.zero_pages)
    processes = len(given.vm_of)
    parts = Parts(
        Calls(),
        Cells(),
        frames,
        Histories(processes),
        Lines(processes),
        Places(processes),
        Rights(processes),
        Roots(given.cores),
        SwapContents(),
        Transfers(frames),
        Translations({}, {}, {}, Debts({}), {}, {}, {}),
        UnderWay({}, {}),
    )
    reports = Reports(given.promised, given.lane_name, given.call_name)
    return Known(given, [], reports, clocks_of(len(given.names)), Canonicals(), parts)
