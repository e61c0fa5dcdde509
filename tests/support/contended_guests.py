"""Guests drawn from a seed: a few threads that do everything to the same few pages at once."""

from random import Random

import msgspec

from cluster.scenario.scenario import MachineTable, RunTable, Scenario, ThreadTable, parse
from cluster.scenario.setup import Setup, prepare
from kernel.policy.keys import AdviceKind
from kernel.policy.presets import PRESETS

PAGES = 3
PLENTY = {"frames": 64, "free_wakeup": 4, "free_target": 4}
_CALLS = ("hole", "zero", "release", "reuse", "free", "dontneed", "unmap", "map", "protect")
#: `move`, an access beyond the pages, `copy` (by the kernel), and calls of a range
_OTHERS = (
    "move", "move", "beyond", "beyond", "copy", "copy", "lock", "unlock", "incore", "populate-read",
    "populate-write", "pageout", "cold", "remove", "wipeonfork", "dontneed-locked",
    "guard-install", "guard-remove", "guard-remove",
)  # fmt: skip
#: presets, and the policies between them
POLICIES: dict[str, dict[str, str]] = {
    "flag-only": {"preset": "flag-only"},
    "flag-fatal": {"preset": "flag-fatal"},
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
        "fork_hole": "cow-share",
        "hole_access": "permissive",
    },
    "flag-removed-reuse": {
        "preset": "fatal-hole",
        "hole_state": "page-flag",
        "fork_hole": "cow-share",
        "hole_access": "permissive",
        "rogue": "reuse-page",
    },
    "zero-then-repermit": {
        "preset": "fatal-hole",
        "hole_state": "page-flag",
        "fork_hole": "cow-share",
        "hole_access": "permissive",
        "zero_not_started": "zero-then-repermit",
    },
    "deferred-tlb": {"preset": "deferred-tlb"},
    "deferred-regrant": {"preset": "deferred-tlb", "regrant": "ipi-deferred"},
    "deferred-strict": {"preset": "deferred-tlb-strict"},
    "deferred-lazy": {"preset": "deferred-tlb", "grant": "lazy", "regrant": "fault"},
    "deferred-removed": {
        "preset": "deferred-tlb",
        "no_access": "remove-pte",
        "regrant": "fault",
        "invalidate": "deferred-at-kernel-entry",
    },
    "deferred-entry": {
        "preset": "deferred-tlb",
        "hole_state": "map-entry",
        "regrant": "ipi",
    },
    "deferred-permissive": {
        "preset": "deferred-tlb",
        "hole_access": "permissive",
        "hole_state": "page-flag",
        "fork_hole": "cow-share",
    },
    "apple": {"preset": "apple"},
    "madv-free-rewind": {"preset": "madv-free-rewind"},
    "madv-free-punched": {"preset": "madv-free-punched"},
    "dontneed-freebsd": {"preset": "dontneed-freebsd"},
    "hole-rewinds": {"preset": "fatal-hole", "shadow_anon": "rewind"},
    "fork-cow-share": {"preset": "fatal-hole", "fork_hole": "cow-share"},
    "fork-zero-first": {"preset": "fatal-hole", "fork_hole": "zero-first"},
    "fork-child-zero": {"preset": "deferred-tlb-strict", "fork_hole": "child-zero"},
    "shared-reject": {"preset": "fatal-hole", "shared": "reject", "commit_checks": "on"},
    "linux-zero-page": {"preset": "dontneed-linux", "read_fill": "zero-page"},
    "linux-errors": {"preset": "fatal-hole", "errors": "linux"},
    "clean-flag": {"preset": "flag-only", "track_clean": "on"},
    "clean-removed": {"preset": "fatal-hole", "track_clean": "on"},
    "clean-kept": {"preset": "broadcast-tlb", "track_clean": "on"},
    "zero-page": {"preset": "fatal-hole", "reclaim": "zero-page"},
    "zero-page-flag": {"preset": "flag-only", "reclaim": "zero-page", "read_fill": "zero-page"},
    "dekker": {"preset": "fatal-hole", "claim": "dekker"},
    "dekker-flag": {"preset": "flag-only", "claim": "dekker", "track_clean": "on"},
    "broadcast": {"preset": "broadcast-tlb"},
    "broadcast-inline": {"preset": "broadcast-tlb", "zeroing": "inline", "grant": "eager"},
}
HOLES = frozenset(name for name, p in PRESETS.items() if p.advice is AdviceKind.HOLE_ZERO)


def _transfer(random: Random) -> str:
    page = random.randint(1, PAGES)
    way = random.choice(("dma-read", "dma-read", "dma-write", "dma-wait"))
    if way == "dma-wait":
        return way
    count = random.randint(1, PAGES + 1 - page)
    return f"{way} {page}.{random.choice((0, 200))} {count} device:{random.randint(0, 1)}"


def _line(random: Random, *, holes: bool, transfers: bool = False) -> str:
    if transfers and random.random() < 0.25:
        return _transfer(random)
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


def _other_line(random: Random, *, copies: bool) -> str:
    """Draw one of the calls that are not about holes; some pages move to 4 and beyond."""
    page = random.randint(1, PAGES)
    count = random.randint(1, PAGES + 1 - page)
    call = random.choice(_OTHERS)
    granule = random.choice((0, 200))
    if call == "move":
        back, to = random.choice((True, False)), PAGES + 1 + random.randint(0, 1)
        if back:
            return f"move {to} {count} to {page} {random.choice((count, 1))}"
        keep = random.choice(("", " keep"))
        return f"move {page} {count} to {to}{keep}"
    if call == "beyond":
        return f"{random.choice(('load', 'store'))} {random.randint(4, 8)}.{granule}"
    if call == "copy":
        what = ("copyin", "copyout") if copies else ("load", "store")
        return f"{random.choice(what)} {page}.{granule}"
    return f"{call} {page} {count}"


def contended_setup(
    seed: int,
    policy: str,
    *,
    grain: str = "fine",
    lines: int = 12,
    transfers: bool = False,
    others: bool = False,
    **machine: int,
) -> Setup:
    """Make a setup: two threads and a third that is created, on two cores.

    transfers: two devices store to their memory and load from it, too.
    others: nearly half of what they do are the calls that are not about holes.
    """
    random = Random(seed)
    preset = POLICIES[policy]["preset"]
    holes = preset in HOLES
    # the kernel is not stopped by an entry that stays: such a hole does not keep it out
    no_access = POLICIES[policy].get("no_access", PRESETS[str(preset)].no_access)

    def line() -> str:
        if others and random.random() < 0.4:
            return _other_line(random, copies=no_access != "keep-pte")
        return _line(random, holes=holes, transfers=transfers)

    def program() -> list[str]:
        return [line() for _ in range(lines)]

    threads = [
        ThreadTable(name="a", core=0, run=[f"map 1 {PAGES}", "create b", "create c", *program()]),
        ThreadTable(name="b", core=1, initial=False, run=program()),
        ThreadTable(name="c", core=random.randint(0, 1), initial=False, run=program()),
    ]
    devices = 2 if transfers else 0
    return _setup(seed, policy, threads, {"grain": grain, "devices": devices, **machine})


def forking_setup(
    seed: int,
    policy: str,
    *,
    grain: str = "fine",
    lines: int = 8,
    transfers: bool = False,
    **machine: int,
) -> Setup:
    """Make a setup: two threads of a process that forks, a child, and a child's child.

    Some of the pages are shared, or a file's; `transfers` as for `contended_setup`.
    """
    random = Random(seed)
    holes = POLICIES[policy]["preset"] in HOLES

    def program(*forks: str) -> list[str]:
        found = [_line(random, holes=holes, transfers=transfers) for _ in range(lines)]
        for fork in forks:
            found.insert(random.randint(0, lines), f"fork {fork}")
        return found

    opening = [
        f"map 1 {PAGES}",
        f"map 1 1 {random.choice(('rw', 'shared', 'file:0', 'file:0 shared'))}",
    ]
    threads = [
        ThreadTable(name="a", core=0, run=[*opening, "create b", *program("c", "d")]),
        ThreadTable(name="b", core=1, initial=False, run=program()),
        ThreadTable(
            name="c", process=1, core=random.randint(0, 1), initial=False, run=program("e")
        ),
        ThreadTable(name="d", process=2, core=1, initial=False, run=program()),
        ThreadTable(name="e", process=3, core=0, initial=False, run=program()),
    ]
    devices = 2 if transfers else 0
    return _setup(seed, policy, threads, {"grain": grain, "devices": devices, **machine})


def profile_for(policy: str) -> str:
    """Give a machine that has what the policy needs."""
    return "x86-invlpgb" if POLICIES[policy]["preset"] == "broadcast-tlb" else "x86-ipi"


def _setup(
    seed: int, policy: str, threads: list[ThreadTable], changes: dict[str, int | str]
) -> Setup:
    keys = {"profile": profile_for(policy), "cores": 2, **PLENTY}
    keys |= changes
    machine = msgspec.convert(keys, MachineTable)
    scenario = Scenario(
        machine=machine, policy=POLICIES[policy], thread=threads, run=RunTable(seed=seed)
    )
    return prepare(parse(msgspec.to_builtins(scenario), policy))
