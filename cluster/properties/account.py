"""ACCOUNT and PROGRESS: full recounts of state, and nothing left behind at the end."""

from actors.machine import Machine
from actors.memory import Memory
from actors.vm import Vm
from cluster.properties.reports import Reports
from kernel.hole import HoleState
from kernel.promises import Property


def recount(vm: Vm, reports: Reports) -> None:
    """The resident set of each address space is what a full count of its pages gives."""
    live: dict[int, int] = dict.fromkeys(vm.spaces, 0)
    for oid, pages in vm.objects.items():
        live[vm.owner[oid]] += sum(1 for p in pages.values() if p.hole is HoleState.LIVE)
    for asid, space in vm.spaces.items():
        if space.resident != live[asid]:
            counted = live[asid]
            text = f"the resident set of p{asid} is {space.resident} pages, counted are {counted}"
            reports.add(Property.ACCOUNT, text, asid, -1, tuple(sorted(vm.ops)))


def every_frame_once(machines: list[Machine], reports: Reports) -> None:
    """At quiescence every frame that was handed out is in exactly one page, or free once."""
    held: dict[int, int] = {}
    for machine in machines:
        if isinstance(machine, Vm):
            for pages in machine.objects.values():
                for page in pages.values():
                    if page.pfn < 0:
                        continue  # its fault still waits for a frame
                    held[page.pfn] = held.get(page.pfn, 0) + 1
    for machine in machines:
        if isinstance(machine, Memory):
            for pfn in (*machine.freed, *machine.freed_zeroed):
                held[pfn] = held.get(pfn, 0) + 1
    twice = sorted(pfn for pfn, count in held.items() if count > 1)
    for pfn in twice:
        reports.add(Property.ACCOUNT, f"frame {pfn:#x} is in {held[pfn]} places", 0, -1, ())
    out = sum(m.fresh for m in machines if isinstance(m, Memory))
    if len(held) != out:
        text = f"{out} frames were handed out, {len(held)} are in a page or free"
        reports.add(Property.ACCOUNT, text, 0, -1, ())


def nothing_waits(machines: list[Machine], names: tuple[str, ...], reports: Reports) -> None:
    """A run that is quiet has no operation, lock, busy page, interrupt or request left."""
    for name, machine in zip(names, machines, strict=True):
        for what in machine.waiting():
            reports.actor = machine.me
            reports.add(Property.PROGRESS, f"nothing is in flight, but {name}: {what}", 0, -1, ())
