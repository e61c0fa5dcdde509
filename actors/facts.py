"""Facts: what a machine tells the observers of a run (checker, metrics), never other machines."""

import msgspec


class Fact(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of all facts; `op` is the operation in whose course it holds.

    Tagged by the name of the class, so that live actors can send theirs to the driver.
    """

    op: int


class CallStarted(Fact, frozen=True):
    """core: the thread enters the kernel for system call `kind` on a range of `pages`."""

    kind: int
    pages: int


class CallEnded(Fact, frozen=True):
    """core: the system call returned `error`."""

    kind: int
    error: int


class Touched(Fact, frozen=True):
    """core: `count` accesses of the guest were executed; stores have stamps from `first` on.

    Each such stretch of stores is one Store message of this core later, in the same order.
    """

    count: int
    write: bool
    first: int


class FaultStarted(Fact, frozen=True):
    """vm: a page fault begins."""


class Faulted(Fact, frozen=True):
    """vm: a page fault on `vpn` was resolved; `cause` is a FaultCause.

    `ns` is kernel work that the faulting core still has to spend on it.
    """

    asid: int
    vpn: int
    cause: int
    ns: int


class Segv(Fact, frozen=True):
    """vm: SIGSEGV for an access to `vpn`; `code` is a SegvCode."""

    asid: int
    vpn: int
    code: int


class Residency(Fact, frozen=True):
    """vm: mincore(2) says of the pages from `start` on whether they are resident: `101`."""

    asid: int
    start: int
    vec: str


class Flushed(Fact, frozen=True):
    """core: its TLB holds none of these entries (none: of the whole address space) any more."""

    asid: int
    vpns: tuple[int, ...]


class Refilled(Fact, frozen=True):
    """core: `entries` that a full flush had dropped for nothing are loaded again."""

    entries: int


class Shooting(Fact, frozen=True):
    """initiator: interrupts were sent to `targets` cores."""

    targets: int


class Shot(Fact, frozen=True):
    """initiator: all `targets` cores have acknowledged."""

    targets: int


class EntriesGone(Fact, frozen=True):
    """vm: these entries were removed or lost a permission; a shootdown follows."""

    asid: int
    vpns: tuple[int, ...]


class HoleSettled(Fact, frozen=True):
    """vm: HOLE's invalidation of [start, end) is complete; from now on access is fatal."""

    asid: int
    start: int
    end: int


class CoresCaughtUp(Fact, frozen=True):
    """vm: the last core to which the invalidation of these entries was left has done it."""

    asid: int
    vpns: tuple[int, ...]


class Granted(Fact, frozen=True):
    """vm: ZERO gives pages [start, end) back: its linearisation point."""

    asid: int
    start: int
    end: int


class ZeroCase(Fact, frozen=True):
    """vm: ZERO found `pages` pages in case `case` (a HoleEvent or Action name for metrics)."""

    case: str
    pages: int


class Outstanding(Fact, frozen=True):
    """vm: ZERO met a page whose invalidation was left to other cores.

    `recalled`: it invalidates first; else it zeroes at once.
    """

    recalled: bool


class BackgroundZeroed(Fact, frozen=True):
    """vm: the zeroing thread reported `pages` pages."""

    pages: int


class Reclaimed(Fact, frozen=True):
    """vm: the page daemon took `pages` frames: of `holes`, `free` (MADV_FREE) and clean ones."""

    pages: int
    holes: int
    free: int

    @property
    def clean(self) -> int:
        """Return how many were clean."""
        return self.pages - self.holes - self.free


class SwapWritten(Fact, frozen=True):
    """vm: `pages` pages were written to swap."""

    pages: int


class SwapRead(Fact, frozen=True):
    """vm: a page was read from swap."""


class Killed(Fact, frozen=True):
    """vm: out of memory, so process `asid` was killed: its pages, `free` frames that were free."""

    asid: int
    resident: int
    swapped: int
    free: int


class Stalled(Fact, frozen=True):
    """vm: an allocation found no frame; its operation sleeps until there are some."""


class FramesInUse(Fact, frozen=True):
    """memory: so many of its frames are not free now."""

    frames: int


class PagePinned(Fact, frozen=True):
    """vm: page `vpn` of `asid` is pinned in its frame, for a device."""

    asid: int
    vpn: int
    pfn: int


class PinMet(Fact, frozen=True):
    """vm: an operation met a page that a device has pinned.

    `case`: `hole` (HOLE or ZERO left it alone), `discard` (its frame outlives it), `fork` (the
    child got a copy).
    """

    case: str


class TransferEnded(Fact, frozen=True):
    """device: memory has performed all of transfer `name`: `granules` stores, or loads."""

    name: int
    granules: int
    store: bool


class Resident(Fact, frozen=True):
    """vm: the resident set of `asid` is now `pages`."""

    asid: int
    pages: int


#: all facts
FACTS: tuple[type[Fact], ...] = (
    CallStarted, CallEnded, Touched, FaultStarted, Faulted, Segv, Residency, Flushed, Refilled,
    Shooting, Shot, EntriesGone, HoleSettled, CoresCaughtUp, Granted, ZeroCase, Outstanding,
    BackgroundZeroed, Reclaimed, SwapWritten, SwapRead, Killed, Stalled, FramesInUse,
    PagePinned, PinMet, TransferEnded, Resident,
)  # fmt: skip
