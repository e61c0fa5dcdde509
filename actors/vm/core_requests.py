"""What cores tell a vm: page walks, faults, system calls, context switches.

A walk reads the entry and sets its bits in one step; everything else begins an operation, or says
that a core has invalidated what was left to it.
"""

from actors.facts import FaultStarted
from actors.machine import Effect, Note, Send
from actors.messages import (
    Call,
    CatchUp,
    CaughtUp,
    Died,
    Fault,
    Overdue,
    PageFault,
    Return,
    SetDirty,
    SwitchIn,
    SwitchOut,
    Translation,
    Walk,
)
from actors.operation import KERNEL, USER, OpKind, OpState
from actors.settings import KERNEL_LANE
from actors.vm import payloads, steps
from actors.vm.op import Op
from actors.vm.operations import calls
from actors.vm.operations.flushes import deferral, extents
from actors.vm.operations.mappings import end
from actors.vm.operations.ranges.call_errors import answer_at_once
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate

_AT_KERNEL_ENTRY = Invalidate.DEFERRED_AT_KERNEL_ENTRY
_KINDS = {int(k): k for k in OpKind}
_FAULT = OpKind.FAULT

# The page-table walker.


def walk(vm: VmState, src: int, m: Walk) -> list[Effect]:
    """Read the entry and set A (and D for a store, unless exploring) in one step."""
    ptes, settings = vm.spaces[m.asid].pmap.ptes, vm.settings
    pte = ptes.get(m.vpn, 0)
    if pte_bits.permits(pte, write=m.write, kernel=_beyond_user(vm, m)):
        pte |= pte_bits.A
        if m.write and not settings.fine:
            pte |= pte_bits.D
        ptes[m.vpn] = pte
        walk_ns = settings.costs.walk_ns
        if settings.fine:  # the entry is read now and gets there when the walk is done
            return [Send(src, Translation(m.op, m.vpn, pte, 0, 0), walk_ns)]
        return [Send(src, Translation(m.op, m.vpn, pte, walk_ns, 0))]
    if settings.fine:
        return [Send(src, PageFault(m.op, m.vpn))]
    return begin_fault(vm, src, m, write=m.write)


def _beyond_user(vm: VmState, m: Walk | SetDirty) -> bool:
    """Say whether an entry without U permits a kernel access (a hazard; else it does not)."""
    return m.kernel and bool(vm.settings.hazards & Hazard.USER_BIT_ONLY)


def set_dirty(vm: VmState, src: int, m: SetDirty) -> list[Effect]:
    """Check presence, permission and frame again, then set D; otherwise the store faults."""
    ptes = vm.spaces[m.asid].pmap.ptes
    pte = ptes.get(m.vpn, 0)
    permitted = pte_bits.permits(pte, write=True, kernel=_beyond_user(vm, m))
    if not permitted or pte_bits.pfn_of(pte) != m.pfn:
        if vm.settings.fine:
            return [Send(src, PageFault(m.op, m.vpn))]
        return begin_fault(vm, src, m, write=True)
    pte |= pte_bits.A | pte_bits.D
    ptes[m.vpn] = pte
    return [Send(src, Translation(m.op, m.vpn, pte, vm.settings.costs.set_dirty_ns, 0))]


# Entering the kernel.


def begin_fault(vm: VmState, src: int, m: Walk | SetDirty | Fault, *, write: bool) -> list[Effect]:
    """Begin a page fault."""
    vpn = m.vpn
    own = payloads.Fault(vpn, write, KERNEL if m.kernel else USER)
    ns = vm.in_flight.contention_ns(src, m.asid)
    op = Op(m.op, src, _FAULT, m.asid, vpn, vpn + 1, own, cursor=vpn, ns=ns)
    entered = _enters_kernel(vm, src, m.asid)
    return [Note(FaultStarted(m.op)), *entered, *steps.begin(vm, op)]


def call(vm: VmState, src: int, m: Call) -> list[Effect]:
    """Begin a system call, or answer it at once."""
    if vm.spaces[m.asid].ending:
        return [Send(src, Return(m.op, Errno.EINTR, 0, 0))]
    kind = _KINDS[m.kind]
    answer = answer_at_once(kind, m.va, m.length, m.args, vm.settings.policy.errors)
    if answer is not None:
        return [Send(src, Return(m.op, answer, 0, 0))]
    ns = vm.in_flight.contention_ns(src, m.asid)
    op = calls.operation(vm.settings, src, kind, m, ns)
    return _enters_kernel(vm, src, m.asid) + steps.begin(vm, op)


def _enters_kernel(vm: VmState, src: int, asid: int) -> list[Effect]:
    """Tell a core that enters the kernel what it has to invalidate there."""
    if not vm.deferrals.notes or vm.settings.policy.invalidate is not _AT_KERNEL_ENTRY:
        return []
    upto, vpns = vm.deferrals.missed(src, asid)
    if not upto:
        return []
    pages = extents.missed(vm, vpns)
    about = (0, 0) if pages or not vpns else (min(vpns), max(vpns) + 1)
    return [Send(src, CatchUp(KERNEL_LANE + src, asid, pages, upto, about))]


def died(vm: VmState, m: Died) -> list[Effect]:
    """Take in that a thread has ended; tell the exit_group or execve of its process."""
    asid, out = vm.settings.process_of[m.op], list[Effect]()
    ending = (op for op in vm.in_flight.ops.values() if op.asid == asid)
    for op in [one for one in ending if one.state is OpState.SIBLINGS and m.op in one.own.awaits]:
        end.died(vm, op, m, out)
    return out


# Context switches.


def switch_in(vm: VmState, src: int, m: SwitchIn) -> list[Effect]:
    """Begin a core's switch to an address space."""
    own = payloads.Switch(within=bool(vm.spaces[m.asid].pmap.active >> src & 1))
    return steps.begin(vm, Op(m.op, src, OpKind.SWITCH, m.asid, 0, 0, own))


def switch_out(vm: VmState, src: int, m: SwitchOut) -> list[Effect]:
    """Clear the bit of a core that has left: it flushes before it uses its entries again."""
    vm.spaces[m.asid].pmap.active &= ~(1 << src)
    out: list[Effect] = []
    if vm.deferrals.notes:
        deferral.caught_up(vm, m.op, 1 << src, m.asid, vm.deferrals.last, out)
    return out


def caught_up(vm: VmState, src: int, m: CaughtUp) -> list[Effect]:
    """Take in that a core has invalidated what was left to it."""
    out: list[Effect] = []
    deferral.caught_up(vm, m.op, 1 << src, m.asid, m.upto, out)
    return out


def overdue(vm: VmState, src: int, m: Overdue) -> list[Effect]:
    """Begin to interrupt the cores that are late."""
    own = payloads.CatchUp(m.upto)
    return steps.begin(vm, Op(m.op, src, OpKind.CATCH_UP, min(vm.spaces), 0, 0, own))
