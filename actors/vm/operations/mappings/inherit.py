"""minherit(2), MADV_DONTFORK and its like: what a child of a later fork gets of a range.

Source: FreeBSD vm_map_inherit; Linux madvise_vma_behavior (WIPEONFORK is for private anonymous
memory only).
"""

from actors.machine import Effect
from actors.operation import Op, advance
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.state import Phase, VmState
from kernel.vm_map import INHERITED_ZERO, SHARED, MapEntry
from kernel.vmspace import VmSpace


def _no_zero(vm: VmState, entry: MapEntry, op: Op) -> bool:
    bottom, _ = vm.objects.bottom(entry)
    private = not entry.flags & SHARED and vm.objects.by_oid[bottom].anonymous
    return bool(op.args[0] & INHERITED_ZERO) and not private


def change_entries(vm: VmState, space: VmSpace, op: Op, _out: list[Effect]) -> Op:
    """Phase: the entries of the range say so from now on."""
    on, off = op.args
    space.map.change(op.start, op.end, lambda e: e.with_flags(on=on, off=off))
    return advance(op, vm.settings.costs.map_ns)


PHASES: tuple[Phase, ...] = (
    range_scan.lock_exclusive,
    range_errors.check(_no_zero),
    change_entries,
    range_scan.unlock,
)
