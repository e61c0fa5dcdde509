"""Deliveries that are called independent commute: both orders are run and compared."""

from itertools import combinations
from random import Random

import pytest

from cluster.explore.footprint import Dependency, Footprints
from cluster.explore.search import Chosen, Strategy, Verdict, explore
from cluster.explore.strategy_api import conflict
from cluster.explore.world import World
from cluster.hosts.channel import Channel
from tests.cluster.explore.test_explored import SMALL, tiny
from tests.support.contended_guests import POLICIES, contended_setup, forking_setup


def messages(world: World) -> dict[Channel, tuple[object, ...]]:
    """Give what is in flight; a seq is the receiver's business only as far as it orders."""
    return {c: tuple(m for _, m in held) for c, held in world.channels.items()}


def compare_both_orders(world: World, footprints: Footprints) -> int:
    """Run both orders of every pair that is called independent; give how many there were."""
    compared = 0
    for one, other in combinations(world.enabled(), 2):
        receiver = one[0]
        if receiver != other[0]:
            continue
        machine = world.machines[receiver]
        first, second = (footprints.of(machine, world.channels[c][0][1]) for c in (one, other))
        if conflict(first, second):
            continue
        here = world.deliver(one).deliver(other)
        there = world.deliver(other).deliver(one)
        posts = {c for c in (*here.channels, *there.channels) if c[0] == receiver}
        if any(len(here.channels.get(c, ())) > 1 + len(world.channels.get(c, ())) for c in posts):
            continue  # both post to one channel: dpor takes them for dependent
        compared += 1
        assert here.frozen == there.frozen, (one, other)
        assert messages(here) == messages(there), (one, other)
    return compared


def walk(world: World, random: Random, steps: int) -> int:
    footprints, compared = Footprints(), 0
    for _ in range(steps):
        enabled = world.enabled()
        if not enabled or world.error:
            break
        compared += compare_both_orders(world, footprints)
        world = world.deliver(random.choice(enabled))
    return compared


@pytest.mark.parametrize("policy", POLICIES)
def test_independent_deliveries_commute(policy: str) -> None:
    compared = 0
    for seed in range(3):
        setup = contended_setup(seed, policy, grain="fine", transfers=True)
        compared += walk(World(setup), Random(seed), 150)
        compared += walk(World(forking_setup(seed, policy, grain="fine")), Random(seed), 100)
    assert compared > 5


@pytest.mark.parametrize(
    "name", ["walk-survives-flush", "no-restart-after-busy", "hole-ignores-pins"]
)
def test_reduced_by_footprints_it_is_found_as_well(name: str) -> None:
    policy, threads, machine = SMALL[name]
    chosen = Chosen(strategy=Strategy.DPOR, dependency=Dependency.FOOTPRINT, budget=4000)
    assert explore(tiny(policy, threads, name, **machine), chosen).found


def test_what_is_not_found_with_footprints_is_no_proof() -> None:
    setup = tiny({"preset": "flag-only"}, (["map 1 2", "store 1 2"],))
    for dependency, verdict in (
        (Dependency.RECEIVER, Verdict.HELD),
        (Dependency.FOOTPRINT, Verdict.UNPROVED),
    ):
        explored = explore(setup, Chosen(strategy=Strategy.DPOR, dependency=dependency))
        assert (explored.complete, explored.verdict) == (True, verdict)
