"""What HOLE, ZERO and MADV_FREE are about in their range: shared memory, older copies, files.

Source: issue 1318 (nwf on shared and shadowing mappings), FreeBSD vm_map_madvise and bug 240061.
"""

from typing import Any

from actors.machine import Effect
from actors.vm.op import Op, P, advance, replace
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.errors import Errno
from kernel.policy.keys import ShadowAnon, ShadowNamed, Shared
from kernel.vm_map import NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace


def _refused(vm: VmState, space: VmSpace, op: Op[Any]) -> bool:
    """Say whether the policy refuses HOLE and ZERO of something in the range."""
    return any(is_refused(vm, entry) for entry in space.map.overlapping(op.start, op.end))


def is_refused(vm: VmState, entry: MapEntry) -> bool:
    """Say whether the policy refuses HOLE and ZERO of the memory of an entry."""
    policy = vm.settings.policy
    if entry.flags & SHARED:
        return policy.shared is Shared.REJECT
    return policy.shadow_named is ShadowNamed.EINVAL and not vm.objects.anonymous(entry)


def refuse(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: HOLE and ZERO of what the policy refuses do nothing, and say so."""
    if _refused(vm, space, op):
        op = replace(op, end=op.start, error=Errno.EINVAL)
    return advance(op)


REFUSE = Phase(refuse, idle=lambda vm, space, op: not _refused(vm, space, op))


def advised(vm: VmState, entry: MapEntry) -> bool:
    """Say whether HOLE, ZERO, REUSE and MADV_FREE are about the pages of an entry.

    Where an older copy lies below, only if the policy lets it show again (`rewind`), and no other
    process sees the page; through shared mappings always.
    """
    if entry.flags & SHARED or not vm.objects.shadowed(entry):
        return True
    rewinds = vm.settings.policy.shadow_anon is ShadowAnon.REWIND
    return rewinds and vm.objects.exclusive(entry) and not entry.flags & NEEDS_COPY


def punched(vm: VmState, entry: MapEntry) -> bool:
    """Say whether HOLE and ZERO put a new object in place of what an entry shows.

    What mlock holds is left alone: a new object would let its pages go.
    """
    if entry.flags & WIRED or not vm.objects.shadowed(entry):
        return False
    if vm.objects.anonymous(entry):
        return vm.settings.policy.shadow_anon is ShadowAnon.PUNCH
    return vm.settings.policy.shadow_named is ShadowNamed.PUNCH


def freed_by_punching(vm: VmState, entry: MapEntry) -> bool:
    """Say whether MADV_FREE does."""
    return vm.objects.anonymous(entry) and punched(vm, entry)
