"""Policies: which variant of the protocol runs, key by key.

Every key is a choice that the discussion of issue 1318 leaves open, with the comment that it comes
from. `refusals` says which combinations make no sense, and why. What a policy promises is in
`kernel/promises.py`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class AdviceKind(StrEnum):
    """What an allocator's release and reuse become."""

    #: MADV_FREE_HOLE and MADV_FREE_ZERO (nwf's names)
    HOLE_ZERO = "hole-zero"
    #: madvise(MADV_DONTNEED) as Linux has it: contents discarded at once
    DONTNEED_LINUX = "dontneed-linux"
    #: madvise(MADV_FREE): the kernel may drop the page until it is written
    FREE = "free"
    #: munmap, and mmap again on reuse
    UNMAP = "unmap"


class HoleRecord(StrEnum):
    """Where the kernel remembers that a page is in a hole."""

    #: a VPO flag of the page under the map read lock (markjdb)
    PAGE_FLAG = "page-flag"
    #: a flag of a clipped map entry under the map write lock (nwf)
    MAP_ENTRY = "map-entry"


class NoAccess(StrEnum):
    """What HOLE does to the page-table entries."""

    NONE = "none"
    #: the entry stays, user permission is cleared
    KEEP_PTE = "keep-pte"
    #: the entry goes (FreeBSD's PROT_NONE)
    REMOVE_PTE = "remove-pte"


class Invalidate(StrEnum):
    """How HOLE makes other cores forget the old entries."""

    NONE = "none"
    EAGER_IPI = "eager-ipi"


class HoleAccess(StrEnum):
    """What an access to a hole does (nwf: permitted to be fatal; markjdb: doubted)."""

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


class NotStarted(StrEnum):
    """ZERO of a page whose shootdown is outstanding."""

    #: the issue's order (step 4, third case)
    ZERO_THEN_REPERMIT = "zero-then-repermit"
    FLUSH_THEN_ZERO = "flush-then-zero"


class Grant(StrEnum):
    """How ZERO gives access back."""

    #: faults refill the page table
    LAZY = "lazy"
    #: ZERO writes the entries of resident pages
    EAGER = "eager"


class Errors(StrEnum):
    """What an operation on a range with gaps answers."""

    #: gaps are skipped, always 0
    FREEBSD = "freebsd"
    #: the mapped parts are done, then ENOMEM
    LINUX = "linux"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """One variant of the protocol."""

    advice: AdviceKind = AdviceKind.HOLE_ZERO
    hole_state: HoleRecord = msgspec.field(default=HoleRecord.MAP_ENTRY, name="hole_state")
    no_access: NoAccess = msgspec.field(default=NoAccess.REMOVE_PTE, name="no_access")
    invalidate: Invalidate = Invalidate.EAGER_IPI
    hole_access: HoleAccess = msgspec.field(default=HoleAccess.FATAL, name="hole_access")
    rogue: Rogue = Rogue.STAY_HOLE
    zeroing: Zeroing = Zeroing.BACKGROUND_STEAL
    zero_not_started: NotStarted = msgspec.field(
        default=NotStarted.FLUSH_THEN_ZERO, name="zero_not_started"
    )
    grant: Grant = Grant.LAZY
    errors: Errors = Errors.FREEBSD
    #: pages that the page daemon unmaps before one flush (1 as on FreeBSD, more as on Linux)
    daemon_batch: Annotated[int, Meta(ge=1, le=512)] = msgspec.field(default=1, name="daemon_batch")


PRESETS: dict[str, Policy] = {
    "flag-only": Policy(
        hole_state=HoleRecord.PAGE_FLAG,
        no_access=NoAccess.NONE,
        invalidate=Invalidate.NONE,
        hole_access=HoleAccess.PERMISSIVE,
        rogue=Rogue.STAY_HOLE,
    ),
    "fatal-hole": Policy(),
    "madv-free": Policy(advice=AdviceKind.FREE),
    "dontneed-linux": Policy(advice=AdviceKind.DONTNEED_LINUX, errors=Errors.LINUX),
    "unmap": Policy(advice=AdviceKind.UNMAP),
}

#: keys that are numbers: their values, what they mean
NUMBERS: dict[str, tuple[str, str]] = {
    "daemon_batch": ("1...512", "Pages that the page daemon unmaps before one flush."),
}

#: one line each, for `holezero policies`
PRESET_ABOUT: dict[str, str] = {
    "flag-only": "a flag on each resident page, page tables untouched (markjdb's sketch)",
    "fatal-hole": "map entries clipped, entries removed and shot down, any access kills (nwf)",
    "madv-free": "today's MADV_FREE: no zero guarantee, old contents until reclaimed",
    "dontneed-linux": "Linux's MADV_DONTNEED: discard at once, zero-fill by refault",
    "unmap": "munmap and mmap again: what allocators do without better advice",
}


#: keys that mean something whatever the advice is; the others are about holes
_ALWAYS_MEANT = frozenset({"advice", "errors", "daemon_batch"})


def concerned(policy: Policy) -> frozenset[str]:
    """Give the keys that have an effect under this policy's advice."""
    if policy.advice is AdviceKind.HOLE_ZERO:
        return frozenset(Policy.__struct_fields__)
    return _ALWAYS_MEANT


def refusals(policy: Policy) -> list[str]:
    """List why this combination makes no sense; empty if it does.

    Keys that the advice does not concern are not looked at: one setting may serve a comparison of
    several policies.
    """
    if policy.advice is not AdviceKind.HOLE_ZERO:
        return []
    found = []
    p = policy
    if p.hole_access is HoleAccess.FATAL and p.rogue is not Rogue.STAY_HOLE:
        found.append(
            f"rogue={p.rogue} says what becomes of a page that is touched in a hole, but with "
            "hole_access=fatal none is: set hole_access=permissive"
        )
    if p.zero_not_started is NotStarted.ZERO_THEN_REPERMIT and p.invalidate is Invalidate.NONE:
        found.append(
            "zero_not_started=zero-then-repermit is about a ZERO that meets a shootdown that is "
            "outstanding, and invalidate=none has none"
        )
    if p.hole_access is HoleAccess.FATAL and p.hole_state is HoleRecord.PAGE_FLAG:
        found.append(
            "hole_access=fatal needs hole_state=map-entry: a page flag keeps no record of an "
            "address whose page is gone, so such an access cannot be told from a first touch"
        )
    if p.no_access is NoAccess.NONE and p.invalidate is not Invalidate.NONE:
        found.append(
            "no_access=none leaves the page tables as they are, so there is nothing to "
            "invalidate: set invalidate=none (and hole_access=permissive, as nothing stops an "
            "access then)"
        )
    if p.no_access is not NoAccess.NONE and p.invalidate is Invalidate.NONE:
        found.append(
            f"no_access={p.no_access} with invalidate=none takes access away from the page "
            "table but never from the TLBs: no core can know what it may still use"
        )
    if p.zero_not_started is NotStarted.ZERO_THEN_REPERMIT and p.hole_state is HoleRecord.MAP_ENTRY:
        found.append(
            "zero_not_started=zero-then-repermit has no case with hole_state=map-entry and "
            "invalidate=eager-ipi: HOLE holds the map write lock until its shootdown is complete"
        )
    return found


def zero_may_skip(policy: Policy) -> bool:
    """Say whether ZERO may trust a page zeroed in the background without looking at it.

    Needs every way for a store to reach the page since to be closed: entries gone from page table
    and TLBs before the zeroing, and no fault that would bring them back unseen.
    """
    return policy.no_access is not NoAccess.NONE and policy.invalidate is not Invalidate.NONE
