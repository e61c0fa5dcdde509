"""Guests on the machines, in one process: what each thread sees, and what the checker says."""

from collections import deque
from random import Random
from typing import NamedTuple

from msgspec import structs

from actors.facts import CallEnded, Fact, Residency, Segv, Touched
from actors.guest.program import ThreadInfo
from actors.guest.script import Script, parse_line
from actors.machine import Effect, Machine
from actors.message import Message
from actors.messages import Loaded
from actors.wiring import build
from cluster.hosts.channel import Channel
from cluster.hosts.host import Observer
from cluster.hosts.inline import InlineHost
from cluster.hosts.untimed import UntimedRun
from cluster.properties.checker import Checker
from cluster.scenario.scenario import MachineTable, Scenario
from cluster.scenario.setup import Setup, prepare
from kernel.stamp import file_stamp, stamp
from tests.reference.accepted import Search
from tests.reference.guests import Guest
from tests.reference.rules import RULES
from tests.reference.sequential import Differs, Event, Reference

_BUSY = 200_000


class Seen:
    """An observer: by thread, in order, what it saw.

    A load that a core's own store buffer has answered gives ("load", None).
    """

    def __init__(self, threads: int) -> None:
        self.events: list[deque[Event]] = [deque() for _ in range(threads)]

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        kind = fact.__class__
        if kind is Touched:
            if fact.write:  # type: ignore[attr-defined]
                first, count = fact.first, fact.count  # type: ignore[attr-defined]
                self.events[fact.op] += [("store", first + i) for i in range(count)]
            else:
                self.events[fact.op] += [("load", None)] * fact.count  # type: ignore[attr-defined]
        elif kind is CallEnded:
            self.events[fact.op].append(("call", fact.error))  # type: ignore[attr-defined]
        elif kind is Segv:
            self.events[fact.op].append(("segv", fact.vpn, fact.code))  # type: ignore[attr-defined]
        elif kind is Residency:
            self.events[fact.op].append(("vec", fact.vec))  # type: ignore[attr-defined]

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        pass

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        if message.__class__ is Loaded:
            events, stamps = self.events[message.op], message.stamps  # type: ignore[attr-defined]
            for index in range(-len(stamps), 0):
                events[index] = ("load", stamps[index])


def script(guest: Guest) -> Script:
    """Return the guest as the machines run it."""
    programs, _ = guest.programs()
    names = {str(number): number for number in range(len(guest.threads))}
    infos = tuple(
        ThreadInfo(str(number), process, core, initial=number == 0)
        for number, (process, core) in enumerate(guest.threads)
    )
    return Script(infos, tuple(tuple(parse_line(one, names) for one in p) for p in programs))


def setup(guest: Guest, preset: str, grain: str = "fused") -> Setup:
    """Make a guest ready to run, on two cores with plenty of memory."""
    made = script(guest)
    families = made.families(1 + max(process for process, _ in guest.threads))
    cores = max(2, *(1 + core for _, core in guest.threads))
    key = guest.threads, families, preset, grain
    if key not in _READY:  # it serves all guests with threads and families alike
        profile = "x86-invlpgb" if preset == "broadcast-tlb" else "x86-ipi"
        machine = MachineTable(cores=cores, profile=profile, grain=grain, **_MEMORY)
        _READY[key] = prepare(Scenario(machine=machine, policy={"preset": preset}), "guest", made)
    return structs.replace(_READY[key], guest=made)


#: frames are soon used again, and the page daemon never has to take any
_MEMORY = {"frames": 128, "free_wakeup": 1, "free_target": 1}
_READY: dict[tuple[object, ...], Setup] = {}


class Ran(NamedTuple):
    """What came of a run."""

    events: list[deque[Event]]
    #: it failed, or did not come to rest
    failed: str
    #: promises that were broken
    broken: str


def run(ready: Setup, order: str = "") -> Ran:
    """Run in simulated time, or in a random order of deliveries that has this name."""
    seen, checker = Seen(len(ready.guest.threads)), Checker(ready)
    machines = build(ready.wiring, ready.settings, ready.guest)
    failed = ""
    try:
        if order:
            quiet = _tumbled(UntimedRun(machines, observers=(seen, checker)), Random(order))
        else:
            quiet = _timed(ready, machines, (seen, checker))
        failed = "" if quiet else "does not come to rest"
        checker.finish(complete=quiet)
    except Exception as error:  # noqa: BLE001 - whatever a machine fails with is what is looked for
        failed = getattr(error, "text", f"{type(error).__name__}: {error}")
    broken = "; ".join(sorted({f"{one.property}: {one.text}" for one in checker.violations}))
    return Ran(seen.events, failed, broken)


def _timed(ready: Setup, machines: list[Machine], observers: tuple[Observer, ...]) -> bool:
    latency = ready.latency()
    host = InlineHost(ready.wiring, machines, latency, observers=observers, limit=_BUSY)
    host.start()
    return host.run()


def _tumbled(host: UntimedRun, random: Random) -> bool:
    """Deliver in a random order: channels change how eager they are as it goes."""
    host.start()
    eager: dict[Channel, float] = {}
    for count in range(_BUSY):
        channels = list(host.mailboxes)
        if not channels:
            return True
        if count % 20 == 0:
            eager = {}
        weights = [eager.setdefault(one, random.choice((1, 10, 100))) for one in channels]
        host.deliver(random.choices(channels, weights)[0])
    return False


def difference(guest: Guest, preset: str, order: str = "") -> tuple[str, str]:
    """Return what differs from the reference (empty: nothing), and the broken promises.

    order: as for `run`; only what is ordered by the guest itself may then be ordered.
    """
    ran = run(setup(guest, preset, "fine" if order else "fused"), order)
    return ran.failed or compared(guest, preset, ran.events), ran.broken


def compared(guest: Guest, preset: str, events: list[deque[Event]]) -> str:
    """Say where what the threads saw is not right; empty if it is."""
    reference = Reference(RULES[preset], list(guest.threads), file_stamp)
    _, places = guest.programs()
    for (thread, line), (_, index) in zip(guest.order, places, strict=True):
        try:
            reference.step(thread, line, stamp(thread, index, 0), events[thread])
        except Differs as differs:
            return f"{thread}: {line}: {differs}"
    left = [(thread, list(found)) for thread, found in enumerate(events) if found]
    return f"more was seen: {left}" if left else ""


def race(guest: Guest, preset: str, order: str = "") -> tuple[str, str]:
    """As `difference`, of a guest whose threads race."""
    ran = run(setup(guest, preset, "fine" if order else "fused"), order)
    programs, _ = guest.programs()
    names = [
        [stamp(thread, index, 0) for index in range(len(program))]
        for thread, program in enumerate(programs)
    ]
    seen = [[_plain(one) for one in events] for events in ran.events]
    return ran.failed or Search(guest, preset, seen, names).explains(), ran.broken


def _plain(event: Event) -> Event:
    """Return an event with numbers in place of the machines' own words for them."""
    return event[0], *(None if one is None else int(one) for one in event[1:])  # type: ignore[call-overload]
