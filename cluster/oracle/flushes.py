"""TLB flushes of a simulated run beside those of the recording, by what the thread was doing.

Two kinds are compared: invalidations on the core that changed the page table (*local*), and rounds
of interrupts to other cores (*remote*). They are only counted, not matched one by one.
"""

from collections import Counter

import msgspec

from actors.facts import CallEnded, CallStarted, Fact, Flushed, Shooting
from actors.operation import OpKind

#: reasons of Linux's tlb:tlb_flush events
_TASK_SWITCH, _RECEIVED, _LOCAL, _SENT = 0, 1, 3, 4
#: names in a recording of the calls of the simulation, where brk is an mmap or munmap, and fork,
#: exec and exit are not memory calls
_CONTEXTS = {
    OpKind.MMAP: "mmap",
    OpKind.MUNMAP: "munmap",
    OpKind.MPROTECT: "mprotect",
    OpKind.MREMAP: "mremap",
    OpKind.ADVISE_FREE: "madvise",
    OpKind.ADVISE_DONTNEED: "madvise",
}
OTHER = "fault, fork, exec, exit"
_RECORDED = {"brk": "munmap", "pkey_mprotect": "mprotect", "fault": OTHER}

#: known reasons for which the two differ
GAPS = (
    """Both flush when the zero page gives way to a private page, and when a page is copied; Linux
    also when it finds that another thread has resolved the fault. An address space that ends is
    flushed once here, and in parts there.""",
    """Linux does not interrupt a core whose thread sleeps (lazy TLB); here an address space stays
    active on a core until another one runs there, as on FreeBSD.""",
    """Recorded threads shared two cores with other programs and migrated between them: even a
    single thread interrupted the core that it had left. Simulated ones stay where they are.""",
    """Linux has six tags (PCIDs) per core, and gives an address space a new one at a switch when
    they have run out (task switch); here each address space has a tag of its own.""",
)


class FlushCount(msgspec.Struct, frozen=True):
    """Flushes in one context."""

    recorded_local: int
    simulated_local: int
    recorded_remote: int
    simulated_remote: int


class Flushes(msgspec.Struct, frozen=True, kw_only=True):
    """All flushes of a recording and of its simulation."""

    by_context: dict[str, FlushCount]
    #: recorded only: at a task switch; received from another core
    recorded_at_switch: int
    recorded_received: int


class FlushWatch:
    """A listener that counts flushes by what the initiating thread was doing."""

    def __init__(self, core_of: tuple[int, ...]) -> None:
        self.local: Counter[str] = Counter()
        self.remote: Counter[str] = Counter()
        self._core_of = core_of
        #: thread -> the call that it is in
        self._calls: dict[int, str] = {}

    def noted(self, _when: int, actor: int, fact: Fact) -> None:
        """Take in one fact."""
        if isinstance(fact, Flushed):
            if fact.op < len(self._core_of) and self._core_of[fact.op] == actor:
                self.local[self._calls.get(fact.op, OTHER)] += 1
        elif isinstance(fact, Shooting):
            self.remote[self._calls.get(fact.op, OTHER)] += 1
        elif isinstance(fact, CallStarted):
            self._calls[fact.op] = _CONTEXTS.get(OpKind(fact.kind), OTHER)
        elif isinstance(fact, CallEnded):
            self._calls.pop(fact.op, None)


def beside(recorded: Counter[tuple[str, int]], watch: FlushWatch) -> Flushes:
    """Put the counts of a run beside the recorded ones."""
    counts: dict[str, Counter[int]] = {}
    for (context, reason), count in recorded.items():
        counts.setdefault(_RECORDED.get(context, context), Counter())[reason] += count
    contexts = sorted({*counts, *watch.local, *watch.remote})
    none: Counter[int] = Counter()
    return Flushes(
        by_context={
            context: FlushCount(
                counts.get(context, none)[_LOCAL],
                watch.local[context],
                counts.get(context, none)[_SENT],
                watch.remote[context],
            )
            for context in contexts
        },
        recorded_at_switch=sum(one[_TASK_SWITCH] for one in counts.values()),
        recorded_received=sum(one[_RECEIVED] for one in counts.values()),
    )
