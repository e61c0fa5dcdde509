"""`freeze` leaves nothing out and `clone` shares nothing that changes: what searches rest on."""

from collections import deque
from collections.abc import Hashable
from enum import Enum

import pytest
from msgspec import Struct

from actors.machine import Machine
from cluster.explore.world import World
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare

#: what a machine has besides its state: it never changes
_FIXED = frozenset({"settings", "guest"})


def two_processes(preset: str) -> Setup:
    """Make a guest whose two processes meet in memory, at the zeroing thread and on core1."""
    run = ["map 1 1", "store 1", "hole 1 1", "zero 1 1", "load 1"]
    threads = [
        {"name": "a", "core": 0, "run": [*run[:3], "create b", *run[3:]]},
        {"name": "b", "core": 1, "initial": False, "run": ["store 1", "unmap 1 1"]},
        {"name": "c", "core": 1, "process": 1, "run": run},
    ]
    machine = {
        "cores": 2, "grain": "fine", "frames": 3, "free_wakeup": 2, "free_target": 2,
        "swap_slots": 2, "act_init": 0,
    }  # fmt: skip
    return prepare(parse({"machine": machine, "policy": {"preset": preset}, "thread": threads}, ""))


def fields(owner: object) -> dict[str, object]:
    """Return what an object of one of our classes holds, by name; nothing for a plain value."""
    kind = type(owner)
    if not kind.__module__.startswith(("actors.", "kernel.")) or isinstance(owner, Struct | Enum):
        return {}
    slots = {name for one in kind.__mro__ for name in getattr(one, "__slots__", ())}
    return {**getattr(owner, "__dict__", {}), **{name: getattr(owner, name) for name in slots}}


def whole(value: object) -> object:
    """Return all that a value holds, containers and objects opened."""
    if isinstance(value, dict):
        return tuple((k, whole(v)) for k, v in value.items())
    if isinstance(value, list | deque):
        return tuple(map(whole, value))
    if held := fields(value):
        return tuple(whole(held[name]) for name in sorted(held))
    return value


def components(machine: Machine) -> dict[str, object]:
    """Return the machine and the objects that it is made of, each once, by the path to it."""
    found: dict[str, object] = {"": machine}
    todo, seen = deque(found.items()), {id(machine)}
    while todo:
        way, one = todo.popleft()
        for name, part in fields(one).items():
            if name not in _FIXED and fields(part) and id(part) not in seen:
                seen.add(id(part))
                found[f"{way}.{name}"] = part
                todo.append((f"{way}.{name}", part))
    return found


def state_of(machine: Machine) -> dict[str, object]:
    """Return each field of each component, but not its neighbours."""
    parts = components(machine)
    known = {id(part) for part in parts.values()}
    return {
        f"{way}.{name}": whole(value)
        for way, part in parts.items()
        for name, value in fields(part).items()
        if name not in _FIXED and id(value) not in known
    }


def unordered(value: object) -> object:
    """Forget the order of what a dict held: freeze may sort it."""
    return frozenset(map(repr, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("preset", ["fatal-hole", "flag-only"])
def test_states_that_freeze_alike_are_alike(preset: str) -> None:
    known: dict[Hashable, dict[str, object]] = {}
    frontier, seen = deque([World(two_processes(preset))]), set[bytes]()
    while frontier and len(seen) < 1500:
        world = frontier.popleft()
        for channel in world.enabled():
            after = world.deliver(channel)
            machine = after.machines[channel[0]]
            now = {name: unordered(part) for name, part in state_of(machine).items()}
            then = known.setdefault((machine.me, machine.freeze()), now)
            different = {name for name in now if now[name] != then[name]}
            assert different == set(), type(machine).__name__
            if (found := after.fingerprint()) not in seen:
                seen.add(found)
                frontier.append(after)


@pytest.mark.parametrize("preset", ["fatal-hole", "flag-only"])
def test_a_clone_shares_nothing_that_changes(preset: str) -> None:
    world = World(two_processes(preset))
    for _ in range(150):
        channels = world.enabled()
        if not channels:
            break
        before = [state_of(machine) for machine in world.machines]
        after = [world.deliver(channel) for channel in channels]
        assert [state_of(machine) for machine in world.machines] == before
        world = after[len(channels) // 2]


@pytest.mark.parametrize("preset", ["fatal-hole", "flag-only"])
def test_a_clone_has_components_of_its_own_wired_to_one_another(preset: str) -> None:
    for machine in World(two_processes(preset)).machines:
        ours, theirs = components(machine), components(machine.clone())
        assert set(ours) == set(theirs), type(machine).__name__
        shared = {id(part) for part in ours.values()} & {id(part) for part in theirs.values()}
        assert shared == set(), type(machine).__name__
