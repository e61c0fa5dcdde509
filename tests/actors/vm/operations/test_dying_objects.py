"""An object that dies while the invalidation of its hole is left to other cores."""

import pytest

from actors.vm.machine import Vm
from tests.support.outcomes import Outcomes, thread

MAPPED = {
    "shared": ("map 0x10 2 shared", "store 0x10 2"),
    "private": ("map 0x10 2", "store 0x10 2"),
}
#: how the memory at 0x10 goes
DEATHS = {
    "munmap": ("unmap 0x10 2",),
    "munmap of a part": ("unmap 0x11 1", "unmap 0x10 1"),
    "mmap over": ("map 0x10 2",),
    "mmap over, shared": ("map 0x10 2 shared",),
    "mremap over": ("map 0x20 2", "move 0x20 2 to 0x10"),
    "mremap away, munmap": ("move 0x10 2 to 0x20", "unmap 0x20 2"),
    "mremap kept, both unmapped": ("move 0x10 2 to 0x20 keep", "unmap 0x10 2", "unmap 0x20 2"),
    "mremap shorter": ("move 0x10 2 to 0x20 1", "unmap 0x20 1"),
    "MADV_REMOVE": ("remove 0x10 2", "unmap 0x10 2"),
    "MADV_DONTNEED": ("dontneed 0x10 2", "unmap 0x10 2"),
    "mprotect, munmap": ("protect 0x10 2 none", "unmap 0x10 2"),
    "ZERO, munmap": ("zero 0x10 2", "unmap 0x10 2"),
    "execve": ("exec",),
    "exit_group": ("quit",),
}
POLICIES: dict[str, dict[str, str | int]] = {
    "deferred-tlb": {"preset": "deferred-tlb"},
    "strict": {"preset": "deferred-tlb-strict"},
    "never": {"preset": "deferred-tlb-strict", "deadline_ns": 0},
    "removed": {"preset": "deferred-tlb-strict", "no_access": "remove-pte"},
    "permissive": {
        "preset": "deferred-tlb",
        "hole_access": "permissive",
        "hole_state": "page-flag",
        "fork_hole": "cow-share",
    },
}


def left_over(run: Outcomes) -> list[object]:
    """List what a run at rest has left: waits, broken promises, deferrals, flushes owed."""
    vm = next(machine.state for machine in run.machines if isinstance(machine, Vm))
    return [*run.left, *run.broken, *vm.deferrals.notes, *vm.entries.unflushed.places]


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("kind", MAPPED)
def test_whatever_it_dies_of(kind: str, death: str, policy: str, grain: str) -> None:
    first = thread("a", *MAPPED[kind], "create b", "await b 0", "hole 0x10 2", *DEATHS[death])
    other = thread("b", "load 0x10 2", "think 100000", core=1, initial=False)
    assert left_over(Outcomes(POLICIES[policy], first, other, grain=grain)) == []


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("death", ["munmap", "mmap over", "execve", "exit_group"])
def test_in_two_processes(death: str, policy: str) -> None:
    """The one that dies last frees what the hole of the other still owes a flush for."""
    parent = thread("p", *MAPPED["shared"], "fork c", "load 0x10 2", "think 90000", *DEATHS[death])
    child = thread("c", "think 40000", "hole 0x10 2", *DEATHS[death], process=1, initial=False)
    assert left_over(Outcomes(POLICIES[policy], parent, {**child, "core": 1})) == []


def test_a_copy_whose_older_page_goes_by_collapse() -> None:
    """The page that a store has copied is freed when the child, which saw it too, is gone."""
    policy = {**POLICIES["permissive"], "no_access": "remove-pte", "regrant": "fault"}
    first = thread(
        "p", *MAPPED["private"], "create b", "await b 0", "hole 0x10 2", "fork c", "store 0x10 2",
        "think 50000", "load 0x10 2",
    )  # fmt: skip
    other = thread("b", "load 0x10 2", "think 900000", core=1, initial=False)
    child = thread("c", "quit", process=1, initial=False)
    assert left_over(Outcomes(policy, first, other, child)) == []


def test_the_largest_process_is_killed() -> None:
    machine = {"frames": 6, "free_wakeup": 1, "free_target": 1, "pageout_oom_seq": 2}
    first = thread(
        "a", "map 0x10 3 shared", "store 0x10 3", "create b", "await b 0", "hole 0x10 1",
        "map 0x20 8", "store 0x20 8",
    )  # fmt: skip
    other = thread("b", "load 0x10 3", "think 100000000000", core=1, initial=False)
    policy = {"preset": "deferred-tlb-strict", "deadline_ns": 0}
    run = Outcomes(policy, first, other, **machine)
    assert run.killed == ["killed 0"]
    assert left_over(run) == []
