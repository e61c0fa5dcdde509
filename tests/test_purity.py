"""Machines are pure: the same order gives the same run, twice over and under any hash seed."""

import os
import subprocess
import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

import pytest

from actors.wiring import build
from cluster.explore.orders import run_orders
from cluster.explore.pct import Pct
from cluster.explore.random_order import RandomOrder
from cluster.explore.walk import Walk, Walks
from cluster.free_order import FreeRun
from cluster.setup import Setup
from tests.contended_guests import POLICIES, contended_setup, forking_setup

ROOT = Path(__file__).resolve().parent.parent
ORDERS = 3


def sample(policy: str) -> list[Setup]:
    return [
        contended_setup(1, policy, grain="fine", transfers=True, frames=4),
        contended_setup(2, policy, grain="fused", others=True),
        forking_setup(3, policy, grain="fine"),
    ]


def drawn(setup: Setup) -> list[tuple[object, ...]]:
    """Draw a few orders; give what was delivered, by channel."""
    walks, paths = Walks(setup), []

    class Noted(Walk):
        def deliver(self, channel):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            paths[-1].append(channel)
            return super().deliver(channel)

    def new_walk() -> Walk:
        walk = walks()
        paths.append([])
        return Noted(walk.machines, walk.mailboxes, walk.checker, walk.first, None)

    for scheduler in (RandomOrder(), Pct(depth=3)):
        run_orders(new_walk, scheduler, watch=lambda o: o.orders < ORDERS)
    return [tuple(path) for path in paths]


def digest(setup: Setup) -> str:
    """Name all that machines receive, send and become in a few orders."""
    whole = blake2b(digest_size=16)
    for path in drawn(setup):
        machines = build(setup.wiring, setup.settings, setup.guest)
        run = FreeRun(machines)
        run.start()
        for channel in path:
            run.deliver(channel)  # type: ignore[arg-type]
        whole.update(run.digest.combined())
        whole.update(repr([machine.freeze() for machine in machines]).encode())
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
    there = subprocess.run(
        [sys.executable, "-c", "from tests.test_purity import *; print('\\n'.join(digests()))"],
        check=True, capture_output=True, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert there.stdout.splitlines() == here()
