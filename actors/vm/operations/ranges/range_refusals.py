"""Which memory a call is not for, and the error that says so.

    linux    what mlock holds: HOLE, ZERO, MADV_FREE, MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT and
             MADV_REMOVE are EINVAL; MADV_FREE of what is not private and anonymous is EINVAL, so is
             MADV_WIPEONFORK; MADV_REMOVE of a private mapping of a file is EACCES, of private
             anonymous memory EINVAL
    strict   the same, always EINVAL; so is memory that is read-only, or a page that mlock or a
             device holds elsewhere, if the call lets contents go
    xnu      HOLE (MADV_FREE_REUSABLE) and ZERO (MADV_ZERO) of read-only memory: EPERM
    all      MADV_DONTNEED that discards, and MADV_REMOVE, of what mlock holds: EINVAL, as after
             them memory reads as zero (FreeBSD has them for programs of Linux only); and
             MADV_GUARD_INSTALL, which only Linux has

What the policy refuses (`shared`, `shadow_named`) is EINVAL under all of them. Whatever else a call
is not for it leaves alone, and returns 0: see `advice_scope.py`.
Source: Linux mm/madvise.c (madvise_dontneed_free_valid_vma, madvise_free_single_vma,
can_madv_lru_vma, is_valid_guard_vma, madvise_remove, madvise_vma_behavior); FreeBSD linux_mmap.c
(linux_madvise_dontneed); XNU vm_map_reusable_pages, vm_map_zero.
"""

from collections.abc import Iterator
from typing import Any

from actors.message import PageKey
from actors.operation import OpKind
from actors.vm.op import Op
from actors.vm.operations.ranges import advice_scope
from actors.vm.payloads import Dontneed, Inherit
from actors.vm.state import VmState
from kernel.errors import Errno
from kernel.page import Page
from kernel.policy.keys import Errors
from kernel.vm_map import INHERITED_ZERO, SHARED, WIRED, MapEntry

_WRITE = 2
_HOLES = frozenset({OpKind.HOLE, OpKind.ZERO})
#: calls after which contents may be gone
_LETS_GO = _HOLES | {OpKind.ADVISE_FREE, OpKind.ADVISE_DONTNEED, OpKind.ADVISE_REMOVE}
#: advice that leaves what mlock holds alone, or refuses it
_NOT_FOR_LOCKED = _LETS_GO | {OpKind.ADVISE_COLD, OpKind.ADVISE_PAGEOUT}
_OK, _EINVAL = Errno.OK, Errno.EINVAL


def refused(vm: VmState, entry: MapEntry, op: Op[Any]) -> Errno:
    """Return the error with which a call refuses the memory of an entry; 0: it does not."""
    errors = vm.settings.policy.errors
    if op.kind is OpKind.GUARD_INSTALL and entry.flags & WIRED:
        return _EINVAL
    if errors is not Errors.LINUX and _promises_zero(vm, op) and _is_locked(vm, entry, op):
        return _EINVAL
    if errors is Errors.FREEBSD:
        return _OK
    if op.kind in _HOLES and advice_scope.is_refused(vm, entry):
        return _EINVAL
    if errors is Errors.XNU:
        return Errno.EPERM if op.kind in _HOLES and not entry.prot & _WRITE else _OK
    found = _linux(vm, entry, op)
    if errors is Errors.STRICT and op.kind in _LETS_GO:
        held = not entry.prot & _WRITE or _is_held(vm, entry, op)
        return _EINVAL if found or held else _OK
    return _EINVAL if found and errors is Errors.STRICT else found


def _promises_zero(vm: VmState, op: Op[Any]) -> bool:
    """Say whether memory reads as zero after the call; ZERO looks at each page itself."""
    if op.kind is OpKind.ADVISE_DONTNEED:
        return not vm.settings.keeps_dontneed and not _means_locked(op)
    return op.kind is OpKind.ADVISE_REMOVE


def _means_locked(op: Op[Any]) -> bool:
    """Say whether the call is meant for locked memory as well (MADV_DONTNEED_LOCKED)."""
    return isinstance(op.own, Dontneed) and op.own.locked


def _linux(vm: VmState, entry: MapEntry, op: Op[Any]) -> Errno:
    kind, flags = op.kind, entry.flags
    if flags & WIRED and kind in _NOT_FOR_LOCKED and not _means_locked(op):
        return _EINVAL
    if kind is OpKind.ADVISE_REMOVE and not flags & SHARED:
        return _EINVAL if vm.objects.anonymous(entry) else Errno.EACCES
    wipes = kind is OpKind.MINHERIT and isinstance(op.own, Inherit) and op.own.on & INHERITED_ZERO
    if kind is OpKind.ADVISE_FREE or wipes:
        return _EINVAL if flags & SHARED or not vm.objects.anonymous(entry) else _OK
    return _OK


def _is_locked(vm: VmState, entry: MapEntry, op: Op[Any]) -> bool:
    """Say whether mlock holds the entry; or, of shared memory, a page of it elsewhere."""
    if entry.flags & WIRED:
        return True
    shared = entry.flags & SHARED and op.kind is OpKind.ADVISE_REMOVE
    return bool(shared) and any(vm.objects.is_locked(key) for key, _ in _pages(vm, entry, op))


def _is_held(vm: VmState, entry: MapEntry, op: Op[Any]) -> bool:
    """Say whether mlock or a device holds a page that the call is about, wherever that is."""
    if _means_locked(op):
        return False
    return any(vm.objects.is_wired(*found) for found in _pages(vm, entry, op))


def _pages(vm: VmState, entry: MapEntry, op: Op[Any]) -> Iterator[tuple[PageKey, Page]]:
    start, end = max(entry.start, op.start), min(entry.end, op.end)
    for index, page in vm.objects.by_oid[entry.oid].pages.items():
        if entry.pindex(start) <= index < entry.pindex(end):
            yield (entry.oid, index), page
