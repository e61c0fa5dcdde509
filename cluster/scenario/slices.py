"""Refuse time slices so short that a thread loses the core before it has made one access.

A thread is preempted at an instruction boundary, and when a walk of the page table is over: what
others load into the TLB meanwhile may evict its entry, so that it walks again, for ever.
"""

from collections import Counter

from actors.core.scheduler import LEAST_PART
from actors.latency import LatencyTable
from actors.settings import Settings
from cluster.input_error import InputError


def check_slices(settings: Settings, latency: LatencyTable, where: str) -> None:
    """Refuse a slice of which the shortest part is not longer than a walk of the page table.

    Raises:
        InputError: says how long it must be.
    """
    if not settings.slice_ns:
        return
    for core, count in Counter(settings.core_of).items():
        others = min(count - 1, LEAST_PART)
        vms = _vms(settings, core)
        walk_ns = max(latency.ns(core, vm) + latency.ns(vm, core) for vm in vms)
        least = others * (walk_ns + settings.costs.walk_ns + settings.costs.access_ns + 1)
        if settings.slice_ns < least:
            raise InputError(
                f"{where}: machine.slice_ns={settings.slice_ns}: with {count} threads on core "
                f"{core} none gets on in so short a time: set machine.slice_ns={least} or more, "
                "or 0 for no time slices"
            )


def _vms(settings: Settings, core: int) -> set[int]:
    """Return the vms of the threads that are bound to a core."""
    threads = zip(settings.core_of, settings.process_of, strict=True)
    return {settings.vm_of[process] for home, process in threads if home == core}
