"""What a thread's accesses do: TLB, walks, loads, the store buffer.

A run of accesses is executed in stretches of TLB hits: cut at the first miss, at the interrupt
quantum, and exploring at every granule. A store retires into the store buffer and the thread goes
on; a load waits, unless an earlier store of the core still in the buffer answers it.
"""

from abc import abstractmethod

from actors.core_interrupt import CoreInterrupt
from actors.core_state import Buffered, Phase
from actors.facts import Touched
from actors.guest.program import Access
from actors.machine import Effect, Note, Send, Spend
from actors.message import LoadItem, StoreItem
from actors.messages import Load, SetDirty, Walk
from actors.settings import DOMAIN_SHIFT
from kernel import pte as pte_bits
from kernel.stamp import stamp
from kernel.units import CELL_SHIFT, GRANULE

_PTE_DOMAIN_SHIFT = DOMAIN_SHIFT + pte_bits.PFN_SHIFT
_GRANULE_SHIFT = GRANULE.bit_length() - 1


class CoreMemory(CoreInterrupt):
    """Guest accesses."""

    def access(self, i: Access, out: list[Effect]) -> bool:
        """Execute the access run from the current element on; say whether the thread goes on."""
        if self.part >= i.count:
            return self._next(out)
        settings = self.settings
        if i.write and len(self.buffer) >= settings.store_buffer:
            self.phase = Phase.DRAIN
            return False
        limit = self.part + self.stretch_max
        items, missing = self._hits(i, min(i.count, limit))
        if not items:
            self._miss(missing, i, out)
            return False
        out.append(Note(Touched(self.thread, len(items), i.write, items[0][2])))
        out.append(Spend(len(items) * settings.costs.access_ns))
        self.part += len(items)
        if i.write:
            self.push(Buffered(self.thread, self.asid, tuple(items)), out)
            return True
        return self._read([(cell, pfn) for cell, pfn, _ in items], out)

    def _hits(self, i: Access, end: int) -> tuple[list[StoreItem], int]:
        """Give the items of the stretch of TLB hits from here, and the page that misses after it.

        A stretch stays within one memory.
        """
        need = pte_bits.P | pte_bits.U
        if i.write:
            need |= pte_bits.W | pte_bits.D
        items: list[StoreItem] = []
        vpn, pte = -1, 0
        for element in range(self.part, end):
            cell = i.va + element * i.stride >> _GRANULE_SHIFT
            if cell >> CELL_SHIFT != vpn:
                vpn = cell >> CELL_SHIFT
                pte = self.tlb.get(self.asid, vpn)
                if pte & need != need:
                    return items, vpn
                if items and items[0][1] >> DOMAIN_SHIFT != pte >> _PTE_DOMAIN_SHIFT:
                    return items, -1
            version = stamp(self.thread, self.pc, element) if i.write else 0
            items.append((cell, pte >> pte_bits.PFN_SHIFT, version))
        return items, -1

    def _miss(self, vpn: int, i: Access, out: list[Effect]) -> None:
        """Ask for a translation, or for the dirty bit of a writable one."""
        pte = self.tlb.get(self.asid, vpn)
        vm = self.settings.vm_of[self.asid]
        self.phase = Phase.WALK
        self.walk_vpn, self.walk_killed = vpn, False
        if i.write and pte_bits.permits(pte, write=True):
            out.append(Send(vm, SetDirty(self.thread, self.asid, vpn, pte_bits.pfn_of(pte))))
        else:
            out.append(Send(vm, Walk(self.thread, self.asid, vpn, i.write)))

    def _read(self, items: list[LoadItem], out: list[Effect]) -> bool:
        """Send the loads that the store buffer does not answer."""
        if self.buffer:
            own = {cell for e in self.buffer if e.asid == self.asid for cell, _, _ in e.items}
            items = [item for item in items if item[0] not in own]
            if not items:
                return True
        memory = self.settings.memory_of(items[0][1])
        out.append(Send(memory, Load(self.thread, self.asid, tuple(items))))
        self.phase = Phase.LOAD
        return False

    @abstractmethod
    def _next(self, out: list[Effect]) -> bool:
        """Go to the next instruction and tell who waits for that."""
