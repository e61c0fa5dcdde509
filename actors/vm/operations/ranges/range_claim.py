"""HOLE and ZERO of one range, one after the other, where no map lock sees to that.

Under the map read lock (range-list), and for memory that several maps show, two of them could meet
in the middle: one clears the record of the hole, the other takes pages into it. An operation claims
its ranges, in the space or in shared objects, and sleeps while another's overlap. Source: FreeBSD's
rangelock(9) does so for reads and writes of files.
"""

from actors.machine import Effect, Send
from actors.messages import Sleep
from actors.operation import Op, OpKind, OpState, advance, replace
from actors.vm.holes import VmState, idle_if
from kernel.policy.keys import HoleRecord
from kernel.vm_map import SHARED, MapEntry
from kernel.vmspace import VmSpace

#: (object or -1 - asid, first page, end)
Claim = tuple[int, int, int]


def _claims(vm: VmState, space: VmSpace, op: Op) -> tuple[Claim, ...]:
    record = vm.settings.policy.hole_state
    by_page = record is HoleRecord.PAGE_FLAG  # markjdb's sketch: the page busy lock, and no range
    found = []
    for piece in space.map.pieces(op.start, op.end):
        if piece.flags & SHARED:
            if by_page and vm.objects[piece.oid].anonymous:
                continue  # but of a file nobody may read a page that ZERO has passed
            found.append((piece.oid, piece.offset, piece.pindex(piece.end)))
        elif record is HoleRecord.RANGE_LIST:
            found.append((-1 - op.asid, piece.start, piece.end))
    return tuple(found)


def _holder(vm: VmState, claims: tuple[Claim, ...]) -> int:
    for holder, theirs in vm.claims.items():
        for place, start, end in theirs:
            if any(p == place and s < end and start < e for p, s, e in claims):
                return holder
    return -1


@idle_if(lambda vm, space, op: not _claims(vm, space, op))
def claim_range(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: wait until no other HOLE or ZERO has a part of the range, and claim it."""
    claims = _claims(vm, space, op)
    holder = _holder(vm, claims)
    if holder < 0:
        if claims:
            vm.claims[op.op] = claims
        return advance(op)
    return sleep(vm, op, holder, out)


def under_zero(vm: VmState, asid: int, entry: MapEntry, vpn: int) -> int:
    """Give the ZERO that has a page in its range, or -1: its end is to be waited for.

    It has taken the page into the hole itself, maybe, and no record says so.
    """
    if not vm.claims:
        return -1
    place = (entry.oid, entry.pindex(vpn)) if entry.flags & SHARED else (-1 - asid, vpn)
    holder = _holder(vm, ((*place, place[1] + 1),))
    return holder if holder >= 0 and vm.ops[holder].kind is OpKind.ZERO else -1


def sleep(vm: VmState, op: Op, holder: int, out: list[Effect]) -> Op:
    """Put an operation to sleep until another gives its range up."""
    vm.claim_waiters[holder] = (*vm.claim_waiters.get(holder, ()), op.op)
    out.append(Send(op.by, Sleep(op.op, OpState.LOCK, op.ns)))
    return replace(op, state=OpState.LOCK, ns=0)


def release(vm: VmState, op: Op, out: list[Effect]) -> None:
    """Give the claim up; who waits for it looks again."""
    vm.claims.pop(op.op, None)
    for waiter in vm.claim_waiters.pop(op.op, ()):
        vm.wake(waiter, out)


def unlock(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: release the range and the map lock."""
    release(vm, op, out)
    vm.unlock_map(space, op, out)
    return advance(op)
