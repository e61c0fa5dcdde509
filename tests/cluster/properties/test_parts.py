"""A delivery copies the parts of what is known that it changes, and shares the others."""

from random import Random

import pytest

from cluster.explore.world import World
from cluster.properties.canonical import Canonical, Frozen
from cluster.properties.checker import Checker
from cluster.properties.judges import deliveries, sends
from cluster.properties.known.known import EVERY_PART, ROOTS
from cluster.scenario.setup import Setup
from tests.support.contended_guests import contended_setup, forking_setup

_SWAP = {
    "frames": 2, "free_wakeup": 2, "free_target": 2, "swap_slots": 8, "free_min": 1,
    "act_init": 0, "pageout_oom_seq": 2,
}  # fmt: skip
SETUPS = {
    "holes": lambda seed: contended_setup(seed, "fatal-hole", grain="fine"),
    "flags": lambda seed: contended_setup(seed, "flag-only", grain="fine"),
    "deferred": lambda seed: contended_setup(seed, "deferred-tlb", grain="fine"),
    "all calls": lambda seed: contended_setup(seed, "dontneed-linux", others=True),
    "swap": lambda seed: contended_setup(seed, "madv-free", others=True, **_SWAP),
    "devices": lambda seed: contended_setup(seed, "fatal-hole", transfers=True),
    "forks": lambda seed: forking_setup(seed, "fork-child-zero", grain="fine", transfers=True),
    "few frames": lambda seed: forking_setup(
        seed, "fatal-hole", transfers=True, **{**_SWAP, "frames": 3}
    ),
    "domains": lambda seed: forking_setup(seed, "fork-cow-share", domains=2, frames=32, zeroers=2),
}


def known(checker: Checker) -> object:
    known = checker.known
    return (
        [part.retained() for part in known.parts],
        known.clocks.now.copy(),
        known.clocks.in_flight.copy(),
        known.reports.found.copy(),
        known.reports.calls.copy(),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SETUPS)
def test_a_delivery_leaves_what_was_known_before(name: str, seed: int) -> None:
    setup: Setup = SETUPS[name](seed)
    random, world = Random(seed), World(setup)
    for _ in range(1_200):
        if not world.channels or world.error:
            break
        world.fingerprint()
        before = known(world.checker)
        after = world.deliver(random.choice(world.enabled()))
        assert known(world.checker) == before
        after.fingerprint()
        fresh = Canonical([Frozen(part.retained()) for part in after.checker.known.parts])
        assert after.checker.freeze(())[0] == fresh.digest
        world = after
    assert not world.error


def test_every_part_is_changed_by_something() -> None:
    tables = (deliveries.JUDGES, sends.JUDGES)
    changed = ROOTS  # by what cores show
    for table in tables:
        for _, changes in table.values():
            changed |= changes
    assert changed == EVERY_PART
