"""How much a shootdown flushes: the rules of FreeBSD, CheriBSD and Linux, on one map."""

from typing import Any

import pytest

from actors.operation import OpKind
from actors.vm.op import Flush
from actors.vm.operations.flushes import extents, shootdown
from actors.vm.payloads import NOTHING, Hole, Payload, Protect
from tests.support.stepped_vm import SteppedVm, op_of, va

MACHINES = {
    "FreeBSD, amd64": {},
    "FreeBSD, arm64": {"profile": "arm64-cheri"},
    "Linux, amd64": {"kernel": "linux"},
    "Linux, arm64": {"kernel": "linux", "profile": "arm64-cheri"},
}
ALL = "all"
Rounds = list[Any]
#: entries of the map: pages 1 to 8, page 9, pages 10 to 699; gone are 2, 4, 9, 10 and 12
GONE = (2, 4, 9, 10, 12)
_SPAN = tuple(range(2, 13))
_LINUX = {"Linux, amd64": [_SPAN], "Linux, arm64": [_SPAN]}
_RUNS = {"FreeBSD, arm64": [(2, 4), (9,), (10, 12)]}
_REMOVED = {"FreeBSD, amd64": [ALL, (9,), ALL], **_RUNS, **_LINUX}
_WHOLE = {"FreeBSD, amd64": [ALL, ALL, ALL], **_RUNS}
#: by reason, what each kernel flushes, round by round: the pages, or all
RULES: list[tuple[str, OpKind, Payload, dict[str, Rounds]]] = [
    ("munmap", OpKind.MUNMAP, NOTHING, _REMOVED),
    ("mprotect to none", OpKind.MPROTECT, Protect(0), _REMOVED),
    ("HOLE that removes", OpKind.HOLE, Hole(), _REMOVED),
    ("mprotect to read", OpKind.MPROTECT, Protect(1), {**_WHOLE, **_LINUX}),
    ("MADV_FREE", OpKind.ADVISE_FREE, NOTHING, {**_WHOLE, **_LINUX}),
    ("fork", OpKind.FORK, NOTHING, {**_WHOLE, "Linux, amd64": [ALL], "Linux, arm64": [ALL]}),
    ("exit", OpKind.EXIT, NOTHING, {name: [ALL] for name in MACHINES}),
    ("the page daemon", OpKind.RECLAIM, NOTHING, {name: [GONE] for name in MACHINES}),
]


def rounds_of(kind: OpKind, own: Payload, machine: dict[str, Any], **policy: Any) -> Rounds:  # noqa: ANN401
    """Return what the rounds of a shootdown flush, one after the other."""
    one = SteppedVm(machine=machine, no_access="remove-pte", **policy)
    for start, end in ((1, 9), (9, 10), (10, 700)):
        one.map(start, end)
    gone = tuple(one.vm.entries.must_flush(vpn, 7) for vpn in GONE)
    op, found = op_of(kind, own, 1, 700, flush=Flush(gone=gone)), Rounds()
    while op.flush.gone:
        part = extents.next_part(one.vm, op)
        found.append(part.vpns or ALL)
        op = shootdown.invalidated(one.vm, one.step(shootdown.interrupt_active, op))
    assert one.vm.entries.unflushed.places == {}, "all are flushed in the end"
    return found


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("rule", RULES, ids=[rule[0] for rule in RULES])
def test_how_much_goes(rule: tuple[str, OpKind, Payload, dict[str, Rounds]], machine: str) -> None:
    _, kind, own, expected = rule
    assert rounds_of(kind, own, MACHINES[machine]) == expected[machine]


def test_linux_lists_a_range_of_33_pages_and_arm_one_of_511() -> None:
    for machine, most in (("Linux, amd64", 33), ("Linux, arm64", 511)):
        for pages in (most, most + 1):
            one = SteppedVm(machine=MACHINES[machine])
            one.map(1, 700)
            gone = tuple(one.vm.entries.must_flush(vpn, 7) for vpn in (3, 2 + pages))
            part = extents.next_part(
                one.vm, op_of(OpKind.MUNMAP, NOTHING, 1, 700, flush=Flush(gone))
            )
            assert len(part.vpns) == (pages if pages == most else 0)
            assert part.about == (3, 3 + pages)


def test_a_batch_of_the_page_daemon_is_one_flush_of_the_space_on_amd64() -> None:
    for machine, expected in (("Linux, amd64", [ALL]), ("Linux, arm64", [GONE])):
        found = rounds_of(OpKind.RECLAIM, NOTHING, MACHINES[machine], daemon_batch=8)
        assert found == expected


def test_other_spaces_lose_single_pages() -> None:
    one = SteppedVm()
    gone = tuple(one.vm.entries.must_flush(va(vpn, asid=1), 7) for vpn in (2, 4))
    part = extents.next_part(one.vm, op_of(OpKind.MUNMAP, NOTHING, 1, 9, flush=Flush(gone)))
    assert (part.asid, part.vpns) == (1, (2, 4))
