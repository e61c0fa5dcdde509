"""Runs whose values are right: the checker's own map of who shows what stays with what is there."""

from random import Random
from typing import Any

import msgspec
import pytest

from actors.guest.program import Advice, Advise, Guest, Instruction, Release, Reuse
from cluster.explore.strategies.stateful import search
from cluster.explore.world import World
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from tests.cluster.properties.test_random_orders import tumble
from tests.support.contended_guests import forking_setup
from tests.support.judged import judged

Run = list[str]


def setup_of(
    policy: dict[str, Any], a: Run, c: Run, b: Run | None = None, **machine: str | int
) -> Setup:
    """Make a setup of a process with threads a and b, and its child c; two cores."""
    threads = [
        {"name": "a", "core": 0, "run": a},
        {"name": "c", "core": 1, "process": 1, "initial": False, "run": c},
    ]
    if b is not None:
        threads.append({"name": "b", "core": 1, "initial": False, "run": b})
    return prepare(
        parse({"machine": {"cores": 2, **machine}, "policy": policy, "thread": threads}, "alarm")
    )


PUNCHES = {"preset": "fatal-hole", "shadow_named": "punch"}
RUNS: dict[str, tuple[dict[str, Any], Run, Run]] = {
    "the child has no memory there: its ZERO is not its parent's": (
        {"preset": "dontneed-linux"},
        ["map 1 1 shared", "store 1", "dontfork 1 1", "fork c", "await c 0", "load 1"],
        ["zero 1 1"],
    ),
    "a WIPEONFORK that failed wipes nothing": (
        {"preset": "fatal-hole", "errors": "strict"},
        ["map 1 1", "store 1", "wipeonfork 1 2", "fork c"],
        ["load 1"],
    ),
    "a ZERO that is refused promises nothing": (
        {"preset": "dontneed-linux", "shadow_anon": "ignore"},
        ["map 1 1", "store 1", "fork c"],
        ["zero 1 1", "load 1", "copyin 1 1"],
    ),
    "a HOLE puts anonymous memory over a private file": (
        PUNCHES,
        ["map 1 1 file:1", "store 1", "hole 1 1", "zero 1 1", "load 1", "fork c"],
        ["load 1"],
    ),
    "a lock moves with its memory: what is shown elsewhere as well is no hole": (
        {"preset": "fatal-hole"},
        ["map 1 1 shared", "lock 1 1", "move 1 1 to 4 keep", "hole 1 1", "load 4", "fork c"],
        ["load 4"],
    ),
    "HOLEs that failed stand for none that did not": (
        {"preset": "fatal-hole"},
        ["map 1 2 file:1", "map 1 1 shared", "hole 1 1", *3 * ["hole 1 2"], "free 1 1", "fork c"],
        ["store 1"],
    ),
    "what came before a lock, and calls that it refuses": (
        {"preset": "apple"},
        [
            "map 1 1 shared", "store 1", "hole 1 1", "lock 1 1", "hole 1 1", "hole 1 1",
            "zero 1 1", "zero 1 1", "load 1", "fork c",
        ],
        ["load 1"],
    ),
    "a HOLE over a file, in permissive memory": (
        {"preset": "flag-only", "shadow_named": "punch"},
        ["map 1 1 file:1", "load 1", "hole 1 1", "load 1", "store 1", "load 1", "fork c"],
        ["load 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_whose_values_are_right_is_held(name: str) -> None:
    policy, a, c = RUNS[name]
    assert judged(setup_of(policy, a, c)).violations == []


@pytest.mark.parametrize("name", RUNS)
def test_in_any_order(name: str) -> None:
    policy, a, c = RUNS[name]
    assert search(World(setup_of(policy, a, c, grain="fine")), budget=4_000).found == []


def test_a_removal_meets_a_fork_of_a_map_that_changes() -> None:
    """The child may have the page from before the mmap or from after it: both are the file's."""
    setup = setup_of(
        {"preset": "dontneed-linux"},
        ["map 1 1 rw shared file:1", "store 1", "create b", "fork c", "await c 0", "load 1"],
        ["remove 1 1"],
        ["map 1 1 rw shared file:1"],
        grain="fused",
    )
    assert search(World(setup), budget=40_000).found == []


def test_a_hole_that_meets_a_zero_may_come_last() -> None:
    """It has returned when ZERO does, which gave that page back long before: SIGSEGV is right."""
    setup = forking_setup(65, "fatal-hole", grain="fine")
    assert tumble(setup, Random(65)).violations == []


def test_a_hole_meets_memory_that_is_about_to_be_pinned() -> None:
    """The device has it when HOLE comes to it, and lets go of it before HOLE returns."""
    run = ["map 1 2", "store 2", "create b", "dma-write 1 1 device:0", "fork c"]
    setup = setup_of(
        {"preset": "fatal-hole"}, run, ["fence"], ["hole 1 2"], devices=1, grain="fine"
    )
    assert search(World(setup), budget=40_000).found == []


class Allocator:
    """A guest whose HOLEs and ZEROs are an allocator's releases and reuses."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.threads, self.digest, self.families = guest.threads, guest.digest, guest.families

    def at(self, thread: int, index: int) -> Instruction | None:
        i = self.guest.at(thread, index)
        if isinstance(i, Advise) and i.advice == Advice.HOLE:
            return Release(i.va, i.length, 0)
        if isinstance(i, Advise) and i.advice == Advice.ZERO:
            return Reuse(i.va, i.length, 0)
        return i


def test_memory_that_is_reused_is_in_no_hole() -> None:
    a = ["map 1 1", "store 1", "hole 1 1", "zero 1 1", "store 1", "load 1", "fork c"]
    setup = setup_of({"preset": "apple"}, a, ["fence"])
    setup = msgspec.structs.replace(setup, guest=Allocator(setup.guest))
    assert judged(setup).broken_unpromised == {}
