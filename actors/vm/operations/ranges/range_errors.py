"""What a call does with a range that it cannot handle as a whole (`errors` of the policy).

    freebsd   addresses are rounded; gaps and memory that the advice is not for are skipped: 0
    linux     an address that is not a page's is EINVAL; gaps: the mapped parts are done, ENOMEM;
              memory that the advice is not for: what lies before it is done, EINVAL
    xnu       a gap: what lies before it is done, EINVAL; memory that is not writable: the same,
              EPERM; nothing is rolled back
    strict    EINVAL, and nothing is done, unless all of the range is mapped, writable, and what
              the advice is for

Under every value a ZERO that left a page as it was does not return 0.
Source: FreeBSD vm_mmap.c (kern_munmap, kern_mprotect, kern_madvise, kern_mincore), vm_map_madvise;
Linux mm/madvise.c (can_madv_lru_vma, madvise_remove), mm/mlock.c; XNU vm_map_reusable_pages.
"""

from collections.abc import Callable
from typing import Any

from actors.machine import Effect
from actors.operation import OpKind
from actors.vm.op import Op, P, advance, replace
from actors.vm.payloads import Dontneed
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.errors import Errno
from kernel.policy.keys import Errors
from kernel.units import PAGE_SIZE, VPN_LIMIT, page_span
from kernel.vm_map import SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace

#: calls without a range
_WHOLE = frozenset({OpKind.FORK, OpKind.EXIT, OpKind.EXEC})
#: calls that round a start within a page down, everywhere
_ROUNDED = frozenset({OpKind.MLOCK, OpKind.MUNLOCK, OpKind.DMA})
#: calls that are wrong without a length, everywhere
_NEVER_EMPTY = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.MREMAP})
#: addresses of a fixed mapping are a page's, everywhere
_EXACT = frozenset({OpKind.MMAP, OpKind.MREMAP})

_WRITE = 2

#: says whether a call is not for an entry of the map
Refusal = Callable[[VmState, MapEntry, Op[Any]], bool]


def answer_at_once(
    kind: OpKind, va: int, length: int, args: tuple[int, ...], errors: Errors
) -> int | None:
    """Return what a call returns before it looks at the map; None if it has to look."""
    if kind is OpKind.ADVISE_UNKNOWN:
        return Errno.EINVAL
    if kind in _WHOLE:
        return None
    exact = kind in _EXACT or (errors is Errors.LINUX and kind not in _ROUNDED)
    if exact and va % PAGE_SIZE:
        return Errno.EINVAL
    if length == 0:
        return Errno.EINVAL if kind in _NEVER_EMPTY else Errno.OK
    if page_span(va, length)[1] > VPN_LIMIT:
        return Errno.ENOMEM if kind in (OpKind.MMAP, OpKind.MPROTECT) else Errno.EINVAL
    if kind is OpKind.MREMAP:
        to, new_length, _ = args
        low, high = page_span(to, new_length)
        start, end = page_span(va, length)
        overlap = low < end and start < high
        if to % PAGE_SIZE or not new_length or high > VPN_LIMIT or overlap:
            return Errno.EINVAL
    return None


def _up_to(op: Op[P], end: int, error: Errno) -> Op[P]:
    return replace(op, end=end, error=error)


def _xnu(_vm: VmState, space: VmSpace, op: Op[P], _refuses: Refusal) -> Op[P]:
    """Cut the range off at the first gap, or at the first memory that is not writable."""
    at = op.start
    for entry in space.map.overlapping(op.start, op.end):
        if entry.start > at:
            break
        if not entry.prot & _WRITE:
            return _up_to(op, max(entry.start, op.start), Errno.EPERM)
        at = entry.end
    return op if at >= op.end else _up_to(op, at, Errno.EINVAL)


def _strict(vm: VmState, space: VmSpace, op: Op[P], refuses: Refusal) -> Op[P]:
    """Do nothing unless the call is for all of the range."""
    found = space.map.overlapping(op.start, op.end)
    bad = space.map.has_gap(op.start, op.end)
    bad = bad or any(not e.prot & _WRITE or refuses(vm, e, op) for e in found)
    return _up_to(op, op.start, Errno.EINVAL) if bad else op


def _checked(vm: VmState, space: VmSpace, op: Op[P], refuses: Refusal) -> Op[P]:
    errors = vm.settings.policy.errors
    if errors is Errors.XNU:
        return _xnu(vm, space, op, refuses)
    if errors is Errors.STRICT:
        return _strict(vm, space, op, refuses)
    if errors is not Errors.LINUX:
        return op
    error, at = Errno.OK, op.start
    for entry in space.map.overlapping(op.start, op.end):
        if entry.start > at:
            error = Errno.ENOMEM
        if refuses(vm, entry, op):
            return _up_to(op, max(entry.start, op.start), Errno.EINVAL)
        at = entry.end
    if at < op.end:
        error = Errno.ENOMEM
    return replace(op, error=error) if error else op


def check(refuses: Refusal) -> Phase:
    """Return the phase in which gaps, and memory that the call is not for, may be an error."""

    def step(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
        return advance(_checked(vm, space, op, refuses))

    def idle(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
        return _checked(vm, space, op, refuses) is op

    return Phase(step, idle, "check")


def nothing(_vm: VmState, _entry: MapEntry, _op: Op[Any]) -> bool:
    """Refuse no memory."""
    return False


def wired(_vm: VmState, entry: MapEntry, _op: Op[Any]) -> bool:
    """Refuse what mlock holds."""
    return bool(entry.flags & WIRED)


def wired_unless_meant(_vm: VmState, entry: MapEntry, op: Op[Dontneed]) -> bool:
    """Refuse what mlock holds, unless the call is meant for locked memory as well."""
    return bool(entry.flags & WIRED) and not op.own.locked


def wired_or_shared(vm: VmState, entry: MapEntry, _op: Op[Any]) -> bool:
    """Refuse all that is not private, anonymous, and not held by mlock."""
    bottom, _ = vm.objects.bottom(entry)
    return bool(entry.flags & (WIRED | SHARED)) or not vm.objects.by_oid[bottom].anonymous


def wired_or_private(_vm: VmState, entry: MapEntry, _op: Op[Any]) -> bool:
    """Refuse all that is not shared, and not held by mlock."""
    return entry.flags & (WIRED | SHARED) != SHARED
