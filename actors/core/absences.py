"""Absences that a TLB keeps: that a page had no entry that permits the access (RISC-V may).

Who gains access through an entry that is new has to make its own core forget the absence: a fault
ends with a local fence, and a core that meets an absence which is no more takes a fault for that.
An invalidation drops absences like entries.
Source: Linux riscv update_mmu_cache, flush_tlb_fix_spurious_fault.

Owns nothing. Touches the TLB, and reads what `running` does.
"""

from actors.core.running import Running
from actors.guest.program import Access, Copy
from actors.settings import Settings
from kernel.hazards.switches import Hazard
from kernel.tlb import Tlb
from kernel.units import PAGE_SHIFT


class Absences:
    """What a core does about absences; nothing, if its TLB keeps none."""

    __slots__ = ("cached", "running", "settings", "tlb")

    def __init__(self, settings: Settings, running: Running, tlb: Tlb) -> None:
        """Care for the absences of this TLB."""
        self.settings = settings
        self.running = running
        self.tlb = tlb
        self.cached = settings.tlb_keeps_absence

    def resolved(self) -> None:
        """Fence: forget the absence on which the running thread has faulted."""
        running = self.running
        i = running.instruction()
        if self.cached and isinstance(i, Access | Copy):
            element = running.part - isinstance(i, Copy)
            vpn = i.va + element * i.stride >> PAGE_SHIFT
            if not self.stays(vpn):
                self.tlb.evict(running.asid, vpn)

    def stays(self, vpn: int) -> bool:
        """Say whether an absence stays although the fault was resolved (a hazard)."""
        if not self.cached or not self.settings.hazards & Hazard.FAULT_WITHOUT_FENCE:
            return False
        self.tlb.load_absence(self.running.asid, vpn)
        return True
