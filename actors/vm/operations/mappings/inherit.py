"""minherit(2), MADV_DONTFORK and its like: what a child of a later fork gets of a range.

Source: FreeBSD vm_map_inherit; Linux madvise_vma_behavior (WIPEONFORK is for private anonymous
memory only).
"""

from actors.machine import Effect
from actors.vm.op import Op, advance
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.payloads import Inherit
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.vmspace import VmSpace


def change_entries(vm: VmState, space: VmSpace, op: Op[Inherit], _out: list[Effect]) -> Op[Inherit]:
    """Phase: set and clear the flags of the range's entries."""
    on, off = op.own.on, op.own.off
    space.map.change(op.start, op.end, lambda e: e.with_flags(on=on, off=off))
    return advance(op, vm.settings.costs.map_ns)


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_EXCLUSIVE,
    range_errors.CHECK,
    Phase(change_entries),
    range_scan.UNLOCK,
)
