"""Parts for tests of one component of a vm: settings, operations, pages, without a host."""

from actors.machine import Effect, Send
from actors.message import Message, PageKey
from actors.operation import OpKind
from actors.settings import Settings
from actors.vm.objects import Objects
from actors.vm.op import Op
from actors.vm.pages import Pages
from actors.vm.payloads import NOTHING, Payload
from cluster.scenario.scenario import parse
from cluster.scenario.setup import prepare
from kernel.page import Page
from kernel.vm_map import MapEntry
from kernel.vmspace import VmSpace

#: an object that nobody made, and a page of it
OID = 7
KEY: PageKey = (OID, 0)


def settings(preset: str = "fatal-hole", *, grain: str = "fused", **machine: object) -> Settings:
    """Return the settings of a small machine of two cores."""
    table = {"cores": 2, "grain": grain, **machine}
    threads = [{"core": 0, "run": ["fence"]}]
    scenario = {"machine": table, "policy": {"preset": preset}, "thread": threads}
    return prepare(parse(scenario, "")).settings


def operation(
    lane: int,
    *,
    by: int = 0,
    kind: OpKind = OpKind.MUNMAP,
    own: Payload = NOTHING,
    **more: object,
) -> Op[Payload]:
    """Return an operation on pages [0, 8) of process 0 that has just begun."""
    return Op(lane, by, kind, 0, 0, 8, own, **more)  # type: ignore[arg-type]


def one_object(space: VmSpace, *frames: int) -> tuple[Objects, Pages]:
    """Map an object at page 0 whose first pages have these frames."""
    objects = Objects({0: space})
    oid = objects.make(0, 8)
    objects.by_oid[OID] = objects.by_oid.pop(oid)
    space.map.insert(MapEntry(0, 8, 3, OID, 0))
    pages = Pages(settings(), objects)
    for index, pfn in enumerate(frames):
        pages.put((OID, index), Page(-1))
        pages.give_frame((OID, index), pages.at((OID, index)), pfn)
    return objects, pages


def sent(out: list[Effect]) -> list[tuple[int, Message]]:
    """List whom the effects send what."""
    return [(effect.dst, effect.message) for effect in out if isinstance(effect, Send)]
