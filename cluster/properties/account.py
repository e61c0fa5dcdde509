"""ACCOUNT and PROGRESS: full recounts of state, and nothing left over at the end."""

from collections import Counter
from collections.abc import Iterator

from actors.facts import BackgroundZeroed, CallEnded, Segv, Touched
from actors.hardware.memory import Memory
from actors.hardware.swap import Swap
from actors.machine import Machine
from actors.messages import Free, PageOut
from actors.vm.machine import Vm
from actors.vm.payloads import Fork
from cluster.properties.in_vain import awaited_in_vain
from cluster.properties.reports import Reports
from kernel import pte as pte_bits
from kernel.hole import HoleState
from kernel.policy.promises import Property

#: facts that say that a thread got on, or that a page was zeroed
GETS_ON: frozenset[type] = frozenset({Touched, CallEnded, Segv, BackgroundZeroed})
#: deliveries without anything done: far beyond what the largest operation takes
LIVELOCK = 1_000_000
_LIVE = HoleState.LIVE


def recount(vm: Vm, reports: Reports) -> None:
    """Check the resident sets by a full count of entries that map a page which is in no hole."""
    pfn_of, is_zero_page = pte_bits.pfn_of, vm.settings.is_zero_page
    key_of, page_of = vm.state.pages.frames.get, vm.state.pages.get
    for asid, space in vm.state.spaces.items():
        counted = 0
        for pte in space.pmap.ptes.values():
            pfn = pfn_of(pte)
            if is_zero_page(pfn):
                continue
            key = key_of(pfn)
            page = None if key is None else page_of(key)
            counted += page is None or page.hole is _LIVE
        if space.resident != counted:
            text = f"the resident set of p{asid} is {space.resident} pages, counted are {counted}"
            reports.add(Property.ACCOUNT, text, asid, -1, tuple(sorted(vm.state.in_flight.ops)))


def _pages(machines: list[Machine]) -> Iterator[int]:
    """Yield the frame of every resident page, and those that an operation is about to free.

    A page that waits for its frame holds none; pins may hold a frame whose page is gone.
    """
    for machine in machines:
        if isinstance(machine, Vm):
            for one in machine.state.objects.by_oid.values():
                yield from (page.pfn for page in one.pages.values() if page.pfn >= 0)
            for op in machine.state.in_flight.ops.values():
                yield from (pfn for pfn in op.flush.frames if pfn not in machine.state.pins.unowned)
                if isinstance(op.own, Fork):
                    yield from op.own.spare
            yield from machine.state.pins.unowned


def zero_as_believed(memory: Machine, m: Free, reports: Reports) -> None:
    """Check that frames that are freed as known to be zero are zero."""
    assert isinstance(memory, Memory)
    for pfn in m.pfns:
        found = memory.contents.get(pfn, memory.junk)
        if any(found.bases) or any(found.cells.values()):
            text = f"frame {pfn:#x} is freed as known to be zero, and is not"
            reports.add(Property.CLEAN, text, 0, -1, (m.op,))


def every_frame_once(machines: list[Machine], reports: Reports) -> None:
    """Check at quiescence that each frame that was handed out is in one page, or free once."""
    memories = [m for m in machines if isinstance(m, Memory)]
    held = Counter(_pages(machines))
    for memory in memories:
        held.update(memory.freed)
        held.update(memory.freed_zeroed)
    for pfn in sorted(pfn for pfn, count in held.items() if count > 1):
        reports.add(Property.ACCOUNT, f"frame {pfn:#x} is in {held[pfn]} places", 0, -1, ())
    out = sum(memory.fresh for memory in memories)
    if len(held) != out:
        text = f"{out} frames were handed out, {len(held)} are in a page or free"
        reports.add(Property.ACCOUNT, text, 0, -1, ())


def every_slot_once(machines: list[Machine], reports: Reports) -> None:
    """Check at quiescence that the slots of swap in use are each one page's copy."""
    held = Counter(
        slot
        for machine in machines
        if isinstance(machine, Vm)
        for one in machine.state.objects.by_oid.values()
        for slot in one.swap.values()
    )
    in_use = {slot for m in machines if isinstance(m, Swap) for slot in m.contents}
    for slot in sorted(in_use.symmetric_difference(held)):
        what = "is in use, and no page's copy" if slot in in_use else "is a page's copy, and free"
        reports.add(Property.ACCOUNT, f"slot {slot} of swap {what}", 0, -1, ())
    for slot in sorted(slot for slot, count in held.items() if count > 1):
        reports.add(Property.ACCOUNT, f"slot {slot} of swap is the copy of two pages", 0, -1, ())


def no_hole_goes_out(vm: Vm, m: PageOut, reports: Reports) -> None:
    """Check that no page of a hole is written to swap."""
    for pfn in m.pfns:
        key = vm.state.pages.frames.get(pfn)
        page = None if key is None else vm.state.pages.get(key)
        if page is not None and page.hole is not HoleState.LIVE:
            text = f"frame {pfn:#x} is written to swap, but its page is in a hole"
            reports.add(Property.PAGE_OUT, text, 0, -1, (m.op,))


def nothing_waits(machines: list[Machine], names: tuple[str, ...], reports: Reports) -> None:
    """Check that a quiet run has no operation, lock, busy page, interrupt or request left."""
    starved = len({one for m in machines if isinstance(m, Memory) for one in m.waiters})
    if starved:
        text = (
            f"out of memory: {starved} allocations wait for a frame and nothing is left to "
            "reclaim; give the machine more frames (machine.frames)"
        )
        reports.add(Property.PROGRESS, text, 0, -1, ())
        return
    guests_fault = awaited_in_vain(machines)
    for name, machine in zip(names, machines, strict=True):
        for what in machine.waiting():
            if what in guests_fault:
                continue
            reports.actor = machine.me
            reports.add(Property.PROGRESS, f"nothing is in flight, but {name}: {what}", 0, -1, ())


def report_livelock(reports: Reports) -> None:
    """Report that nobody gets on: every operation ends within a bound."""
    text = f"no thread has got on in {LIVELOCK:,} deliveries"
    reports.add(Property.PROGRESS, text, 0, -1, ())
