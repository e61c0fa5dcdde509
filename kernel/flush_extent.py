"""How much of a TLB a kernel flushes, by kernel, architecture and reason: a table.

A policy says when other cores invalidate, a machine how they are told; how much goes is the
kernel's. A flush of a whole address space is cheap to do and costs the entries that it loses.
Source: FreeBSD amd64 pmap_remove, pmap_protect, pmap_advise, pmap_remove_all; arm64 pmap_remove,
pmap_s1_invalidate_range; Linux x86 flush_tlb_mm_range, arm64 __flush_tlb_range_nosync.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Kernel(StrEnum):
    """Whose rules a machine follows where kernels differ and no policy is about it."""

    FREEBSD = "freebsd"
    LINUX = "linux"


class Architecture(StrEnum):
    """Whose page tables and invalidations a machine has."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class Reason(IntEnum):
    """Why entries of a page table lose something that a TLB may have."""

    #: entries are removed: munmap, PROT_NONE, a HOLE that removes
    REMOVE = 0
    #: entries lose rights: mprotect
    PROTECT = 1
    #: a fork write-protects private memory
    FORK = 2
    #: accessed and dirty bits are cleared: MADV_FREE, FreeBSD's MADV_DONTNEED
    ADVISE = 3
    #: mappings of single pages: faults that replace one, the page daemon, other address spaces
    PAGE = 4


class Extent(NamedTuple):
    """How much goes for one reason.

    by_entry: each entry of the map has a flush of its own.
    most: a range of more pages than this flushes the whole space.
    spans: every page from the first to the last that is gone is invalidated, else those alone.
    of_call: the range is what the call names, in the entry, not what was mapped of it.
    """

    by_entry: bool = False
    most: int = 1 << 52
    spans: bool = False
    of_call: bool = False


_EACH = Extent()
_RUNS = Extent(by_entry=True)
#: the kernel has one function for all ranges: one page by itself, or the whole pmap
_PMAP_REMOVE = Extent(by_entry=True, most=1, of_call=True)
_WHOLE_BY_ENTRY = Extent(by_entry=True, most=0)
#: tlb_single_page_flush_ceiling; MAX_DVM_OPS
_LINUX_AMD64, _LINUX_ARM64 = Extent(most=33, spans=True), Extent(most=511, spans=True)
_WHOLE = Extent(most=0)

EXTENTS: dict[tuple[Kernel, Architecture], tuple[Extent, ...]] = {
    # by reason: REMOVE, PROTECT, FORK, ADVISE, PAGE
    (Kernel.FREEBSD, Architecture.AMD64): (
        _PMAP_REMOVE, _WHOLE_BY_ENTRY, _WHOLE_BY_ENTRY, _WHOLE_BY_ENTRY, _EACH,
    ),
    (Kernel.FREEBSD, Architecture.ARM64): (_RUNS, _RUNS, _RUNS, _RUNS, _EACH),
    (Kernel.LINUX, Architecture.AMD64): (
        _LINUX_AMD64, _LINUX_AMD64, _WHOLE, _LINUX_AMD64, _EACH,
    ),
    (Kernel.LINUX, Architecture.ARM64): (
        _LINUX_ARM64, _LINUX_ARM64, _WHOLE, _LINUX_ARM64, _EACH,
    ),
}  # fmt: skip
