"""Scenarios that are a little simpler than a given one, the biggest simplifications first.

They may be impossible (a thread that nobody starts): whoever tries one finds out. Threads and lines
are left out from the end, where unneeded ones are most likely to be.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from cluster.scenario.scenario import MachineTable, RunTable, Scenario, ThreadTable
from cluster.scenario.setup import DEFAULT_PRESET
from kernel.policy.presets import PRESETS

#: keys of the machine that stay as they are: no value of theirs is simpler than another
_KEPT = frozenset({"cores", "grain", "profile"})
#: lines that name a thread
_NAMING = ("create", "await", "fork")

replace = msgspec.structs.replace


class Simpler(msgspec.Struct, frozen=True):
    """A candidate, and what is simpler about it."""

    scenario: Scenario
    what: str


def simpler(scenario: Scenario) -> Iterator[Simpler]:
    """Yield candidates, each simpler than `scenario` in one respect."""
    yield from _fewer_cores(scenario)
    yield from _fewer_threads(scenario)
    yield from _fewer_processes(scenario)
    yield from _plainer_machine(scenario)
    yield from _plainer_policy(scenario)
    yield from _fewer_lines(scenario)
    yield from _fewer_pages(scenario)


def tidied(scenario: Scenario) -> Scenario:
    """Leave out the policy's keys that are as in its preset: traces have them all."""
    preset = msgspec.to_builtins(PRESETS[str(scenario.policy.get("preset", DEFAULT_PRESET))])
    policy = {k: v for k, v in scenario.policy.items() if k == "preset" or str(preset[k]) != str(v)}
    return replace(scenario, policy=policy)


def size(scenario: Scenario) -> tuple[int, int, int]:
    """Return cores, threads and instructions."""
    lines = sum(len(thread.run) for thread in scenario.thread)
    return scenario.machine.cores, len(scenario.thread), lines


def _fewer_cores(scenario: Scenario) -> Iterator[Simpler]:
    cores = scenario.machine.cores
    for fewer in range(1, cores):
        machine = replace(scenario.machine, cores=fewer, sockets=1, domains=1)
        threads = [replace(t, core=min(t.core, fewer - 1)) for t in scenario.thread]
        yield Simpler(replace(scenario, machine=machine, thread=threads), f"cores={fewer}")


def _fewer_threads(scenario: Scenario) -> Iterator[Simpler]:
    for place in reversed(range(len(scenario.thread))):
        gone = name_of(scenario, place)
        threads = [
            replace(t, name=name_of(scenario, i), run=[x for x in t.run if not _names(x, gone)])
            for i, t in enumerate(scenario.thread)
            if i != place
        ]
        if threads:
            yield Simpler(replace(scenario, thread=threads), f"without thread {gone}")


def name_of(scenario: Scenario, place: int) -> str:
    """Return the name of a thread, as `setup` names it."""
    return scenario.thread[place].name or f"t{place}"


def _names(line: str, thread: str) -> bool:
    words = line.split()
    return words[0] in _NAMING and thread in words[1:2]


def _fewer_processes(scenario: Scenario) -> Iterator[Simpler]:
    for place, thread in enumerate(scenario.thread):
        if thread.process:
            yield _with(scenario, place, replace(thread, process=0), "in process 0")


def _with(scenario: Scenario, place: int, thread: ThreadTable, what: str) -> Simpler:
    threads = [*scenario.thread[:place], thread, *scenario.thread[place + 1 :]]
    return Simpler(replace(scenario, thread=threads), f"thread {name_of(scenario, place)} {what}")


def _plainer_machine(scenario: Scenario) -> Iterator[Simpler]:
    plain = MachineTable()
    for key in MachineTable.__struct_fields__:
        default: Any = getattr(plain, key)
        if key not in _KEPT and getattr(scenario.machine, key) != default:
            machine = replace(scenario.machine, **{key: default})
            yield Simpler(replace(scenario, machine=machine), f"default machine.{key}")
    if scenario.run.seed:
        run = RunTable(hazards=scenario.run.hazards)
        yield Simpler(replace(scenario, run=run), "seed 0")


def _plainer_policy(scenario: Scenario) -> Iterator[Simpler]:
    for key in scenario.policy:
        if key != "preset":
            policy = {k: v for k, v in scenario.policy.items() if k != key}
            yield Simpler(replace(scenario, policy=policy), f"{key} as in the preset")


def _fewer_lines(scenario: Scenario) -> Iterator[Simpler]:
    longest = max(len(thread.run) for thread in scenario.thread)
    length = 1 << longest.bit_length()
    while length := length // 2:
        for place, thread in enumerate(scenario.thread):
            for end in range(len(thread.run), 0, -length):
                start = max(end - length, 0)
                run = [*thread.run[:start], *thread.run[end:]]
                if run or place == 0 or not thread.initial:
                    without = "; ".join(thread.run[start:end])
                    yield _with(scenario, place, replace(thread, run=run), f"without {without}")


def _fewer_pages(scenario: Scenario) -> Iterator[Simpler]:
    for place, thread in enumerate(scenario.thread):
        for at, line in enumerate(thread.run):
            for shorter in _shorter(line):
                run = [*thread.run[:at], shorter, *thread.run[at + 1 :]]
                yield _with(scenario, place, replace(thread, run=run), shorter)


def _shorter(line: str) -> Iterator[str]:
    """Yield the line with a smaller count: 1, then half of it, then one less."""
    words = line.split()
    if len(words) > 2 and words[2].isdecimal() and words[0] not in (*_NAMING, "think"):
        count = int(words[2])
        for fewer in sorted({1, count // 2, count - 1} - {0, count}):
            yield " ".join([*words[:2], str(fewer), *words[3:]])
