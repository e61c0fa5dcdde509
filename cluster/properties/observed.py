"""What the checker sees of the machines themselves: the only module of the room that reads them.

Evidence is what hardware shows: page tables, entries of TLBs, which root is loaded and which thread
runs, the walk in flight and whether it was killed, store buffers, frames. What a machine says of
itself (facts, operations in flight, generations, flushes owed, who is active) is no evidence.

A test lists every field that is read. The books that ACCOUNT and PROGRESS audit are the machines'
own: they are read to be compared with a count.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from actors.core.machine import Core
from actors.core.scheduler import Scheduler
from actors.core.values import NO_THREAD, WALK, Buffered
from actors.hardware.memory import Memory
from actors.hardware.swap import Swap
from actors.machine import Machine
from actors.vm.machine import Vm
from kernel import pte as pte_bits
from kernel.hole import HoleState
from kernel.units import ASID_SHIFT, VPN_MASK

_LIVE = HoleState.LIVE


class ResidentSet(NamedTuple):
    """The resident set of an address space: as the vm has it, and counted."""

    asid: int
    booked: int
    counted: int


class Observed:
    """Machines of a run, by actor: each is read right after a delivery of its own."""

    __slots__ = ("machines",)

    def __init__(self, machines: list[Machine]) -> None:
        """See these machines; more may come to be in the list as they start."""
        self.machines = machines

    # Evidence: a vm.

    def page_table(self, vm: int, asid: int) -> dict[int, int]:
        """Return the page table of an address space: entries by page."""
        machine = self.machines[vm]
        assert isinstance(machine, Vm)
        space = machine.state.spaces.get(asid)
        return {} if space is None else space.pmap.ptes

    # Evidence: a core.

    def root_and_stores(self, core: int) -> "tuple[int, deque[Buffered]]":
        """Return the space whose page table a core has loaded (-1: none), and its store buffer."""
        one: Core = self.machines[core]  # type: ignore[assignment]
        return one.running.asid, one.buffer.entries

    def entry(self, core: int, va: int) -> int:
        """Return the entry that a core's TLB has for a page, or 0."""
        return self._core(core).accesses.tlb.entries.get(va, 0)

    def walks(self, core: int, va: int) -> bool:
        """Say whether a core has a live walk in flight for a page."""
        one = self._core(core)
        accesses, running = one.accesses, one.running
        return (
            running.doing is WALK
            and not accesses.walk_killed
            and accesses.walk_vpn == va & VPN_MASK
            and running.asid == va >> ASID_SHIFT
        )

    def dead_walk(self, core: int) -> int:
        """Return the thread whose walk in flight is dead; -1: there is none."""
        one = self._core(core)
        running = one.running
        return running.thread if running.doing is WALK and one.accesses.walk_killed else NO_THREAD

    def sleeps_in_walk(self, core: int, thread: int) -> bool:
        """Say whether a thread of a core is asleep, and will walk again."""
        return self._core(core).scheduler.threads[thread].resume is WALK

    def _core(self, core: int) -> Core:
        machine = self.machines[core]
        assert isinstance(machine, Core)
        return machine

    # Evidence: frames.

    def is_zero(self, memory: int, pfn: int) -> bool:
        """Say whether a frame is zero throughout."""
        machine = self.machines[memory]
        assert isinstance(machine, Memory)
        found = machine.contents.get(pfn, machine.junk)
        return not any(found.bases) and not any(found.cells.values())

    def stored_in(self, memory: int, pfn: int) -> list[int]:
        """List the granules of a frame that hold what was stored there, and not zero."""
        machine = self.machines[memory]
        assert isinstance(machine, Memory)
        found = machine.contents.get(pfn, machine.junk)
        return [granule for granule, stamp in sorted(found.cells.items()) if stamp]

    # Books that are audited.

    def resident_sets(self, vm: int) -> Iterator[ResidentSet]:
        """Yield each resident set, as booked and as counted: entries of pages in no hole."""
        machine = self.machines[vm]
        assert isinstance(machine, Vm)
        pfn_of, is_zero_page = pte_bits.pfn_of, machine.settings.is_zero_page
        key_of, page_of = machine.state.pages.frames.get, machine.state.pages.get
        for asid, space in machine.state.spaces.items():
            counted = 0
            for pte in space.pmap.ptes.values():
                pfn = pfn_of(pte)
                if is_zero_page(pfn):
                    continue
                key = key_of(pfn)
                page = None if key is None else page_of(key)
                counted += page is None or page.hole is _LIVE
            yield ResidentSet(asid, space.resident, counted)

    def vms(self) -> list[int]:
        """List the actors that are vms."""
        return [m.me for m in self.machines if isinstance(m, Vm)]

    def frames_held(self) -> "Counter[int]":
        """Count, for each frame, the pages that hold it and the free lists that it is on."""
        held: Counter[int] = Counter()
        for machine in self.machines:
            if isinstance(machine, Vm):
                for one in machine.state.objects.by_oid.values():
                    held.update(page.pfn for page in one.pages.values() if page.pfn >= 0)
            elif isinstance(machine, Memory):
                held.update(machine.freed)
                held.update(machine.freed_zeroed)
        return held

    def frames_handed_out(self) -> int:
        """Count the frames that memories have ever handed out."""
        return sum(m.fresh for m in self.machines if isinstance(m, Memory))

    def starved(self) -> int:
        """Count the operations that wait for a frame."""
        return len({one for m in self.machines if isinstance(m, Memory) for one in m.waiters})

    def slots_in_use(self) -> set[int]:
        """Return the slots of swap that hold something."""
        return {slot for m in self.machines if isinstance(m, Swap) for slot in m.contents}

    def slots_held(self) -> "Counter[int]":
        """Count, for each slot, the pages whose copy it is said to be."""
        return Counter(
            slot
            for machine in self.machines
            if isinstance(machine, Vm)
            for one in machine.state.objects.by_oid.values()
            for slot in one.swap.values()
        )

    def waiting(self) -> list[tuple[int, str]]:
        """List what machines say they wait for: (actor, what)."""
        return [(m.me, what) for m in self.machines for what in m.waiting()]

    def awaited_in_vain(self) -> set[str]:
        """Return, of a run at rest, what threads wait for that nobody will execute.

        As their cores name it in `waiting`. The other thread has ended before that instruction, was
        never started, or waits in vain itself: that is the guest's fault. A thread that waits for
        what has been executed was forgotten: that is not.
        """
        cores = [m for m in self.machines if isinstance(m, Core)]
        home = {thread: core.scheduler for core in cores for thread in core.scheduler.threads}
        return {
            core.scheduler.await_text(thread)
            for core in cores
            for thread, one in core.scheduler.awaits().items()
            if home[one.thread].finished(one.thread) < one.index
            and _never_goes_on(home[one.thread], one.thread)
        }


def _never_goes_on(scheduler: Scheduler, thread: int) -> bool:
    ended = scheduler.has_ended(thread) or scheduler.is_unborn(thread)
    return ended or thread in scheduler.awaits()
