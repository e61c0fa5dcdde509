"""What mlock holds: no advice lets its contents go, whoever shows an older copy of it below."""

import pytest

from kernel.stamp import stamp
from tests.support.outcomes import Outcomes, thread

ADVICE = {
    "hole": "HOLE",
    "zero": "ZERO",
    "free": "ADVISE_FREE",
    "dontneed": "ADVISE_DONTNEED",
    "cold": "ADVISE_COLD",
    "pageout": "ADVISE_PAGEOUT",
    "remove": "ADVISE_REMOVE",
}
#: where the memory came from: what a parent and the process itself do before the lock
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "its own": ((), ("map 0x10 2", "store 0x10")),
    "an older copy below": (("map 0x10 2", "store 0x10"), ()),
    "a copy of its own above": (("map 0x10 2", "store 0x10"), ("store 0x10",)),
    "shared": (("map 0x10 2 shared", "store 0x10"), ()),
    "seen twice": ((), ("map 0x10 2 shared", "store 0x10", "move 0x10 1 to 0x20 keep")),
}
POLICIES: dict[str, dict[str, str]] = {
    "map-entry": {"preset": "fatal-hole"},
    "range-list": {"preset": "deferred-tlb"},
    "page-flag": {"preset": "flag-only"},
    "free-punched": {"preset": "madv-free-punched"},
    "free-rewind": {"preset": "madv-free-rewind"},
    "dontneed-freebsd": {"preset": "dontneed-freebsd"},
}


def locked(policy: dict[str, str], kind: str, *then: str) -> list[str]:
    """Lock page 0x10 in a child, and do more; what that saw."""
    parents, own = KINDS[kind]
    child = thread("c", *own, "lock 0x10 1", *then, process=1, initial=False)
    run = Outcomes(policy, thread("p", *parents, "fork c", "think 100000000"), child, swap_slots=64)
    assert not run.left
    assert not run.broken
    return run.seen["c"][run.seen["c"].index("MLOCK OK") + 1 :]


@pytest.mark.parametrize("errors", ["freebsd", "linux", "xnu", "strict"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("advice", ADVICE)
@pytest.mark.parametrize("kind", KINDS)
def test_contents_stay(kind: str, advice: str, policy: str, errors: str) -> None:
    seen = locked({**POLICIES[policy], "errors": errors}, kind, f"{advice} 0x10 1", "load 0x10")
    answer, value = seen
    assert value not in ("0", "SIGSEGV HOLE")
    assert answer in (f"{ADVICE[advice]} {errno}" for errno in ("OK", "EINVAL"))
    discards = advice == "dontneed" and policy != "dontneed-freebsd"  # linux_madvise_dontneed
    if errors in ("linux", "strict") or advice == "zero" or discards:
        assert answer.endswith("EINVAL")
    elif advice != "remove":
        assert answer.endswith("OK")


@pytest.mark.parametrize("policy", POLICIES)
def test_zero_leaves_what_lies_below_and_says_so(policy: str) -> None:
    """The store to page 0x11 gives the entry a new object; page 0x10 stays below it."""
    run = ("map 0x10 2", "lock 0x10 2", "store 0x10", "fork c", "store 0x11", "zero 0x10 1")
    threads = thread("p", *run, "load 0x10"), thread("c", "fence", process=1, initial=False)
    found = Outcomes(POLICIES[policy], *threads, swap_slots=64)
    assert found.seen["p"][-2:] == ["ZERO EINVAL", str(stamp(0, 2, 0))]
    assert not found.broken


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("advice", ["hole", "free", "cold"])
def test_what_lies_beside_it_is_done(advice: str, policy: str) -> None:
    rest = (f"{advice} 0x10 2", "unlock 0x10 1", "zero 0x10 2", "load 0x10 2")
    seen = locked(POLICIES[policy], "an older copy below", *rest)
    assert seen[-2:] == ["0", "0"]


def test_dontneed_locked_is_meant_for_it() -> None:
    for errors in ("freebsd", "linux", "xnu", "strict"):
        policy = {"preset": "fatal-hole", "errors": errors}
        for kind in ("its own", "an older copy below", "a copy of its own above"):
            seen = locked(policy, kind, "dontneed-locked 0x10 1", "load 0x10")
            assert seen == ["ADVISE_DONTNEED OK", "0"], (errors, kind)


@pytest.mark.parametrize("fork_hole", ["punch-both", "zero-first", "child-zero", "cow-share"])
def test_a_lock_that_came_after_a_permissive_hole(fork_hole: str) -> None:
    """Fork does not take locked pages, though they are in a hole."""
    policy = {"preset": "fatal-hole", "hole_access": "permissive", "fork_hole": fork_hole}
    program = ("map 0x10 1", "hole 0x10 1", "lock 0x10 1", "store 0x10", "fork c", "load 0x10")
    child = thread("c", "load 0x10", process=1, initial=False)
    run = Outcomes(policy, thread("p", *program), child, cores=1)
    assert run.seen["p"][-1] not in ("0", "SIGSEGV HOLE")
    assert not run.left
