"""The first reading of an strace recording: which tids belong to which process."""

import re
from pathlib import Path

from cluster.importers.recording import linux
from cluster.importers.recording.census import Census
from cluster.importers.recording.lines import ForeignLineError, RecordingLines
from cluster.importers.recording.recording_kind import SAMPLE_LINES, require_recording
from cluster.importers.recording.strace_lines import Step, StraceLine, StraceLines

#: one life of a tid: (tid, how many have ended before)
Life = tuple[int, int]

_CLONES = frozenset({"clone", "clone3", "fork", "vfork"})
_PROGRAM = re.compile(rb'"([^"]*)"')
#: a command line is cut to so many bytes
_PROGRAM_BYTES = 200


class Lives:
    """Number the lives of tids; the same in both readings."""

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}

    def of(self, tid: int) -> Life:
        """Return the current life of a tid."""
        return tid, self._ended.get(tid, 0)

    def end(self, tid: int) -> None:
        """Note that the tid's thread has ended: it is free for another."""
        self._ended[tid] = self._ended.get(tid, 0) + 1


class StraceCensus(Census[Life]):
    """Processes by the life of their first thread.

    A child's lines may precede the return of the clone that made it, so every life is a process of
    its own until a clone says that it is a thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lives = Lives()
        #: life of a thread -> that of its process or creator
        self._creator: dict[Life, Life] = {}
        self._first_line: dict[Life, int] = {}

    def process_of(self, life: Life) -> Life:
        """Return the process that a thread belongs to."""
        path = []
        while life in self._creator:
            path.append(life)
            life = self._creator[life]
        # threads that create threads make long chains: shorten them for the next search
        for one in path:
            self._creator[one] = life
        return life

    def take(self, line: StraceLine) -> None:
        """Take in one line."""
        life = self._lives.of(line.tid)
        self._first_line.setdefault(life, line.number)
        if line.step is Step.EXIT:
            self._lives.end(line.tid)
        elif line.step in (Step.CALL, Step.RETURN):
            if line.name in linux.ARGUMENTS:
                key = self.process_of(life)
                self.process(key, key[0]).saw(life, line.start_ns)
            elif line.name in _CLONES and line.result is not None and line.result > 0:
                self._created(life, line)
            elif line.name == "execve" and line.result == 0:
                key = self.process_of(life)
                # the return is what counts: until then the old address space is there
                self.process(key, key[0]).exec(line.number, line.end_ns, _program(line.args))

    def _created(self, parent: Life, line: StraceLine) -> None:
        assert line.result is not None
        child = self._child(line.result, line.number)
        key = self.process_of(parent)
        maker = self.process(key, key[0])
        if b"CLONE_THREAD" not in line.args:
            made = self.process(child, child[0])
            made.forked = True
            made.program = made.program or maker.program
            return
        maker.births[line.number] = line.result
        if child == key or child in self._creator:
            return
        early = self.processes.pop(child, None)
        self._creator[child] = key
        if early is not None:
            maker.events += early.events
            maker.threads.add(child)

    def _child(self, tid: int, clone_line: int) -> Life:
        """Return the life that a clone began; a short one may end before the clone returns."""
        life = self._lives.of(tid)
        before = (tid, life[1] - 1)
        if life not in self._first_line and self._first_line.get(before, 0) > clone_line:
            return before
        self._first_line.setdefault(life, clone_line)
        return life


def _program(args: bytes) -> str:
    """Return a command line (path and arguments) from the arguments of an execve."""
    words = _PROGRAM.findall(args)
    path, arguments = words[:1], words[2:]
    return b" ".join(path + arguments)[:_PROGRAM_BYTES].decode("utf-8", "replace")


def take_strace_census(source: Path, recording: RecordingLines) -> StraceCensus:
    """Read a recording for the first time.

    Raises:
        InputError: it is not an strace recording.
    """
    census, lines = StraceCensus(), StraceLines()
    for line in recording:
        try:
            census.take(lines.parse(recording.lines, line))
            census.recognised += 1
        except (ForeignLineError, ValueError):
            pass
        if recording.lines == SAMPLE_LINES:
            require_recording(source, "strace", census.recognised, recording)
    require_recording(source, "strace", census.recognised, recording)
    return census
