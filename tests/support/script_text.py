"""How scripts print messages and machines: names instead of numbers, no costs, no log lines."""

from collections.abc import Iterable
from typing import Any

from actors.core.machine import Core
from actors.core.state import Buffered, Phase
from actors.hardware.device import Device
from actors.hardware.memory import Memory
from actors.hardware.swap import Swap
from actors.machine import Machine
from actors.message_text import MessageText, listed, pte_text
from actors.messages import Message, Step
from actors.operation import Op, OpKind
from actors.threads.pagedaemon import PageDaemon
from actors.threads.zeroer import Zeroer
from actors.vm.machine import Vm
from cluster.hosts.channel import TIMER, Channel
from cluster.scenario.setup import Setup
from kernel.page import DIRTY, LAZY_FREE, NOBODY, Page
from kernel.units import VPN_LIMIT, VPN_MASK
from kernel.vm_map import HOLE, INHERITED_ZERO, NEEDS_COPY, NOT_INHERITED, SHARED, WIRED
from kernel.vmspace import VmSpace

_PROT = {0: "none", 1: "r", 3: "rw"}
#: costs are no part of a protocol, and lanes are in the channel's name
_LEFT_OUT = frozenset({"op", "ns"})


def span(start: int, end: int) -> str:
    """Give a half-open range of pages."""
    return str(start) if end == start + 1 else f"{start}-{end}"


class Words:
    """The names of one setup."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.several = len(setup.settings.vm_of) > 1
        self.text = MessageText(self.actor, self.lane, str)

    def actor(self, number: int) -> str:
        return self.setup.wiring.names[number]

    def lane(self, op: int) -> str:
        return "nobody" if op < 0 else self.setup.lane_name(op)

    def channel(self, c: Channel) -> str:
        dst, src, lane = c
        sender = "timer:" if src == TIMER else f"{self.actor(src)}->"
        return f"{sender}{self.actor(dst)}/{self.lane(lane)}"

    def message(self, m: Message, to: Machine | None = None) -> str:
        """Render a message: class, then fields by name; for a Step what `to` would do."""
        left_out = _LEFT_OUT if self.several else _LEFT_OUT | {"asid"}
        text = self.text.message(m, left_out).replace(" kernel=False", "")
        if isinstance(m, Step) and isinstance(to, Vm):
            text = f"{text} {to.next_step(m.op)}".rstrip()
        return text

    # Machines.

    def machine(self, machine: Machine) -> list[str]:
        """Render the state of a machine."""
        if isinstance(machine, Vm):
            return self._vm(machine)
        if isinstance(machine, Core):
            return self._core(machine)
        if isinstance(machine, Zeroer):
            return self._zeroer(machine)
        if isinstance(machine, PageDaemon):
            return self._daemon(machine)
        if isinstance(machine, Swap):
            return self._swap(machine)
        if isinstance(machine, Device):
            return self._device(machine)
        assert isinstance(machine, Memory)
        return self.frames(machine)

    def _swap(self, swap: Swap) -> list[str]:
        rows = []
        for slot, contents in sorted(swap.contents.items()):
            bases = "|".join(self.text.stamp(b) for b in contents.bases)
            cells = [f"{g}={self.text.stamp(v)}" for g, v in sorted(contents.cells.items())]
            rows.append(" ".join([f"slot {slot}: {bases}", *cells]))
        return rows or ["empty"]

    def _vm(self, vm: Vm) -> list[str]:
        rows = []
        for asid, space in vm.state.spaces.items():
            rows += [f"p{asid} {row}" for row in self._space(space)]
            rows += [f"p{asid} {row}" for row in self._page_rows(vm, asid)]
        rows += [self._op(op) for _, op in sorted(vm.state.in_flight.ops.items())]
        rows += [
            f"f{pfn} without a page, holds {n}" for pfn, n in sorted(vm.state.pins.unowned.items())
        ]
        for key, waiters in sorted(vm.state.waiting.busy_waiters.items()):
            rows.append(f"{self.text.key(key)} is awaited by {listed(map(self.lane, waiters))}")
        return rows

    def _space(self, space: VmSpace) -> list[str]:
        rows = []
        for e in space.map.entries:
            hole = " hole" if e.flags & HOLE else ""
            hole += " needs a copy" if e.flags & NEEDS_COPY else ""
            hole += " shared" if e.flags & SHARED else ""
            hole += " wired" if e.flags & WIRED else ""
            hole += " not inherited" if e.flags & NOT_INHERITED else ""
            hole += " inherited as zero" if e.flags & INHERITED_ZERO else ""
            at = self.text.key((e.oid, e.offset))
            rows.append(f"map {span(e.start, e.end)} {_PROT[e.prot]} {at}{hole}")
        lock = space.lock
        if not lock.idle():
            held = self.lane(lock.writer) if lock.writer >= 0 else ""
            readers = listed(map(self.lane, lock.readers))
            text = f"held by {held}" if held else f"shared by {readers}"
            for waiter, write in lock.waiters:
                text += f", {self.lane(waiter)} waits ({'exclusive' if write else 'shared'})"
            rows.append(f"lock {text}")
        pmap = space.pmap
        rows.append(
            f"resident {space.resident}, active {self._cpus(pmap.active)}, "
            f"generations good on {self._cpus(pmap.gens)}"
        )
        return rows

    def _cpus(self, mask: int) -> str:
        return listed(self.actor(c) for c in range(mask.bit_length()) if mask >> c & 1)

    def _page_rows(self, vm: Vm, asid: int) -> list[str]:
        """Render what is resident where the map shows it."""
        space = vm.state.spaces[asid]
        ptes = dict(space.pmap.ptes)
        rows = []
        for vpn in vm.state.objects.held_in(space, 0, VPN_LIMIT):
            found = vm.state.objects.page_at(space, vpn)
            what = self._page(found[1]) if found else "not resident"
            entry = space.map.lookup(vpn)
            slot = vm.state.objects.by_oid[entry.oid].swap.get(entry.pindex(vpn))
            what += f", slot {slot}" if slot is not None else ""
            rows.append((vpn, f"page {vpn}: {what}, pte {pte_text(ptes.pop(vpn, 0))}"))
        rows += [(vpn, f"page {vpn}: no page, pte {pte_text(pte)}") for vpn, pte in ptes.items()]
        return [text for _, text in sorted(rows)]

    def _page(self, page: Page) -> str:
        frame = f"f{page.pfn}" if page.pfn >= 0 else "no frame yet"
        busy = f", busy for {self.lane(page.busy)}" if page.busy != NOBODY else ""
        flags = f", pinned {page.pins}" if page.pins else ""
        flags += ", free" if page.flags & LAZY_FREE else ""
        flags += ", dirty" if page.flags & DIRTY else ""
        return f"{frame} {page.hole.name}{busy}{flags}"

    def _op(self, op: Op) -> str:
        text = f"{self.lane(op.op)}: {op.kind.name} {span(op.start, op.end)} {op.state.name}"
        if op.pages:
            text += f", holds {listed(str(vpn) for _, vpn in op.pages)}"
        if op.wanted and op.kind is OpKind.ZERO:
            text += f", wants {listed(str(vpn) for _, vpn in op.wanted)}"
        if op.gone:
            text += f", entries gone {listed(str(va & VPN_MASK) for va, _ in op.gone)}"
        return text

    def _core(self, core: Core) -> list[str]:
        rows = []
        if core.thread >= 0:
            rows.append(f"runs {self.lane(core.thread)} at {core.pc}: {core.phase.name}")
        for thread, state in sorted(core.threads.items()):
            if thread != core.thread and state.phase is not Phase.DONE:
                rows.append(f"{self.lane(thread)} at {state.pc}: {state.phase.name}")
        if core.walk_vpn >= 0:
            killed = ", killed" if core.walk_killed else ""
            rows.append(f"walks page {core.walk_vpn}{killed}")
        if core.buffer:
            rows.append("buffer " + " | ".join(map(self._buffered, core.buffer)))
        rows += [f"holds back {self.message(m)} from {self.actor(s)}" for s, m in core.held]
        for op, r in sorted(core.rounds.items()):
            lacking = listed(self.actor(c) for c in sorted(r.pending))
            rows.append(f"shootdown of {self.lane(op)} lacks {lacking}")
        return rows or ["idle"]

    def _buffered(self, b: Buffered) -> str:
        return f"ack to {self.actor(b.ack_to)}" if b.ack_to >= 0 else self.text.items(b.items)

    def _zeroer(self, z: Zeroer) -> list[str]:
        def keys(found: Iterable[Any]) -> str:
            return listed(map(self.text.key, found))

        rows = [
            f"queue {keys(k for _, k in z.queue)}{', asks' if z.asking else ''}",
            f"hand {keys(p[0] for p in z.hand)}, zeroes {keys(p[0] for p in z.group)}"
            + (f" chunk {z.chunk}" if z.group else ""),
        ]
        rows += [f"steal of {self.lane(op)} waits: {keys(k)}" for _, op, k in z.steals]
        return rows

    def _daemon(self, d: PageDaemon) -> list[str]:
        return [f"{d.phase.name}, shortage {d.shortage}, freed {d.freed}, laundered {d.laundered}"]

    def _device(self, d: Device) -> list[str]:
        rows = []
        for at, (core, m) in enumerate(d.queue):
            way = "stores" if m.store else "loads"
            row = f"{self.text.stamp(m.name)} of {self.actor(core)} {way}"
            if at == 0:
                pinned = listed(f"f{pfn}" for pfn in d.pinned)
                row += f", {d.moved} of {m.count} done, pinned {pinned}"
            rows.append(row)
        return rows or ["idle"]

    def frames(self, memory: Memory) -> list[str]:
        """Render the contents of the frames in use, and the free lists."""
        rows = []
        for pfn, contents in sorted(memory.contents.items()):
            bases = "|".join(self.text.stamp(b) for b in contents.bases)
            cells = [f"{g}={self.text.stamp(v)}" for g, v in sorted(contents.cells.items())]
            rows.append(" ".join([f"f{pfn}: {bases}", *cells]))
        if memory.freed or memory.freed_zeroed:
            freed = listed(f"f{p}" for p in memory.freed)
            rows.append(f"free {freed}, known zero {listed(f'f{p}' for p in memory.freed_zeroed)}")
        rows += [f"{self.lane(op)} waits for a frame" for _, op in memory.waiters]
        return rows or ["nothing was used"]

    def pages(self, vm: Vm) -> list[str]:
        """Render the resident pages of all address spaces."""
        return [
            f"p{asid} {row}" for asid in vm.state.spaces for row in self._page_rows(vm, asid)
        ] or ["no page is resident"]

    def tlb(self, core: Core) -> list[str]:
        """Render what a core has cached."""
        rows = [f"p{asid} page {vpn}: {pte_text(pte)}" for asid, vpn, pte in core.tlb.rows()]
        return rows or ["empty"]
