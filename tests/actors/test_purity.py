"""Machines are pure: the same order gives the same run, every time and under any hash seed."""

import os
import subprocess
import sys
from functools import cache
from hashlib import blake2b
from random import Random

import pytest

from cluster.explore.walk import Walks
from cluster.scenario.setup import Setup
from tests.support.contended_guests import POLICIES, contended_setup, forking_setup
from tests.support.places import ROOT

ORDERS = 3


def sample(policy: str) -> list[Setup]:
    return [
        contended_setup(1, policy, grain="fine", transfers=True, frames=4),
        contended_setup(2, policy, grain="fused", others=True),
        forking_setup(3, policy, grain="fine"),
    ]


def digest(setup: Setup) -> str:
    """Return all that machines receive and become in a few random orders."""
    whole, walks = blake2b(digest_size=16), Walks(setup)
    for order in range(ORDERS):
        walk, random = walks(), Random(order)
        while channels := walk.enabled():
            channel = random.choice(channels)
            whole.update(repr((channel, walk.mailboxes.peek(channel))).encode())
            walk.deliver(channel)
        assert walk.ended() == ""
        whole.update(repr([machine.freeze() for machine in walk.machines]).encode())
    return whole.hexdigest()


def digests() -> list[str]:
    return [
        f"{policy} {digest(setup)}" for policy in list(POLICIES)[::4] for setup in sample(policy)
    ]


@cache
def here() -> list[str]:
    return digests()


def test_a_schedule_run_twice_is_the_same_run() -> None:
    assert digests() == here()


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_a_schedule_is_the_same_under_another_hash_seed(seed: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
    code = "from tests.actors.test_purity import *; print('\\n'.join(digests()))"
    there = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert there.stdout.splitlines() == here()
