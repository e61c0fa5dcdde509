"""Accesses that are not permitted, and what becomes of them: SIGSEGV, EFAULT, or a call's error."""

from actors.facts import Segv
from actors.machine import Effect, Note, Send
from actors.messages import Signal
from actors.operation import POPULATES, USER, OpKind
from actors.vm.op import Op, replace
from actors.vm.payloads import Fault
from actors.vm.state import VmState
from kernel.errors import Errno, SegvCode
from kernel.policy.keys import HoleAccess
from kernel.vm_map import MapEntry
from kernel.vmspace import VmSpace

_READ, _WRITE = 1, 2
_FATAL = HoleAccess.FATAL


def denial(vm: VmState, space: VmSpace, entry: MapEntry | None, own: Fault) -> SegvCode | None:
    """Say why the access is not permitted, if it is not."""
    if space.ending:
        return SegvCode.KILLED
    if entry is None:
        return SegvCode.MAPERR
    if space.guards.starts and space.guards.holds(own.vpn):
        return SegvCode.GUARD
    if not entry.prot & (_WRITE if own.write else _READ):
        return SegvCode.ACCERR
    if vm.settings.policy.hole_access is _FATAL and vm.holes.includes(space, entry, own.vpn):
        return SegvCode.HOLE
    beyond = entry.pindex(own.vpn) >= vm.objects.by_oid[entry.oid].size
    return SegvCode.OBJECT if beyond else None


def fatal(vm: VmState, op: Op[Fault], code: SegvCode, out: list[Effect]) -> Op[Fault]:
    """Tell the access that it fails, or let the call that populates return an error."""
    own = op.own
    if own.behalf == POPULATES:
        return replace(op, error=_error_of(op.kind, code))
    ns = op.ns + vm.settings.costs.fault_ns
    if own.behalf == USER and code is not SegvCode.KILLED:
        out.append(Note(Segv(op.lane, op.asid, own.vpn, code)))
        ns = op.ns + vm.settings.costs.signal_ns
    out.append(Send(op.by, Signal(op.lane, own.vpn, code, ns)))
    return replace(op, error=-1)


def _error_of(kind: OpKind, code: SegvCode) -> Errno:
    """Say what a call that populates returns for a page that cannot be had.

    Source: Linux __mlock_posix_error_return; madvise_populate.
    """
    if code is SegvCode.KILLED:
        return Errno.EINTR
    if kind is OpKind.DMA:
        return Errno.EFAULT
    if kind is OpKind.MLOCK or code is SegvCode.MAPERR:
        return Errno.ENOMEM
    return Errno.EFAULT if code in (SegvCode.OBJECT, SegvCode.GUARD) else Errno.EINVAL
