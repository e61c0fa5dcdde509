"""Memory that has just become fresh is in no hole: it reads zero, and can be stored to."""

import pytest

from tests.support.outcomes import Outcomes, thread

#: where holes are recorded, and what fork makes of them
POLICIES: dict[str, dict[str, str]] = {
    "map-entry": {"preset": "fatal-hole"},
    "map-entry-shared": {"preset": "fatal-hole", "fork_hole": "cow-share"},
    "map-entry-zeroed": {"preset": "fatal-hole", "fork_hole": "zero-first"},
    "map-entry-child": {"preset": "fatal-hole", "fork_hole": "child-zero"},
    "range-list": {"preset": "deferred-tlb-strict"},
    "range-list-shared": {"preset": "deferred-tlb-strict", "fork_hole": "cow-share"},
    "range-list-zeroed": {"preset": "deferred-tlb", "fork_hole": "zero-first"},
    "range-list-child": {"preset": "deferred-tlb", "fork_hole": "child-zero"},
    "page-flag": {"preset": "flag-only"},
}
HOLE = ("map 0x10 3", "store 0x10 3", "hole 0x10 3")
#: what makes page 0x11 fresh, in the process that made the hole
WAYS = {
    "mmap over": ("map 0x11 1",),
    "mmap over, shared": ("map 0x11 1 shared",),
    "munmap, mmap": ("unmap 0x10 3", "map 0x11 1"),
    "mremap away, mmap": ("move 0x11 1 to 0x20", "map 0x11 1"),
    "mremap away, the old place stays": ("move 0x11 1 to 0x20 keep",),
    "mremap of fresh memory over it": ("map 0x30 1", "move 0x30 1 to 0x11"),
    "mremap longer, over it": ("map 0x30 1", "unmap 0x12 1", "move 0x30 1 to 0x10 2"),
    "mremap of the hole itself, longer": ("move 0x10 1 to 0x20 2", "move 0x21 1 to 0x11"),
    "execve, mmap": ("exec", "map 0x11 1"),
    "ZERO": ("zero 0x11 1",),
}
#: what the parent does before it forks
INHERITED = {
    "wiped": ("wipeonfork 0x11 1",),
    "wiped, all of it": ("wipeonfork 0x10 3",),
    "wiped after a ZERO of a part": ("zero 0x12 1", "wipeonfork 0x11 1"),
}
USE = ("load 0x11", "store 0x11", "fence", "load 0x11")


def used(seen: list[str]) -> list[str]:
    """Give what the four instructions of USE saw: zero, then what they have stored."""
    return [what for what in seen if " " not in what or what.startswith("SIGSEGV")]


def is_fresh(seen: list[str]) -> bool:
    first, second = seen
    return first == "0" and second.isdigit() and second != "0"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
def test_in_the_same_process(policy: str, way: str) -> None:
    run = Outcomes(POLICIES[policy], thread("a", *HOLE, *WAYS[way], *USE))
    assert is_fresh(used(run.seen["a"])), run.seen
    assert not run.left


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", INHERITED)
@pytest.mark.parametrize("reuse", [(), ("zero 0x11 1",)], ids=["as it is", "ZERO"])
def test_in_a_child(policy: str, way: str, reuse: tuple[str, ...]) -> None:
    parent = thread("p", *HOLE, *INHERITED[way], "fork c")
    child = thread("c", *reuse, *USE, process=1, initial=False)
    run = Outcomes(POLICIES[policy], parent, child)
    assert is_fresh(used(run.seen["c"])), run.seen
    assert not run.left


@pytest.mark.parametrize("policy", ["map-entry-child", "map-entry-zeroed", "range-list-child"])
def test_in_a_child_by_policy(policy: str) -> None:
    child = thread("c", *USE, process=1, initial=False)
    run = Outcomes(POLICIES[policy], thread("p", *HOLE, "fork c"), child)
    assert is_fresh(used(run.seen["c"])), run.seen
