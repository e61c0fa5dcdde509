"""The presets, as the reference reads them: what a guest can tell of each, in words of its own.

Where a preset leaves something open (contents of a hole that may be touched, say) the reference
allows every answer. Nothing is taken from the machines: a test compares with `holezero policies`.
"""

from typing import NamedTuple


class Rules(NamedTuple):
    """What a guest can tell of a policy."""

    #: what `release` and `reuse` become
    release: str = "hole"
    reuse: str = "zero"
    #: an access to a hole is a signal
    fatal: bool = True
    #: only pages that are there can be in a hole, and leave it with what is done to them
    by_page: bool = False
    #: an access through an entry of the page table that is there goes on
    mapped_goes_on: bool = False
    #: cores that have not invalidated yet may still get at a hole
    deferred: bool = False
    #: HOLE zeroes nothing, and keeps no page from being used
    keeps: bool = False
    #: memory with an older copy below: punch (it is zero), ignore, rewind (the older one shows)
    older: str = "punch"
    #: a child has its parent's hole, with what is in it
    child_shares: bool = False
    errors: str = "freebsd"
    #: MADV_DONTNEED keeps the contents
    keeps_dontneed: bool = False


RULES: dict[str, Rules] = {
    "apple": Rules(
        reuse="madv-reuse",
        fatal=False,
        by_page=True,
        keeps=True,
        older="ignore",
        child_shares=True,
        errors="xnu",
    ),
    "flag-only": Rules(fatal=False, by_page=True, child_shares=True),
    "flag-fatal": Rules(mapped_goes_on=True),
    "fatal-hole": Rules(),
    "deferred-tlb": Rules(deferred=True),
    "deferred-tlb-strict": Rules(deferred=True),
    "broadcast-tlb": Rules(),
    "madv-free": Rules(release="free", reuse="", older="ignore"),
    "madv-free-rewind": Rules(release="free", reuse="", older="rewind"),
    "madv-free-punched": Rules(release="free", reuse=""),
    "dontneed-linux": Rules(release="dontneed", reuse="", errors="linux"),
    "dontneed-freebsd": Rules(release="dontneed", reuse="", keeps_dontneed=True),
    "unmap": Rules(release="unmap", reuse="map"),
}
