"""What the guest of a run sees, and what is left at its end; no times, frames or identities."""

from collections import defaultdict

from actors.facts import CallEnded, Fact, Segv
from actors.hardware.memory import Memory
from actors.machine import Effect, Machine
from actors.message import Message
from actors.messages import Loaded
from actors.vm.machine import Vm
from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.scenario.setup import Setup
from kernel.hole import HoleState
from kernel.page import LAZY_FREE

Event = tuple[str, int, int]


class Guestbook:
    """An observer: by thread, in order, what loads gave, calls answered and signals said."""

    def __init__(self) -> None:
        self.loads: dict[int, list[int]] = defaultdict(list)
        self.events: dict[int, list[Event]] = defaultdict(list)

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        if isinstance(fact, CallEnded):
            self.events[fact.op].append(("call", fact.kind, fact.error))
        elif isinstance(fact, Segv):
            self.events[fact.op].append(("segv", fact.vpn, fact.code))

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        pass

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        if isinstance(message, Loaded):
            self.loads[message.op] += message.stamps


def leavings(machines: list[Machine], cells: tuple[int, ...]) -> dict[str, object]:
    """Give maps, resident pages with hole state and (outside holes) contents, and resident sets."""
    memories = [m for m in machines if isinstance(m, Memory)]
    found: dict[str, object] = {}
    for vm in machines:
        if not isinstance(vm, Vm):
            continue
        for asid, space in vm.state.spaces.items():
            pages = {}
            for vpn in vm.state.objects.held_in(space, 0, 1 << 36):
                at = vm.state.objects.page_at(space, vpn)
                assert at is not None
                page = at[1]
                memory = next(m for m in memories if m.me == vm.settings.memory_of(page.pfn))
                contents = memory.contents.get(page.pfn, memory.junk)
                live = page.hole is HoleState.LIVE
                stamps = tuple(contents.read(c) for c in cells) if live else ()
                pages[vpn] = (page.hole, page.flags & LAZY_FREE, stamps)
            entries = [(e.start, e.end, e.prot, e.flags) for e in space.map.entries]
            found[f"p{asid}"] = (entries, pages, space.resident)
    return found


def results(setup: Setup, cells: tuple[int, ...]) -> dict[str, object]:
    """Run inline to rest, judged; give all that the grain of steps may not change."""
    machines = build(setup.wiring, setup.settings, setup.guest)
    book, checker = Guestbook(), Checker(setup)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(book, checker))
    host.start()
    assert host.run()
    checker.finish(complete=True)
    return {
        "loads": dict(book.loads),
        "events": dict(book.events),
        "verdict": {v.property for v in checker.violations},
        **leavings(machines, cells),
    }
