"""Pages faulted in before they are touched: MADV_POPULATE_READ and _WRITE, mlock(2).

    mlock: lock the map, mark the entries wired, unlock
    page by page: what is not mapped yet is faulted in, as an access would
    mlock that failed: the entries are not wired any more (FreeBSD)

A fault for a store leaves the page dirty, so that one that MADV_FREE had given back stays.

All that mlock leaves behind is that an entry is wired: who wants a page asks the map whether
somebody wires it (`Objects.is_wired`). FreeBSD counts wirings in the page as well.
Source: FreeBSD vm_map_wire (vm_fault of each page, rolled back on failure); Linux do_mlock,
__mm_populate (the entries stay locked), madvise_populate.
"""

from actors.machine import Effect
from actors.operation import OpKind
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.faults import fault
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.payloads import Fault, Mlock
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.errors import Errno, FaultCause
from kernel.policy.keys import Errors
from kernel.vm_map import SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace

_WRITE = 2
_NO_CAUSE = FaultCause.NONE


def wire_entries(vm: VmState, space: VmSpace, op: Op[Mlock], _out: list[Effect]) -> Op[Mlock]:
    """Phase: entries of the map become wired; with a gap none, but on Linux those before it."""
    op = range_errors.without_gap(vm, space, op)
    wired = tuple((e.start, e.end) for e in space.map.pieces(op.start, op.end) if e.flags & WIRED)
    op = replace(op, own=replace(op.own, wired=wired))
    space.map.change(op.start, op.end, _wired)
    return advance(op, vm.settings.costs.map_ns)


def unwire_entries(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: munlock; entries of the map are not wired any more."""
    space.map.change(op.start, op.end, _not_wired)
    return advance(op, vm.settings.costs.map_ns)


def _wired(entry: MapEntry) -> MapEntry:
    return entry.with_flags(on=WIRED)


def _not_wired(entry: MapEntry) -> MapEntry:
    return entry.with_flags(off=WIRED)


def next_page(vm: VmState, space: VmSpace, op: Op[Fault], _out: list[Effect]) -> Op[Fault]:
    """Phase: begin the fault of the next page that an access would fault on; or be done."""
    ptes = space.pmap.ptes
    at = op.cursor
    if at == op.start and _refuses_gap(vm, space, op):
        return _done(vm, replace(op, error=Errno.EINVAL))
    while at < op.end and not op.error:
        entry = space.map.lookup(at)
        if entry is None:
            error = _at_gap(vm, op)
            if error:
                return _done(vm, replace(op, error=error))
            at += 1
            continue
        write = op.own.write
        if op.kind is OpKind.MLOCK:
            write = bool(entry.prot & _WRITE) and not entry.flags & SHARED
        pte = ptes.get(at, 0)
        if not pte_bits.permits(pte, write=write) or (write and not pte & pte_bits.D):
            own = replace(op.own, vpn=at, write=write, cause=_NO_CAUSE, page=None, source=None)
            return replace(op, phase=0, own=own)
        at += 1
    return _done(vm, op)


def _refuses_gap(vm: VmState, space: VmSpace, op: Op[Fault]) -> bool:
    strict = vm.settings.policy.errors is Errors.STRICT
    return strict and op.kind is OpKind.POPULATE and space.map.has_gap(op.start, op.end)


def _at_gap(vm: VmState, op: Op[Fault]) -> Errno:
    """Return the error of a page that is not mapped; 0: the call leaves it out.

    mlock has looked for gaps before: this one is new.
    """
    errors = vm.settings.policy.errors
    if op.kind is OpKind.MLOCK or errors is Errors.LINUX:
        return Errno.ENOMEM
    return Errno.OK if errors is Errors.FREEBSD else Errno.EINVAL


def _done(vm: VmState, op: Op[Fault]) -> Op[Fault]:
    """End, or go on to undo what has failed: on Linux the entries stay wired."""
    undoes = op.kind is OpKind.MLOCK and op.error and vm.settings.policy.errors is not Errors.LINUX
    if not undoes:
        return replace(op, phase=_LENGTH[op.kind])
    own = replace(op.own, vpn=op.start, cause=_NO_CAUSE)
    return replace(op, phase=op.phase + 1, own=own)


def undo(vm: VmState, space: VmSpace, op: Op[Mlock], out: list[Effect]) -> Op[Mlock]:
    """Phase: what failed leaves wired what was so before."""
    op = unwire_entries(vm, space, op, out)
    for start, end in op.own.wired:
        space.map.change(start, end, _wired)
    vm.waiting.unlock_map(space, op, out)
    return replace(op, phase=_LENGTH[op.kind])


def begin_pages(_vm: VmState, _space: VmSpace, op: Op[Fault], _out: list[Effect]) -> Op[Fault]:
    """Phase: the entries are wired; on to their pages."""
    return replace(op, phase=NEXT_PAGE, cursor=op.start)


#: the phases of a fault come first, as they name one another by number
POPULATE_PHASES: tuple[Phase, ...] = (*fault.PHASES, Phase(next_page))
NEXT_PAGE = index_of(POPULATE_PHASES, next_page)
MLOCK_PHASES: tuple[Phase, ...] = (
    *POPULATE_PHASES,
    range_scan.LOCK_EXCLUSIVE,
    Phase(undo),
    range_scan.LOCK_EXCLUSIVE,
    Phase(wire_entries),
    range_scan.UNLOCK,
    Phase(begin_pages),
)
#: where mlock begins: it locks the map
WIRE = index_of(MLOCK_PHASES, wire_entries) - 1
MUNLOCK_PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    range_errors.CHECK,
    Phase(unwire_entries),
    range_scan.UNLOCK,
)
_LENGTH = {OpKind.POPULATE: len(POPULATE_PHASES), OpKind.MLOCK: len(MLOCK_PHASES)}
