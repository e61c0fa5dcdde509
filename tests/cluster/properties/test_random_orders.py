"""Random orders of random guests: correct machines keep their promises under every policy.

A sample; what it has found is kept as scripts (tests/scripts/found-*.txt).
"""

from random import Random

import pytest

from actors.machine import Effect, Send, Timer
from actors.message import Message
from actors.wiring import build
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
Channel = tuple[int, int, int, bool]


class Tumble:
    """A run in an order drawn from a seed: channels vary in eagerness as it goes."""

    def __init__(self, setup: Setup, random: Random) -> None:
        self.machines = build(setup.wiring, setup.settings, setup.guest)
        self.checker = Checker(setup, self.machines)
        self.random = random
        self.channels: dict[Channel, list[tuple[int, Message]]] = {}
        self.seqs: dict[tuple[int, int], int] = {}
        for machine in self.machines:
            self._put(machine.me, machine.start())

    def run(self) -> Checker:
        eager: dict[Channel, int] = {}
        for count in range(_TOO_LONG):
            if not self.channels:
                self.checker.finish(self.machines, complete=True)
                return self.checker
            if count % 20 == 0:
                eager = {}
            channels = list(self.channels)
            weights = [eager.setdefault(c, self.random.choice((1, 10, 100))) for c in channels]
            self._deliver(self.random.choices(channels, weights)[0])
        raise AssertionError("does not come to rest")

    def _deliver(self, channel: Channel) -> None:
        src, _, dst, _ = channel
        seq, message = self.channels[channel].pop(0)
        if not self.channels[channel]:
            del self.channels[channel]
        effects = self.machines[dst].on(src, message)
        self.checker.delivered(0, dst, src, seq, message, effects)
        self._put(dst, effects)

    def _put(self, src: int, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send | Timer):
                timer = isinstance(effect, Timer)
                dst = src if timer else effect.dst
                seq = self.seqs.get((src, dst), 0)
                self.seqs[src, dst] = seq + 1
                channel = (src, effect.message.op, dst, timer)
                self.channels.setdefault(channel, []).append((seq, effect.message))


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept(policy: str, machine: str, grain: str) -> None:
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, grain=grain, **MACHINES[machine])
        assert Tumble(setup, Random(seed)).run().violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_across_forks(policy: str, grain: str) -> None:
    for seed in range(2 * SEEDS):
        setup = forking_setup(seed, policy, grain=grain)
        assert Tumble(setup, Random(seed)).run().violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_beside_devices(policy: str, grain: str) -> None:
    for seed in range(SEEDS):
        frames = (4, 64)[seed % 2]
        setup = contended_setup(seed, policy, grain=grain, transfers=True, frames=frames)
        assert Tumble(setup, Random(seed)).run().violations == [], seed
        setup = forking_setup(seed, policy, grain=grain, transfers=True)
        assert Tumble(setup, Random(seed)).run().violations == [], seed


@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_in_two_domains(policy: str) -> None:
    """Pages of one object have frames in both; with few, one domain has none left."""
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, domains=2, frames=2)
        assert Tumble(setup, Random(seed)).run().violations == [], seed
        setup = forking_setup(seed, policy, domains=2, zeroers=2, frames=32)
        assert Tumble(setup, Random(seed)).run().violations == [], seed


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_by_all_other_calls(policy: str, grain: str) -> None:
    for seed in range(SEEDS):
        setup = contended_setup(seed, policy, grain=grain, others=True)
        assert Tumble(setup, Random(seed)).run().violations == [], seed


@pytest.mark.parametrize("machine", [name for name in MACHINES if name != "many-frames"])
@pytest.mark.parametrize("policy", POLICIES)
def test_promises_are_kept_under_pressure(policy: str, machine: str) -> None:
    """All calls, forks, and devices that pin memory, with few frames; in one domain or two."""
    for seed, grain in enumerate(("fine", "fused")):
        few = MACHINES[machine]
        setup = contended_setup(seed, policy, grain=grain, others=True, **few)
        assert Tumble(setup, Random(seed)).run().violations == [], seed
        more = {**few, "frames": few["frames"] + 1}  # one is of a file, which may keep it
        setup = forking_setup(seed, policy, grain=grain, transfers=True, **more)
        assert Tumble(setup, Random(seed)).run().violations == [], seed
        setup = contended_setup(seed, policy, grain=grain, domains=2, transfers=True, **few)
        assert Tumble(setup, Random(seed)).run().violations == [], seed
