"""Presets by name: the designs in issue 1318's discussion, and what exists today."""

from msgspec import structs

from kernel.policy.keys import (
    AdviceKind,
    Errors,
    ForkHole,
    Grant,
    HoleAccess,
    HoleRecord,
    Invalidate,
    NoAccess,
    NotStarted,
    Policy,
    Rogue,
    ShadowAnon,
)

_DEFERRED = Policy(
    hole_state=HoleRecord.RANGE_LIST,
    no_access=NoAccess.KEEP_PTE,
    invalidate=Invalidate.DEFERRED_AT_SWITCH,
)

PRESETS: dict[str, Policy] = {
    "apple": Policy(
        advice=AdviceKind.REUSABLE_REUSE,
        hole_state=HoleRecord.PAGE_FLAG,
        no_access=NoAccess.NONE,
        invalidate=Invalidate.NONE,
        hole_access=HoleAccess.PERMISSIVE,
        rogue=Rogue.REUSE_PAGE,
        fork_hole=ForkHole.COW_SHARE,
        shadow_anon=ShadowAnon.IGNORE,
        errors=Errors.XNU,
    ),
    "flag-only": Policy(
        hole_state=HoleRecord.PAGE_FLAG,
        no_access=NoAccess.NONE,
        invalidate=Invalidate.NONE,
        hole_access=HoleAccess.PERMISSIVE,
        rogue=Rogue.STAY_HOLE,
        fork_hole=ForkHole.COW_SHARE,
    ),
    "flag-fatal": Policy(no_access=NoAccess.NONE, invalidate=Invalidate.NONE),
    "fatal-hole": Policy(),
    "deferred-tlb": structs.replace(
        _DEFERRED,
        zero_not_started=NotStarted.ZERO_THEN_REPERMIT,
        grant=Grant.EAGER,
    ),
    "deferred-tlb-strict": _DEFERRED,
    "broadcast-tlb": Policy(
        hole_state=HoleRecord.RANGE_LIST,
        no_access=NoAccess.KEEP_PTE,
        invalidate=Invalidate.BROADCAST,
    ),
    "madv-free": Policy(advice=AdviceKind.FREE, shadow_anon=ShadowAnon.IGNORE),
    "madv-free-rewind": Policy(advice=AdviceKind.FREE, shadow_anon=ShadowAnon.REWIND),
    "madv-free-punched": Policy(advice=AdviceKind.FREE, shadow_anon=ShadowAnon.PUNCH),
    "dontneed-linux": Policy(advice=AdviceKind.DONTNEED_LINUX, errors=Errors.LINUX),
    "dontneed-freebsd": Policy(advice=AdviceKind.DONTNEED_FREEBSD),
    "unmap": Policy(advice=AdviceKind.UNMAP),
}

#: one line each, for `holezero policies`
PRESET_ABOUT: dict[str, str] = {
    "apple": "MADV_FREE_REUSABLE and MADV_FREE_REUSE as XNU has them: no zero guarantee",
    "flag-only": "a flag on each resident page, page tables untouched (markjdb's sketch)",
    "flag-fatal": "map entries clipped, page tables untouched, a fault in a hole kills (nwf)",
    "fatal-hole": "the same with entries removed and shot down: any access kills (ours)",
    "deferred-tlb": "ranges recorded, cores invalidate when they switch (davidchisnall's list)",
    "deferred-tlb-strict": "the same, but ZERO waits for the invalidation before it zeroes",
    "broadcast-tlb": "ranges recorded, the hardware tells all cores (TLBI, INVLPGB)",
    "madv-free": "today's MADV_FREE: no zero guarantee, old contents until reclaimed",
    "madv-free-rewind": "MADV_FREE before the workaround: after a fork, time may run backwards",
    "madv-free-punched": "MADV_FREE with markjdb's fix: a new object takes the place of the chain",
    "dontneed-linux": "Linux's MADV_DONTNEED: discard at once, zero-fill by refault",
    "dontneed-freebsd": "FreeBSD's MADV_DONTNEED: pages deactivated, contents kept",
    "unmap": "munmap and mmap again: what allocators do without better advice",
}

#: what users of a design should know, for `holezero policies NAME`
PRESET_OPEN: dict[str, tuple[str, ...]] = {
    "apple": (
        (
            "a page that is touched again counts as used only once a fault or scan notices it: "
            "until then the resident set is too small"
        ),
        "contents after REUSE are the old ones, or zero where the page was reclaimed",
    ),
    "flag-only": (
        (
            "an access to the range goes unnoticed; ZERO must look at every page that could have "
            "been stored to after the zeroing thread (nwf)"
        ),
        "after a fork, parent and child share the pages of a hole until one of them does ZERO",
    ),
    "flag-fatal": (
        (
            "an access through an entry that is there goes unnoticed; ZERO must look at every page "
            "that could have been stored to after the zeroing thread (markjdb)"
        ),
    ),
    "fatal-hole": (
        "nwf asked that faults be fatal; that no access gets by, and what that costs, is ours",
        (
            "HOLE and ZERO take the map write lock, and HOLE waits for its shootdown: whether that "
            "is cheaper than zeroing, `holezero compare` measures"
        ),
    ),
    "deferred-tlb": (
        (
            "a store through an entry that some core has not invalidated yet may land after the "
            "zeroing: loads give 0 or a store made after ZERO was called, no better"
        ),
        "a core that never switches holds the pages back until deadline_ns",
    ),
    "deferred-tlb-strict": (
        "ZERO soon after HOLE pays the shootdown that HOLE saved",
        "a core that never switches holds the pages back until deadline_ns",
    ),
    "broadcast-tlb": ("every shootdown goes to every TLB of the machine, whatever runs there",),
    "madv-free": ("memory that a fork has shared is left alone: it never goes back to the system",),
    "madv-free-rewind": ("bug 240061: when a page is dropped, the older one below it shows again",),
    "madv-free-punched": ("memory that a fork has shared is discarded at once, not lazily",),
    "dontneed-freebsd": ("pages are written to swap before their frames are freed",),
}
