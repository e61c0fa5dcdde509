"""Small explorations: correct presets close with exact counts, hazards are found.

States are machines, messages in flight, and facts that verdicts may still depend on, in every order
of deliveries (channels are first in, first out; no reduction). The counts are in `explored.txt`,
with the lengths of the shortest orders that show a hazard; `pytest --rewrite` rewrites them. A
count that changes says that the machines have changed: find out why before keeping it.
"""

from collections.abc import Callable
from shlex import quote

import pytest

from cluster.explore.strategies.stateful import States, search
from cluster.explore.world import World
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from kernel.hazards.catalogue import BY_NAME
from tests.cluster.explore.test_hazards import breaks
from tests.support.places import TESTS

Program = list[str]
SCRIPTS = TESTS / "scripts"
_OPEN = ["map 1 1", "store 1", "create b"]
_DISCARDED: tuple[Program, ...] = ([*_OPEN, "dontneed 1 1"], ["store 1"])
_TRANSFER: Program = ["map 1 1", "create b", "dma-read 1", "dma-wait", "load 1"]
_ALONE: Program = ["map 1 1", "store 1", "hole 1 1", "zero 1 1", "store 1", "fence", "load 1"]


def tiny(
    policy: dict[str, str | int],
    threads: tuple[Program, ...],
    *hazards: str,
    **machine: int | str,
) -> Setup:
    """Make a setup of threads a, b, c; a starts the others.

    There are two cores, unless said, and they are on these in turn, or as `placed` says ("011"). A
    forked thread is a process of its own; those that it creates are in it.
    """
    forked = _named_by("fork", threads)
    places = str(machine.pop("placed", "0123"[: int(machine.get("cores", 2))] * 2))
    if "b" in forked:
        forked |= _named_by("create", threads[1:2])
    data = {
        "machine": {"cores": 2, "grain": "fine", **machine},
        "policy": policy,
        "thread": [
            {
                "name": name,
                "core": int(places[place]),
                "run": run,
                "initial": name == "a",
                "process": int(name in forked),
            }
            for place, (name, run) in enumerate(zip("abc", threads, strict=False))
        ],
        "run": {"hazards": list(hazards)},
    }
    return prepare(parse(data, "tiny"))


def _named_by(verb: str, threads: tuple[Program, ...]) -> set[str]:
    """Return the threads that instructions start."""
    words = (word.split() for run in threads for word in run)
    return {word[1] for word in words if word[0] == verb}


def zeroed(*more: str) -> Program:
    return [*_OPEN, "hole 1 1", "zero 1 1", *more]


#: fused: one step per operation and one chunk per frame, unless something waits
CLOSED: list[tuple[str, tuple[Program, ...], str]] = [
    ("flag-only", (zeroed(), ["load 1"]), "fine"),
    ("flag-only", (zeroed(), ["store 1"]), "fine"),
    ("flag-only", (zeroed("load 1"), ["store 1"]), "fine"),
    ("flag-fatal", (zeroed("load 1"), ["store 1"]), "fine"),
    ("fatal-hole", (zeroed(), ["load 1"]), "fused"),
    ("fatal-hole", (zeroed(), ["store 1"]), "fine"),
    ("fatal-hole", (zeroed("load 1"), ["store 1"]), "fused"),
    ("deferred-tlb deadline_ns=0 zeroing=inline", (zeroed(), ["store 1"]), "fused"),
    ("deferred-tlb-strict deadline_ns=0", (zeroed(), ["store 1"]), "fused"),
    ("broadcast-tlb", (zeroed(), ["store 1"]), "fused"),
    ("madv-free", ([*_OPEN, "free 1 1", "load 1"], ["store 1"]), "fine"),
    ("dontneed-linux", _DISCARDED, "fine"),
    ("unmap", ([*_OPEN, "unmap 1 1"], ["store 1"]), "fine"),
    ("fatal-hole", (_TRANSFER, ["hole 1 1", "zero 1 1"]), "fused"),
    ("dontneed-linux", (_TRANSFER, ["dontneed 1 1"]), "fine"),
    ("flag-only track_clean=on", ([*_OPEN, "hole 1 1"], ["free 1 1"]), "fine"),
]


#: entries may leave a TLB at any time
EVICTED: list[tuple[str, tuple[Program, ...]]] = [
    ("flag-only", (zeroed("load 1"), ["store 1"])),
    ("dontneed-linux", _DISCARDED),
    ("fatal-hole", (zeroed(), ["load 1"])),
]


COUNTS = TESTS / "explored.txt"
Expect = Callable[[str, int], None]


@pytest.fixture
def expect(request: pytest.FixtureRequest) -> Expect:
    """Compare a count with the recorded one, or record it."""

    def compare(name: str, count: int) -> None:
        lines = COUNTS.read_text(encoding="utf-8").splitlines()
        known = {key: int(n) for key, n in (line.rsplit(": ", 1) for line in lines)}
        if request.config.getoption("--rewrite"):
            known[name] = count
            text = "".join(f"{key}: {n}\n" for key, n in sorted(known.items()))
            COUNTS.write_text(text, encoding="utf-8")
        assert count == known.get(name), (
            f"{name}: {count}, and tests/explored.txt has {known.get(name)}. If the machines were "
            f"meant to change: pytest {quote(request.node.nodeid)} --rewrite"
        )

    return compare


def named(threads: tuple[Program, ...]) -> str:
    return " | ".join(", ".join(program) for program in threads)


@pytest.mark.parametrize(("preset", "threads", "grain"), CLOSED)
def test_correct_preset_closes(
    preset: str, threads: tuple[Program, ...], grain: str, expect: Expect
) -> None:
    name, *settings = preset.split()
    policy: dict[str, str | int] = {"preset": name}
    for key, value in (setting.split("=") for setting in settings):
        policy[key] = int(value) if value.isdecimal() else value
    machine: dict[str, int | str] = {}
    if name == "broadcast-tlb":
        machine["profile"] = "x86-invlpgb"
    if threads[0] is _TRANSFER:
        machine["devices"] = 1
    states = search(World(tiny(policy, threads, grain=grain, **machine)))
    assert states.found == []
    assert states.complete
    expect(f"states of {preset}, {grain}: {named(threads)}", states.states)


@pytest.mark.parametrize(("preset", "threads"), EVICTED)
def test_correct_preset_closes_whatever_a_tlb_drops(
    preset: str, threads: tuple[Program, ...], expect: Expect
) -> None:
    states = search(World(tiny({"preset": preset}, threads, grain="fused", tlb_life_ns=1)))
    assert states.found == []
    assert states.complete
    expect(f"states of {preset}, fused, TLB drops: {named(threads)}", states.states)


_SHORT: dict[str, int | str] = {
    "grain": "fused", "frames": 1, "act_init": 0,
    "free_wakeup": 1, "free_target": 1, "free_min": 1,
}  # fmt: skip
_SWAP: dict[str, int | str] = {**_SHORT, "swap_slots": 2}
_TWICE = ["map 1 2", "store 1", "store 2"]
_HOLED = ["map 1 2", "store 1", "hole 1 1", "store 2"]
#: a single frame, which the page daemon has to reclaim for the second page
PRESSED: list[tuple[dict[str, str | int], Program, dict[str, int | str]]] = [
    ({"preset": "fatal-hole", "zeroing": "inline"}, _HOLED, _SHORT),
    ({"preset": "flag-only", "zeroing": "inline"}, _HOLED, _SHORT),
    ({"preset": "madv-free"}, ["map 1 2", "store 1", "free 1 1", "store 2"], _SHORT),
    ({"preset": "flag-only", "zeroing": "inline"}, _TWICE, _SWAP),
    ({"preset": "fatal-hole", "zeroing": "inline"}, [*_TWICE, "hole 1 1", "zero 1 1"], _SWAP),
    ({"preset": "madv-free"}, [*_TWICE, "free 1 1"], _SWAP),
    ({"preset": "dontneed-linux"}, [*_TWICE, "dontneed 1 1"], _SWAP),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "program", "machine"), PRESSED)
def test_correct_preset_closes_under_pressure(
    policy: dict[str, str | int], program: Program, machine: dict[str, int | str], expect: Expect
) -> None:
    states = search(World(tiny(policy, (program,), **machine)), budget=40_000)
    assert states.found == []
    assert states.complete
    swap = "swap" if "swap_slots" in machine else "no swap"
    expect(f"states of {policy['preset']}, one frame, {swap}: {named((program,))}", states.states)


FATAL: dict[str, str | int] = {"preset": "fatal-hole"}
LINUX: dict[str, str | int] = {"preset": "dontneed-linux"}
#: hazard -> policy, threads, machine
SMALL: dict[str, tuple[dict[str, str | int], tuple[Program, ...], dict[str, int | str]]] = {
    "free-before-acks": (LINUX, _DISCARDED, {}),
    "ack-overtakes-stores": (LINUX, _DISCARDED, {}),
    "ack-before-flush": (LINUX, _DISCARDED, {}),
    "walk-survives-flush": (LINUX, (_DISCARDED[0], ["load 1"]), {}),
    "zero-after-grant": (
        {**FATAL, "zeroing": "inline", "grant": "eager"},
        (zeroed(), ["store 1", "fence", "load 1"]),
        {},
    ),
    "steal-without-waiting": (FATAL, (_ALONE,), {}),
    "zeroer-before-flush": (FATAL, ([*_OPEN, "hole 1 1"], ["store 1"]), {}),
    "known-zero-while-writable": (
        {"preset": "flag-only"},
        (["map 1 1", "store 1", "hole 1 1", "store 1", "zero 1 1", "load 1"],),
        {},
    ),
    "foreign-frame": (FATAL, (["map 1 1", "load 1"],), {}),
    "resident-set-drift": (FATAL, (["map 1 1", "store 1", "hole 1 1", "hole 1 1"],), {}),
    "no-restart-after-busy": (
        LINUX,
        (["map 1 1", "create b", "dontneed 1 1"], ["store 1", "store 1"]),
        {},
    ),
    "claim-without-fence": ({**FATAL, "claim": "dekker"}, (_ALONE,), {}),
    "user-bit-only": (
        {"preset": "fatal-hole", "no_access": "keep-pte", "zeroing": "inline"},
        (["map 1 1", "store 1", "hole 1 1", "copyin 1"],),
        {},
    ),
    "hook-after-early-return": (
        {"preset": "deferred-tlb-strict", "deadline_ns": 0, "zeroing": "inline"},
        ([*_OPEN, "hole 1 1"], ["store 1", "await a 3"]),
        {"grain": "fused"},
    ),
    "time-for-acknowledgement": (
        {"preset": "deferred-tlb-strict", "zeroing": "inline"},
        ([*_OPEN, "hole 1 1"], ["store 1"]),
        {"grain": "fused"},
    ),
    "daemon-skips-recheck": (
        {"preset": "flag-only", "zeroing": "inline"},
        (_ALONE,),
        {"frames": 2, "free_wakeup": 2, "free_target": 2},
    ),
    "unpin-before-dma-done": (
        {"preset": "unmap"}, (["map 1 1", "dma-read 1", "unmap 1 1"],), {"devices": 1},
    ),
    "hole-ignores-pins": (
        FATAL, (["map 1 1", "dma-read 1", "hole 1 1", "zero 1 1", "dma-wait", "load 1"],),
        {"devices": 1},
    ),
    "dma-leaves-clean": (
        {**FATAL, "track_clean": "on"},
        (["map 1 1", "load 1", "dma-read 1", "dma-wait", "hole 1 1", "zero 1 1", "load 1"],),
        {"devices": 1},
    ),
    "second-does-not-wait": (
        LINUX, (["map 1 1", "create b", "dontneed 1 1"], ["store 1", "dontneed 1 1", "load 1"]),
        {"grain": "fused"},
    ),
    "move-before-flush": (
        LINUX, ([*_OPEN, "await b 0", "move 1 1 to 5"], ["load 1", "unmap 5 1"]), {},
    ),
    "replace-without-flush": (
        LINUX,
        (
            [*_OPEN, "fork c", "await b 1", "store 1", "fence"],
            ["await a 3", "load 1", "await a 6", "load 1"],
            ["quit"],
        ),
        {"grain": "fused"},
    ),
    "collapse-takes-busy": (
        LINUX,
        (
            ["map 1 1", "store 1", "fork b", "quit"],
            ["create c", "await c 0", "store 1.1", "load 1"],
            ["load 1"],
        ),
        {"grain": "fused", "cores": 3},
    ),
    "check-comes-late": (
        {**LINUX, "errors": "strict"},
        (["map 1 2", "store 1", "lock 2 1", "dontneed 1 2", "load 1"],),
        {},
    ),
    "zero-keeps-mark": (FATAL, (["map 1 1", "hole 1 1", "zero 1 1", "load 1"],), {}),
    "broadcast-without-waiting": (
        {"preset": "broadcast-tlb"}, ([*_OPEN, "dontneed 1 1"], ["load 1"]),
        {"profile": "x86-invlpgb"},
    ),
    "switch-keeps-entries": (
        LINUX,
        (["map 1 1", "create b", "fork c", "dontneed 1 1"], ["load 1", "think 1"], ["fence"]),
        {"placed": "011", "grain": "fused"},
    ),
    "fault-without-fence": (
        FATAL, (["map 1 1", "load 1"],), {"tlb_keeps_absence": True},
    ),
    "exit-leaves-siblings": (LINUX, (["create b", "quit"], ["await a 1", "map 1 1"]), {}),
    "protect-without-flush": (
        LINUX, (["map 1 1", "create b", "protect 1 1 r"], ["store 1", "store 1.1"]), {},
    ),
}  # fmt: skip


def search_for(name: str, *hazards: str) -> States:
    policy, threads, machine = SMALL[name]
    return search(World(tiny(policy, threads, *hazards, **machine)), budget=40_000)


#: these need a third thread, or memory to be short first: too many states from the start;
#: `tests/scripts/race-*.txt` explore them from a later state
NOT_SMALL = {
    "guard-without-restart",
    "flush-clears-mark",
    "lost-ack",
    "generation-after-mask",
    "page-out-before-acks",
    "zero-keeps-swap",
    "free-keeps-swap",
    "hole-to-swap",
    "slot-freed-in-use",
    "collapse-ignores-swap",
    "ignores-unflushed",
    "pins-seen-after-unmap",
    "switch-takes-interrupts",
    "generation-before-bit",
    "pin-forgets-write",
    "free-clears-wired",
}


def test_every_other_hazard_is_looked_for() -> None:
    assert set(SMALL) == set(BY_NAME) - NOT_SMALL, (
        "add it to SMALL with a guest of a few instructions; or to NOT_SMALL, and write "
        "tests/scripts/race-NAME.txt, which explores it from a state in the middle"
    )
    for name in NOT_SMALL:
        script = (SCRIPTS / f"race-{name}.txt").read_text(encoding="utf-8")
        assert "states: all there are" in script, f"race-{name} explores the correct machine, too"
        assert "\nbroken after" in script, f"race-{name} finds the hazard by exploring"


@pytest.mark.parametrize("name", SMALL)
def test_hazard_is_found(name: str, expect: Expect) -> None:
    (found,) = search_for(name, name).found
    assert found.promise in breaks(name)
    expect(f"shortest order that shows {name}", len(found.path))


@pytest.mark.parametrize("name", SMALL)
def test_correct_machine_is_clean_there(name: str) -> None:
    states = search_for(name)
    assert states.found == []
    assert states.complete
