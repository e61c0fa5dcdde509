"""Fused steps have the results of single steps, for guests without data races.

Those here: a single thread; threads that take turns (`await`); threads with their own pages.
"""

from random import Random

import pytest

from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from tests.support.contended_guests import HOLES, POLICIES, profile_for
from tests.support.guest_results import results

CELLS = (0, 7, 200)
SEEDS = 3
_CALLS = ("hole", "zero", "release", "reuse", "free", "dontneed", "protect", "unmap", "map")
Program = list[str]


def setup_of(policy: str, programs: dict[str, Program], grain: str) -> Setup:
    rows = [
        {"name": name, "core": i % 2, "run": run} for i, (name, run) in enumerate(programs.items())
    ]
    machine = {"cores": 2, "grain": grain, "frames": 256, "profile": profile_for(policy)}
    return prepare(parse({"machine": machine, "policy": POLICIES[policy], "thread": rows}, policy))


class Draw:
    """Draws lines for pages [first, first + pages) that keep the contract: no rogue touches.

    A load from a permissive hole races with the zeroing thread, so ZERO goes before it.
    """

    def __init__(self, random: Random, policy: str, first: int, pages: int) -> None:
        self.random = random
        self.first = first
        self.pages = pages
        preset = POLICIES[policy]["preset"]
        self.calls = _CALLS[:4] * 3 + _CALLS if preset in HOLES else _CALLS
        self.holes: set[int] = set()

    def unit(self) -> Program:
        """Draw a few lines that belong together; their stores are performed before they end."""
        random = self.random
        page = self.first + random.randrange(self.pages)
        count = random.randint(1, self.first + self.pages - page)
        span = range(page, page + count)
        granule = random.choice(CELLS)
        if random.random() < 0.6:
            before = [f"zero {page} {count}"] if self.holes.intersection(span) else []
            self.holes.difference_update(span)
            if random.random() < 0.5:
                return [*before, f"store {page}.{granule} {count}", "fence"]
            return [*before, f"load {page}.{granule} {count}"]
        call = random.choice(self.calls)
        if call in ("hole", "release"):
            self.holes.update(span)
        protection = random.choice((" none", " r", " rw")) if call == "protect" else ""
        return [f"{call} {page} {count}{protection}"]


def alone(random: Random, policy: str) -> dict[str, Program]:
    draw = Draw(random, policy, 1, 6)
    return {"a": ["map 1 6", *(line for _ in range(30) for line in draw.unit()), "load 1 6"]}


def in_turns(random: Random, policy: str) -> dict[str, Program]:
    programs: dict[str, Program] = {"a": ["map 1 4"], "b": [], "c": []}
    draw = Draw(random, policy, 1, 4)
    last = "a"
    for _ in range(30):
        name = random.choice("abc")
        if name != last:
            programs[name].append(f"await {last} {len(programs[last]) - 1}")
        programs[name] += draw.unit()
        last = name
    return programs


def apart(random: Random, policy: str) -> dict[str, Program]:
    programs = {}
    for name, first in (("a", 10), ("b", 20), ("c", 30)):
        draw = Draw(random, policy, first, 4)
        lines = [line for _ in range(20) for line in draw.unit()]
        programs[name] = [f"map {first} 4", *lines]
    return programs


@pytest.mark.parametrize("guest", [alone, in_turns, apart])
@pytest.mark.parametrize("policy", POLICIES)
def test_fused_steps_give_the_same(policy: str, guest: object) -> None:
    for seed in range(SEEDS):
        programs = guest(Random(seed), policy)  # type: ignore[operator]
        fine = results(setup_of(policy, programs, "fine"), CELLS)
        fused = results(setup_of(policy, programs, "fused"), CELLS)
        assert fused == fine, (seed, programs)
        assert fine["verdict"] == set()
