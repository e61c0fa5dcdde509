"""HOLE and ZERO of one range, one after the other, where no map lock ensures that.

Under the map read lock (range-list), and for memory that several maps show, two of them could meet
in the middle: one clears the record of the hole, the other takes pages into it. An operation claims
its ranges, in the space or in shared objects, and sleeps while another's overlap. Source: FreeBSD's
rangelock(9), which does so for reads and writes of files.
"""

from typing import Any

from actors.machine import Effect, Send
from actors.messages import Sleep
from actors.operation import OpKind, OpState
from actors.vm.op import Op, P, advance, replace
from actors.vm.phases import Phase
from actors.vm.range_claims import RangeClaim
from actors.vm.state import VmState
from kernel.policy.keys import HoleRecord
from kernel.vm_map import SHARED, MapEntry
from kernel.vmspace import VmSpace


def _claims(vm: VmState, space: VmSpace, op: Op[Any]) -> tuple[RangeClaim, ...]:
    record = vm.settings.policy.hole_state
    by_page = record is HoleRecord.PAGE_FLAG  # markjdb's sketch: the page busy lock, and no range
    found = []
    for piece in space.map.pieces(op.start, op.end):
        if piece.flags & SHARED:
            if by_page and vm.objects.exclusive(piece):
                # but nobody may read in a page of a file that ZERO has passed; and memory that is
                # seen at several addresses has no one order in which all can take its pages
                continue
            found.append((piece.oid, piece.offset, piece.pindex(piece.end)))
        elif record is HoleRecord.RANGE_LIST:
            found.append((-1 - op.asid, piece.start, piece.end))
    return tuple(found)


def claim_range(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: wait until no other HOLE or ZERO has a part of the range, and claim it."""
    claims = _claims(vm, space, op)
    holder = vm.range_claims.holder(claims)
    if holder < 0:
        if claims:
            vm.range_claims.take(op.lane, claims)
        return advance(op)
    return sleep(vm, op, holder, out)


def under_zero(vm: VmState, asid: int, entry: MapEntry, vpn: int) -> int:
    """Return the lane of the ZERO that has a page in its range, or -1.

    A fault waits for its end, as it may have taken the page into the hole without any record.
    """
    if not vm.range_claims.claims:
        return -1
    place = (entry.oid, entry.pindex(vpn)) if entry.flags & SHARED else (-1 - asid, vpn)
    holder = vm.range_claims.holder(((*place, place[1] + 1),))
    return holder if holder >= 0 and vm.in_flight.ops[holder].kind is OpKind.ZERO else -1


def sleep(vm: VmState, op: Op[P], holder: int, out: list[Effect]) -> Op[P]:
    """Put an operation to sleep until another gives its range up."""
    vm.range_claims.wait(op.lane, holder)
    out.append(Send(op.by, Sleep(op.lane, OpState.LOCK, op.ns)))
    return replace(op, state=OpState.LOCK, ns=0)


def release(vm: VmState, op: Op[Any], out: list[Effect]) -> None:
    """Give the claim up; whoever waits for it looks again."""
    for waiter in vm.range_claims.release(op.lane):
        vm.in_flight.wake(waiter, out)


def unlock(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: release the range and the map lock."""
    release(vm, op, out)
    vm.waiting.unlock_map(space, op, out)
    return advance(op)


CLAIM_RANGE = Phase(claim_range, idle=lambda vm, space, op: not _claims(vm, space, op))
