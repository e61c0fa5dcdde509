"""The guest threads of an import: time between operations, waits, births and deaths."""

from actors.guest.program import Access, Await, Create, Exit, Instruction, Think, ThreadInfo
from cluster.importers.edges import Edges, Waits
from cluster.workload_writer import WorkloadWriter


class ThreadStreams:
    """Turn operations of recorded threads into instructions of guest threads, in order.

    One guest thread stands for one life of a tid: a tid that ended and comes back is another one.
    """

    def __init__(self, writer: WorkloadWriter, *, concurrent: bool) -> None:
        self._writer = writer
        self._thread_of: dict[int, int] = {}
        #: when the thread's last operation ended; thinking begins there
        self._idle_since_ns: list[int] = []
        self._program = ""
        self._begin_ns = 0
        # A single thread waits for nobody, and most recordings have a single one.
        self._edges = Edges() if concurrent else None

    @property
    def waits_forgotten(self) -> int:
        """Ranges whose last operation was forgotten for lack of room."""
        return self._edges.forgotten if self._edges else 0

    def start(self, tid: int, program: str, start_ns: int) -> None:
        """Begin with the thread that the process begins with."""
        self._program, self._begin_ns = program, start_ns
        self._thread_of[tid] = self._add(tid, start_ns, initial=True)

    def thread(self, tid: int) -> int:
        """Give the guest thread of a tid; one whose creation was not seen runs from the start."""
        thread = self._thread_of.get(tid)
        if thread is None:
            thread = self._thread_of[tid] = self._add(tid, self._begin_ns, initial=True)
        return thread

    def born(self, tid: int, child: int, start_ns: int) -> None:
        """Add the `Create` of a thread to the stream of its creator."""
        if child in self._thread_of:
            return
        parent = self.thread(tid)
        number = self._thread_of[child] = self._add(child, start_ns, initial=False)
        index = self._append(parent, Create(number), start_ns, start_ns, [])
        if self._edges:
            self._edges.follows(number, parent, index)

    def died(self, tid: int, start_ns: int) -> None:
        """End the stream of a thread, if it has one."""
        thread = self._thread_of.pop(tid, None)
        if thread is not None:
            self._append(thread, Exit(), start_ns, start_ns, [])

    def rename(self, tid: int, name: str) -> None:
        """Call a thread by its command name as recorded last."""
        thread = self._thread_of.get(tid)
        if thread is not None:
            self._writer.rename_thread(thread, f"{name}/{tid}")

    def touch(self, thread: int, access: Access, page: int, start_ns: int, end_ns: int) -> int:
        """Add an access to one page; give its index."""
        if self._edges is None:
            return self._append(thread, access, start_ns, end_ns, [])
        waits = self._edges.before_touch(thread, page)
        index = self._append(thread, access, start_ns, end_ns, waits)
        self._edges.touched(thread, index, page)
        return index

    def touch_again(self, thread: int, access: Access, page: int, behind: tuple[int, int]) -> int:
        """Add an access that takes no time, behind operation `behind` of any thread."""
        if self._edges is None:
            return self._append(thread, access, 0, 0, [])
        waits = self._edges.before_touch(thread, page) + self._edges.behind(thread, *behind)
        index = self._append(thread, access, 0, 0, waits)
        self._edges.touched(thread, index, page)
        return index

    def call(
        self,
        thread: int,
        instruction: Instruction,
        pages: tuple[int, int],
        start_ns: int,
        end_ns: int,
    ) -> int:
        """Add an operation on a range of pages; give its index."""
        if self._edges is None:
            return self._append(thread, instruction, start_ns, end_ns, [])
        waits = self._edges.before_call(thread, *pages)
        index = self._append(thread, instruction, start_ns, end_ns, waits)
        self._edges.called(thread, index, *pages)
        return index

    def amend(self, thread: int, index: int, instruction: Instruction, end_ns: int) -> bool:
        """Replace a recent instruction by one that ends at `end_ns`; False when it is too late."""
        if not self._writer.amend(thread, index, instruction):
            return False
        self._idle_since_ns[thread] = max(self._idle_since_ns[thread], end_ns)
        return True

    def _add(self, tid: int, start_ns: int, *, initial: bool) -> int:
        self._idle_since_ns.append(start_ns)
        name = f"{self._program}/{tid}" if self._program else str(tid)
        return self._writer.add_thread(ThreadInfo(name, process=0, core=-1, initial=initial))

    def _append(
        self, thread: int, instruction: Instruction, start_ns: int, end_ns: int, waits: Waits
    ) -> int:
        append = self._writer.append
        idle_since = self._idle_since_ns[thread]
        if start_ns > idle_since:
            append(thread, Think(start_ns - idle_since))
        # Faults inside a call end before it does: time never runs backwards.
        self._idle_since_ns[thread] = max(idle_since, start_ns, end_ns)
        for other, index in waits:
            append(thread, Await(other, index))
        return append(thread, instruction)
