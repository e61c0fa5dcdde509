"""Import an strace recording of memory system calls.

It shows every call and no touches; which touches are assumed is an option, stated in the workload.
The file is read twice: to tell threads from processes, then to translate.
"""

from pathlib import Path

from cluster.importers.assembly import Plan, Reading, Translation, write_workload
from cluster.importers.options import ImportOptions
from cluster.importers.recording import linux
from cluster.importers.recording.census import Process
from cluster.importers.recording.lines import (
    ForeignLineError,
    Progress,
    RecordingLines,
    open_recording,
)
from cluster.importers.recording.recorded import Birth, Call, Death
from cluster.importers.recording.strace_census import Life, Lives, StraceCensus, take_strace_census
from cluster.importers.recording.strace_lines import Step, StraceLine, StraceLines
from cluster.importers.report import ImportReport
from cluster.importers.threads.issue_order import counts_from_entry

_NUMBER_LIMIT = 1 << 64
_FAILED = _NUMBER_LIMIT - 1


def import_strace(
    source: Path, out: Path, options: ImportOptions, progress: Progress
) -> ImportReport:
    """Import one process of an strace recording as the workload file `out`.

    `progress` is called with bytes read and bytes to read, both on disk. Equal recordings and
    options give equal bytes.

    Raises:
        InputError: `source` is not such a recording, or lacks the process; `out` cannot be written.
    """
    size = open_recording(source)
    first = RecordingLines(source, lambda done: progress(done, 2 * size))
    census = take_strace_census(source, first)
    main = census.choose(str(source), options.process)
    process = census.processes[main]

    def read(translation: Translation) -> Reading:
        lines = RecordingLines(source, lambda done: progress(size + done, 2 * size))
        reading = Reading(lines=lines, warnings=census.warnings(main))
        _SecondReading(translation, census, main).read(reading)
        return reading

    return write_workload(Plan(source, out, "strace", process, options), read)


class _SecondReading:
    """Turn the lines of the chosen process into events."""

    def __init__(self, translation: Translation, census: StraceCensus, main: Life) -> None:
        self._order = translation.order
        self._left_out = translation.tally.left_out
        self._census = census
        self._main = main
        self._process: Process = census.processes[main]
        self._lives = Lives()
        self._lines = StraceLines()
        #: tids inside a call that is put in order at its return
        self._waiting: set[int] = set()
        #: tids inside a call that took its place in the order at its entry
        self._placed: set[int] = set()

    def read(self, reading: Reading) -> None:
        """Read to the end."""
        lines = reading.lines
        for text in lines:
            try:
                self._take(self._lines.parse(lines.lines, text))
            except ForeignLineError:
                reading.foreign += 1
            except ValueError:
                reading.malformed += 1
        self._left_out["unfinished_call"] += len(self._waiting)
        if not self._lines.timed:
            reading.warnings.append(
                "the recording has no times (strace -ttt): threads never think between calls"
            )

    def _take(self, line: StraceLine) -> None:
        mine = self._census.process_of(self._lives.of(line.tid)) == self._main
        if line.step is Step.EXIT:
            self._lives.end(line.tid)
        if mine and line.number > self._process.exec_line:
            self._take_own(line)
        elif line.step in (Step.CALL, Step.RETURN) and line.name in linux.MEMORY_CALLS:
            self._left_out[f"{'before_exec' if mine else 'other_process'}.{line.name}"] += 1

    def _take_own(self, line: StraceLine) -> None:
        if line.step is Step.EXIT:
            self._drop_unfinished(line.tid)
            self._order.put(Death(line.tid, line.start_ns))
        elif line.step is Step.SIGNAL:
            self._left_out["signal"] += 1
        elif line.name in linux.ARGUMENTS:
            self._take_memory_call(line)
        elif line.step is not Step.RETURN and line.number in self._process.births:
            # the first reading knows the child even if this clone has not returned yet
            child = self._process.births[line.number]
            self._order.put(Birth(line.tid, child, line.start_ns))
        elif line.step is not Step.ENTRY and line.name in linux.UNSUPPORTED:
            failed = "failed" if line.failed else "unsupported"
            self._left_out[f"{failed}.{line.name}"] += 1

    def _take_memory_call(self, line: StraceLine) -> None:
        if line.step is Step.ENTRY:
            self._drop_unfinished(line.tid)
            call = _call(line)
            if counts_from_entry(call.name, call.args):
                self._placed.add(line.tid)
                self._order.enter(call)
            else:
                self._waiting.add(line.tid)
        elif line.step is Step.RETURN and line.tid in self._placed:
            self._placed.discard(line.tid)
            self._order.leave(_call(line))
        else:
            if line.step is Step.CALL:
                self._drop_unfinished(line.tid)
            self._waiting.discard(line.tid)
            self._order.put(_call(line))

    def _drop_unfinished(self, tid: int) -> None:
        if tid in self._placed or tid in self._waiting:
            self._placed.discard(tid)
            self._waiting.discard(tid)
            self._order.abandon(tid)
            self._left_out["unfinished_call"] += 1


def _call(line: StraceLine) -> Call:
    """Return the memory call of a line.

    Raises:
        ValueError: its arguments are not those of such a call.
    """
    words = line.args.decode("utf-8", "replace").split(",")
    if line.args.endswith(b","):
        words.pop()  # cut after a comma, before an argument that only the kernel fills in
    args = tuple(linux.flag_value(word.strip()) for word in words)
    if len(args) < linux.ARGUMENTS[line.name]:
        raise ValueError("too few arguments")
    if not all(-1 <= number < _NUMBER_LIMIT for number in args):
        raise ValueError("an impossible argument")
    # strace prints an error as -1 and its name; which error makes no difference
    result = _FAILED if line.result is None or line.result < 0 else line.result
    return Call(line.tid, line.name, args, line.start_ns, line.end_ns, result)
