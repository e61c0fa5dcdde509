"""What kernel work, memory work and messages cost, in integer nanoseconds.

A profile is data (`cluster/profiles/*.toml`, a source beside each value); this is its shape.
Latencies are between roles and always above zero, the same under any placement.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

#: a cost: up to a quarter of an hour
_Cost = Annotated[int, Meta(ge=0, le=10**12)]
#: a transit time, never 0: an effect is not before its cause
_Transit = Annotated[int, Meta(ge=1, le=10**12)]


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Kernel and memory work. Units are in the names; see the profile for sources."""

    syscall_ns: _Cost
    map_ns: _Cost
    pte_ns: _Cost
    zap_page_ns: _Cost
    flag_page_ns: _Cost
    local_invalidate_page_ns: _Cost
    local_flush_ns: _Cost
    full_flush_pages: _Cost
    ipi_send_ns: _Cost
    ipi_ack_ns: _Cost
    ipi_handler_ns: _Cost
    fault_ns: _Cost
    spurious_fault_ns: _Cost
    walk_ns: _Cost
    access_ns: _Cost
    zero_page_ns: _Cost
    copy_page_ns: _Cost
    context_switch_ns: _Cost
    set_dirty_ns: _Cost
    signal_ns: _Cost
    swap_read_ns: _Cost
    swap_write_ns: _Cost


class Latencies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Transit time of a message between two roles."""

    core_vm_ns: _Transit
    core_core_ns: _Transit
    core_memory_ns: _Transit
    vm_memory_ns: _Transit
    memory_memory_ns: _Transit
    daemon_vm_ns: _Transit
    daemon_core_ns: _Transit
    daemon_memory_ns: _Transit
    memory_swap_ns: _Transit
    vm_swap_ns: _Transit
    self_ns: _Transit


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine's costs and latencies."""

    name: str
    costs: Costs
    latencies: Latencies
