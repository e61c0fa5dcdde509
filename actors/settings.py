"""What is fixed for a run: the policy, the costs, the wiring and the limits. Immutable."""

import msgspec

from kernel.costs import Costs
from kernel.flush_extent import Architecture, Kernel
from kernel.hazards.switches import Hazard
from kernel.policy.keys import AdviceKind, CommitChecks, Policy, ReadFill, Reclaim
from kernel.water_marks import WaterMarks, water_marks

#: a frame number is `domain << DOMAIN_SHIFT | index`
DOMAIN_SHIFT = 32
#: lanes of kernel threads: KERNEL_LANE + actor id
KERNEL_LANE = 1 << 30
#: lanes of entries that leave a TLB: TLB_LANE + (asid << ASID_SHIFT | vpn)
TLB_LANE = 1 << 40


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a machine may know besides its own state.

    Actor ids by role; `vm_of[process]` is the vm actor that holds the address space of a process
    (asid = process number), `core_of[thread]` the core that a guest thread is bound to.
    """

    policy: Policy
    costs: Costs
    #: whose rules say how much is flushed
    kernel: Kernel = Kernel.FREEBSD
    architecture: Architecture = Architecture.AMD64
    #: of the entries that a full flush drops for nothing, the share that is used again, where the
    #: guest does not say what it touches
    refill_percent: int = 0
    #: union of `Hazard` bits
    hazards: int = Hazard.NONE
    #: one step a delivery, one granule an access, two chunks a frame; for exploring and scripts
    fine: bool = False
    #: cores are actors 0..cores-1; sockets and domains hold equal blocks of them
    cores: int
    sockets: int = 1
    memories: tuple[int, ...]
    daemons: tuple[int, ...]
    zeroers: tuple[int, ...]
    #: swap devices: one, or none
    swaps: tuple[int, ...] = ()
    devices: tuple[int, ...] = ()
    vm_of: tuple[int, ...]
    core_of: tuple[int, ...]
    process_of: tuple[int, ...]
    tlb_entries: int = 1536
    #: an entry leaves a TLB at most so long after it was loaded; 0: only if it is flushed, or full
    tlb_life_ns: int = 0
    #: a TLB also keeps that a page has no entry, until that is fenced or flushed
    tlb_keeps_absence: bool = False
    frames: int = 1 << 20
    swap_slots: int = 0
    #: of free frames in each domain
    marks: WaterMarks = water_marks(1 << 20)
    #: activity of a page that has just become active (FreeBSD's ACT_INIT)
    act_init: int = 5
    #: passes of the page daemon without any success, with somebody waiting, until it kills
    pageout_oom_seq: int = 12
    store_buffer: int = 56
    #: time slice of a thread while one other waits for its core; 0: threads are not preempted
    slice_ns: int = 94_000_000
    #: thinking takes the core
    computes: bool = False
    interrupt_quantum_ns: int = 5000
    #: pages that the zeroing thread asks for at once, and zeroes at a time
    zero_batch: int = 64
    zero_group: int = 16
    #: of the generators that machines hold (TLB eviction)
    seed: int = 0
    #: think time is multiplied by numerator / denominator (0: as soon as possible)
    think_scale: tuple[int, int] = (1, 1)

    #: re-issue the recorded calls instead of the policy's advice
    recorded_calls: bool = False

    @property
    def mapped_advice(self) -> AdviceKind | None:
        """Return what releases and reuses become; None re-issues the recorded calls."""
        return None if self.recorded_calls else self.policy.advice

    @property
    def commit_checks(self) -> bool:
        """Say whether the allocator makes its own mprotect calls beside the advice."""
        return self.policy.commit_checks is CommitChecks.ON

    @property
    def keeps_dontneed(self) -> bool:
        """Say whether MADV_DONTNEED keeps the contents, as on FreeBSD."""
        return self.policy.advice is AdviceKind.DONTNEED_FREEBSD

    @property
    def chunks(self) -> int:
        """Return the chunks in which a frame is zeroed."""
        return 2 if self.fine else 1

    def domain_of(self, initiator: int) -> int:
        """Return the NUMA domain that a core or a kernel thread is in."""
        domains = len(self.memories)
        if initiator < self.cores:
            return initiator * domains // self.cores
        if initiator in self.daemons:
            return self.daemons.index(initiator)
        return self.zeroers.index(initiator) * domains // len(self.zeroers)

    def ipi_send_ns(self, initiator: int, core: int) -> int:
        """Return what it costs to interrupt a core, by whether it is in the same socket."""
        domains = len(self.memories)
        here, there = (self.domain_of(one) * self.sockets // domains for one in (initiator, core))
        farther = self.costs.ipi_send_other_socket_ns if here != there else 0
        return self.costs.ipi_send_ns + farther

    def zeroer_of(self, pfn: int) -> int:
        """Return the zeroing thread that serves a frame: one of its domain."""
        each = len(self.zeroers) // len(self.memories)
        return self.zeroers[(pfn >> DOMAIN_SHIFT) * each + pfn % each]

    def memory_of(self, pfn: int) -> int:
        """Return the memory that holds a frame."""
        return self.memories[pfn >> DOMAIN_SHIFT]

    @property
    def has_zero_page(self) -> bool:
        """Say whether the policy maps one zero page for all."""
        policy = self.policy
        return policy.read_fill is ReadFill.ZERO_PAGE or policy.reclaim is Reclaim.ZERO_PAGE

    def zero_page(self, core: int) -> int:
        """Return the frame near a core that is zero for ever: the one after the last of its domain.

        -1 where the policy has none.
        """
        if not self.has_zero_page:
            return -1
        return self.domain_of(core) << DOMAIN_SHIFT | self.frames

    def is_zero_page(self, pfn: int) -> bool:
        """Say whether a frame is zero for ever."""
        return pfn & (1 << DOMAIN_SHIFT) - 1 == self.frames
