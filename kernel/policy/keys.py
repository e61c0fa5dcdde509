"""Policies: which variant of the protocol runs, key by key.

Each key is a choice that the discussion of issue 1318 leaves open; `texts.py` says who proposed
each value, `refusals.py` which combinations make no sense and why, `promises.py` what a policy
promises. Presets are in `presets.py`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class AdviceKind(StrEnum):
    """Which calls an allocator's release and reuse become."""

    #: MADV_FREE_HOLE and MADV_FREE_ZERO (nwf's names)
    HOLE_ZERO = "hole-zero"
    #: madvise(MADV_FREE_REUSABLE) and MADV_FREE_REUSE as XNU has them: no zero guarantee
    REUSABLE_REUSE = "reusable-reuse"
    #: madvise(MADV_DONTNEED) as Linux has it: contents discarded at once
    DONTNEED_LINUX = "dontneed-linux"
    #: madvise(MADV_DONTNEED) as FreeBSD has it: deactivated, contents kept
    DONTNEED_FREEBSD = "dontneed-freebsd"
    #: madvise(MADV_FREE): the kernel may drop a page until it is stored to
    FREE = "free"
    #: munmap, and mmap again on reuse
    UNMAP = "unmap"


class HoleRecord(StrEnum):
    """Where the kernel remembers that a page is in a hole."""

    #: a VPO flag of the page, under the map read lock (markjdb)
    PAGE_FLAG = "page-flag"
    #: a flag of a clipped map entry, under the map write lock (nwf)
    MAP_ENTRY = "map-entry"
    #: ranges recorded beside the map, under the map read lock (davidchisnall, step 1)
    RANGE_LIST = "range-list"


class NoAccess(StrEnum):
    """What HOLE does to the page-table entries."""

    NONE = "none"
    #: the entry keeps its frame and permits nothing, as Linux's PROT_NONE
    KEEP_PTE = "keep-pte"
    #: the entry is removed (FreeBSD's PROT_NONE)
    REMOVE_PTE = "remove-pte"


class Invalidate(StrEnum):
    """How HOLE makes other cores forget the old entries."""

    NONE = "none"
    #: HOLE interrupts the cores that run the address space, and waits
    EAGER_IPI = "eager-ipi"
    #: the hardware tells all cores, and HOLE waits for its completion (TLBI; INVLPGB, TLBSYNC)
    BROADCAST = "broadcast"
    #: HOLE returns at once, other cores invalidate when they switch context (davidchisnall, step 2)
    DEFERRED_AT_SWITCH = "deferred-at-switch"
    #: the same, and whenever they enter the kernel
    DEFERRED_AT_KERNEL_ENTRY = "deferred-at-kernel-entry"


class HoleAccess(StrEnum):
    """What an access to a hole does (nwf: it may be fatal; markjdb doubts that this pays)."""

    PERMISSIVE = "permissive"
    FATAL = "fatal"


class Rogue(StrEnum):
    """What becomes of a page that is touched in a permissive hole."""

    #: it leaves the hole, as on XNU
    REUSE_PAGE = "reuse-page"
    STAY_HOLE = "stay-hole"


class Zeroing(StrEnum):
    """Who zeroes the pages of a hole."""

    INLINE = "inline"
    BACKGROUND = "background"
    #: ZERO takes over what the background thread has not finished (davidchisnall, step 4)
    BACKGROUND_STEAL = "background-steal"


class Claim(StrEnum):
    """How ZERO and the zeroing thread settle who zeroes a page that the thread has in hand."""

    #: the thread is asked, and answers when its chunk in flight is done
    BUSY_LOCK = "busy-lock"
    #: two words in memory: each writes its own, fences, and reads the other's
    DEKKER = "dekker"


class NotStarted(StrEnum):
    """What ZERO does with a page whose shootdown is outstanding."""

    #: the issue's order (step 4, third case)
    ZERO_THEN_REPERMIT = "zero-then-repermit"
    FLUSH_THEN_ZERO = "flush-then-zero"


class Grant(StrEnum):
    """How ZERO gives access back."""

    #: faults refill the page table
    LAZY = "lazy"
    #: ZERO writes the entries of resident pages
    EAGER = "eager"


class Regrant(StrEnum):
    """How cores that cache a no-access entry learn of a ZERO (issue, step 4, first case)."""

    #: not at all: a core that still has the old entry faults once and fetches the new one
    FAULT = "fault"
    #: every core that runs the address space is interrupted
    IPI = "ipi"
    #: those that run it and have invalidated the page are; others flush when they switch in
    IPI_DEFERRED = "ipi-deferred"


class ReadFill(StrEnum):
    """What a load of private memory that nobody has stored to gets."""

    #: a zeroed page of its own (FreeBSD)
    OWN_PAGE = "own-page"
    #: the shared zero page, until the first store (Linux)
    ZERO_PAGE = "zero-page"


class Errors(StrEnum):
    """What a call on a range with gaps, or with wired pages, returns."""

    #: gaps and wired pages are skipped, mostly 0 (`ranges/range_errors.py` has every call)
    FREEBSD = "freebsd"
    #: the mapped parts are done, then ENOMEM; EINVAL if something is wired
    LINUX = "linux"
    #: EINVAL if there is a gap; EPERM where it is not writable, what precedes it stays done
    XNU = "xnu"
    #: EINVAL and nothing done, unless all of it can be done
    STRICT = "strict"


class TrackClean(StrEnum):
    """Whether the kernel knows a page that ZERO left zero, and nobody stored to since, as zero."""

    OFF = "off"
    #: HOLE clears and flushes dirty bits; a page still clean at the next HOLE is not zeroed again
    ON = "on"


class Reclaim(StrEnum):
    """What ZERO does about pages that were reclaimed while in the hole."""

    #: nothing: the next touch gets a new page
    DROP = "drop"
    #: an entry for the shared zero page, copied at the first store (davidchisnall)
    ZERO_PAGE = "zero-page"


class ShadowAnon(StrEnum):
    """What HOLE, ZERO and MADV_FREE do to anonymous memory with an older copy below."""

    #: as if there were none: when a page goes, the older one shows again (FreeBSD bug 240061)
    REWIND = "rewind"
    #: nothing, silently (FreeBSD's workaround for MADV_FREE)
    IGNORE = "ignore"
    #: a new anonymous object replaces the chain (nwf, markjdb)
    PUNCH = "punch"


class ForkHole(StrEnum):
    """What fork makes of a hole."""

    #: the child has the same hole and shares its pages until one of the two does ZERO
    COW_SHARE = "cow-share"
    #: the pages go; parent and child each have a hole with an object of its own (nwf)
    PUNCH_BOTH = "punch-both"
    #: fork does the ZERO: neither has a hole
    ZERO_FIRST = "zero-first"
    #: the child has no hole there but fresh zero memory, as with INHERIT_ZERO
    CHILD_ZERO = "child-zero"


class Shared(StrEnum):
    """What HOLE and ZERO do to MAP_SHARED memory."""

    #: the advice applies to the object, for every mapping of it (nwf)
    OBJECT = "object"
    #: EINVAL
    REJECT = "reject"


class ShadowNamed(StrEnum):
    """What HOLE and ZERO do to a private mapping of a file."""

    #: nwf: "I think -EINVAL might be fine"
    EINVAL = "einval"
    #: an anonymous object replaces the file: it reads zero
    PUNCH = "punch"


class CommitChecks(StrEnum):
    """Whether the allocator takes access away itself, besides the advice (snmalloc's option)."""

    OFF = "off"
    #: mprotect(PROT_NONE) after each release, mprotect(PROT_READ|PROT_WRITE) before each reuse
    ON = "on"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """One variant of the protocol."""

    advice: AdviceKind = AdviceKind.HOLE_ZERO
    hole_state: HoleRecord = msgspec.field(default=HoleRecord.MAP_ENTRY, name="hole_state")
    no_access: NoAccess = msgspec.field(default=NoAccess.REMOVE_PTE, name="no_access")
    invalidate: Invalidate = Invalidate.EAGER_IPI
    hole_access: HoleAccess = msgspec.field(default=HoleAccess.FATAL, name="hole_access")
    rogue: Rogue = Rogue.STAY_HOLE
    zeroing: Zeroing = Zeroing.BACKGROUND_STEAL
    claim: Claim = Claim.BUSY_LOCK
    zero_not_started: NotStarted = msgspec.field(
        default=NotStarted.FLUSH_THEN_ZERO, name="zero_not_started"
    )
    grant: Grant = Grant.LAZY
    regrant: Regrant = Regrant.FAULT
    #: after so long the zeroing thread interrupts the cores that have not invalidated yet, as one
    #: that never switches would hold pages back forever; 0: never
    deadline_ns: Annotated[int, Meta(ge=0, le=10**12)] = msgspec.field(
        default=1_000_000, name="deadline_ns"
    )
    track_clean: TrackClean = msgspec.field(default=TrackClean.OFF, name="track_clean")
    reclaim: Reclaim = Reclaim.DROP
    shadow_anon: ShadowAnon = msgspec.field(default=ShadowAnon.PUNCH, name="shadow_anon")
    fork_hole: ForkHole = msgspec.field(default=ForkHole.PUNCH_BOTH, name="fork_hole")
    shared: Shared = Shared.OBJECT
    shadow_named: ShadowNamed = msgspec.field(default=ShadowNamed.EINVAL, name="shadow_named")
    errors: Errors = Errors.FREEBSD
    commit_checks: CommitChecks = msgspec.field(default=CommitChecks.OFF, name="commit_checks")
    read_fill: ReadFill = msgspec.field(default=ReadFill.OWN_PAGE, name="read_fill")
    #: pages that the page daemon unmaps before one flush (1 as on FreeBSD, more as on Linux)
    daemon_batch: Annotated[int, Meta(ge=1, le=512)] = msgspec.field(default=1, name="daemon_batch")


#: keys that mean something whatever the advice is
_ALWAYS_MEANT = frozenset({"advice", "errors", "commit_checks", "read_fill", "daemon_batch"})
#: more keys of the other advices that have holes or mind older copies
_MEANT = {
    AdviceKind.REUSABLE_REUSE: frozenset({"shadow_anon", "shared", "rogue"}),
    AdviceKind.FREE: frozenset({"shadow_anon"}),
}


def concerned(policy: Policy) -> frozenset[str]:
    """Return the keys that have an effect under this policy's advice."""
    if policy.advice is AdviceKind.HOLE_ZERO:
        return frozenset(Policy.__struct_fields__)
    # shootdowns of munmap and the like: only broadcast changes how they reach other cores
    shootdowns = {"invalidate"} if policy.invalidate is Invalidate.BROADCAST else set[str]()
    return _ALWAYS_MEANT | _MEANT.get(policy.advice, frozenset()) | shootdowns


_DEFERRED = frozenset({Invalidate.DEFERRED_AT_SWITCH, Invalidate.DEFERRED_AT_KERNEL_ENTRY})


def defers(policy: Policy) -> bool:
    """Say whether HOLE leaves it to the other cores to invalidate at their next occasion."""
    return policy.invalidate in _DEFERRED


def zero_may_skip(policy: Policy) -> bool:
    """Say whether ZERO may trust a page zeroed in the background without looking at it.

    No store may have been able to reach the page since: its entries are out of page table and TLBs
    before the zeroing, and no fault brings them back unseen.
    """
    return policy.no_access is not NoAccess.NONE and policy.invalidate is not Invalidate.NONE
