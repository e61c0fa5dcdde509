"""One page at two addresses of a range: every operation over it ends, and both show the same."""

import pytest

from kernel.policy.presets import PRESETS
from tests.support.outcomes import Outcomes, thread

#: how a page comes to be at 0x10 and 0x11
SEEN_TWICE = {
    "kept by mremap": ("map 0x10 1 shared", "store 0x10", "move 0x10 1 to 0x11 keep"),
    "mapped twice": ("map 0x10 1 shared file:0", "map 0x11 1 shared file:0", "store 0x11"),
    "and in a hole": (
        "map 0x10 1 shared",
        "store 0x10",
        "hole 0x10 1",
        "move 0x10 1 to 0x11 keep",
    ),
}
OPERATIONS = (
    "hole 0x10 2",
    "zero 0x10 2",
    "release 0x10 2",
    "reuse 0x10 2",
    "dontneed 0x10 2",
    "free 0x10 2",
    "protect 0x10 2 r",
    "protect 0x10 2 none",
    "lock 0x10 2",
    "unlock 0x10 2",
    "populate-read 0x10 2",
    "populate-write 0x10 2",
    "cold 0x10 2",
    "pageout 0x10 2",
    "remove 0x10 2",
    "wipeonfork 0x10 2",
    "move 0x10 2 to 0x20",
    "move 0x10 2 to 0x20 keep",
    "unmap 0x10 2",
    "map 0x10 2",
    "fork c",
    "dma-read 0x10 2",
    "dma-write 0x10 2",
    "copyout 0x10 2",
    "exec",
)


def run(preset: str, *program: str) -> Outcomes:
    profile = "x86-invlpgb" if preset == "broadcast-tlb" else "x86-ipi"
    threads = [thread("a", *program)]
    if "fork c" in program:
        threads.append(thread("c", "hole 0x10 2", "zero 0x10 2", process=1, initial=False))
    return Outcomes({"preset": preset}, *threads, profile=profile, devices=1, swap_slots=64)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("way", SEEN_TWICE)
def test_every_operation_ends(way: str, preset: str) -> None:
    for operation in OPERATIONS:
        again = () if operation == "fork c" else (operation,)
        done = run(preset, *SEEN_TWICE[way], operation, *again, "dma-wait", "zero 0x10 2")
        assert done.left == [], operation


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "apple"])
@pytest.mark.parametrize("way", SEEN_TWICE)
def test_both_are_zero_after_zero(way: str, preset: str) -> None:
    for before in ("hole 0x10 2", "hole 0x11 1", "lock 0x11 1", "cold 0x10 2"):
        rest = (before, "unlock 0x10 2", "zero 0x10 2", "load 0x10 2", "store 0x11", "fence")
        seen = run(preset, *SEEN_TWICE[way], *rest, "load 0x10 2").seen["a"]
        assert seen[seen.index("ZERO OK") + 1 :][:2] == ["0", "0"], before
        first, second = seen[-2:]
        assert first == second != "0", before


def test_a_pinned_page_of_a_file_stays_the_files() -> None:
    """Fork copies pinned pages of private memory; a private mapping shows this one as well."""
    first = thread(
        "a", "map 0x10 2 shared file:0", "map 0x20 2 file:0", "dma-read 0x10 2", "fork c",
        "dma-wait", "load 0x20 2", "load 0x10 2", "quit",
    )  # fmt: skip
    child = thread("c", "load 0x20 2", process=1, initial=False)
    done = Outcomes({"preset": "fatal-hole"}, first, child, devices=1)
    assert (done.left, done.broken) == ([], [])
    loads = [what for what in done.seen["a"] if " " not in what]
    assert loads[:2] == loads[2:]
