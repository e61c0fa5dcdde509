"""Guests drawn from a seed: a few threads that do everything to the same few pages at once."""

from random import Random

import msgspec

from cluster.scenario import MachineTable, RunTable, Scenario, ThreadTable, parse
from cluster.setup import Setup, prepare

PAGES = 3
PLENTY = {"frames": 64, "free_wakeup": 4, "free_target": 4}
_CALLS = ("hole", "zero", "release", "reuse", "free", "dontneed", "unmap", "map", "protect")
#: presets, and the policies between them
POLICIES: dict[str, dict[str, str]] = {
    "flag-only": {"preset": "flag-only"},
    "fatal-hole": {"preset": "fatal-hole"},
    "madv-free": {"preset": "madv-free"},
    "dontneed-linux": {"preset": "dontneed-linux"},
    "unmap": {"preset": "unmap"},
    "fatal-keep-pte": {"preset": "fatal-hole", "no_access": "keep-pte"},
    "fatal-inline": {"preset": "fatal-hole", "zeroing": "inline"},
    "fatal-background": {"preset": "fatal-hole", "zeroing": "background"},
    "fatal-eager": {"preset": "fatal-hole", "grant": "eager"},
    "permissive-entry": {"preset": "fatal-hole", "hole_access": "permissive"},
    "reuse-page": {"preset": "flag-only", "rogue": "reuse-page"},
    "flag-inline": {"preset": "flag-only", "zeroing": "inline"},
    "flag-background": {"preset": "flag-only", "zeroing": "background"},
    "flag-eager": {"preset": "flag-only", "grant": "eager"},
    "flag-removed": {
        "preset": "fatal-hole",
        "hole_state": "page-flag",
        "hole_access": "permissive",
    },
    "flag-removed-reuse": {
        "preset": "fatal-hole",
        "hole_state": "page-flag",
        "hole_access": "permissive",
        "rogue": "reuse-page",
    },
    "zero-then-repermit": {
        "preset": "fatal-hole",
        "hole_state": "page-flag",
        "hole_access": "permissive",
        "zero_not_started": "zero-then-repermit",
    },
}


def _line(random: Random, *, holes: bool) -> str:
    page = random.randint(1, PAGES)
    span = f"{page} {random.randint(1, PAGES + 1 - page)}"
    what = random.random()
    if what < 0.3:
        return f"store {page}.{random.choice((0, 200))}"
    if what < 0.6:
        return f"load {page}.{random.choice((0, 200))}"
    if what < 0.65:
        return f"think {random.randint(100, 9000)}"
    calls = _CALLS[:4] if holes and random.random() < 0.7 else _CALLS
    call = random.choice(calls)
    return f"{call} {span} {random.choice(('none', 'r', 'rw'))}" if call == "protect" else (
        f"{call} {span}"
    )  # fmt: skip


def contended_setup(
    seed: int,
    policy: str,
    *,
    grain: str = "fine",
    lines: int = 12,
    machine: dict[str, int] | None = None,
) -> Setup:
    """Make a setup: two threads and a third that is created, on two cores."""
    random = Random(seed)
    holes = POLICIES[policy]["preset"] in ("flag-only", "fatal-hole")

    def program() -> list[str]:
        return [_line(random, holes=holes) for _ in range(lines)]

    threads = [
        ThreadTable(name="a", core=0, run=[f"map 1 {PAGES}", "create b", "create c", *program()]),
        ThreadTable(name="b", core=1, initial=False, run=program()),
        ThreadTable(name="c", core=random.randint(0, 1), initial=False, run=program()),
    ]
    table = MachineTable(cores=2, grain=grain, **(machine or PLENTY))
    scenario = Scenario(
        machine=table, policy=POLICIES[policy], thread=threads, run=RunTable(seed=seed)
    )
    return prepare(parse(msgspec.to_builtins(scenario), policy))
