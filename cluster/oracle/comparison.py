"""Compare the page faults of a simulated run with those of the recording that it comes from.

The simulated program makes the recorded calls (`mapping = recorded`) under `dontneed-linux`, the
policy of the recorded kernel, with its zero page. The faults of one process and its children on
private anonymous memory are compared; what is not compared is counted by reason. A null model that
ignores advice is run for comparison.
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.guest.program import Guest, Instruction, Release, ThreadInfo
from actors.wiring import build
from cluster.hosts.host import Listener
from cluster.hosts.inline import InlineHost
from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import Progress, no_progress
from cluster.importers.report import ImportReport
from cluster.oracle.attribution import SIGSEGV, FaultWatch
from cluster.oracle.expected import Expectations, Label
from cluster.oracle.flushes import Flushes, FlushWatch, beside
from cluster.scenario.scenario import MachineTable, Scenario, WorkloadTable
from cluster.scenario.setup import prepare
from cluster.workload.reader import Workload
from kernel.errors import FaultCause
from kernel.flush_extent import Kernel

#: cores of the recording machine
_CORES = 2
#: labels of recorded faults that the simulation should have
COMPARED = (
    Label.FIRST_TOUCH,
    Label.AFTER_DONTNEED,
    Label.AFTER_FREE,
    Label.AFTER_UNMAP,
    Label.ZERO_PAGE_WRITE,
    Label.AFTER_PROTECT,
    Label.ALREADY_PRESENT,
    Label.COPY_AFTER_FORK,
)
EXCLUDED = (Label.FILE, Label.SHARED, Label.IMPLIED, Label.UNSURE)


class Agreement(msgspec.Struct, frozen=True, gc=False):
    """Accesses of one label, and how many of them faulted in the simulation."""

    accesses: int
    faulted: int
    #: accesses by simulated cause; `none`: no fault
    simulated: dict[str, int]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated run compared with its recording."""

    by_label: dict[str, Agreement]
    #: accesses made up by a populating call, and how many faulted
    populated: int
    populated_faulted: int

    def _sum(self, labels: tuple[Label, ...]) -> tuple[int, int]:
        rows = [self.by_label[one.name.lower()] for one in labels]
        return sum(row.accesses for row in rows), sum(row.faulted for row in rows)

    @property
    def recorded(self) -> int:
        """Return how many recorded faults are compared."""
        return self._sum(COMPARED)[0]

    @property
    def recall(self) -> float:
        """Return the share of the compared recorded faults that the simulation has, too."""
        recorded, faulted = self._sum(COMPARED)
        return faulted / max(recorded, 1)

    @property
    def false_faults(self) -> int:
        """Return how many re-touches of present pages faulted."""
        return self._sum((Label.RETOUCH,))[1]

    @property
    def precision(self) -> float:
        """Return the share of the simulated faults, compared or re-touches, that was recorded."""
        faulted = self._sum(COMPARED)[1]
        return faulted / max(faulted + self.false_faults, 1)


class Oracle(msgspec.Struct, frozen=True, kw_only=True):
    """A recording, what was compared, and with what result."""

    report: ImportReport
    #: imported processes, the main one included
    processes: int
    model: Comparison
    #: the same with every advice ignored
    null: Comparison
    #: recorded faults that are not compared, by reason
    excluded: dict[str, int]
    #: recorded faults after which no present page was found to touch again
    undrawn: int
    flushes: Flushes


class AdviceIgnored:
    """A guest whose kernel ignores madvise: released memory stays."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self.threads: tuple[ThreadInfo, ...] = guest.threads
        self.digest = guest.digest

    def families(self, processes: int) -> tuple[int, ...]:
        """Number the families of processes."""
        return self._guest.families(processes)

    def at(self, thread: int, index: int) -> Instruction | None:
        """Return an instruction; a release makes no call, not even its mprotect."""
        found = self._guest.at(thread, index)
        return Release(found.va, found.length, 0) if isinstance(found, Release) else found


def compare_recording(
    source: Path,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Oracle:
    """Run a faults recording against the simulated kernel and compare every fault.

    seed: chooses which present pages are touched again.

    Raises:
        InputError: `source` is not a faults recording.
    """
    expected = Expectations(seed)
    with tempfile.TemporaryDirectory(prefix="holezero-oracle-") as folder:
        out = Path(folder) / "w.hzw"
        options = ImportOptions(children=True)
        report = import_faults(source, out, options, progress, expected)
        # one reader runs, the other attributes: two positions in each thread
        runs = Workload.open(out)
        reads = Workload.from_bytes(runs.content)
        watches: list[FlushWatch] = []

        def watch_flushes(core_of: tuple[int, ...]) -> Listener:
            watches.append(FlushWatch(core_of))
            return watches[0]

        model = run_beside(runs, FaultWatch(reads, expected.labels), watch_flushes)
        null = run_beside(AdviceIgnored(runs), FaultWatch(reads, expected.labels))
        processes = 1 + max(info.process for info in runs.threads)
    return Oracle(
        report=report,
        processes=processes,
        model=model,
        null=null,
        excluded=_excluded(report, expected.labels.counts),
        undrawn=expected.undrawn,
        flushes=beside(expected.flushes, watches[0]),
    )


def run_beside(
    guest: Guest, watch: FaultWatch, flushes: Callable[[tuple[int, ...]], Listener] | None = None
) -> Comparison:
    """Run a guest that makes the recorded calls; sum up what `watch` saw.

    flushes: makes another listener, given the core of each thread.
    """
    scenario = Scenario(
        machine=MachineTable(cores=_CORES, kernel=Kernel.LINUX),
        policy={"preset": "dontneed-linux", "read_fill": "zero-page"},
        workload=WorkloadTable(mapping="recorded"),
    )
    setup = prepare(scenario, "oracle", guest)
    machines = build(setup.wiring, setup.settings, setup.guest)
    more = () if flushes is None else (flushes(setup.settings.core_of),)
    host = InlineHost(setup.wiring, machines, setup.latency(), listeners=(watch, *more))
    host.start()
    host.run()
    outcome = host.outcome()
    assert outcome.complete, "the run has no limit"
    assert not outcome.waiting, f"the run hangs: {outcome.waiting[:3]}"
    by_label: dict[Label, Counter[str]] = {label: Counter() for label in Label}
    for (label, cause), count in watch.counts.items():
        name = "sigsegv" if cause == SIGSEGV else FaultCause(cause).name.lower()
        by_label[Label(label)][name] += count
    return Comparison(
        by_label={label.name.lower(): _agreement(found) for label, found in by_label.items()},
        populated=watch.unlabelled.total(),
        populated_faulted=watch.unlabelled[True],
    )


def _agreement(found: Counter[str]) -> Agreement:
    faulted = found.total() - found["none"] - found["sigsegv"]
    return Agreement(found.total(), faulted, {name: found[name] for name in sorted(found)})


def _excluded(report: ImportReport, labels: Counter[Label]) -> dict[str, int]:
    found = {label.name.lower(): labels[label] for label in EXCLUDED if labels[label]}
    elsewhere = {
        kind: count
        for kind, count in report.left_out.items()
        if kind.endswith(".fault") or kind.startswith("fault_")
    }
    return found | elsewhere
