"""What a call does with a range that it cannot handle as a whole (`errors` of the policy).

    freebsd   gaps, and memory that the call is not for, are left out: 0
    linux     advice: what is mapped is done, ENOMEM; mprotect, mlock, munlock and MADV_POPULATE
              stop at a gap, ENOMEM; memory that the call is not for: what lies before it is done
    xnu       HOLE, ZERO and REUSE of a range with a gap do nothing, other advice does what is
              mapped: EINVAL; memory that HOLE or ZERO is not for: what lies before it is done
    strict    EINVAL, and nothing is done, unless all of the range can be done

mlock and munlock of a gap are ENOMEM, and do nothing, on FreeBSD and XNU as well; so is mprotect
on XNU. mincore of a gap is ENOMEM, but on XNU, which says that nothing is resident there. What
memory a call is not for is in `range_refusals.py`. Under every value a ZERO that left a page as it
was does not return 0, and munmap and mmap do not mind gaps.
Source: FreeBSD vm_map_madvise, vm_map_protect, vm_map_wire, vm_map_unwire; Linux madvise_walk_vmas,
do_mprotect_pkey, apply_vma_lock_flags; XNU vm_map_range_check, vm_map_msync, vm_map_protect.
"""

from enum import IntEnum
from typing import Any

from actors.machine import Effect
from actors.operation import OpKind
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.ranges.range_refusals import refused
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Errors
from kernel.vmspace import VmSpace


class Done(IntEnum):
    """What is done of a range that has a gap."""

    NOTHING = 0
    #: what lies before the gap
    BEFORE = 1
    #: all that is mapped
    MAPPED = 2


_FREEBSD, _LINUX, _XNU, _STRICT = Errors.FREEBSD, Errors.LINUX, Errors.XNU, Errors.STRICT
#: what most calls do with a gap
_GAP = {
    _FREEBSD: (Errno.OK, Done.MAPPED),
    _LINUX: (Errno.ENOMEM, Done.MAPPED),
    _XNU: (Errno.EINVAL, Done.MAPPED),
    _STRICT: (Errno.EINVAL, Done.NOTHING),
}
_NOT_ENTERED = Errno.ENOMEM, Done.NOTHING
_STOPS = Errno.ENOMEM, Done.BEFORE
#: and those that do something else with it
_GAP_OF = {
    (_FREEBSD, OpKind.MLOCK): _NOT_ENTERED,
    (_FREEBSD, OpKind.MUNLOCK): _NOT_ENTERED,
    (_FREEBSD, OpKind.MINCORE): _NOT_ENTERED,
    (_LINUX, OpKind.MPROTECT): _STOPS,
    (_LINUX, OpKind.MLOCK): _STOPS,
    (_LINUX, OpKind.MUNLOCK): _STOPS,
    (_LINUX, OpKind.POPULATE): _STOPS,
    (_LINUX, OpKind.MINCORE): _NOT_ENTERED,
    (_XNU, OpKind.HOLE): (Errno.EINVAL, Done.NOTHING),
    (_XNU, OpKind.ZERO): (Errno.EINVAL, Done.NOTHING),
    (_XNU, OpKind.REUSE): (Errno.EINVAL, Done.NOTHING),
    (_XNU, OpKind.MINHERIT): (Errno.EINVAL, Done.NOTHING),
    (_XNU, OpKind.MPROTECT): _NOT_ENTERED,
    (_XNU, OpKind.MLOCK): _NOT_ENTERED,
    (_XNU, OpKind.MUNLOCK): _NOT_ENTERED,
    (_XNU, OpKind.MINCORE): (Errno.OK, Done.MAPPED),
}
#: the only calls to which FreeBSD may say no
_FREEBSD_MINDS = frozenset(
    {
        OpKind.MLOCK,
        OpKind.MUNLOCK,
        OpKind.MINCORE,
        OpKind.ADVISE_DONTNEED,
        OpKind.ADVISE_REMOVE,
        OpKind.GUARD_INSTALL,
    }
)


def _up_to(op: Op[P], end: int, error: Errno) -> Op[P]:
    return replace(op, end=end, error=error)


def without_gap(vm: VmState, space: VmSpace, op: Op[P]) -> Op[P]:
    """Return the operation, cut off and with the error as a gap in its range asks for."""
    errors = vm.settings.policy.errors
    if not space.map.has_gap(op.start, op.end):
        return op
    error, done = _GAP_OF.get((errors, op.kind)) or _GAP[errors]
    if done is Done.NOTHING:
        return _up_to(op, op.start, error)
    if done is Done.BEFORE:
        return _up_to(op, space.map.mapped_until(op.start), error)
    return replace(op, error=error) if error else op


def _checked(vm: VmState, space: VmSpace, op: Op[P]) -> Op[P]:
    """Return the operation, cut off and with an error as its range asks for."""
    errors = vm.settings.policy.errors
    if op.start >= op.end or (errors is _FREEBSD and op.kind not in _FREEBSD_MINDS):
        return op
    after = without_gap(vm, space, op)
    for entry in space.map.overlapping(after.start, after.end):
        error = refused(vm, entry, op)
        if error:
            late = vm.settings.hazards & Hazard.CHECK_COMES_LATE
            end = op.start if errors is _STRICT and not late else max(entry.start, op.start)
            return _up_to(op, end, error)
    return after


def check(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: gaps, and memory that the call is not for, may be an error."""
    return advance(_checked(vm, space, op))


def _in_order(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
    return _checked(vm, space, op) is op


CHECK = Phase(check, idle=_in_order)
