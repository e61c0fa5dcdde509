"""Faults recordings: tiny ones with their exact instructions."""

from pathlib import Path

import pytest

from actors.guest.program import (
    Access,
    Await,
    Create,
    Exit,
    How,
    Map,
    Protect,
    Release,
    Reuse,
    Think,
    Unmap,
)
from cluster.importers.options import ReuseRange
from cluster.input_error import InputError
from tests.support.faults_recording import (
    NORESERVE,
    A,
    B,
    Import,
    access,
    advise,
    call,
    importer,
    mmap,
    protect,
    write,
)


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    return importer(tmp_path)


def test_a_release_and_its_reuse(imported: Import) -> None:
    report, (stream,) = imported(
        *mmap(A, 0x4000),
        *write(A + 0x1238),
        *advise(A, 0x4000, 8),
        *protect(A, 0x4000, 0),
        *protect(A + 0x1000, 0x1000, 3),
        f"1 10 F {A + 0x1008:x} 4",
        *advise(A, 0x1000, 4),
        "1 10 Q",
    )
    assert stream == [
        Map(A, 0x4000, 3),
        access(A + 0x1230),
        Release(A, 0x4000, How.FREE | How.NONE),
        Reuse(A + 0x1000, 0x1000, How.OPEN),
        access(A + 0x1000, store=False),
        Release(A, 0x1000, How.DONTNEED),
        Exit(),
    ]
    assert report.recorded_faults == {"anonymous_after_release": 1, "anonymous_first": 1}
    assert (report.left_out, report.pages) == ({}, 1)


def test_both_orders_of_a_pair_are_one_release(imported: Import) -> None:
    _, (stream,) = imported(
        *mmap(A, 0x2000),
        *protect(A, 0x2000, 0),
        *write(B),  # a touch between the two calls is no memory call
        *advise(A, 0x2000, 4),
    )
    assert Release(A, 0x2000, How.DONTNEED | How.NONE) in stream
    assert sum(isinstance(one, Release) for one in stream) == 1


@pytest.mark.parametrize(
    "between", [mmap(B, 0x1000), advise(B, 0x1000, 8), ["1 10 S brk 0", "1 10 R brk 5000"]]
)
def test_a_call_between_keeps_a_pair_apart(imported: Import, between: list[str]) -> None:
    _, (stream,) = imported(
        *mmap(A, 0x2000), *advise(A, 0x2000, 8), *between, *protect(A, 0x2000, 0)
    )
    assert Release(A, 0x2000, How.FREE) in stream
    assert Release(A, 0x2000, How.NONE) in stream


def test_other_ranges_and_repeats_are_releases_of_their_own(imported: Import) -> None:
    _, (stream,) = imported(
        *mmap(A, 0x2000),
        *advise(A, 0x2000, 8),
        *advise(A, 0x2000, 4),
        *protect(A, 0x1000, 0),
        *advise(A, 0x2000, 8),
    )
    assert stream[1:] == [
        Release(A, 0x2000, How.FREE),
        Release(A, 0x2000, How.DONTNEED),
        Release(A, 0x1000, How.NONE),
        Release(A, 0x2000, How.FREE),
    ]


@pytest.mark.parametrize(
    ("reuse", "expected"),
    [
        (ReuseRange.RANGE, [(A + 0x1000, 0x3000), (A, 0x1000)]),
        (ReuseRange.PAGE, [(A + 0x3000, 0x1000), (A + 0x1000, 0x1000), (A, 0x1000)]),
        (ReuseRange.NONE, []),
    ],
)
def test_a_touch_implies_a_reuse(
    imported: Import, reuse: ReuseRange, expected: list[tuple[int, int]]
) -> None:
    _, (stream,) = imported(
        *mmap(A, 0x4000),
        *advise(A, 0x4000, 4),
        *advise(A, 0x1000, 8),  # a later release cuts the page off the first one
        *write(A + 0x3000),
        *write(A + 0x1000),
        *write(A),
        reuse=reuse,
    )
    found = [one for one in stream if isinstance(one, Reuse)]
    assert found == [Reuse(va, length, How.TOUCH) for va, length in expected]
    assert sum(isinstance(one, Access) for one in stream) == 3


def test_mprotect_is_cut_where_its_meaning_changes(imported: Import) -> None:
    _, (stream,) = imported(
        *mmap(A, 0x4000, prot=0, flags=NORESERVE),
        *protect(A, 0x2000, 3),
        *protect(A, 0x4000, 0),
        *protect(A + 0x1000, 0x2000, 7),
    )
    assert stream[1:] == [
        Protect(A, 0x2000, 3),
        Release(A, 0x2000, How.NONE),
        Protect(A + 0x2000, 0x2000, 0),
        Reuse(A + 0x1000, 0x1000, How.OPEN),
        Protect(A + 0x1000, 0x1000, 7),
        Protect(A + 0x2000, 0x1000, 7),
    ]


def test_brk_and_mremap_become_map_and_unmap(imported: Import) -> None:
    report, (stream,) = imported(
        *call(10, "brk", 0, result=0x5000),
        *call(10, "brk", 0x8800, result=0x8800),
        *call(10, "brk", 0x6000, result=0x6000),
        *call(10, "brk", 0x99000, result=0x6000),
        *mmap(A, 0x2000),
        *call(10, "mremap", A, 0x2000, 0x4000, 1, 0, result=A),
        *call(10, "mremap", A, 0x4000, 0x1000, 1, 0, result=A),
        *call(10, "mremap", A, 0x1000, 0x2000, 1, 0, result=B),
    )
    assert stream == [
        Map(0x5000, 0x4000, 3),
        Unmap(0x6000, 0x3000),
        Map(A, 0x2000, 3),
        Map(A + 0x2000, 0x2000, 3),
        Unmap(A + 0x1000, 0x3000),
        Unmap(A, 0x1000),
        Map(B, 0x2000, 3),
    ]
    assert report.left_out == {"contents.mremap_moved": 1, "failed.brk": 1}


def test_what_no_call_mapped_is_mapped_at_its_first_use(imported: Import) -> None:
    report, (stream,) = imported(
        *mmap(A + 0x8000, 0x1000, prot=1),
        *write(A + 0x3000),
        *write(A + 0x4000),
        *write(A + 0x8000),  # not permitted: the program took a signal
        *write(0x18),
        "1 10 F ffffffffff600000 14",
        *protect(B + 0x1000, 0x1000, 1),
    )
    assert stream == [
        Map(A + 0x8000, 0x1000, 1),
        Map(A, 0x8000, 3),
        access(A + 0x3000),
        access(A + 0x4000),
        Map(B + 0x1000, 0x1000, 3),
        Protect(B + 0x1000, 0x1000, 1),
    ]
    assert report.approximated == {"implied_map": 2}
    assert report.left_out == {"fault_not_permitted": 2, "fault_outside_user_memory": 1}


@pytest.mark.parametrize(("keep", "accesses"), [(True, 1), (False, 0)])
def test_what_is_not_modelled_is_counted(imported: Import, keep: bool, accesses: int) -> None:
    report, (stream,) = imported(
        *call(10, "mmap", 0, 0x1001, 3, "2", 3, 0, result=A),
        *call(10, "mmap", 0, 0x1000, 3, "8021", "ffffffff", 0, result=B),
        *write(A),
        *advise(A, 0x2000, 4),
        *advise(B, 0x1000, 8),
        *advise(B, 0x1000, 0xE),
        *call(10, "mlock", A, 0x1000),
        *call(10, "munmap", A + 1, 0x1000, result=-22),
        f"1 10 S munmap {A:x} 1000",
        "1 10 T 1 2",
        file_touches=keep,
    )
    assert stream[:2] == [Map(A, 0x2000, 3), Map(B, 0x1000, 3)]
    assert len(stream) == 2 + accesses
    assert report.approximated == {"file_map": 1, "shared_map": 1}
    expected = {
        "failed.munmap": 1,
        "file_dontneed": 1,
        "file_fault": 1 - accesses,
        "shared_free": 1,
        "tlb_flush": 1,
        "unfinished_call": 1,
        "unsupported.hugepage": 1,
        "unsupported.mlock": 1,
        "unsupported.populate": 1,
    }
    assert report.left_out == {kind: count for kind, count in expected.items() if count}


def test_time_between_operations_is_thinking(imported: Import) -> None:
    _, (stream,) = imported(
        *[line.replace("1 10", "5 10", 1) for line in mmap(A, 0x1000)],
        f"7 10 S munmap {B:x} 1000",
        "9 10 R munmap 0",
        f"10 10 F {A:x} 6",
        f"10 10 F {A:x} 7",
        f"12 10 F {A:x} 7",
        thinking=True,
        fault_ns=600,
    )
    assert stream == [
        Think(4000),
        Map(A, 0x1000, 3),
        Think(2000),
        Unmap(B, 0x1000),
        Think(1000),
        access(A),
        access(A),
        Think(1400),
        access(A),
    ]


def test_threads_wait_for_each_other_where_they_meet(imported: Import) -> None:
    report, (main, child, again) = imported(
        *mmap(A, 0x4000),
        "1 10 P 11",
        "1 11 N 10 worker",
        *write(A, tid=11),  # the Create comes before it anyway
        *mmap(B, 0x1000),
        *write(B, tid=11),
        *write(B, tid=11),
        *advise(A, 0x4000, 4),
        *write(A + 0x1000, tid=11),
        "1 11 Q",
        "1 10 P 11",
        "1 11 N 10 worker2",
        *write(A + 0x2000, tid=11),
        *call(10, "munmap", A, 0x4000),
    )
    assert main == [
        Map(A, 0x4000, 3),
        Create(1),
        Map(B, 0x1000, 3),
        Await(1, 0),
        Release(A, 0x4000, How.DONTNEED),
        Create(2),
        Await(1, 6),
        Await(2, 1),
        Unmap(A, 0x4000),
    ]
    assert child == [
        access(A),
        Await(0, 2),
        access(B),
        access(B),
        Await(0, 4),
        Reuse(A, 0x4000, How.TOUCH),
        access(A + 0x1000),
        Exit(),
    ]
    assert again == [Await(1, 5), access(A + 0x2000)]
    assert report.threads == 3


def test_memory_is_taken_at_the_entry_and_given_at_the_return(imported: Import) -> None:
    """Thread 11 is handed the range before thread 10's munmap has returned."""
    _, (main, other) = imported(
        *mmap(A, 0x1000),
        "1 11 N 10 prog",
        "1 11 S mmap 0 1000 3 22 ffffffff 0",
        f"1 10 S munmap {A:x} 1000",
        f"1 11 R mmap {A:x}",
        *write(A, tid=11),
        "1 10 R munmap 0",
        f"1 10 S munmap {A:x} 1000",
        *write(A, tid=11),
        "1 10 R munmap ffffffffffffffea",
    )
    assert main == [Map(A, 0x1000, 3), Unmap(A, 0x1000)]
    assert other == [Await(0, 1), Map(A, 0x1000, 3), access(A), access(A)]


def test_the_busiest_process_is_taken_from_its_last_exec_on(
    tmp_path: Path, imported: Import
) -> None:
    lines = [
        *mmap(A, 0x1000),
        "1 10 P 20",
        "1 20 N 20 prog",
        *write(A, tid=20),
        *mmap(B, 0x1000),
        "1 10 E /bin/other",
        *mmap(A, 0x3000),
        *write(A),
        *write(A),
    ]
    report, (stream,) = imported(*lines)
    assert stream == [Map(A, 0x3000, 3), access(A), access(A)]
    assert report.program == "/bin/other"
    assert report.left_out == {"before_exec.mmap": 2, "other_process.fault": 1}
    assert "1 other processes" in report.warnings[0]
    assert "last of 2 execs" in report.warnings[1]
    child, (stream,) = imported(*lines, process=20)
    assert stream == [Map(A, 0x10000, 3), access(A)]
    assert child.program == "/bin/prog"
    assert "forked" in child.warnings[1]
    with pytest.raises(InputError, match=r"no process 30 .* It has 10 \(3 events\), 20 \(1 "):
        imported(*lines, process=30)


def test_lines_that_are_no_lines_are_counted(imported: Import) -> None:
    report, (stream,) = imported(
        *mmap(A, 0x1000),
        "hello, world",
        "1 10 F",
        "1 10 F zz 6",
        "1 10 S mmap 0 1000",
        "1 10 S reboot 0",
        "-1 10 F 0 0",
        "1 10 N 99999999999 x",
        "9" * 400 + " 10 Q",
        "x" * 200_000,
        *write(A),
    )
    assert stream == [Map(A, 0x1000, 3), access(A)]
    assert (report.malformed, report.foreign) == (7, 2)
