"""States that differ only in which of several identical cores did what, taken for one.

Machines name cores in masks, messages, clocks and stamps. Instead of renaming all that, each state
is kept with its images: worlds that took the same deliveries with the cores exchanged. All their
fingerprints together stand for them. That saves states and, as an image costs what a world does, no
time.

What makes it sound is looked at as the search goes: whatever a world allows, its images allow,
exchanged, and they have broken the same promise. Every successor of every image is one of an orbit
that is followed as well. So images go on alike, whatever the machines do with the numbers of cores.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import permutations, product
from math import factorial, prod
from typing import Self

import msgspec

from actors.guest.program import Guest, Instruction
from actors.settings import KERNEL_LANE
from cluster.explore.state import State
from cluster.explore.world import World
from cluster.hosts.channel import Channel, in_fixed_order
from cluster.input_error import InputError
from cluster.scenario.setup import Setup

#: images of a state, itself among them
_MOST = 120


class Exchange(msgspec.Struct, frozen=True):
    """Cores that change places, with their threads: what was the first becomes the second."""

    cores: dict[int, int]
    threads: dict[int, int]

    def lane(self, lane: int) -> int:
        """Return the lane that an operation's lane has become."""
        core = lane - KERNEL_LANE
        if core in self.cores:
            return KERNEL_LANE + self.cores[core]
        return self.threads.get(lane, lane)

    def channel(self, channel: Channel) -> Channel:
        """Return what a channel has become."""
        dst, src, lane = channel
        cores = self.cores
        return cores.get(dst, dst), cores.get(src, src), self.lane(lane)


class Orbit:
    """A world and its images; `deliver` returns the next, leaving this one as it is."""

    __slots__ = ("_exchanges", "worlds")

    def __init__(self, start: World, exchanges: tuple[Exchange, ...]) -> None:
        """Start where every image is the same."""
        self._exchanges = exchanges
        self.worlds = (start,) * (1 + len(exchanges))
        self._check()

    def enabled(self) -> list[Channel]:
        """List the channels with a message, in a fixed order."""
        return self.worlds[0].enabled()

    def deliver(self, channel: Channel) -> Self:
        """Return the state after the head of a channel was delivered.

        Raises:
            InputError: the machines tell the cores apart.
        """
        twin = object.__new__(type(self))
        twin._exchanges = self._exchanges
        world, *images = self.worlds
        twin.worlds = (
            world.deliver(channel),
            *(
                image.deliver(exchange.channel(channel))
                for image, exchange in zip(images, self._exchanges, strict=True)
            ),
        )
        twin._check()
        return twin

    def _check(self) -> None:
        world, *images = self.worlds
        enabled, promise = world.enabled(), world.broken()
        for image, exchange in zip(images, self._exchanges, strict=True):
            allowed = in_fixed_order(map(exchange.channel, enabled))
            if image.enabled() != allowed or image.broken() != promise:
                raise _told_apart()

    def fingerprint(self) -> bytes:
        """Name the images together."""
        every = sorted(world.fingerprint() for world in self.worlds)
        return blake2b(b"".join(every), digest_size=16).digest()

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""
        return self.worlds[0].broken()

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing in flight; or nothing.

        Raises:
            InputError: the machines tell the cores apart.
        """
        promise, *others = (world.ended() for world in self.worlds)
        if any(other != promise for other in others):
            raise _told_apart()
        return promise


def _told_apart() -> InputError:
    return InputError(
        "--symmetry: the machines tell cores apart that run the same (a full TLB draws by the "
        "core's number what it drops: make machine.tlb_entries larger): leave it out"
    )


def first_state(setup: Setup, *, symmetry: bool) -> State:
    """Make the state that a search over states starts from.

    Raises:
        InputError: `symmetry`, and no two cores are identical, or too many.
    """
    world = World(setup)
    return Orbit(world, exchanges_of(setup)) if symmetry else world


def exchanges_of(setup: Setup) -> tuple[Exchange, ...]:
    """Find the exchanges of cores that leave the guest as it is, but the one of none.

    Raises:
        InputError: there is none, or there are too many.
    """
    groups = _groups(setup)
    ways = prod(factorial(len(cores)) for cores in groups)
    if ways > _MOST:
        raise InputError(
            f"--symmetry: {ways:,} ways to exchange cores, each state as often; at most {_MOST}: "
            "leave it out"
        )
    found = tuple(_exchanges(setup, groups))
    if not found:
        raise InputError(
            "--symmetry: no two cores can change places: the threads of one have to run what those "
            "of the other do, and no other thread may name one alone (create, await, fork): let "
            "them begin by themselves, or leave it out"
        )
    return found


def _groups(setup: Setup) -> list[list[int]]:
    """Return the cores that may be identical: their threads do the same, whomever they name."""
    alike: dict[object, list[int]] = {}
    for core, threads in _bound(setup).items():
        does = tuple((setup.settings.process_of[t], _digest(setup.guest, t)) for t in threads)
        if does:
            alike.setdefault((setup.settings.domain_of(core), does), []).append(core)
    return [cores for cores in alike.values() if len(cores) > 1]


def _bound(setup: Setup) -> dict[int, list[int]]:
    on_core: dict[int, list[int]] = {core: [] for core in range(setup.settings.cores)}
    for thread, core in enumerate(setup.settings.core_of):
        on_core[core].append(thread)
    return on_core


def _digest(guest: Guest, thread: int) -> bytes:
    nobody = Exchange({}, dict.fromkeys(range(len(guest.threads)), -1))
    program = [_renamed(i, nobody) for i in _program(guest, thread)]
    return blake2b(msgspec.msgpack.encode((guest.threads[thread].initial, program))).digest()


def _exchanges(setup: Setup, groups: list[list[int]]) -> Iterator[Exchange]:
    on_core = _bound(setup)
    for orders in product(*(permutations(cores) for cores in groups)):
        cores = {
            core: becomes
            for group, order in zip(groups, orders, strict=True)
            for core, becomes in zip(group, order, strict=True)
            if core != becomes
        }
        threads = {
            thread: becomes
            for core, other in cores.items()
            for thread, becomes in zip(on_core[core], on_core[other], strict=True)
        }
        exchange = Exchange(cores, threads)
        if cores and _leaves(setup.guest, exchange):
            yield exchange


def _program(guest: Guest, thread: int) -> Iterator[Instruction]:
    index = 0
    while (instruction := guest.at(thread, index)) is not None:
        yield instruction
        index += 1


def _leaves(guest: Guest, exchange: Exchange) -> bool:
    """Say whether every thread runs what the one that it becomes does, with names exchanged."""
    return all(
        [_renamed(i, exchange) for i in _program(guest, thread)]
        == list(_program(guest, exchange.threads.get(thread, thread)))
        for thread in range(len(guest.threads))
    )


def _renamed(instruction: Instruction, exchange: Exchange) -> Instruction:
    thread = getattr(instruction, "thread", None)
    if thread is None:
        return instruction
    return msgspec.structs.replace(instruction, thread=exchange.threads.get(thread, thread))
