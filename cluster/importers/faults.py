"""Import a `.ft` recording: system calls and page faults from kernel tracepoints, in one stream.

A line is `t_us tid KIND args`, numbers after the tid in hex: `N pid comm` (decimal), `F` and `K`
faults `addr code`, `S` and `R` entry and return of a system call, `T` TLB flush, `P` child
(decimal), `E` exec, `Q` exit. The file is read twice: to choose the process, then to translate.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from cluster.importers.assembly import Plan, Reading, Translation, write_workload
from cluster.importers.memory.witness import Witness
from cluster.importers.options import AssumedTouch, ImportOptions
from cluster.importers.recording import linux
from cluster.importers.recording.census import Census, Process
from cluster.importers.recording.lines import (
    ForeignLineError,
    Progress,
    RecordingLines,
    open_recording,
)
from cluster.importers.recording.recorded import Birth, Call, Death, Exec, Flush, Fork, Touch
from cluster.importers.recording.recording_kind import SAMPLE_LINES, require_recording
from cluster.importers.report import ImportReport
from cluster.importers.threads.issue_order import counts_from_entry

_WRITE, _PRESENT = 2, 1
_COPYING = _WRITE | _PRESENT
#: least number of fields of each kind of line
_FIELDS = {
    b"N": 5, b"F": 5, b"K": 5, b"S": 4, b"R": 5, b"T": 5, b"P": 4, b"E": 4, b"Q": 3,
}  # fmt: skip
#: kinds of lines that a thread waiting for a child does not produce
_ACTS = frozenset({b"F", b"K", b"S", b"R", b"P", b"E", b"Q"})
_TIME_LIMIT_US = 1 << 50
_NUMBER_LIMIT = 1 << 64
_TID_LIMIT = 1 << 31

#: (pid, how many earlier processes had it)
_Key = tuple[int, int]


def import_faults(
    source: Path,
    out: Path,
    options: ImportOptions,
    progress: Progress,
    witness: Witness | None = None,
) -> ImportReport:
    """Import one process of a faults recording as the workload file `out`.

    `progress` is called with bytes read and bytes to read, both on disk. Equal recordings and
    options give equal bytes. `witness` hears every event, and may add accesses of its own.

    Raises:
        InputError: `source` is not such a recording, or lacks the process; `out` cannot be written.
    """
    # touches are recorded: none are made up
    options = msgspec.structs.replace(options, touch=AssumedTouch.NONE)
    size = open_recording(source)
    first = RecordingLines(source, lambda done: progress(done, 2 * size))
    census = _take_census(source, first)
    main = census.choose(str(source), options.process)
    process = census.processes[main]

    def read(translation: Translation) -> Reading:
        lines = RecordingLines(source, lambda done: progress(size + done, 2 * size))
        reading = Reading(lines=lines, warnings=census.warnings(main, children=options.children))
        _SecondReading(translation, census, main, children=options.children).read(reading)
        return reading

    return write_workload(Plan(source, out, "faults", process, options, witness), read)


def _split(line: bytes) -> tuple[int, int, bytes, list[bytes]]:
    """Return time in µs, tid, kind and all fields of a line.

    Raises:
        ForeignLineError: the line belongs to something else.
        ValueError: the line only begins like one of this format.
    """
    fields = line.split()
    if len(fields) < 3 or not fields[0].isdigit() or not fields[1].isdigit():
        raise ForeignLineError
    kind = fields[2]
    needed = _FIELDS.get(kind)
    if needed is None:
        raise ForeignLineError
    now_us, tid = int(fields[0]), int(fields[1])
    if len(fields) < needed or now_us >= _TIME_LIMIT_US or tid >= _TID_LIMIT:
        raise ValueError("too few fields, or an impossible time or tid")
    return now_us, tid, kind, fields


class _Lives:
    """The process of each tid at the current line; the same in both readings."""

    def __init__(self) -> None:
        self.of: dict[int, _Key] = {}
        self._lives: dict[int, int] = {}
        self._ended: set[int] = set()

    def named(self, tid: int, pid: int) -> _Key:
        """Take in an `N` line; return the process that it names."""
        if tid == pid and pid in self._ended:
            self._ended.discard(pid)
            self._lives[pid] = self._lives.get(pid, 0) + 1
        key = self.of[tid] = (pid, self._lives.get(pid, 0))
        return key

    def ended(self, tid: int) -> None:
        """Take in a `Q` line."""
        key = self.of.get(tid)
        if key is not None and key[0] == tid:
            self._ended.add(tid)


def _take_census(source: Path, lines: RecordingLines) -> Census[_Key]:
    census: Census[_Key] = Census()
    lives = _Lives()
    lenders = _Lenders()
    #: children whose `N` has not come yet: line and creator
    unborn: dict[int, tuple[int, _Key]] = {}
    for line in lines:
        try:
            now_us, tid, kind, fields = _split(line)
            if kind == b"N":
                pid = _decimal(fields[3])
                key = lives.named(tid, pid)
                census.process(key, pid)
                _note_birth(census, unborn.pop(tid, None), tid, key)
            elif (key_of := lives.of.get(tid)) is not None:
                process = census.processes[key_of]
                lenders.take(tid, kind, process, fields)
                if kind in (b"F", b"K", b"S"):
                    process.saw(tid, now_us * 1000)
                elif kind == b"E":
                    process.exec(lines.lines, now_us * 1000, _text(fields[3]))
                elif kind == b"P":
                    unborn[_decimal(fields[3])] = (lines.lines, key_of)
                    lenders.made(tid, _decimal(fields[3]), lines.lines)
                elif kind == b"Q":
                    lives.ended(tid)
            census.recognised += 1
        except (ForeignLineError, ValueError):
            pass
        if lines.lines == SAMPLE_LINES:
            require_recording(source, "faults", census.recognised, lines)
    require_recording(source, "faults", census.recognised, lines)
    return census


def _note_birth(
    census: Census[_Key], creation: tuple[int, _Key] | None, tid: int, key: _Key
) -> None:
    if creation is None:
        return
    line, creator = creation
    process, maker = census.processes[key], census.processes[creator]
    if creator == key:
        process.births[line] = process.all_births[line] = tid
    elif key[0] == tid:
        process.forked = True
        process.program = maker.program
        process.parent, process.born_line = creator, line
        maker.forks[line] = tid


class _Lenders:
    """Tell a vfork from a fork: its caller does nothing until the child has done an exec or ended.

    A forked child copies its parent's stack at once: it faults on a page that is present.
    """

    def __init__(self) -> None:
        #: caller -> (child, line)
        self._waiting: dict[int, tuple[int, int]] = {}
        self._left: set[int] = set()
        self._copies: set[int] = set()

    def made(self, tid: int, child: int, line: int) -> None:
        """Take in a `P` line."""
        self._left.discard(child)
        self._copies.discard(child)
        self._waiting[tid] = (child, line)

    def take(self, tid: int, kind: bytes, process: Process, fields: list[bytes]) -> None:
        """Take in any other line, of a thread of `process`."""
        if kind in _ACTS and tid in self._waiting:
            child, line = self._waiting.pop(tid)
            if child in self._left and child not in self._copies:
                process.lends.add(line)
        if kind in (b"E", b"Q"):
            self._left.add(tid)
        elif kind in (b"F", b"K") and int(fields[4], 16) & _COPYING == _COPYING:
            self._copies.add(tid)


def _decimal(field: bytes) -> int:
    number = int(field)
    if not 0 <= number < _TID_LIMIT:
        raise ValueError("an impossible pid")
    return number


def _text(field: bytes) -> str:
    return field.decode("utf-8", "replace")


class _SecondReading:
    """Turn the lines of the chosen process into events."""

    def __init__(
        self, translation: Translation, census: Census[_Key], main: _Key, *, children: bool
    ) -> None:
        self._order = translation.order
        self._streams = translation.streams
        self._left_out = translation.tally.left_out
        self._processes = census.processes
        self._main = main
        self._exec_line = census.processes[main].exec_line
        self._imported = census.descendants(main) if children else {main}
        self._children = children
        self._lives = _Lives()
        #: tid -> the call that it is in
        self._entered: dict[int, Call] = {}
        self._kinds: dict[bytes, Callable[[int, int, list[bytes]], None]] = {
            b"F": self._fault,
            b"K": self._fault,
            b"S": self._entry,
            b"R": self._return,
            b"Q": self._exit,
        }

    def read(self, reading: Reading) -> None:
        """Read to the end."""
        lines = reading.lines
        for line in lines:
            try:
                now_us, tid, kind, fields = _split(line)
                self._take(lines.lines, now_us * 1000, tid, kind, fields)
            except ForeignLineError:
                reading.foreign += 1
            except ValueError:
                reading.malformed += 1
        self._left_out["unfinished_call"] += sum(
            not counts_from_entry(call.name, call.args) for call in self._entered.values()
        )

    def _take(self, number: int, now_ns: int, tid: int, kind: bytes, fields: list[bytes]) -> None:
        if kind == b"T":
            self._left_out["tlb_flush"] += 1
            self._flush(number, now_ns, tid, fields)
            return
        if kind == b"N":
            named = self._lives.named(tid, _decimal(fields[3]))
            if named == self._main and number > self._exec_line:
                self._streams.rename(tid, _text(fields[4]))
            return
        key = self._lives.of.get(tid)
        mine = key in self._imported
        if key is not None and mine and number > self._exec_line:
            if kind in self._kinds:
                self._kinds[kind](now_ns, tid, fields)
            elif kind == b"P":
                self._made(number, now_ns, tid, self._processes[key])
            elif kind == b"E" and self._children:
                self._drop_entered(tid)
                self._order.put(Exec(tid, now_ns))
        elif kind in (b"F", b"K", b"S"):
            why = "before_exec" if mine else "other_process"
            self._left_out[f"{why}.{_text(fields[3]) if kind == b'S' else 'fault'}"] += 1
        if kind == b"Q":
            self._lives.ended(tid)

    def _made(self, number: int, now_ns: int, tid: int, process: Process) -> None:
        """Take in a `P` line: a new thread of the process, or a new process."""
        born = process.all_births.get(number)
        if born is not None:
            self._order.put(Birth(tid, born, now_ns))
            return
        child = process.forks.get(number)
        if child is not None or not self._children:
            self._order.put(Fork(tid, now_ns, child or 0, number in process.lends))

    def _flush(self, number: int, now_ns: int, tid: int, fields: list[bytes]) -> None:
        imported = self._children and self._lives.of.get(tid) in self._imported
        if imported and number > self._exec_line:
            call = self._entered.get(tid)
            context = call.name if call is not None else "fault"
            self._order.put(Flush(tid, now_ns, int(fields[4]), context))

    def _fault(self, now_ns: int, tid: int, fields: list[bytes]) -> None:
        code = int(fields[4], 16)
        va = int(fields[3], 16)
        self._order.put(Touch(tid, va, bool(code & _WRITE), bool(code & _PRESENT), now_ns))

    def _entry(self, now_ns: int, tid: int, fields: list[bytes]) -> None:
        name = _text(fields[3])
        needed = linux.ARGUMENTS.get(name)
        if needed is None:
            if name not in linux.UNSUPPORTED:
                raise ValueError("a system call that no memory recording has")
            self._left_out[f"unsupported.{name}"] += 1
            return
        args = tuple(int(field, 16) for field in fields[4:])
        if len(args) < needed or not all(0 <= number < _NUMBER_LIMIT for number in args):
            raise ValueError("too few arguments, or impossible ones")
        self._drop_entered(tid)
        call = Call(tid, name, args, now_ns, now_ns, 0)
        self._entered[tid] = call
        if counts_from_entry(name, args):
            self._order.enter(call)

    def _return(self, now_ns: int, tid: int, fields: list[bytes]) -> None:
        result = int(fields[4], 16)
        if not 0 <= result < _NUMBER_LIMIT:
            raise ValueError("an impossible result")
        entered = self._entered.get(tid)
        if entered is None or entered.name != _text(fields[3]):
            return  # an unsupported call, or one entered before the recording began
        del self._entered[tid]
        call = Call(tid, entered.name, entered.args, entered.start_ns, now_ns, result)
        if counts_from_entry(call.name, call.args):
            self._order.leave(call)
        else:
            self._order.put(call)

    def _exit(self, now_ns: int, tid: int, fields: list[bytes]) -> None:
        del fields
        self._drop_entered(tid)
        self._order.put(Death(tid, now_ns))

    def _drop_entered(self, tid: int) -> None:
        if self._entered.pop(tid, None) is not None:
            self._order.abandon(tid)
            self._left_out["unfinished_call"] += 1
