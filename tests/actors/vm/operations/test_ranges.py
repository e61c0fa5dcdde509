"""Walking a range, checking it, claiming it."""

from typing import Any

from actors.message import PageKey
from actors.messages import Sleep
from actors.operation import OpKind, OpState
from actors.vm.op import Op, replace
from actors.vm.operations.ranges import advice_scope, range_claim, range_errors, range_scan
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import NOTHING, Dontneed, Hole, Zero
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


def checked(one: SteppedVm, op: Op[Any]) -> tuple[int, int]:
    phase = range_errors.CHECK
    assert phase.name == "check"
    assert phase.idle is not None
    after = one.step(phase.step, op)
    assert phase.idle(one.vm, one.space, op) == ((after.end, after.error) == (op.end, op.error))
    return after.end, after.error


#: what is done, up to which page, of pages 4 to 8, of which 5 and 6 are not mapped
GAPS: dict[str, dict[OpKind, tuple[int, int]]] = {
    "freebsd": {
        OpKind.HOLE: (9, 0),
        OpKind.ADVISE_COLD: (9, 0),
        OpKind.MPROTECT: (9, 0),
        OpKind.MUNLOCK: (4, Errno.ENOMEM),
    },
    "linux": {
        OpKind.HOLE: (9, Errno.ENOMEM),
        OpKind.ADVISE_COLD: (9, Errno.ENOMEM),
        OpKind.MPROTECT: (5, Errno.ENOMEM),
        OpKind.MUNLOCK: (5, Errno.ENOMEM),
    },
    "xnu": {
        OpKind.HOLE: (4, Errno.EINVAL),
        OpKind.ADVISE_COLD: (9, Errno.EINVAL),
        OpKind.MPROTECT: (4, Errno.ENOMEM),
        OpKind.MUNLOCK: (4, Errno.ENOMEM),
    },
    "strict": dict.fromkeys(
        (OpKind.HOLE, OpKind.ADVISE_COLD, OpKind.MPROTECT, OpKind.MUNLOCK), (4, Errno.EINVAL)
    ),
}


def test_what_a_gap_means_depends_on_the_kernel_and_the_call() -> None:
    for errors, found in GAPS.items():
        one = SteppedVm(errors=errors)
        one.map(4, 5)
        one.map(7, 9)
        assert {kind: checked(one, op_of(kind, NOTHING, 4, 9)) for kind in found} == found, errors


def test_what_is_wired_is_refused_or_left_alone() -> None:
    expected = {
        "freebsd": ((9, 0), (7, Errno.EINVAL)),
        "linux": ((7, Errno.EINVAL), (7, Errno.EINVAL)),
        "xnu": ((9, 0), (7, Errno.EINVAL)),
        "strict": ((4, Errno.EINVAL), (4, Errno.EINVAL)),
    }
    for errors, (hole, dontneed) in expected.items():
        one = SteppedVm(errors=errors)
        one.map(4, 7)
        one.map(7, 9, flags=WIRED)
        assert checked(one, op_of(OpKind.HOLE, Hole(), 4, 9)) == hole, errors
        op = op_of(OpKind.ADVISE_DONTNEED, Dontneed(), 4, 9)
        assert checked(one, op) == dontneed, errors
        assert checked(one, replace(op, own=Dontneed(locked=True))) == (9, 0), errors
        kept = SteppedVm(preset="dontneed-freebsd", errors=errors)
        kept.map(4, 7)
        kept.map(7, 9, flags=WIRED)
        assert checked(kept, op) == hole, errors


def test_memory_that_cannot_be_stored_to_is_not_discarded() -> None:
    expected = {"freebsd": (9, 0), "linux": (9, 0), "xnu": (7, 1), "strict": (4, Errno.EINVAL)}
    for errors, hole in expected.items():
        one = SteppedVm(errors=errors)
        one.map(4, 7)
        one.map(7, 9, prot=READ)
        assert checked(one, op_of(OpKind.HOLE, Hole(), 4, 9)) == hole, errors
        assert checked(one, op_of(OpKind.REUSE, NOTHING, 4, 9)) == (9, 0), errors


def test_what_madv_remove_is_for() -> None:
    one = SteppedVm(errors="linux")
    one.map(4, 5, flags=SHARED)
    one.map(5, 6)
    assert checked(one, op_of(OpKind.ADVISE_REMOVE, NOTHING, 4, 6)) == (5, Errno.EINVAL)
    file = one.vm.objects.of_file(3)
    one.space.map.change(5, 6, lambda e: e.with_object(file, 0).with_flags(on=NEEDS_COPY))
    assert checked(one, op_of(OpKind.ADVISE_REMOVE, NOTHING, 4, 6)) == (5, Errno.EACCES)
    assert checked(one, op_of(OpKind.ADVISE_FREE, NOTHING, 5, 6)) == (5, Errno.EINVAL)


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
