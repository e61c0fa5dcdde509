"""Count what an import left out or approximated."""

from collections import Counter

import msgspec

from cluster.importers.memory.page_set import PageSet


class Tally(msgspec.Struct):
    """Counts by kind; `failed.mmap` is kind `failed` of the call `mmap`."""

    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    approximated: Counter[str] = msgspec.field(default_factory=Counter)
    #: recorded page faults by cause
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    touched: PageSet = msgspec.field(default_factory=PageSet)
    #: time of the first event of the process (-1: none yet), and of the last
    begin_ns: int = -1
    end_ns: int = 0

    @property
    def duration_ns(self) -> int:
        """Return the recorded time that the workload covers."""
        return max(0, self.end_ns - max(0, self.begin_ns))


def ordered(counts: Counter[str]) -> dict[str, int]:
    """Return the counts above 0, sorted by kind."""
    return {kind: counts[kind] for kind in sorted(counts) if counts[kind]}
