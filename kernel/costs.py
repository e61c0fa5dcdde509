"""What kernel work, memory work and messages cost, in integer nanoseconds.

A profile is data (`cluster/profiles/*.toml`, a source beside each value); this is its shape.
Latencies are between roles and always above zero, the same under any placement.
"""

import msgspec


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Kernel and memory work. Units are in the names; see the profile for sources."""

    syscall_ns: int
    map_ns: int
    pte_ns: int
    zap_page_ns: int
    flag_page_ns: int
    local_invalidate_page_ns: int
    local_flush_ns: int
    full_flush_pages: int
    ipi_send_ns: int
    ipi_ack_ns: int
    ipi_handler_ns: int
    fault_ns: int
    spurious_fault_ns: int
    walk_ns: int
    access_ns: int
    zero_page_ns: int
    context_switch_ns: int
    set_dirty_ns: int
    signal_ns: int


class Latencies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Transit time of a message between two roles."""

    core_vm_ns: int
    core_core_ns: int
    core_memory_ns: int
    vm_memory_ns: int
    daemon_vm_ns: int
    daemon_core_ns: int
    daemon_memory_ns: int
    self_ns: int


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine's costs and latencies."""

    name: str
    costs: Costs
    latencies: Latencies
