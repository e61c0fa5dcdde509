"""What is known is a function of happens-before: two deliveries in either order leave the same."""

from random import Random

import pytest

from cluster.explore.world import World
from tests.cluster.properties.test_parts import SETUPS

_STEPS = 250


def differences(world: World, random: Random, steps: int = _STEPS) -> list[str]:
    """Walk, and at each step deliver two messages of different receivers in both orders."""
    found = []
    for _ in range(steps):
        channels = world.enabled()
        if not channels or world.error:
            break
        first = random.choice(channels)
        others = [channel for channel in channels if channel[0] != first[0]]
        if others:
            second = random.choice(others)
            one = world.deliver(first).deliver(second)
            other = world.deliver(second).deliver(first)
            if one.broken() or other.broken():
                break  # what is known of entries that were reported is not kept
            if one.fingerprint() != other.fingerprint():
                found.append(f"{first} and {second}: {_parts(one, other)}")
        world = world.deliver(first)
    return found


def _parts(one: World, other: World) -> str:
    """Name what differs."""
    if one.frozen != other.frozen:
        return "machines"
    names = one.checker.known.parts._fields
    pairs = zip(names, one.checker.known.parts, other.checker.known.parts, strict=True)
    return ", ".join(name for name, a, b in pairs if a.retained() != b.retained()) or "clocks"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SETUPS)
def test_order_of_deliveries_to_different_machines_does_not_count(name: str, seed: int) -> None:
    assert differences(World(SETUPS[name](seed)), Random(seed)) == []


def test_a_device_stores_to_what_was_pinned_whatever_is_mapped_there_by_then() -> None:
    """Where a walk found that it counted whether a mmap had returned before the store."""
    assert differences(World(SETUPS["devices"](20)), Random(20), 400) == []
