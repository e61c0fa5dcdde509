"""What a call returns before it looks at the map: addresses, lengths, advice that nobody knows.

Linux refuses an address that is not a page's, but for mlock(2); XNU does so for mprotect(2) and
munmap(2); FreeBSD rounds. A fixed mapping begins at a page everywhere. To a call that rounds, no
length at an address within a page is that page, as their sum is rounded up.
Source: FreeBSD vm_mmap.c (kern_munmap, kern_mprotect, kern_madvise, kern_mincore, kern_mlock);
Linux mm/madvise.c (is_valid_madvise), mm/mprotect.c, mm/mlock.c, mm/mremap.c; XNU kern_mman.c.
"""

from actors.operation import OpKind
from kernel.errors import Errno
from kernel.policy.keys import Errors
from kernel.units import PAGE_SIZE, VPN_LIMIT, page_span

#: calls without a range
_WHOLE = frozenset({OpKind.FORK, OpKind.EXIT, OpKind.EXEC})
#: addresses of a fixed mapping are a page's, everywhere
_FIXED = frozenset({OpKind.MMAP, OpKind.MREMAP})
#: calls that round a start within a page down, everywhere
_ROUNDED = frozenset({OpKind.MLOCK, OpKind.MUNLOCK, OpKind.DMA})
#: further calls whose address is a page's on XNU
_XNU_EXACT = frozenset({OpKind.MPROTECT, OpKind.MUNMAP})
#: calls that are wrong without a length, everywhere
_NEVER_EMPTY = frozenset({OpKind.MMAP, OpKind.MUNMAP})
#: calls to which memory beyond the last page is memory that is not mapped, everywhere
_UNMAPPED_BEYOND = frozenset(
    {OpKind.MMAP, OpKind.MPROTECT, OpKind.MLOCK, OpKind.MUNLOCK, OpKind.MINCORE}
)
#: calls to which it is wrong to go beyond, even on Linux
_NEVER_BEYOND = frozenset({OpKind.MUNMAP, OpKind.MREMAP})


def answer_at_once(
    kind: OpKind, va: int, length: int, args: tuple[int, ...], errors: Errors
) -> int | None:
    """Return what a call returns before it looks at the map; None if it has to look."""
    if kind is OpKind.ADVISE_UNKNOWN:
        return Errno.EINVAL
    if kind in _WHOLE:
        return None
    if va % PAGE_SIZE and _exact(kind, errors):
        return Errno.EINVAL
    if length == 0:
        if kind in _NEVER_EMPTY:
            return Errno.EINVAL
        if kind is not OpKind.MREMAP and (va % PAGE_SIZE == 0 or kind is OpKind.DMA):
            return Errno.OK
    if page_span(va, length)[1] > VPN_LIMIT:
        linux = errors is Errors.LINUX and kind not in _NEVER_BEYOND
        return Errno.ENOMEM if linux or kind in _UNMAPPED_BEYOND else Errno.EINVAL
    if kind is OpKind.MREMAP and _moves_wrongly(va, length, args):
        return Errno.EINVAL
    return None


def _exact(kind: OpKind, errors: Errors) -> bool:
    if kind in _FIXED:
        return True
    if errors is Errors.LINUX:
        return kind not in _ROUNDED
    return errors is Errors.XNU and kind in _XNU_EXACT


def _moves_wrongly(va: int, length: int, args: tuple[int, ...]) -> bool:
    """Say whether the new place is none, or overlaps; an old place that stays has its length."""
    to, new_length, keep = args
    low, high = page_span(to, new_length)
    start, end = page_span(va, length)
    overlap = low < end and start < high
    resized = high - low != end - start
    return bool(to % PAGE_SIZE or not new_length or high > VPN_LIMIT or overlap) or (
        bool(keep) and resized
    )
