"""Which actors a machine has, their ids, their names, and where they are.

Ids are given in a fixed order: cores, vms, memories, page daemons, zeroing threads, swap, devices.
The digest of a run and every tie between deliveries go by them.
"""

from collections.abc import Sequence

import msgspec

from actors.core.assembly import idle_core
from actors.guest.program import Guest
from actors.hardware.device import Device
from actors.hardware.memory import Memory
from actors.hardware.swap import Swap
from actors.machine import Machine
from actors.settings import Settings
from actors.threads.pagedaemon import PageDaemon
from actors.threads.zeroer import Zeroer
from actors.vm.machine import Vm


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many actors of each role, and where they are.

    Sockets hold equal numbers of NUMA domains, domains equal numbers of cores, both in order of
    their numbers. Every domain has a memory, a page daemon and `zeroers` zeroing threads. The
    devices are spread over the domains.
    """

    cores: int = 2
    sockets: int = 1
    domains: int = 1
    zeroers: int = 1
    swaps: int = 0
    devices: int = 0

    def domain_of(self, core: int) -> int:
        """Return the domain that a core is in."""
        return core * self.domains // self.cores


class Wiring(msgspec.Struct, frozen=True):
    """Actor ids by role; `names[id]` as users see them (`core0`, `vm0`, ...).

    domains, sockets: of each actor; a vm is where its tables were first touched.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    cores: int
    vms: tuple[int, ...]
    memories: tuple[int, ...]
    daemons: tuple[int, ...]
    zeroers: tuple[int, ...]
    swaps: tuple[int, ...]
    devices: tuple[int, ...]
    domains: tuple[int, ...]
    sockets: tuple[int, ...]

    def id_of(self, name: str) -> int:
        """Find an actor by name; KeyError if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(name) from None


def wire(shape: Shape, homes: Sequence[int]) -> Wiring:
    """Number the actors; every process family has a vm of its own.

    homes: for each family the core on which its first thread begins.
    """
    each = range(shape.domains)
    domains_of: dict[str, list[int]] = {
        "core": [shape.domain_of(core) for core in range(shape.cores)],
        "vm": [shape.domain_of(core) for core in homes],
        "memory": list(each),
        "pagedaemon": list(each),
        "zeroer": [domain for domain in each for _ in range(shape.zeroers)],
        "swap": [0] * shape.swaps,
        "device": [n % shape.domains for n in range(shape.devices)],
    }
    names: list[str] = []
    roles: list[str] = []
    domains: list[int] = []
    ranges: dict[str, tuple[int, ...]] = {}
    for role, where in domains_of.items():
        ranges[role] = tuple(range(len(names), len(names) + len(where)))
        names += [f"{role}{i}" for i in range(len(where))]
        roles += [role] * len(where)
        domains += where
    return Wiring(
        tuple(names),
        tuple(roles),
        shape.cores,
        ranges["vm"],
        ranges["memory"],
        ranges["pagedaemon"],
        ranges["zeroer"],
        ranges["swap"],
        ranges["device"],
        tuple(domains),
        tuple(domain * shape.sockets // shape.domains for domain in domains),
    )


def place_threads(guest: Guest, cores: int) -> tuple[int, ...]:
    """Bind each thread to a core: the one that it asks for, else round robin."""
    return tuple(
        info.core if 0 <= info.core < cores else thread % cores
        for thread, info in enumerate(guest.threads)
    )


def build_one(wiring: Wiring, actor: int, settings: Settings, guest: Guest) -> Machine:
    """Make the machine of one actor in its initial state."""
    role = wiring.roles[actor]
    if role == "core":
        bound = (t for t, core in enumerate(settings.core_of) if core == actor)
        return idle_core(actor, settings, guest, bound)
    made: dict[str, type[Vm | Memory | PageDaemon | Zeroer | Swap | Device]] = {
        "vm": Vm,
        "memory": Memory,
        "pagedaemon": PageDaemon,
        "zeroer": Zeroer,
        "swap": Swap,
        "device": Device,
    }
    return made[role](actor, settings)


def build(wiring: Wiring, settings: Settings, guest: Guest) -> list[Machine]:
    """Make all machines, in order of their ids."""
    bound: dict[int, list[int]] = {}
    for thread, core in enumerate(settings.core_of):
        bound.setdefault(core, []).append(thread)
    return [
        idle_core(actor, settings, guest, bound.get(actor, ()))
        if role == "core"
        else build_one(wiring, actor, settings, guest)
        for actor, role in enumerate(wiring.roles)
    ]
