"""The first reading of a recording: which process is imported, and from which line on."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

from cluster.input_error import InputError

K = TypeVar("K", bound=Hashable)


class Process(msgspec.Struct):
    """What the first reading found about one process; lines are numbered from 1."""

    pid: int
    #: memory events since its last exec
    events: int = 0
    #: the line of its last successful exec: earlier lines belong to another address space
    exec_line: int = 0
    #: time of that exec, or else of its first event; -1: none yet
    begin_ns: int = -1
    program: str = ""
    execs: int = 0
    forked: bool = False
    #: key of the process that forked it, and the line of the fork
    parent: Hashable = None
    born_line: int = 0
    #: line on which it forked a process -> the child's tid
    forks: dict[int, int] = {}
    #: those of them whose child lived in its memory until an exec or its end (vfork)
    lends: set[int] = set()
    #: line on which it created a thread -> the new tid, over all its life
    all_births: dict[int, int] = {}
    #: the same since the last exec
    births: dict[int, int] = {}
    #: distinct threads with events since the last exec
    threads: set[Hashable] = set()

    @property
    def inherits(self) -> bool:
        """Say whether it still lives in the memory that a fork gave it."""
        return self.forked and not self.execs

    def exec(self, line: int, now_ns: int, program: str) -> None:
        """Begin again with an empty address space."""
        self.exec_line, self.begin_ns, self.program = line, now_ns, program
        self.execs += 1
        self.events = 0
        self.births = {}
        self.threads = set()

    def saw(self, thread: Hashable, now_ns: int) -> None:
        """Count a memory event of one of its threads."""
        if self.begin_ns < 0:
            self.begin_ns = now_ns
        self.events += 1
        self.threads.add(thread)


class Census(Generic[K]):
    """The processes of a recording by key (two processes can have the same pid)."""

    def __init__(self) -> None:
        self.processes: dict[K, Process] = {}
        self.recognised = 0

    def process(self, key: K, pid: int) -> Process:
        """Return the process of a key; the first time, a new one."""
        found = self.processes.get(key)
        if found is None:
            found = self.processes[key] = Process(pid)
        return found

    def choose(self, name: str, wanted: int | None) -> K:
        """Return the process to import: the wanted one, or the main one.

        The main process is the one with most memory events among those that were not forked, or
        have done an exec. Any other forked child (a save child, a test's worker) has to be asked
        for, however busy it is: what it inherited is not in its own events.

        Raises:
            InputError: there is no such process, or nothing to import.
        """
        chosen = [
            key
            for key, process in self.processes.items()
            if process.events and wanted in (None, process.pid)
        ]
        if wanted is None:
            own = [key for key in chosen if not self.processes[key].inherits]
            chosen = own or chosen  # if there are only such children, one of them
        if chosen:
            # the first of equals: dicts keep the order of the recording
            return max(chosen, key=lambda key: self.processes[key].events)
        if wanted is None:
            raise InputError(f"{name}: a recording without a single memory call or page fault.")
        events: Counter[int] = Counter()
        for process in self.processes.values():
            events[process.pid] += process.events
        listed = ", ".join(f"{pid} ({count:,} events)" for pid, count in events.most_common(8))
        raise InputError(f"{name}: no process {wanted} with memory events. It has {listed}.")

    def descendants(self, main: K) -> set[K]:
        """Return the process, children that it forked since its last exec, theirs, and so on."""
        found = {main}
        first_line = self.processes[main].exec_line
        for key, process in self.processes.items():  # a parent comes before its children
            if process.parent in found and process.born_line > first_line:
                found.add(key)
        return found

    def warnings(self, main: K, *, children: bool = False) -> list[str]:
        """List what the choice of a process leaves out; `children`: theirs are imported, too."""
        process, said = self.processes[main], []
        imported = self.descendants(main) if children else {main}
        others = [one for key, one in self.processes.items() if key not in imported and one.events]
        if others:
            others.sort(key=lambda one: -one.events)
            largest = ", ".join(f"{one.pid} ({one.events:,} events)" for one in others[:3])
            said.append(
                f"{len(others):,} other processes are dropped (counted as other_process.*); "
                f"choose one by --process PID, such as {largest}"
            )
        if process.execs > 1:
            said.append(f"only what follows the last of {process.execs} execs is imported")
        if process.inherits:
            said.append(
                "the process was forked and never did an exec: memory that it inherited is mapped "
                "where it is first used, and starts as zeros"
            )
        return said
