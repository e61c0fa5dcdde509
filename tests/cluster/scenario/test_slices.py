"""Time slices in which no thread could get on are refused; the shortest that is not will do."""

import re

import pytest

from cluster.input_error import InputError
from tests.support.outcomes import Outcomes, thread


def run(threads: int, slice_ns: int) -> Outcomes:
    """Have threads of one core evict one another's only TLB entry."""
    others = [
        thread(f"t{i}", f"store {i + 2} 10 16", f"load {i + 1} 9 16", initial=False)
        for i in range(threads - 1)
    ]
    first = thread("a", "map 1 20", *(f"create {one['name']}" for one in others), "store 1 10 16")
    machine = {"cores": 1, "tlb_entries": 1, "slice_ns": slice_ns}
    return Outcomes({"preset": "fatal-hole"}, first, *others, **machine)


@pytest.mark.parametrize("threads", [2, 5, 9])
def test_the_shortest_slice_that_is_allowed_lets_all_get_on(threads: int) -> None:
    with pytest.raises(InputError, match="none gets on") as e:
        run(threads, 1)
    found = re.search(r"set machine.slice_ns=(\d+) or more", str(e.value))
    assert found is not None
    least = int(found.group(1))
    done = run(threads, least)
    assert (done.left, done.broken) == ([], [])
    with pytest.raises(InputError, match=f"machine.slice_ns={least - 1}"):
        run(threads, least - 1)


def test_who_has_the_core_alone_needs_no_slice() -> None:
    assert run(1, 1).left == []
    assert run(3, 0).left == []
