"""The guest threads of an import: time between operations, waits, births and deaths."""

from actors.guest.program import (
    Access,
    Await,
    Create,
    Exec,
    Exit,
    Fork,
    Instruction,
    Quit,
    Think,
    ThreadInfo,
)
from cluster.importers.threads.edges import Edges, Waits
from cluster.workload.writer import WorkloadWriter
from kernel.units import VPN_LIMIT


class ThreadStreams:
    """Turn operations of recorded threads into instructions of guest threads, in order.

    A guest thread is one life of a tid: a tid that ends and is used again is another one.
    """

    def __init__(self, writer: WorkloadWriter, *, concurrent: bool) -> None:
        self._writer = writer
        self._thread_of: dict[int, int] = {}
        #: by thread: when its last operation ended; from then on it thinks
        self._idle_since_ns: list[int] = []
        self._program = ""
        self._begin_ns = 0
        # a single thread waits for nobody, and most recordings have only one
        self._concurrent = concurrent
        self._edges_of: list[Edges | None] = [Edges() if concurrent else None]
        #: by thread: its process; below, by process: threads that have not ended
        self._process_of: list[int] = []
        self._alive: list[set[int]] = [set()]

    @property
    def waits_forgotten(self) -> int:
        """Return how many ranges lost their last operation for lack of room."""
        return sum(edges.forgotten for edges in self._edges_of if edges)

    def process(self, tid: int) -> int:
        """Return the process of a tid's thread; a tid not seen yet belongs to the main one."""
        thread = self._thread_of.get(tid)
        return 0 if thread is None else self._process_of[thread]

    def start(self, tid: int, program: str, start_ns: int) -> None:
        """Add the first thread of the process."""
        self._program, self._begin_ns = program, start_ns
        self._thread_of[tid] = self._add(tid, start_ns, 0, initial=True)

    def thread(self, tid: int) -> int:
        """Return the guest thread of a tid; one with no recorded creation runs from the start."""
        thread = self._thread_of.get(tid)
        if thread is None:
            thread = self._thread_of[tid] = self._add(tid, self._begin_ns, 0, initial=True)
        return thread

    def born(self, tid: int, child: int, start_ns: int) -> None:
        """Add the `Create` of a thread to the stream of its creator."""
        if child in self._thread_of:
            return
        parent = self.thread(tid)
        process = self._process_of[parent]
        number = self._thread_of[child] = self._add(child, start_ns, process, initial=False)
        index = self._append(parent, Create(number), start_ns, start_ns, [])
        edges = self._edges_of[process]
        if edges:
            edges.follows(number, parent, index)

    def forked(self, tid: int, child: int, start_ns: int) -> int:
        """Add the `Fork` of a process to the stream of its parent; return the process.

        It comes after all that other threads of the parent have done, and before all that they do
        later.
        """
        parent = self.thread(tid)
        process = self._new_process()
        number = self._thread_of[child] = self._add(child, start_ns, process, initial=False)
        self._everything(parent, Fork(number), start_ns)
        return process

    def begins_anew(self, tid: int, start_ns: int, *, borrowed: bool) -> int:
        """Let a thread go on in an empty address space (an exec); return its process.

        borrowed: it has lived in the memory of its parent, which goes on without it.
        """
        thread = self.thread(tid)
        if not borrowed:
            self._everything(thread, Exec(), start_ns)
            process = self._process_of[thread]
            self._edges_of[process] = Edges() if self._concurrent else None
            return process
        process = self._new_process()
        number = self._thread_of[tid] = self._add(tid, start_ns, process, initial=False)
        self._append(thread, Create(number), start_ns, start_ns, [])
        self._ended(thread)
        self._append(thread, Exit(), start_ns, start_ns, [])
        return process

    def died(self, tid: int, start_ns: int) -> None:
        """End the stream of a thread, if it has one; the last one of a forked process ends that."""
        thread = self._thread_of.pop(tid, None)
        if thread is None:
            return
        self._ended(thread)
        process = self._process_of[thread]
        if process and not self._alive[process]:
            self._everything(thread, Quit(), start_ns)
        else:
            self._append(thread, Exit(), start_ns, start_ns, [])

    def _new_process(self) -> int:
        self._edges_of.append(Edges() if self._concurrent else None)
        self._alive.append(set())
        return len(self._alive) - 1

    def _ended(self, thread: int) -> None:
        self._alive[self._process_of[thread]].discard(thread)

    def _everything(self, thread: int, instruction: Instruction, start_ns: int) -> None:
        """Add an operation on the whole address space of a thread."""
        self.call(thread, instruction, (0, VPN_LIMIT), start_ns, start_ns)

    def rename(self, tid: int, name: str) -> None:
        """Name a thread after its command, as recorded last."""
        thread = self._thread_of.get(tid)
        if thread is not None:
            self._writer.rename_thread(thread, f"{name}/{tid}")

    def touch(self, thread: int, access: Access, page: int, start_ns: int, end_ns: int) -> int:
        """Add an access to one page; return its index."""
        edges = self._edges_of[self._process_of[thread]]
        if edges is None:
            return self._append(thread, access, start_ns, end_ns, [])
        waits = edges.before_touch(thread, page)
        index = self._append(thread, access, start_ns, end_ns, waits)
        edges.touched(thread, index, page)
        return index

    def touch_again(self, thread: int, access: Access, page: int, after: tuple[int, int]) -> int:
        """Add an access that takes no time, after the operation `after` (thread, index)."""
        edges = self._edges_of[self._process_of[thread]]
        if edges is None:
            return self._append(thread, access, 0, 0, [])
        waits = edges.before_touch(thread, page) + edges.after(thread, *after)
        index = self._append(thread, access, 0, 0, waits)
        edges.touched(thread, index, page)
        return index

    def call(
        self,
        thread: int,
        instruction: Instruction,
        pages: tuple[int, int],
        start_ns: int,
        end_ns: int,
    ) -> int:
        """Add an operation on a range of pages; return its index."""
        edges = self._edges_of[self._process_of[thread]]
        if edges is None:
            return self._append(thread, instruction, start_ns, end_ns, [])
        waits = edges.before_call(thread, *pages)
        index = self._append(thread, instruction, start_ns, end_ns, waits)
        edges.called(thread, index, *pages)
        return index

    def amend(self, thread: int, index: int, instruction: Instruction, end_ns: int) -> bool:
        """Replace a recent instruction by one that ends at `end_ns`; False: it is too late."""
        if not self._writer.amend(thread, index, instruction):
            return False
        self._idle_since_ns[thread] = max(self._idle_since_ns[thread], end_ns)
        return True

    def _add(self, tid: int, start_ns: int, process: int, *, initial: bool) -> int:
        self._idle_since_ns.append(start_ns)
        name = f"{self._program}/{tid}" if self._program else str(tid)
        info = ThreadInfo(name, process=process, core=-1, initial=initial)
        thread = self._writer.add_thread(info)
        self._process_of.append(process)
        self._alive[process].add(thread)
        return thread

    def _append(
        self, thread: int, instruction: Instruction, start_ns: int, end_ns: int, waits: Waits
    ) -> int:
        append = self._writer.append
        idle_since = self._idle_since_ns[thread]
        if start_ns > idle_since:
            append(thread, Think(start_ns - idle_since))
        # faults inside a call end before it does: time never runs backwards
        self._idle_since_ns[thread] = max(idle_since, start_ns, end_ns)
        for other, index in waits:
            append(thread, Await(other, index))
        return append(thread, instruction)
