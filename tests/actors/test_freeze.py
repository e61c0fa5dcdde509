"""`freeze` leaves nothing out and `clone` shares nothing that changes: what searches rest on."""

from collections import deque
from collections.abc import Hashable

import pytest

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


def whole(value: object) -> object:
    """Give all that a value holds, containers and objects opened."""
    if isinstance(value, dict):
        return tuple((k, whole(v)) for k, v in value.items())
    if isinstance(value, list | deque):
        return tuple(map(whole, value))
    names = getattr(type(value), "__slots__", ())
    if names and not hasattr(type(value), "__struct_fields__"):
        return tuple(whole(getattr(value, name)) for name in names)
    return value


def state_of(machine: Machine) -> dict[str, object]:
    """Open a machine's fields, and those of a vm's components one by one."""
    found: dict[str, object] = {}
    for name, value in vars(machine).items():
        if name == "state":
            found |= components_of(value)
        elif name not in _FIXED:
            found[name] = whole(value)
    return found


def components_of(state: object) -> dict[str, object]:
    """Open the fields that each component owns; what else it holds are its neighbours."""
    parts = {name: getattr(state, name) for name in type(state).__slots__ if name not in _FIXED}
    neighbours = {id(part) for part in parts.values()}
    found: dict[str, object] = {}
    for name, part in parts.items():
        fields = getattr(type(part), "__slots__", ())
        owned = {field: getattr(part, field) for field in fields if field not in _FIXED}
        if not fields:
            found[name] = whole(part)
        for field, value in owned.items():
            if id(value) not in neighbours and field != "_by_oid":  # the dict of `objects`
                found[f"{name}.{field}"] = whole(value)
    return found


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
            machine = after.machines[channel[2]]
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
