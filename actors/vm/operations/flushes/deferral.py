"""Invalidation left to the other cores: HOLE returns, they invalidate at their next occasion.

    HOLE        PTEs := no access; zero pm_gen of the others; read pm_active: the cores awaited;
                the own TLB
    a core      switches context (the hook comes before the early return within a pmap), or enters
                the kernel: vm tells it what it missed; invalidates; CaughtUp
    vm          the last core awaited has caught up: the pages are IDLE, the zeroing thread's

A core that is not active has generation zero and flushes before it uses anything; one that leaves
has caught up by that. One that never switches is interrupted once the deadline has passed.
Source: issue 1318, davidchisnall's steps 1 to 3; LATR (whose pages are free after a time, not after
acknowledgements: a hazard here); amd64 pm_active and pm_gen.
"""

from collections.abc import Iterable, Iterator

from actors.facts import CoresCaughtUp, HoleSettled
from actors.machine import Effect, Note, Send
from actors.messages import Shoot, Watch
from actors.operation import OpKind, OpState
from actors.settings import KERNEL_LANE
from actors.vm.deferrals import Deferral
from actors.vm.entries import NO_FRAME, Gone
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.flushes import extents, shootdown
from actors.vm.payloads import NOTHING, CatchUp, Hole
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.hole import HoleEvent
from kernel.policy.keys import HoleAccess, defers
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import VmSpace


def zero_generations(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: the first half of a shootdown, or of what takes its place."""
    if not op.flush.gone or not defers(vm.settings.policy):
        return shootdown.zero_generations(vm, space, op, out)
    for asid in _spaces(op.flush.gone):
        pmap = vm.spaces[asid].pmap
        pmap.gens &= 1 << op.by if pmap.active >> op.by & 1 else 0
    return advance(op, vm.settings.costs.pte_ns)


def interrupt_or_defer(vm: VmState, space: VmSpace, op: Op[Hole], out: list[Effect]) -> Op[Hole]:
    """Phase: the second half: interrupt the active cores, or note who is left to invalidate."""
    if not defers(vm.settings.policy):
        return shootdown.interrupt_active(vm, space, op, out)
    if not op.own.deferral:
        own = replace(op.own, deferral=_defer(vm, op, out))
        op = replace(op, own=own, flush=op.flush.owing(_left_to_oneself(vm, op)))
    if not op.flush.gone:
        return advance(op)
    part = extents.next_part(vm, op)
    about = (0, 0) if part.vpns else part.about
    shoot = Shoot(op.lane, op.flush.round, part.asid, part.vpns, (), op.ns, about)
    out.append(Send(op.by, shoot))
    return replace(op, flush=replace(op.flush, until=part.until), state=OpState.ACKS, ns=0)


def _spaces(gone: Iterable[Gone]) -> list[int]:
    return sorted({va >> ASID_SHIFT for va, _ in gone})


def _defer(vm: VmState, op: Op[Hole], out: list[Effect]) -> int:
    """Note the cores that are to invalidate; return the note's number, or -1 if there are none."""
    awaiting = []
    for asid in _spaces(op.flush.gone):
        mask = vm.spaces[asid].pmap.active & ~(1 << op.by)
        if mask:
            awaiting.append((asid, mask))
    if not awaiting:
        return -1
    owed = tuple(vm.entries.must_flush(*one) for one in op.flush.gone)
    number = vm.deferrals.leave(Deferral(owed, tuple(awaiting)))
    deadline_ns = vm.settings.policy.deadline_ns
    if deadline_ns:
        zeroer = vm.settings.zeroer_of(op.flush.gone[0][1])
        out.append(Send(zeroer, Watch(KERNEL_LANE + zeroer, number)))
    return number


def _left_to_oneself(vm: VmState, op: Op[Hole]) -> list[Gone]:
    """List what another HOLE of the range has left to the caller's core; it goes on owing it."""
    if not vm.deferrals.notes:
        return []
    _, vpns = vm.deferrals.missed(op.by, op.asid)
    return [(op.asid << ASID_SHIFT | v, NO_FRAME) for v in vpns if op.start <= v < op.end]


def _nothing_to_do(vm: VmState, _space: VmSpace, op: Op[Hole]) -> bool:
    return not op.flush.gone and not _left_to_oneself(vm, op)


def left_to_others(vm: VmState, op: Op[Hole]) -> bool:
    """Say whether other cores have still to flush HOLE's pages."""
    return op.own.deferral in vm.deferrals.notes


def without_deferred(
    vm: VmState, asid: int, ranges: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the parts of ranges around the pages that other cores have still to flush."""
    out = sorted(vpn for _, space, vpn in vm.holes.deferred.values() if space == asid)
    for start, end in ranges:
        at = start
        for vpn in out:
            if at <= vpn < end:
                if at < vpn:
                    yield at, vpn
                at = vpn + 1
        if at < end:
            yield at, end


def caught_up(vm: VmState, lane: int, cores: int, asid: int, upto: int, out: list[Effect]) -> None:
    """Note that cores (a mask) hold nothing of what was taken away up to a note."""
    over = vm.deferrals.caught_up(cores, asid, upto)
    if over:
        _over(vm, lane, over, out)


def _over(vm: VmState, lane: int, numbers: list[int], out: list[Effect]) -> None:
    """All cores have invalidated: the pages are the zeroing thread's."""
    for number in numbers:
        one = vm.deferrals.settle(number)
        vm.entries.has_flushed(one.gone)
        for asid in _spaces(one.gone):
            vpns = tuple(va & VPN_MASK for va, _ in one.gone if va >> ASID_SHIFT == asid)
            out.append(Note(CoresCaughtUp(lane, asid, vpns)))
    found = [(key, at) for key, at in vm.holes.deferred.items() if at[0] in numbers]
    for asid in sorted({asid for _, (_, asid, _) in found}):
        op = Op(lane, -1, OpKind.HOLE, asid, 0, 0, NOTHING)
        keys, pages = [], []
        for key, (_, space, vpn) in found:
            if space != asid:
                continue
            vm.holes.event(key, HoleEvent.FLUSHED, op)
            keys.append(key)
            shown = vm.objects.page_at(vm.spaces[asid], vpn)
            if shown is not None and shown[0] == key:  # else it was unmapped there meanwhile
                pages.append(vpn)
        if vm.settings.policy.hole_access is HoleAccess.FATAL:
            out.extend(Note(HoleSettled(lane, asid, low, high)) for low, high in _runs(pages))
        vm.zeroing.offer(op, keys, out)


def _runs(vpns: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for vpn in sorted(vpns):
        if found and found[-1][1] == vpn:
            found[-1] = found[-1][0], vpn + 1
        else:
            found.append((vpn, vpn + 1))
    return found


# The deadline.


def look(vm: VmState, _space: VmSpace, op: Op[CatchUp], out: list[Effect]) -> Op[CatchUp]:
    """Phase: find a space with cores that are late, and what they have to invalidate."""
    upto = op.own.upto
    asid, late = vm.deferrals.late(upto)
    if asid < 0:
        return replace(op, phase=len(PHASES))
    if vm.settings.hazards & Hazard.TIME_FOR_ACKNOWLEDGEMENT:
        caught_up(vm, op.lane, late, asid, upto, out)
        return op
    # the notes go on owing it: another operation may do it first
    owed = tuple((va, NO_FRAME) for va in vm.deferrals.owed_to(asid, upto))
    flush = replace(op.flush, gone=owed, spared=~late)
    return advance(replace(op, asid=asid, flush=flush), vm.settings.costs.map_ns)


def late_caught_up(vm: VmState, _space: VmSpace, op: Op[CatchUp], out: list[Effect]) -> Op[CatchUp]:
    """Phase: the late cores have acknowledged; look for another space."""
    caught_up(vm, op.lane, ~op.flush.spared, op.asid, op.own.upto, out)
    return replace(op, phase=0)


PHASES: tuple[Phase, ...] = (Phase(look), *shootdown.PHASES, Phase(late_caught_up))
#: what HOLE goes through in place of a shootdown
HOLE_PHASES: tuple[Phase, ...] = (
    Phase(zero_generations, idle=shootdown.nothing_gone),
    Phase(interrupt_or_defer, idle=_nothing_to_do),
)
