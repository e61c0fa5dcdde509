"""The second reading of a recording: events in, workload file and report out."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from cluster.importers.memory.assumed_touches import AssumedTouches
from cluster.importers.memory.memory_calls import translate_call
from cluster.importers.memory.process_memory import ProcessMemory
from cluster.importers.memory.tally import Tally, ordered
from cluster.importers.memory.witness import Witness
from cluster.importers.options import ImportOptions, ReuseRange
from cluster.importers.recording.census import Process
from cluster.importers.recording.lines import RecordingLines
from cluster.importers.recording.recorded import Birth, Call, Death, Event, Exec, Fork, Touch
from cluster.importers.report import ImportReport
from cluster.importers.threads.issue_order import IssueOrder
from cluster.importers.threads.thread_streams import ThreadStreams
from cluster.input_error import InputError
from cluster.workload.format import WorkloadMeta
from cluster.workload.writer import WorkloadWriter

TOOL = "holezero import"

_ALWAYS = (
    "Every mapping is private, anonymous and zero-filled, whatever it mapped when recorded.",
    "Memory that no traced call mapped is mapped where it is first used, 16 pages at a time.",
    "PROT_NONE on writable memory counts as a release: its content need not survive.",
    "A thread's time between two recorded operations is spent thinking, whatever it did.",
)
_REUSE = {
    ReuseRange.RANGE: "The first touch of a released range takes all that is left of it into use.",
    ReuseRange.PAGE: "The first touch of a released page takes that page into use.",
    ReuseRange.NONE: "Touches of released memory are no reuse: only mprotect is.",
}


class Plan(msgspec.Struct, frozen=True):
    """What is imported, from where to where, and who listens."""

    source: Path
    out: Path
    #: kind of recording: `faults` or `strace`
    kind: str
    process: Process
    options: ImportOptions
    witness: Witness | None = None


class Translation:
    """Turn the events of one process (and its children, if asked for) into a workload file."""

    def __init__(self, writer: WorkloadWriter, plan: Plan) -> None:
        process, self._witness = plan.process, plan.witness
        concurrent = len(process.threads) > 1 or bool(process.births) or plan.options.children
        self.tally = Tally()
        self.streams = ThreadStreams(writer, concurrent=concurrent)
        self.order = IssueOrder(self._perform)
        #: by process
        self._memories = [ProcessMemory(self.streams, self.tally, plan.options, plan.witness)]
        self._children = plan.options.children
        #: tids of children that live in their parent's memory (vfork)
        self._borrowers: set[int] = set()
        program = Path(process.program).name
        self.streams.start(process.pid, program, max(0, process.begin_ns))

    def _perform(self, event: Event) -> None:
        tally = self.tally
        if tally.begin_ns < 0:
            tally.begin_ns = event.start_ns
        tally.end_ns = max(tally.end_ns, event.start_ns)
        memory = self._memories[self.streams.process(event.tid)]
        if self._witness is not None:
            self._witness.event(event, memory)
        if isinstance(event, Touch):
            memory.touch(event)
        elif isinstance(event, Call):
            tally.end_ns = max(tally.end_ns, event.end_ns)
            translate_call(memory, event)
        elif isinstance(event, Fork | Exec):
            self._begin_process(event, memory)
        elif isinstance(event, Birth):
            self.streams.born(event.tid, event.child, event.start_ns)
        elif isinstance(event, Death):
            self.streams.died(event.tid, event.start_ns)

    def _begin_process(self, event: Fork | Exec, memory: ProcessMemory) -> None:
        """Begin a forked process, or one that has done an exec."""
        if not self._children:
            return
        tid, streams = event.tid, self.streams
        if isinstance(event, Fork):
            if event.borrows:
                streams.born(tid, event.child, event.start_ns)
                self._borrowers.add(event.child)
                return
            process = streams.forked(tid, event.child, event.start_ns)
        else:
            borrowed = tid in self._borrowers
            self._borrowers.discard(tid)
            process = streams.begins_anew(tid, event.start_ns, borrowed=borrowed)
        anew = memory.fork(process, empty=isinstance(event, Exec))
        self._memories[process : process + 1] = [anew]
        if self._witness is not None:
            self._witness.forked(memory.process if isinstance(event, Fork) else process, process)


class Reading(msgspec.Struct, kw_only=True):
    """The outcome of the second reading, apart from the instructions."""

    lines: RecordingLines
    malformed: int = 0
    foreign: int = 0
    warnings: list[str] = []


def write_workload(plan: Plan, read: Callable[[Translation], Reading]) -> ImportReport:
    """Let `read` feed a translation; write the result to the plan's `out`.

    Raises:
        InputError: the source cannot be read or `out` cannot be written.
    """
    source, out, kind, process = plan.source, plan.out, plan.kind, plan.process
    if out.exists() and out.samefile(source):
        raise InputError(f"{out}: is the recording itself; choose another file with -o.")
    if out.exists() and not out.is_file():
        raise InputError(f"{out}: is not a regular file; choose another with -o.")
    with WorkloadWriter(out, TOOL) as writer:
        translation = Translation(writer, plan)
        reading = read(translation)
        dropped = translation.order.close()
        tally = translation.tally
        tally.left_out["unfinished_call"] += dropped
        tally.left_out["waits_forgotten"] += translation.streams.waits_forgotten
        meta = WorkloadMeta(
            source=source.name,
            format=kind,
            program=process.program,
            left_out=ordered(tally.left_out),
            approximated=ordered(tally.approximated),
            assumptions=_assumptions(kind, plan.options),
            recorded_faults=ordered(tally.faults),
            pages=len(tally.touched),
            duration_ns=tally.duration_ns,
        )
        digest = writer.finish(meta)
        return _report(source, out, process, meta, writer, digest, reading)


def _assumptions(kind: str, options: ImportOptions) -> tuple[str, ...]:
    said = [*_ALWAYS, _REUSE[options.reuse]]
    if kind == "strace":
        said.append(AssumedTouches(options).describe())
    else:
        said.append(
            "Every recorded page fault is one access to its page. Touches of a present page are "
            "not recorded, nor are those that follow MADV_FREE while Linux keeps the pages: such "
            f"a reuse is not seen. A fault is taken to last {options.fault_ns} ns."
        )
        if not options.file_touches:
            said.append("Faults in file mappings are left out.")
    return tuple(said)


def _report(
    source: Path,
    out: Path,
    process: Process,
    meta: WorkloadMeta,
    writer: WorkloadWriter,
    digest: bytes,
    reading: Reading,
) -> ImportReport:
    lines = reading.lines
    warnings = list(reading.warnings)
    if lines.truncated:
        warnings.append(
            "the compressed recording is cut short or damaged; what could be read is imported"
        )
    return ImportReport(
        source=source.name,
        out=out.name,
        format=meta.format,
        process=process.pid,
        program=meta.program,
        digest=digest.hex(),
        lines=lines.lines,
        bytes=lines.bytes,
        malformed=reading.malformed + lines.overlong,
        foreign=reading.foreign,
        truncated=lines.truncated,
        threads=len(writer.threads),
        instructions=dict(sorted(writer.counts.items())),
        left_out=meta.left_out,
        approximated=meta.approximated,
        recorded_faults=meta.recorded_faults,
        pages=meta.pages,
        duration_ns=meta.duration_ns,
        warnings=tuple(warnings),
    )
