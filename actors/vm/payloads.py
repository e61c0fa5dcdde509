"""What only operations of one family of kinds know: the payloads of `Op`.

A field means one thing. An operation that goes through the phases of a fault or of a scan of a
queue has a payload that extends theirs: those phases find their fields whoever goes through them.
Payloads are values: a phase replaces them.
"""

import msgspec

from actors.message import PageKey
from kernel.errors import FaultCause

#: a page, and where in the operation's range it is; 0 if it is not about a range
Held = tuple[PageKey, int]
#: a page that was taken off a queue: its identity, its frame, its activity
Queued = tuple[PageKey, int, int]


class Payload(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Base of payloads; has no fields."""

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the pages that the operation holds busy, for lock order and stories."""
        return ()


#: of kinds that need nothing of their own
NOTHING = Payload()


# Faults.


class Fault(Payload, frozen=True):
    """FAULT; POPULATE, which has one page after another faulted in."""

    #: page of the address space
    vpn: int
    #: for a store
    write: bool
    #: for whom: USER, KERNEL or POPULATES
    behalf: int
    #: how it is resolved, as far as that is known
    cause: FaultCause = FaultCause.NONE
    #: what will be entered; busy
    page: PageKey | None = None
    #: the older page that is copied to it; busy, too
    source: PageKey | None = None

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the page that will be entered."""
        return () if self.page is None else ((self.page, self.vpn),)


class Mlock(Fault, frozen=True):
    """MLOCK: all of its range is wired first."""

    #: what was wired before: pages [start, end)
    wired: tuple[tuple[int, int], ...] = ()


class Dma(Fault, frozen=True):
    """DMA: its pages are faulted in, and pinned for a device."""

    #: index of the device, which need not exist
    device: int = 0
    #: frames that are pinned so far
    pinned: tuple[int, ...] = ()


# Mappings.


class Discard(Payload, frozen=True):
    """MUNMAP; and whatever else lets pages go."""

    #: pages at which it slept: with the hazard no-restart-after-busy it does not look again
    seen: tuple[int, ...] = ()


class End(Discard, frozen=True):
    """EXIT, EXEC."""

    #: threads of the process whose end it awaits
    awaits: tuple[int, ...] = ()
    #: threads that were not started when they were asked
    unborn: tuple[int, ...] = ()
    #: threads that those that ended had started, and the caller before an execve
    started: tuple[int, ...] = ()


class Map(Discard, frozen=True, kw_only=True):
    """MMAP."""

    prot: int
    shared: bool
    #: file number, or NO_FILE
    file: int
    #: page of the file at which the mapping begins
    first: int


class Protect(Payload, frozen=True):
    """MPROTECT."""

    prot: int


class Inherit(Payload, frozen=True):
    """MINHERIT: flags of map entries to set and to clear."""

    on: int
    off: int


class Fork(Discard, frozen=True, kw_only=True):
    """FORK."""

    #: address space of the child
    child: int
    #: frames that it has for the child's copies of pinned pages
    spare: tuple[int, ...] = ()
    #: the child's copy of a pinned page, and that page, while it is copied; busy
    copying: tuple[PageKey, PageKey] | None = None

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the child's copy of a pinned page."""
        return () if self.copying is None else ((self.copying[0], 0),)


class Remap(Discard, frozen=True, kw_only=True):
    """MREMAP: one run of mapped pages after another moves to the new place."""

    #: the run that moves: [old, old_end) becomes [new, new_end)
    old: int
    old_end: int
    new: int
    new_end: int
    #: the old place stays mapped
    keep: bool
    #: end of all runs
    end: int
    #: entries of the page table that were taken at the old place: page, entry
    moved: tuple[tuple[int, int], ...] = ()


# Advice.


class Free(Discard, frozen=True):
    """ADVISE_FREE."""

    #: pages that the page daemon may have once they are flushed
    marked: tuple[Held, ...] = ()


class Dontneed(Free, frozen=True):
    """ADVISE_DONTNEED, whether it discards pages or marks them."""

    #: locked memory, too (MADV_DONTNEED_LOCKED)
    locked: bool = False


class Hole(Discard, frozen=True):
    """HOLE."""

    #: pages that it has taken into the hole; busy
    pages: tuple[Held, ...] = ()
    #: number of the invalidation that it left to other cores; 0: none yet, -1: no core was to do it
    deferral: int = 0

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the pages that it has taken into the hole."""
        return self.pages


class Zero(Discard, frozen=True):
    """ZERO."""

    #: pages that it has taken, into the hole or for the grant; busy
    pages: tuple[Held, ...] = ()
    #: pages that a zeroing thread has to cede
    wanted: tuple[Held, ...] = ()
    #: pages to zero inline: page, chunks that the zeroing thread has done
    inline: tuple[tuple[int, int], ...] = ()
    #: pages left as they were: wired
    left: tuple[int, ...] = ()
    #: pages below have been decided
    upto: int = 0

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the pages that it has taken."""
        return self.pages


# Paging.

#: in place of the number of a queue: the pages do not come from one
NO_QUEUE = -1


class Scan(Payload, frozen=True):
    """RECLAIM, LAUNDER, AGE: the page daemon goes through a queue, batch by batch."""

    #: number of the queue among those of all domains
    queue: int = NO_QUEUE
    #: pages to free, or to get nearer to that, until enough is done
    target: int = 0
    #: most pages to look at
    most: int = 0
    #: frames are short
    short: bool = False
    #: the tally: pages looked at, frames freed, pages that got nearer to being freed
    looked: int = 0
    freed: int = 0
    moved: int = 0
    #: pages of the batch that it has not looked at
    batch: tuple[Queued, ...] = ()
    #: pages that it frees or writes; busy
    taken: tuple[PageKey, ...] = ()
    #: where those were written in swap; NO_SLOT: there was no room
    slots: tuple[int, ...] = ()

    @property
    def busy(self) -> tuple[Held, ...]:
        """Return the pages that it frees or writes."""
        return tuple((key, 0) for key in self.taken)


class Pageout(Scan, frozen=True):
    """ADVISE_PAGEOUT: the batches come from its range; NO_QUEUE before the first one."""

    #: pages below have been chosen from
    upto: int = 0


# Flushes.


class Switch(Payload, frozen=True):
    """SWITCH."""

    #: the core runs the address space already
    within: bool
    #: the generation, as it was read: the core's entries are still good
    good: bool = False


class CatchUp(Payload, frozen=True):
    """CATCH_UP."""

    #: invalidations up to this number are late
    upto: int
