"""Walking a range, checking it, claiming it."""

from typing import Any

from actors.message import PageKey
from actors.messages import Sleep
from actors.operation import OpKind, OpState
from actors.vm.op import Op, replace
from actors.vm.operations.ranges import advice_scope, range_claim, range_errors, range_scan
from actors.vm.operations.ranges.range_errors import Refusal
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import Dontneed, Hole, Zero
from kernel.errors import Errno
from kernel.page import Page
from kernel.vm_map import NEEDS_COPY, SHARED, WIRED
from tests.support.stepped_vm import READ, SteppedVm, op_of


class Visited(Found[Hole]):
    """Notes what was visited in the payload."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = []

    def added_to(self, own: Hole) -> Hole:
        return Hole(pages=(*own.pages, *self.pages))


def visit(scene: Scene[Visited], key: PageKey, page: Page) -> bool:
    scene.take_entry()
    scene.found.ns += 3
    scene.found.pages.append((key, scene.vpn))
    return page.busy == 9


def scanned(one: SteppedVm, op: Op[Hole]) -> Op[Hole]:
    return range_scan.scan(Scene(one.vm, one.space, op, one.out, Visited()), visit)


def test_a_scan_adds_what_it_finds_to_the_payload_and_to_the_flush() -> None:
    one = SteppedVm(machine={"grain": "fused"})
    oid = one.map(4, 8)
    for vpn in (4, 6):
        one.page(vpn, vpn)
    op = scanned(one, op_of(OpKind.HOLE, Hole(), 4, 8))
    assert op.own.pages == (((oid, 0), 4), ((oid, 2), 6))
    assert op.flush.gone == ((4, 4), (6, 6))
    assert (op.phase, op.cursor, op.ns) == (1, 4, 6)


def test_exploring_one_page_is_one_step() -> None:
    one = SteppedVm()
    one.map(4, 8)
    for vpn in (4, 6):
        one.page(vpn, vpn)
    op = scanned(one, op_of(OpKind.HOLE, Hole(), 4, 8))
    assert (op.phase, op.cursor, len(op.own.pages)) == (0, 5, 1)
    op = scanned(one, op)
    assert (op.phase, op.cursor, len(op.own.pages)) == (0, 7, 2)
    assert range_scan.nothing_resident(one.vm, one.space, op)
    assert scanned(one, op).phase == 1


def test_a_scan_sleeps_at_a_busy_page_and_looks_at_it_again() -> None:
    one = SteppedVm()
    one.map(4, 6)
    key = one.page(5, 7, busy=9)
    op = scanned(one, op_of(OpKind.HOLE, Hole(), 4, 6))
    assert (op.state, op.cursor, op.phase) == (OpState.PAGE_BUSY, 5, 0)
    assert one.sent(Sleep)[0].why == OpState.PAGE_BUSY
    assert one.vm.waiting.busy_waiters == {key: (0,)}


def checked(one: SteppedVm, op: Op[Any], refuses: Refusal = range_errors.wired) -> tuple[int, int]:
    phase = range_errors.check(refuses)
    assert phase.name == "check"
    after = one.step(phase.step, op)
    assert phase.idle(one.vm, one.space, op) == ((after.end, after.error) == (op.end, op.error))
    return after.end, after.error


def test_what_a_gap_and_wired_memory_mean_depends_on_the_kernel() -> None:
    expected = {
        "freebsd": ((9, 0), (9, 0)),
        "linux": ((9, Errno.ENOMEM), (7, Errno.EINVAL)),
        "xnu": ((5, Errno.EINVAL), (5, Errno.EINVAL)),
        "strict": ((4, Errno.EINVAL), (4, Errno.EINVAL)),
    }
    for errors, (gap, wired) in expected.items():
        one = SteppedVm(errors=errors)
        one.map(4, 5)
        one.map(7, 9)
        assert checked(one, op_of(OpKind.HOLE, Hole(), 4, 9)) == gap, errors
        one.space.map.change(7, 9, lambda e: e.with_flags(on=WIRED))
        assert checked(one, op_of(OpKind.HOLE, Hole(), 4, 9)) == wired, errors


def test_locked_memory_is_refused_unless_the_call_is_for_it() -> None:
    one = SteppedVm(errors="linux")
    one.map(4, 6, flags=WIRED)
    for locked, found in ((False, (4, Errno.EINVAL)), (True, (6, 0))):
        op = op_of(OpKind.ADVISE_DONTNEED, Dontneed(locked=locked), 4, 6)
        assert checked(one, op, range_errors.wired_unless_meant) == found


def test_a_second_zero_of_the_range_waits_until_it_is_given_up() -> None:
    one = SteppedVm(hole_state="range-list")
    one.map(4, 8)
    first, second = op_of(OpKind.ZERO, Zero(), 4, 6), op_of(OpKind.ZERO, Zero(), 5, 8)
    second = replace(second, lane=1)
    one.vm.in_flight.ops = {0: first, 1: second}
    assert one.step(range_claim.claim_range, first).phase == 1
    slept = one.step(range_claim.claim_range, second)
    assert (slept.state, slept.phase) == (OpState.LOCK, 0)
    entry = one.space.map.lookup(5)
    assert range_claim.under_zero(one.vm, 0, entry, 5) == 0
    range_claim.release(one.vm, first, one.out)
    assert one.step(range_claim.claim_range, second).phase == 1


def test_advice_is_about_memory_that_shows_no_older_copy() -> None:
    one = SteppedVm()
    one.map(4, 5)
    one.map(5, 6, flags=NEEDS_COPY)
    one.map(6, 7, flags=NEEDS_COPY | SHARED)
    entries = one.space.map.entries
    assert [advice_scope.advised(one.vm, e) for e in entries] == [True, False, True]


def test_shared_memory_can_be_refused() -> None:
    one = SteppedVm(shared="reject")
    one.map(4, 5, prot=READ, flags=SHARED)
    op = op_of(OpKind.HOLE, Hole(), 4, 5)
    assert not advice_scope.REFUSE.idle(one.vm, one.space, op)
    op = one.step(advice_scope.refuse, op)
    assert (op.end, op.error, op.own) == (4, Errno.EINVAL, Hole())
