"""What is known of a run when it is over: its metrics, as results files have them."""

import msgspec

from cluster.results.histogram import Spread
from cluster.results.page_meter import PagesHeld


class KilledProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was killed: its pages then, and the frames that were free."""

    process: int
    resident_pages: int
    swapped_pages: int
    free_frames: int
    #: null in a free run
    when_ns: int | None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of a run; keys of the dicts are fixed, counts of 0 included.

    Pages are 4 KiB pages, durations simulated nanoseconds, counts are of the whole run.
    """

    #: system calls by kind, from kernel entry to return
    operations: dict[str, Spread]
    #: pages of the ranges that they were called for, resident or not, by kind
    operation_pages: dict[str, int]
    #: accesses of the guest, one granule each: `loads`, `stores`
    touches: dict[str, int]
    #: resolved page faults by FaultCause
    faults: dict[str, int]
    #: resolved page faults, from the failing walk until the thread can go on
    fault_latency: Spread
    #: SIGSEGVs by SegvCode
    segv: dict[str, int]
    #: shootdown interrupts: `sent`, `acked`
    ipis: dict[str, int]
    #: from the first interrupt of a shootdown to its last acknowledgement
    shootdown_wait: Spread
    #: by whom pages of holes were zeroed: `background` (the zeroing thread), `stolen` (begun by it,
    #: ended by ZERO), `inline` (ZERO alone); `skipped`: ZERO found them zero; `clean`: HOLE did
    pages_zeroed: dict[str, int]
    #: frames that the page daemon took: `pages`, of these out of `holes`, of `free` (MADV_FREE)
    #: pages, of `clean` ones
    reclaimed: dict[str, int]
    #: pages `written` to swap and `read` from it
    swap: dict[str, int]
    #: allocations that found no frame and slept
    low_memory: int
    #: processes that were killed as memory was out
    killed: list[KilledProcess]
    #: devices: `pages_pinned`; bytes that they stored to memory and loaded from it
    transfers: dict[str, int]
    #: the resident set of all processes together: pages in holes have left it
    resident: PagesHeld
    #: the same by process
    resident_by_process: dict[str, PagesHeld]
    #: frames that are not free, pages of holes included
    frames_in_use: PagesHeld
    #: system calls that failed, by errno
    errors: dict[str, int]
    sometimes: dict[str, int]
