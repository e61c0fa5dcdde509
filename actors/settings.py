"""What is fixed for a run: the policy, the costs, the wiring and the limits. Immutable."""

import msgspec

from kernel.costs import Costs
from kernel.hazards import Hazard
from kernel.policy import AdviceKind, Policy
from kernel.water_marks import WaterMarks, water_marks

#: a frame number is `domain << DOMAIN_SHIFT | index`
DOMAIN_SHIFT = 32
#: lanes of kernel threads: KERNEL_LANE + actor id
KERNEL_LANE = 1 << 30


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a machine may know besides its own state.

    Actor ids by role; `vm_of[process]` is the vm actor that holds the address space of a process
    (asid = process number), `core_of[thread]` the core that a guest thread is bound to.
    """

    policy: Policy
    costs: Costs
    hazards: Hazard = Hazard.NONE
    #: one step a delivery, one granule an access, two chunks a frame; for exploring and scripts
    fine: bool = False
    #: cores are actors 0..cores-1
    cores: int
    memories: tuple[int, ...]
    daemons: tuple[int, ...]
    zeroers: tuple[int, ...]
    #: swap devices: one, or none
    swaps: tuple[int, ...] = ()
    vm_of: tuple[int, ...]
    core_of: tuple[int, ...]
    process_of: tuple[int, ...]
    tlb_entries: int = 1536
    frames: int = 1 << 20
    swap_slots: int = 0
    #: of free frames in each domain
    marks: WaterMarks = water_marks(1 << 20)
    #: activity of a page that has just become active (FreeBSD's ACT_INIT)
    act_init: int = 5
    #: passes of the page daemon without any success, with somebody waiting, until it kills
    pageout_oom_seq: int = 12
    store_buffer: int = 56
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
        """Give what releases and reuses become; None re-issues the recorded calls."""
        return None if self.recorded_calls else self.policy.advice

    @property
    def chunks(self) -> int:
        """Give the chunks in which a frame is zeroed."""
        return 2 if self.fine else 1

    def domain_of(self, core: int) -> int:
        """Give the memory domain that a core (or any other actor) is near to."""
        return core % len(self.memories) if core < self.cores else 0

    def zeroer_of(self, asid: int) -> int:
        """Give the zeroing thread that serves an address space."""
        return self.zeroers[asid % len(self.zeroers)]

    def memory_of(self, pfn: int) -> int:
        """Give the memory that holds a frame."""
        return self.memories[pfn >> DOMAIN_SHIFT]

    def daemon_of(self, pfn: int) -> int:
        """Give the page daemon of a frame's domain."""
        return self.daemons[pfn >> DOMAIN_SHIFT]
