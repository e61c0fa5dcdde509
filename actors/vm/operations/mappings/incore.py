"""mincore(2): which pages of a range are in memory, whoever maps them.

Source: Linux do_mincore (a gap is ENOMEM, and nothing is said). FreeBSD kern_mincore asks the page
table, then the first object only; here a page that an object below it holds counts as well.
"""

from actors.facts import Residency
from actors.machine import Effect, Note
from actors.vm.op import Op, P, advance
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.vmspace import VmSpace


def look(vm: VmState, space: VmSpace, op: Op[P], out: list[Effect]) -> Op[P]:
    """Phase: look at each page; mostly a gap is an error."""
    op = range_errors.without_gap(vm, space, op)
    if op.error:
        return advance(op)
    found = ["0"] * (op.end - op.start)
    for piece in space.map.pieces(op.start, op.end):
        for vpn in range(piece.start, piece.end):
            if vm.objects.find(piece, vpn) is not None or vpn in space.pmap.ptes:
                found[vpn - op.start] = "1"
    out.append(Note(Residency(op.lane, op.asid, op.start, "".join(found))))
    return advance(op, len(found) * vm.settings.costs.pte_ns)


PHASES: tuple[Phase, ...] = (range_scan.LOCK_SHARED, Phase(look), range_scan.UNLOCK)
