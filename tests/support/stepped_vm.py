"""A `vm` by itself, with no host and no peers, on which a test steps one phase after another."""

from typing import Any

from actors.machine import Effect, Note, Send
from actors.message import Message, PageKey
from actors.operation import OpKind
from actors.vm.machine import Vm
from actors.vm.op import Op
from actors.vm.payloads import Payload
from actors.vm.phases import StepFn
from actors.wiring import build
from cluster.scenario.scenario import parse
from cluster.scenario.setup import prepare
from kernel import pte as pte_bits
from kernel.page import Page
from kernel.units import ASID_SHIFT
from kernel.vm_map import MapEntry

READ, WRITE = 1, 2
#: a present entry that user code may use
P_U = pte_bits.P | pte_bits.U


class SteppedVm:
    """The vm of process 0 and its child, process 1; threads a and c; lane 0 is a's."""

    def __init__(
        self, *, machine: dict[str, Any] | None = None, hazards: tuple[str, ...] = (), **policy: str
    ) -> None:
        threads = [
            {"name": "a", "core": 0, "run": ["fork c"]},
            {"name": "c", "core": 1, "process": 1, "initial": False, "run": ["fence"]},
        ]
        table = {"cores": 2, "grain": "fine", "frames": 64, **(machine or {})}
        data = {
            "machine": table,
            "policy": {"preset": "fatal-hole", **policy},
            "thread": threads,
            "run": {"hazards": list(hazards)},
        }
        setup = prepare(parse(data, "test"))
        machines = build(setup.wiring, setup.settings, setup.guest)
        self.vm = next(one for one in machines if isinstance(one, Vm)).state
        self.space = self.vm.spaces[0]
        #: all effects of the steps so far
        self.out: list[Effect] = []

    def map(self, start: int, end: int, prot: int = READ | WRITE, flags: int = 0) -> int:
        """Map fresh anonymous memory; return its object."""
        oid = self.vm.objects.make(0, end - start)
        self.space.map.insert(MapEntry(start, end, prot, oid, 0, flags))
        return oid

    def page(self, vpn: int, pfn: int, bits: int = P_U, **page: int) -> PageKey:
        """Make a page of a mapping resident, with an entry for it unless `bits` is 0."""
        entry = self.space.map.lookup(vpn)
        assert entry is not None
        key = entry.oid, entry.pindex(vpn)
        self.vm.pages.put(key, Page(pfn, **page))
        self.vm.pages.frames[pfn] = key
        if bits:
            self.vm.entries.enter(vpn, key, self.page_of(key), bits)
        return key

    def page_of(self, key: PageKey) -> Page:
        """Return the resident page under a key."""
        page = self.vm.pages.get(key)
        assert page is not None
        return page

    def pte(self, vpn: int, asid: int = 0) -> int:
        """Return an entry of a page table; 0 if there is none."""
        return self.vm.spaces[asid].pmap.ptes.get(vpn, 0)

    def step(self, step: StepFn, op: Op[Any]) -> Op[Any]:
        """Run one step of a phase."""
        return step(self.vm, self.vm.spaces[op.asid], op, self.out)

    def sent(self, kind: type[Message]) -> list[Any]:
        """List the messages of a class that the steps have sent."""
        messages = [one.message for one in self.out if isinstance(one, Send)]
        return [m for m in messages if isinstance(m, kind)]

    def noted(self, kind: type) -> list[Any]:
        """List the facts of a class that the steps have noted."""
        facts = [one.fact for one in self.out if isinstance(one, Note)]
        return [fact for fact in facts if isinstance(fact, kind)]


def op_of(kind: OpKind, own: Payload, start: int = 0, end: int = 0, **fields: object) -> Op[Any]:
    """Make an operation of lane 0, whose initiator is core 0."""
    return Op(0, 0, kind, 0, start, end, own, **{"cursor": start, **fields})


def va(vpn: int, asid: int = 0) -> int:
    """Return where a page of a space is, as mappings and flushes name it."""
    return asid << ASID_SHIFT | vpn
