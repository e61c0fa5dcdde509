"""What a thread's accesses do: TLB, walks, loads, the store buffer.

A run of accesses is executed in stretches of TLB hits: cut at the first miss, at the interrupt
quantum, and exploring at every granule. A store retires into the store buffer and the thread goes
on; a load waits, unless an earlier store of the core still in the buffer answers it.
"""

from abc import abstractmethod

from actors.core.interrupts import CoreInterrupt
from actors.core.state import Buffered, Phase
from actors.facts import CallEnded, CallStarted, Touched
from actors.guest.program import Access, Copy
from actors.machine import Effect, Note, Send, Spend
from actors.message import LoadItem, StoreItem
from actors.messages import Load, SetDirty, Walk
from actors.operation import OpKind
from actors.settings import DOMAIN_SHIFT
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.stamp import stamp
from kernel.units import CELL_SHIFT, GRANULE, PAGE_SHIFT

_PTE_DOMAIN_SHIFT = DOMAIN_SHIFT + pte_bits.PFN_SHIFT
_GRANULE_SHIFT = GRANULE.bit_length() - 1


def _kind(i: Copy) -> OpKind:
    return OpKind.COPYOUT if i.write else OpKind.COPYIN


class CoreMemory(CoreInterrupt):
    """Guest accesses."""

    def access(self, i: Access, out: list[Effect]) -> bool:
        """Execute the access run from the current element on; say whether the thread goes on."""
        if self.part >= i.count:
            return self._next(out)
        return self._stretch(i, self.part, out)

    def copy(self, i: Copy, out: list[Effect]) -> bool:
        """Enter the kernel and have it make the accesses; `part` counts the entry, too."""
        if self.part == 0:
            if self.buffer:
                self.phase = Phase.DRAIN
                return False
            pages = abs((i.count - 1) * i.stride >> PAGE_SHIFT) + 1
            out.append(Note(CallStarted(self.thread, _kind(i), pages)))
            out.append(Spend(self.settings.costs.syscall_ns))
            self.part = 1
        if self.part > i.count:
            return self.copied(i, Errno.OK, out)
        return self._stretch(i, self.part - 1, out)

    def copied(self, i: Copy, error: Errno, out: list[Effect]) -> bool:
        """Return from a system call that copied."""
        out.append(Note(CallEnded(self.thread, _kind(i), error)))
        return self._next(out)

    def _stretch(self, i: Access | Copy, first: int, out: list[Effect]) -> bool:
        """Make the accesses from element `first` on that hit the TLB."""
        settings = self.settings
        if i.write and len(self.buffer) >= settings.store_buffer:
            self.phase = Phase.DRAIN
            return False
        items, missing = self._hits(i, first, min(i.count, first + self.stretch_max))
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

    def _hits(self, i: Access | Copy, first: int, end: int) -> tuple[list[StoreItem], int]:
        """Give the items of the stretch of TLB hits from here, and the page that misses after it.

        A stretch stays within one memory.
        """
        need = pte_bits.P if isinstance(i, Copy) else pte_bits.P | pte_bits.U
        if i.write:
            need |= pte_bits.W | pte_bits.D
        items: list[StoreItem] = []
        vpn, pte = -1, 0
        for element in range(first, end):
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

    def _miss(self, vpn: int, i: Access | Copy, out: list[Effect]) -> None:
        """Ask for a translation, or for the dirty bit of a writable one."""
        pte = self.tlb.get(self.asid, vpn)
        vm = self.settings.vm_of[self.asid]
        kernel = isinstance(i, Copy)
        self.phase = Phase.WALK
        self.walk_vpn, self.walk_killed = vpn, False
        if i.write and pte_bits.permits(pte, write=True, kernel=kernel):
            pfn = pte_bits.pfn_of(pte)
            out.append(Send(vm, SetDirty(self.thread, self.asid, vpn, pfn, kernel)))
        else:
            out.append(Send(vm, Walk(self.thread, self.asid, vpn, i.write, kernel)))

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
