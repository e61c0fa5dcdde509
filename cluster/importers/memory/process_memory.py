"""The memory of the recorded process during the import: what its operations do to it.

Addresses stay as recorded. The recorded address space is tracked alongside, because what a call or
a touch means depends on it.
"""

from actors.guest.program import Access, Instruction, Map, Prot, Release, Reuse
from cluster.importers.memory.address_space import AddressSpace, Kind, Mapping
from cluster.importers.memory.assumed_touches import AssumedTouches, Runs
from cluster.importers.memory.pairs import CLOSED, DONTNEED, TOUCHED, Releases
from cluster.importers.memory.tally import Tally
from cluster.importers.memory.witness import Witness
from cluster.importers.options import ImportOptions, ReuseRange
from cluster.importers.recording.linux import LOWEST_VA, USER_VA_LIMIT
from cluster.importers.recording.recorded import Call, Touch
from cluster.importers.threads.thread_streams import ThreadStreams
from kernel.units import PAGE_SHIFT, PAGE_SIZE

_READ, _WRITE = int(Prot.READ), int(Prot.WRITE)
READ_WRITE = _READ | _WRITE
#: capabilities make a granule of 16 bytes the unit of an access
_GRANULE_MASK = ~15


class ProcessMemory:
    """Keep streams, address space and released ranges in step at every operation."""

    def __init__(
        self,
        streams: ThreadStreams,
        tally: Tally,
        options: ImportOptions,
        witness: Witness | None = None,
        process: int = 0,
    ) -> None:
        self.process = process
        self._options = options
        self.streams = streams
        self.tally = tally
        self.space = AddressSpace()
        self.releases = Releases()
        self.assumed = AssumedTouches(options)
        self._reuse = options.reuse
        self._file_touches = options.file_touches
        self._fault_ns = options.fault_ns
        self._witness = witness

    def fork(self, process: int, *, empty: bool) -> "ProcessMemory":
        """Return the memory of a process that begins with a copy of this one (or empty)."""
        child = ProcessMemory(self.streams, self.tally, self._options, self._witness, process)
        if not empty:
            child.space = self.space.copy()
            child.releases = self.releases.copy()
        return child

    def operate(self, call: Call, instruction: Instruction, start: int, end: int) -> int:
        """Add an operation of `call` on the pages `[start, end)`; return its index."""
        thread = self.streams.thread(call.tid)
        return self.streams.call(thread, instruction, (start, end), call.start_ns, call.end_ns)

    def map(self, call: Call, start: int, end: int, mapping: Mapping) -> None:
        """Map zero-filled memory over whatever was there."""
        va, length = start << PAGE_SHIFT, (end - start) << PAGE_SHIFT
        # without its children a process cannot tell what others would see
        shared = mapping.kind is Kind.SHARED and self._options.children
        self.operate(call, Map(va, length, mapping.prot, shared), start, end)
        self.space.assign(start, end, mapping)
        self.releases.end(start, end)

    def imply(self, call: Call | Touch, start: int, end: int) -> None:
        """Map the parts of `[start, end)` that are in use although no traced call mapped them."""
        thread = self.streams.thread(call.tid)
        for low, high in self.space.gaps(start, end):
            self.tally.approximated["implied_map"] += 1
            instruction = Map(low << PAGE_SHIFT, (high - low) << PAGE_SHIFT, READ_WRITE)
            self.streams.call(thread, instruction, (low, high), call.start_ns, call.start_ns)
            self.space.assign(low, high, Mapping(READ_WRITE, Kind.IMPLIED))

    def release(self, call: Call, start: int, end: int, how: int) -> None:
        """Release the content of `[start, end)`, or complete the thread's last release."""
        thread = self.streams.thread(call.tid)
        va, length = start << PAGE_SHIFT, (end - start) << PAGE_SHIFT
        latest = self.releases.joinable(thread, start, end, how)
        if latest is not None:
            joint = Release(va, length, latest.state.how | how)
            if self.streams.amend(thread, latest.index, joint, call.end_ns):
                self.releases.join(thread, latest, how)
                return
        self.releases.next_call(thread)
        self.touch_before_release(call, start, end, how)
        index = self.operate(call, Release(va, length, how), start, end)
        self.releases.release(thread, index, start, end, how)
        self.space.set_given_back(start, end)

    def reuse(self, call: Call | Touch, start: int, end: int, how: int) -> None:
        """Take the released pages `[start, end)` back into use."""
        thread = self.streams.thread(call.tid)
        instruction = Reuse(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT, how)
        end_ns = call.end_ns if isinstance(call, Call) else call.start_ns
        self.streams.call(thread, instruction, (start, end), call.start_ns, end_ns)
        self.releases.end(start, end)

    def touch_before_release(self, call: Call, start: int, end: int, how: int) -> None:
        """Write the pages that the program is taken to have written since the last release."""
        if not self.assumed.any:
            return
        at = start
        for low, high, state in self.releases.states(start, end):
            self._write(call, self.assumed.before_release(self.space.pieces(at, low)))
            at = high
            # DONTNEED after FREE is an allocator's second stage, not a second life of the range
            purge = how == DONTNEED and not state.how & DONTNEED
            if not (state.how & CLOSED or how & CLOSED or purge):
                self.reuse(call, low, high, TOUCHED)
                self._write(call, self.assumed.before_second_release(self.space.pieces(low, high)))
        self._write(call, self.assumed.before_release(self.space.pieces(at, end)))

    def touch_before_unmap(self, call: Call, start: int, end: int) -> None:
        """Write the pages that the program is taken to have written before it unmaps them."""
        at = start
        for low, high, _ in self.releases.states(start, end):
            self._write(call, self.assumed.before_release(self.space.pieces(at, low)))
            at = high
        self._write(call, self.assumed.before_release(self.space.pieces(at, end)))

    def touch_after_grant(self, call: Call, start: int, end: int) -> None:
        """Write the pages that the program is taken to write as soon as it can."""
        self._write(call, self.assumed.after_grant(self.space.pieces(start, end)))

    def write_all(self, call: Call, start: int, end: int) -> None:
        """Write once to every page of `[start, end)`."""
        self._write(call, [(start, end)])

    def touch(self, touch: Touch) -> None:
        """Translate a recorded page fault."""
        mapping = self._touched_mapping(touch)
        if mapping is None:
            return
        page = touch.va >> PAGE_SHIFT
        if mapping.kind is Kind.FILE and not self._file_touches:
            self.tally.left_out["file_fault"] += 1
            return
        self.tally.faults[_cause(touch, mapping)] += 1
        released = self.releases.open_at(page) if self._reuse is not ReuseRange.NONE else None
        if released is not None:
            whole = self._reuse is ReuseRange.RANGE
            self.reuse(touch, *(released if whole else (page, page + 1)), TOUCHED)
        thread = self.streams.thread(touch.tid)
        access = Access(touch.va & _GRANULE_MASK, 1, PAGE_SIZE, touch.write)
        end_ns = touch.start_ns + self._fault_ns
        index = self.streams.touch(thread, access, page, touch.start_ns, end_ns)
        self.tally.touched.add(page)
        if self._witness is not None:
            self._witness.touched(touch, mapping, (thread, index), self)

    def _touched_mapping(self, touch: Touch) -> Mapping | None:
        """Return what is mapped at a touch; None (and counted) if the program got a signal."""
        if touch.va >= USER_VA_LIMIT:
            self.tally.left_out["fault_outside_user_memory"] += 1
            return None
        page = touch.va >> PAGE_SHIFT
        mapping = self.space.value(page)
        if mapping is None and touch.va >= LOWEST_VA:
            self.imply(touch, *self.space.implied_block(page))
            mapping = self.space.value(page)
        needs = _WRITE if touch.write else _READ
        if mapping is None or not mapping.prot & needs:
            self.tally.left_out["fault_not_permitted"] += 1
            return None
        return mapping

    def _write(self, call: Call, runs: Runs) -> None:
        thread = self.streams.thread(call.tid)
        for start, end in runs:
            access = Access(start << PAGE_SHIFT, end - start, PAGE_SIZE, write=True)
            self.streams.call(thread, access, (start, end), call.start_ns, call.start_ns)
            self.tally.touched.add_range(start, end)


def _cause(touch: Touch, mapping: Mapping) -> str:
    """Name why the recorded program faulted."""
    if mapping.kind in (Kind.FILE, Kind.SHARED, Kind.IMPLIED):
        return mapping.kind.name.lower()
    if touch.present:
        return "anonymous_upgrade"
    return "anonymous_after_release" if mapping.given_back else "anonymous_first"
