"""Walks and worlds are two hosts of one order: they agree, even where a machine fails."""

from random import Random

import pytest

from actors.hardware.memory import Memory
from cluster.explore.strategies.stateful import search
from cluster.explore.strategy_api import never
from cluster.explore.walk import PROTOCOL, Walk, Walks, follow
from cluster.explore.world import World
from cluster.properties.canonical import Canonical, Frozen, Retained
from cluster.scenario.setup import Setup
from tests.cluster.explore.test_explored import SMALL, tiny
from tests.support.contended_guests import contended_setup


def both(setup: Setup, seed: int, start: World | None = None) -> tuple[Walk, World]:
    """Deliver in the same random order."""
    world, random = start or World(setup), Random(seed)
    path = []
    while world.channels and not world.error:
        channel = random.choice(world.enabled())
        path.append(channel)
        world = world.deliver(channel)
    if not world.error:
        world.ended()
    return follow(Walks(setup), path), world


@pytest.mark.parametrize("seed", range(4))
def test_they_come_to_the_same_state(seed: int) -> None:
    walk, world = both(contended_setup(seed, "fatal-hole", grain="fine", frames=4), seed)
    assert not len(walk.mailboxes)
    assert [m.freeze() for m in walk.machines] == [m.freeze() for m in world.machines]
    assert walk.broken() == world.broken() == ""


@pytest.mark.parametrize("name", ["ack-before-flush", "hole-ignores-pins", "collapse-takes-busy"])
def test_worlds_that_share_what_is_known(name: str) -> None:
    """Steps of machines that were cached in other orders can be reused."""
    policy, threads, machine = SMALL[name]
    setup = tiny(policy, threads, name, **machine)
    start = World(setup)
    search(start, budget=5_000, stop_at=never)
    for seed in range(20):
        walk, world = both(setup, seed, start)
        assert [m.freeze() for m in walk.machines] == [m.freeze() for m in world.machines]
        assert walk.broken() == world.broken()
        assert walk.checker.freeze(()) == world.checker.freeze(())


@pytest.mark.parametrize("name", ["free-before-acks", "zero-after-grant", "dma-leaves-clean"])
def test_a_delivery_leaves_what_was_known_before(name: str) -> None:
    """A delivery in one state does not change what it shares with others."""
    policy, threads, machine = SMALL[name]
    states = [World(tiny(policy, threads, **machine))]
    for place in range(400):
        world = states[place]
        before = known(world)
        states += [world.deliver(channel) for channel in world.enabled()]
        assert known(world) == before
        facts = Canonical([Frozen(one) for one in retained(world)])
        assert world.checker.freeze(())[0] == facts.digest


def retained(world: World) -> tuple[Retained, ...]:
    return tuple(part.retained() for part in world.checker.known.parts)


def known(world: World) -> object:
    known = world.checker.known
    return (
        retained(world),
        tuple(known.clocks.now),
        dict(known.clocks.in_flight),
        list(known.reports.found),
        dict(known.reports.calls),
        [machine.freeze() for machine in world.machines],
    )


@pytest.mark.parametrize("raised", [KeyError("gone"), AssertionError("no"), ValueError("odd")])
def test_whatever_a_machine_raises_breaks_the_protocol(
    raised: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(Memory, "_take_frame", fail)
    walk, world = both(tiny({"preset": "unmap"}, (["map 1 1", "store 1"],)), 0)
    assert walk.broken() == world.broken() == PROTOCOL
    assert walk.violation() == world.violation()
