"""Random orders of random guests: correct machines keep their promises under every policy.

A sample; what it found once is kept as scripts (tests/scripts/found-*.txt).
"""

from random import Random

import pytest

from cluster.explore.walk import Walks
from cluster.hosts.channel import Channel
from cluster.properties.checker import Checker
from cluster.scenario.setup import Setup
from tests.support.contended_guests import PLENTY, POLICIES, contended_setup, forking_setup

SEEDS = 4
_TIGHT = {"free_min": 1, "act_init": 0, "pageout_oom_seq": 2}
#: the guest has three pages
MACHINES = {
    "many-frames": PLENTY,
    "few-frames": {"frames": 4, "free_wakeup": 4, "free_target": 4},
    "swap": {**_TIGHT, "frames": 2, "free_wakeup": 2, "free_target": 2, "swap_slots": 8},
    "swap-full": {**_TIGHT, "frames": 2, "free_wakeup": 1, "free_target": 1, "swap_slots": 1},
    "out-of-memory": {**_TIGHT, "frames": 1, "free_wakeup": 1, "free_target": 1},
}
_TOO_LONG = 20_000


def tumble(setup: Setup, random: Random) -> Checker:
    """Run in an order drawn from a seed: channels change how eager they are as it goes."""
    walk = Walks(setup)()
    eager: dict[Channel, int] = {}
    for count in range(_TOO_LONG):
        channels = walk.enabled()
        if not channels:
            walk.ended()
            return walk.checker
        if count % 20 == 0:
            eager = {}
        weights = [eager.setdefault(c, random.choice((1, 10, 100))) for c in channels]
        walk.deliver(random.choices(channels, weights)[0])
        assert not walk.error, walk.error
    raise AssertionError("does not come to rest")


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept(policy: str, machine: str, grain: str) -> None:
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, grain=grain, **MACHINES[machine])
        assert tumble(setup, Random(seed)).violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_across_forks(policy: str, grain: str) -> None:
    for seed in range(2 * SEEDS):
        setup = forking_setup(seed, policy, grain=grain)
        assert tumble(setup, Random(seed)).violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_beside_devices(policy: str, grain: str) -> None:
    for seed in range(SEEDS):
        frames = (4, 64)[seed % 2]
        setup = contended_setup(seed, policy, grain=grain, transfers=True, frames=frames)
        assert tumble(setup, Random(seed)).violations == [], seed
        setup = forking_setup(seed, policy, grain=grain, transfers=True)
        assert tumble(setup, Random(seed)).violations == [], seed


@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_in_two_domains(policy: str) -> None:
    """Pages of one object have frames in both; with few, one domain has none left."""
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, domains=2, frames=2)
        assert tumble(setup, Random(seed)).violations == [], seed
        setup = forking_setup(seed, policy, domains=2, zeroers=2, frames=32)
        assert tumble(setup, Random(seed)).violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_by_all_other_calls(policy: str, grain: str) -> None:
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, grain=grain, others=True)
        assert tumble(setup, Random(seed)).violations == [], seed


@pytest.mark.parametrize("machine", [name for name in MACHINES if name != "many-frames"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_under_pressure(policy: str, machine: str) -> None:
    """All calls, forks, and devices that pin memory, where frames are few; in one domain or two."""
    for seed, grain in enumerate(("fine", "fused")):
        few = MACHINES[machine]
        setup = contended_setup(seed, policy, grain=grain, others=True, **few)
        assert tumble(setup, Random(seed)).violations == [], seed
        more = {**few, "frames": few["frames"] + 1}  # one is of a file, which may keep it
        setup = forking_setup(seed, policy, grain=grain, transfers=True, **more)
        assert tumble(setup, Random(seed)).violations == [], seed
        setup = contended_setup(seed, policy, grain=grain, domains=2, transfers=True, **few)
        assert tumble(setup, Random(seed)).violations == [], seed
