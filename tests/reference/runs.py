"""Guests on the machines, in one process: what each thread sees, and what the checker says."""

from collections import deque

from msgspec import structs

from actors.facts import CallEnded, Fact, Residency, Segv, Touched
from actors.guest.program import ThreadInfo
from actors.guest.script import Script, parse_line
from actors.machine import Effect, Machine
from actors.message import Message
from actors.messages import Loaded
from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.scenario.scenario import MachineTable, Scenario
from cluster.scenario.setup import Setup, prepare
from kernel.stamp import file_stamp, stamp
from tests.reference.guests import Guest
from tests.reference.rules import RULES
from tests.reference.sequential import Differs, Event, Reference

_BUSY = 200_000


class Seen:
    """An observer: by thread, in order, what it saw."""

    def __init__(self, threads: int) -> None:
        self.events: list[deque[Event]] = [deque() for _ in range(threads)]

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        kind = fact.__class__
        if kind is Touched:
            if fact.write:  # type: ignore[attr-defined]
                first, count = fact.first, fact.count  # type: ignore[attr-defined]
                self.events[fact.op] += [("store", first + i) for i in range(count)]
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
            self.events[message.op] += [("load", one) for one in message.stamps]  # type: ignore[attr-defined]


def script(guest: Guest) -> Script:
    """Return the guest as the machines run it."""
    programs, _ = guest.programs()
    names = {str(number): number for number in range(len(guest.threads))}
    infos = tuple(
        ThreadInfo(str(number), process, core, initial=number == 0)
        for number, (process, core) in enumerate(guest.threads)
    )
    return Script(infos, tuple(tuple(parse_line(one, names) for one in p) for p in programs))


def setup(guest: Guest, preset: str) -> Setup:
    """Make a guest ready to run, on two cores with plenty of memory."""
    made = script(guest)
    forks = tuple(sorted(made.families(1 + max(process for process, _ in guest.threads))))
    base = _setup(guest.threads, forks, preset, made)
    return structs.replace(base.setup, guest=made)


class _Prepared:
    """A setup that serves all guests with threads and families alike."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup


_PREPARED: dict[tuple[object, ...], _Prepared] = {}


def _setup(
    threads: tuple[tuple[int, int], ...], families: tuple[int, ...], preset: str, made: Script
) -> _Prepared:
    key = threads, families, preset
    if key not in _PREPARED:
        profile = "x86-invlpgb" if preset == "broadcast-tlb" else "x86-ipi"
        machine = MachineTable(cores=2, frames=256, profile=profile)
        _PREPARED[key] = _Prepared(
            prepare(Scenario(machine=machine, policy={"preset": preset}), "guest", made)
        )
    return _PREPARED[key]


def difference(guest: Guest, preset: str) -> tuple[str, str]:
    """Return what differs from the reference (empty: nothing), and the broken promises."""
    ready = setup(guest, preset)
    seen, checker = Seen(len(guest.threads)), Checker(ready)
    machines = build(ready.wiring, ready.settings, ready.guest)
    host = InlineHost(
        ready.wiring, machines, ready.latency(), observers=(seen, checker), limit=_BUSY
    )
    try:
        host.start()
        quiet = host.run()
        checker.finish(complete=quiet)
    except Exception as error:  # noqa: BLE001 - whatever a machine fails with is what is looked for
        return f"{type(error).__name__}: {error}", ""
    broken = "; ".join(sorted({f"{one.property}: {one.text}" for one in checker.violations}))
    if not quiet:
        return "does not come to rest", broken
    return compared(guest, preset, seen.events), broken


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
