"""What a thread's accesses do: TLB, walks, loads.

A run of accesses is executed in stretches of TLB hits: cut at the first miss, at the interrupt
quantum, and exploring at every granule. A store retires into the store buffer and the thread goes
on; a load waits, unless an earlier store of the core still in the buffer answers it.

Owns the TLB and the walk in flight. Touches `running` (what the thread does, and how far it is in
its run), and puts stores into `buffer`.
"""

from collections.abc import Hashable

from actors.core.absences import Absences
from actors.core.running import Running
from actors.core.store_buffer import StoreBuffer
from actors.core.values import DRAIN, FAULT, LOAD, RUN, WALK, Buffered
from actors.facts import CallEnded, CallStarted, Flushed, Refilled, Touched
from actors.guest.program import Access, Copy
from actors.machine import Effect, Note, Send, Spend, Timer
from actors.message import LoadItem, StoreItem
from actors.messages import (
    CatchUp,
    CaughtUp,
    Evict,
    Fault,
    Flush,
    Ipi,
    Load,
    PageFault,
    SetDirty,
    Shoot,
    Signal,
    Switched,
    Tlbi,
    Translation,
    Walk,
)
from actors.operation import OpKind
from actors.settings import DOMAIN_SHIFT, TLB_LANE, Settings
from kernel import pte as pte_bits
from kernel.errors import Errno
from kernel.hazards.switches import Hazard
from kernel.stamp import stamp
from kernel.tlb import Tlb
from kernel.units import ASID_SHIFT, CELL_SHIFT, GRANULE, PAGE_SHIFT

#: granules in one message, whatever the quantum
_STRETCH_MAX = 256
_PTE_DOMAIN_SHIFT = DOMAIN_SHIFT + pte_bits.PFN_SHIFT
_PFN_SHIFT = pte_bits.PFN_SHIFT
_GRANULE_SHIFT = GRANULE.bit_length() - 1
#: what an entry must have, by whether it is for a store
_KERNEL_NEEDS = pte_bits.P, pte_bits.P | pte_bits.W | pte_bits.D
_USER_NEEDS = pte_bits.P | pte_bits.U, pte_bits.P | pte_bits.U | pte_bits.W | pte_bits.D
_COPYOUT, _COPYIN = OpKind.COPYOUT, OpKind.COPYIN
_OK, _EFAULT = Errno.OK, Errno.EFAULT


#: messages by which entries leave a TLB
Invalidation = Ipi | Tlbi | Flush | CatchUp | Shoot


def _kind(i: Copy) -> OpKind:
    return _COPYOUT if i.write else _COPYIN


class Accesses:
    """Accesses of the guest, and of the kernel to the guest's memory."""

    __slots__ = (
        "absences",
        "buffer",
        "lost",
        "running",
        "settings",
        "stretch_max",
        "tlb",
        "walk_killed",
        "walk_vpn",
    )

    def __init__(self, settings: Settings, running: Running, buffer: StoreBuffer, tlb: Tlb) -> None:
        """Begin with no walk in flight."""
        self.settings = settings
        self.running = running
        self.buffer = buffer
        self.tlb = tlb
        self.absences = Absences(settings, running, tlb)
        #: page of the walk in flight, and whether an invalidation has killed it
        self.walk_vpn, self.walk_killed = -1, False
        #: entries that full flushes have dropped beside those that they were about: to be refilled
        self.lost = 0
        #: granules in one stretch of accesses
        quantum = settings.interrupt_quantum_ns // max(settings.costs.access_ns, 1)
        self.stretch_max = 1 if settings.fine else max(1, min(_STRETCH_MAX, quantum))

    def clone(self, running: Running, buffer: StoreBuffer) -> "Accesses":
        """Copy the state; `running` and `buffer` are the twin's."""
        twin = Accesses(self.settings, running, buffer, self.tlb.copy())
        twin.walk_vpn, twin.walk_killed = self.walk_vpn, self.walk_killed
        twin.lost = self.lost
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return self.tlb.freeze(), self.walk_vpn, self.walk_killed, self.lost

    # Instructions: each says whether the thread goes on.

    def access(self, i: Access, out: list[Effect]) -> bool:
        """Execute the access run from the current element on."""
        running = self.running
        if running.part < i.count:
            goes_on = self._stretch(i, running.part, _USER_NEEDS[i.write], out)
            if not goes_on or running.part < i.count or self.settings.fine:
                return goes_on
        return running.advance(out)

    def copy(self, i: Copy, out: list[Effect]) -> bool:
        """Enter the kernel and have it make the accesses; `part` counts the entry, too."""
        running = self.running
        if running.part == 0:
            if self.buffer.entries:
                running.doing = DRAIN
                return False
            pages = abs((i.count - 1) * i.stride >> PAGE_SHIFT) + 1
            out.append(Note(CallStarted(running.thread, _kind(i), pages)))
            out.append(Spend(self.settings.costs.syscall_ns))
            running.part = 1
        if running.part > i.count:
            return self._copied(i, _OK, out)
        return self._stretch(i, running.part - 1, _KERNEL_NEEDS[i.write], out)

    def _copied(self, i: Copy, error: Errno, out: list[Effect]) -> bool:
        """Return from a system call that copied."""
        running = self.running
        out.append(Note(CallEnded(running.thread, _kind(i), error)))
        return running.advance(out)

    def _stretch(self, i: Access | Copy, first: int, need: int, out: list[Effect]) -> bool:
        """Make the accesses from element `first` on that hit the TLB."""
        settings, running, buffer = self.settings, self.running, self.buffer
        write = i.write
        if write and len(buffer.entries) >= settings.store_buffer:
            running.doing = DRAIN
            return False
        items, missing = self._hits(i, first, need)
        if not items:
            self._miss(missing, i, out)
            return False
        count = len(items)
        out.append(Note(Touched(running.thread, count, write, items[0][2])))
        out.append(Spend(count * settings.costs.access_ns))
        running.part += count
        if write:
            buffer.push(Buffered(running.thread, running.asid, tuple(items)), out)
            return True
        return self._read([(cell, pfn) for cell, pfn, _ in items], out)

    def _hits(self, i: Access | Copy, first: int, need: int) -> tuple[list[StoreItem], int]:
        """Return the items of the stretch of TLB hits from here, and the page that misses after it.

        A stretch stays within one memory.
        """
        running, va, stride, write = self.running, i.va, i.stride, i.write
        entries, space = self.tlb.entries, running.asid << ASID_SHIFT
        items: list[StoreItem] = []
        vpn, pte, version = -1, 0, 0
        for element in range(first, min(i.count, first + self.stretch_max)):
            cell = va + element * stride >> _GRANULE_SHIFT
            if cell >> CELL_SHIFT != vpn:
                vpn = cell >> CELL_SHIFT
                pte = entries.get(space | vpn, 0)
                if pte & need != need:
                    return items, vpn
                if items and items[0][1] >> DOMAIN_SHIFT != pte >> _PTE_DOMAIN_SHIFT:
                    return items, -1
            if write:
                version = stamp(running.thread, running.pc, element)
            items.append((cell, pte >> _PFN_SHIFT, version))
        return items, -1

    def _miss(self, vpn: int, i: Access | Copy, out: list[Effect]) -> None:
        """Ask for a translation, or for the dirty bit of a writable one; the thread waits."""
        running = self.running
        asid = running.asid
        vm = self.settings.vm_of[asid]
        kernel = i.__class__ is Copy
        if self.absences.cached and self.tlb.has_absence(asid, vpn):
            self._meet_absence(vpn, i, out)
            return
        running.doing = WALK
        self.walk_vpn, self.walk_killed = vpn, False
        if i.write:
            pte = self.tlb.get(asid, vpn)
            if pte_bits.permits(pte, write=True, kernel=kernel):
                pfn = pte_bits.pfn_of(pte)
                out.append(Send(vm, SetDirty(running.thread, asid, vpn, pfn, kernel)))
                return
        out.append(Send(vm, Walk(running.thread, asid, vpn, i.write, kernel)))

    def _meet_absence(self, vpn: int, i: Access | Copy, out: list[Effect]) -> None:
        """Fault on an absence that the TLB keeps, without a walk."""
        running, settings = self.running, self.settings
        running.doing = FAULT if settings.fine else WALK
        self.walk_vpn, self.walk_killed = -1 if settings.fine else vpn, False
        kernel = i.__class__ is Copy
        fault = Fault(running.thread, running.asid, vpn, i.write, kernel)
        out.append(Send(settings.vm_of[running.asid], fault))

    def _read(self, items: list[LoadItem], out: list[Effect]) -> bool:
        """Send the loads that the store buffer does not answer."""
        running, entries = self.running, self.buffer.entries
        asid = running.asid
        if entries:
            own = {cell for e in entries if e.asid == asid for cell, _, _ in e.items}
            items = [item for item in items if item[0] not in own]
            if not items:
                return True
        memory = self.settings.memory_of(items[0][1])
        out.append(Send(memory, Load(running.thread, asid, tuple(items))))
        running.doing = LOAD
        return False

    # Answers.

    def translated(self, m: Translation) -> Timer | None:
        """Load the entry, unless an invalidation has killed the walk, and have the thread go on.

        Return the timer with which the entry leaves the TLB, if its time is limited.
        """
        running = self.running
        if m.op != running.thread or running.doing is not WALK:
            running.refuse(m)
        self.walk_vpn = -1
        running.doing = RUN
        if self.walk_killed:
            return None
        asid, vpn = running.asid, m.vpn
        if m.cause and self.absences.stays(vpn):
            return None
        self.tlb.load(asid, vpn, m.pte)
        life = self.settings.tlb_life_ns
        if not life:
            return None
        return Timer(life, Evict(TLB_LANE + (asid << ASID_SHIFT | vpn), asid, vpn))

    def faulted(self, m: PageFault) -> list[Effect]:
        """Enter the kernel for a page fault."""
        running = self.running
        running.expect(m, WALK)
        self.walk_vpn = -1
        asid = running.asid
        # a cached entry that no longer permits what the page table does not permit is dropped
        self.tlb.invalidate(asid, (m.vpn,))
        if self.absences.cached and not self.walk_killed:
            self.tlb.load_absence(asid, m.vpn)
        i = running.instruction()
        assert isinstance(i, Access | Copy)
        running.doing = FAULT
        kernel = isinstance(i, Copy)
        return [Send(self.settings.vm_of[asid], Fault(m.op, asid, m.vpn, i.write, kernel))]

    def signalled(self, m: Signal, out: list[Effect]) -> None:
        """SIGSEGV: the guest's handler skips the access. In the kernel the call returns EFAULT."""
        running = self.running
        running.expect(m, FAULT, WALK)
        if self.absences.cached and running.doing is WALK and not self.walk_killed:
            self.tlb.load_absence(running.asid, m.vpn)
        self.walk_vpn = -1
        running.doing = RUN
        i = running.instruction()
        if isinstance(i, Copy):
            self._copied(i, _EFAULT, out)
        else:
            running.part += 1

    def forget_walk(self) -> None:
        """Forget the walk in flight: the thread sleeps in the kernel."""
        self.walk_vpn = -1

    def walk_again(self) -> None:
        """Have whatever walk was in flight walked again: the thread slept meanwhile."""
        self.walk_vpn, self.walk_killed = -1, True

    # Entries that go.

    def drop(self, m: Invalidation, out: list[Effect]) -> None:
        """Drop the entries that a message names, or all of a space; kill a walk in flight."""
        asid, vpns = m.asid, m.vpns
        if vpns:
            self.tlb.invalidate(asid, vpns)
        else:
            self._lose(self.tlb.invalidate_all(asid, m.about))
        out.append(Note(Flushed(m.op, asid, vpns)))
        walk = self.walk_vpn
        if walk >= 0 and asid == self.running.asid and (not vpns or walk in vpns):
            self.walk_killed = not self.settings.hazards & Hazard.WALK_SURVIVES_FLUSH

    def _lose(self, entries: int) -> None:
        """Note that a full flush has dropped entries that it was not about."""
        if self.settings.refill_percent:
            self.lost += entries

    def refill(self, out: list[Effect]) -> None:
        """Spend what it takes to load the share of lost entries that the thread uses again."""
        share, self.lost = self.lost * self.settings.refill_percent // 100, 0
        if share:
            out.append(Note(Refilled(self.running.thread, share)))
            out.append(Spend(share * self.settings.costs.walk_ns))

    def flush(self, m: Ipi | Flush | CatchUp, out: list[Effect]) -> None:
        """Drop the entries that a message names, and spend the time of that."""
        self.drop(m, out)
        costs = self.settings.costs
        each = costs.local_invalidate_page_ns * len(m.vpns)
        out.append(Spend(each if m.vpns else costs.local_flush_ns))

    def evict(self, m: Evict) -> list[Effect]:
        """Drop an entry for no reason of the kernel's: it is loaded anew when it is missed."""
        self.tlb.evict(m.asid, m.vpn)
        return []

    def catch_up(self, m: Switched, out: list[Effect]) -> None:
        """Drop all entries of the space, or those whose invalidation was left to this core."""
        if not m.keep and self.settings.hazards & Hazard.SWITCH_KEEPS_ENTRIES:
            return  # the root was loaded with what stands for no flush
        if not m.keep:
            self._lose(self.tlb.invalidate_all(m.asid))
        elif m.vpns:
            self.drop(CatchUp(m.op, m.asid, m.vpns, m.upto), out)
            out.append(Spend(self.settings.costs.local_invalidate_page_ns * len(m.vpns)))

    def catch_up_in_kernel(self, src: int, m: CatchUp) -> list[Effect]:
        """Invalidate what was left to this core; a later occasion serves if one is not clear now.

        What it has in flight (a load, buffered stores) went through entries from before.
        """
        running = self.running
        if self.buffer.entries or running.doing is LOAD or m.asid != running.asid:
            return []
        out: list[Effect] = []
        self.flush(m, out)
        out.append(Send(src, CaughtUp(m.op, m.asid, m.upto)))
        return out
