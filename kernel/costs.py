"""What kernel work, memory work and messages cost, in integer nanoseconds.

A profile is data (`cluster/shipped/profiles`, a source beside each value); this is its shape.
Latencies are between roles, always above zero, and the same under any placement. The costs of
distance may be left out: then a machine of several domains or sockets is equally near everywhere.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from kernel.flush_extent import Architecture

#: a cost: up to a quarter of an hour
_Cost = Annotated[int, Meta(ge=0, le=10**12)]
#: a transit time, never 0: no effect precedes its cause
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
    ipi_send_ns: _Cost
    #: added to ipi_send_ns for a target in another socket
    ipi_send_other_socket_ns: _Cost = 0
    ipi_ack_ns: _Cost
    ipi_handler_ns: _Cost
    fault_ns: _Cost
    spurious_fault_ns: _Cost
    walk_ns: _Cost
    access_ns: _Cost
    zero_page_ns: _Cost
    copy_page_ns: _Cost
    file_read_ns: _Cost
    context_switch_ns: _Cost
    set_dirty_ns: _Cost
    signal_ns: _Cost
    swap_read_ns: _Cost
    swap_write_ns: _Cost
    #: transfers of devices: pinning a mapped page; submitting the transfer (the doorbell); from
    #: there to the first byte; moving 4 KiB, beyond the transit to memory and back; interrupt and
    #: completion
    pin_page_ns: _Cost
    dma_submit_ns: _Cost
    dma_start_ns: _Cost
    dma_page_ns: _Cost
    dma_done_ns: _Cost
    #: added to a system call or fault for each one of other threads of the address space that is in
    #: flight, by where that thread's core is (lock words and counters come from its cache)
    contention_ns: _Cost = 0
    contention_other_domain_ns: _Cost = 0
    #: broadcast invalidation (INVLPGB and TLBSYNC, TLBI and DSB), costs 0 where there is none:
    #: issuing one instruction, and the pages that one covers; waiting for completion beyond the
    #: transit, with nobody else issuing; added for each other issuer with a broadcast in flight
    tlbi_issue_ns: _Cost = 0
    tlbi_pages: _Cost = 1
    tlbi_wait_ns: _Cost = 0
    tlbi_per_issuer_ns: _Cost = 0


class Latencies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Transit time of a message between two roles in one NUMA domain, and what distance adds."""

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
    device_core_ns: _Transit
    device_vm_ns: _Transit
    device_memory_ns: _Transit
    self_ns: _Transit
    #: added between two domains of one socket; between two sockets
    other_domain_ns: _Cost = 0
    other_socket_ns: _Cost = 0


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One machine's costs and latencies."""

    name: str
    architecture: Architecture
    #: the shipped profile of machines like it: what was published of those speaks for it as well
    like: str = ""
    costs: Costs
    latencies: Latencies
