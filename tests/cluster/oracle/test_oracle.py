"""Simulated page faults against those of a real kernel."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.guest.program import Access, How, Instruction, Release, ThreadInfo
from cluster.__main__ import main
from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.oracle.attribution import FaultWatch
from cluster.oracle.comparison import Comparison, Oracle, compare_recording, run_beside
from cluster.oracle.expected import Expectations, Label
from cluster.oracle.flushes import OTHER, FlushCount
from cluster.workload.reader import Workload
from kernel.units import PAGE_SIZE
from tests.support.faults_recording import A, B, advise, mmap, protect, recording_bytes, write
from tests.support.places import TESTS

Compare = Callable[..., Oracle]

RECORDING = TESTS / "recordings/sqlite_snmalloc_enforce_free2dn.ft.gz"


def test_sqlite_faults_where_the_recorded_kernel_faulted() -> None:
    found = compare_recording(RECORDING)
    model, null = found.model, found.null
    assert model.recorded == 10_314
    assert faulted(model, Label.ZERO_PAGE_WRITE) == (7, 7)
    assert model.recall == 1.0
    assert (faulted(model, Label.RETOUCH), model.precision) == ((10_312, 0), 1.0)
    # ignoring advice misses the faults that follow it, and no others
    assert faulted(model, Label.AFTER_DONTNEED) == (6_504, 6_504)
    assert faulted(null, Label.AFTER_DONTNEED) == (6_504, 0)
    assert faulted(null, Label.FIRST_TOUCH) == faulted(model, Label.FIRST_TOUCH) == (3_803, 3_803)
    assert found.excluded == {"file": 123, "implied": 24, "before_exec.fault": 59}


class Greedy:
    """A guest whose releases take one more page at either end."""

    def __init__(self, guest: Workload) -> None:
        self._guest = guest
        self.threads: tuple[ThreadInfo, ...] = guest.threads
        self.digest = guest.digest
        self.families = guest.families

    def at(self, thread: int, index: int) -> Instruction | None:
        found = self._guest.at(thread, index)
        if not isinstance(found, Release):
            return found
        return Release(found.va - PAGE_SIZE, found.length + 2 * PAGE_SIZE, found.how & ~How.NONE)


def test_a_kernel_that_takes_too_much_is_found_by_its_false_faults(tmp_path: Path) -> None:
    expected, out = Expectations(seed=0), tmp_path / "w.hzw"
    lines = [*mmap(A, 0x20000), *[line for page in range(32) for line in write(A + page * 4096)]]
    for _ in range(8):
        lines += [*advise(A + 0x8000, 0x4000, 4), *write(A + 0x8000), *write(A + 0x9000)]
    (tmp_path / "r.ft").write_bytes(recording_bytes(lines))
    import_faults(tmp_path / "r.ft", out, ImportOptions(), no_progress, expected)
    workload = Workload.open(out)
    right = run_beside(workload, FaultWatch(workload, expected.labels))
    wrong = run_beside(Greedy(workload), FaultWatch(workload, expected.labels))
    assert (right.recall, right.false_faults) == (1.0, 0)
    assert wrong.false_faults > 0
    assert wrong.precision < 1.0


@pytest.fixture
def compared(tmp_path: Path) -> Compare:
    def compare(*lines: str) -> Oracle:
        (tmp_path / "r.ft").write_bytes(recording_bytes(list(lines)))
        return compare_recording(tmp_path / "r.ft")

    return compare


def test_every_cause_is_told_from_the_recording_alone(compared: Compare) -> None:
    child = ["1 10 P 20", "1 20 N 20 prog"]
    upgrade = [f"1 10 F {A:x} 7"]
    load = [f"1 10 F {A + 0x1000:x} 4", f"1 10 F {A + 0x1000:x} 7"]
    model = compared(
        *mmap(A, 0x4000), *write(A), *load, *write(A),
        *advise(A, 0x1000, 4), *write(A), *protect(A, 0x1000, 1), *protect(A, 0x1000, 3), *upgrade,
        *child, *upgrade, *advise(A, 0x1000, 8), *child, *upgrade,
        *advise(A, 0x1000, 8), *write(A), *mmap(A, 0x4000), *write(A),
        *mmap(B, 0x1000, flags="2"), *write(B), *write(B + 0x5000),
    ).model  # fmt: skip
    labels = {name: row.accesses for name, row in model.by_label.items() if row.accesses}
    made_up = labels.pop("retouch") + labels.pop("retouch_reprotected", 0)
    assert made_up >= 5
    assert labels == {
        "first_touch": 2,
        "zero_page_write": 1,
        "already_present": 1,
        "after_dontneed": 1,
        "after_protect": 1,
        "copy_after_fork": 2,
        "after_free": 1,
        "after_unmap": 1,
        "file": 1,
        "implied": 1,
    }
    assert faulted(model, Label.AFTER_PROTECT) == (1, 1)
    assert model.false_faults == 0


def test_pages_that_a_child_shares_are_touched_again_by_loads_only(tmp_path: Path) -> None:
    expected, out = Expectations(seed=1), tmp_path / "w.hzw"
    lines = [*mmap(A, 0x8000), *[line for page in range(4) for line in write(A + page * 4096)]]
    later = [line for page in range(4, 8) for line in write(A + page * 4096)]
    (tmp_path / "r.ft").write_bytes(recording_bytes([*lines, "1 10 P 20", "1 20 N 20 x", *later]))
    import_faults(tmp_path / "r.ft", out, ImportOptions(), no_progress, expected)
    workload = Workload.open(out)
    stored = {
        access.va >> 12 & 15
        for index in range(workload.length(0))
        if isinstance(access := workload.at(0, index), Access) and access.write
    }
    assert expected.labels.counts[Label.RETOUCH] == 7
    assert stored == set(range(8))


def test_processes_that_fork_fault_as_recorded(compared: Compare) -> None:
    found = compared(
        *mmap(A, 0x4000), *write(A), *write(A + 0x1000), *write(A + 0x2000),
        "100 10 P 20", "101 20 N 20 prog",
        f"110 10 F {A:x} 7",  # the parent copies
        f"120 20 F {A + 0x1000:x} 7",  # the child copies
        f"130 10 F {A + 0x1000:x} 7",  # and the parent has the old page for itself
        f"140 20 F {A:x} 7",
        "150 20 P 30", "151 30 N 30 prog",
        f"155 20 F {A + 0x2000:x} 7",
        f"160 30 F {A:x} 7",  # a grandchild
        "170 30 E /bin/other",
        f"180 30 S mmap {B:x} 1000 3 22 ffffffffffffffff 0",
        f"181 30 R mmap {B:x}",
        f"190 30 F {B:x} 6",  # after its exec it has memory of its own
        "200 30 Q", "210 20 Q",
        f"220 10 F {A + 0x2000:x} 7",  # nobody shares it any more, but Linux sees that in a fault
    )  # fmt: skip
    assert found.processes == 3
    assert faulted(found.model, Label.COPY_AFTER_FORK) == (7, 7)
    assert faulted(found.model, Label.FIRST_TOUCH) == (4, 4)
    assert found.model.false_faults == 0
    how = found.model.by_label["copy_after_fork"].simulated
    assert how == {"copy": 6, "permission": 1}


def test_a_child_that_borrows_its_parents_memory_shares_nothing_with_it(compared: Compare) -> None:
    found = compared(
        *mmap(A, 0x4000), *write(A), *write(A + 0x1000),
        "100 10 P 20", "101 20 N 20 prog",
        f"110 20 F {A + 0x2000:x} 6",  # in the parent's memory
        "120 20 E /bin/other",  # only now the parent goes on
        f"130 10 F {A + 0x3000:x} 6",
        "140 20 Q",
    )  # fmt: skip
    assert found.processes == 2
    assert faulted(found.model, Label.FIRST_TOUCH) == (4, 4)
    assert found.model.false_faults == 0


def test_flushes_stand_beside_the_recorded_ones(compared: Compare) -> None:
    flushes = compared(
        *mmap(A, 0x2000), *write(A),
        f"50 10 S madvise {A:x} 1000 4", "51 10 T 1 3", "51 10 T 1 4", "52 10 R madvise 0",
        "60 10 T -1 0", f"61 10 F {A:x} 6",
    ).flushes  # fmt: skip
    assert flushes.by_context == {"madvise": FlushCount(1, 1, 1, 0), OTHER: FlushCount(0, 0, 0, 0)}
    assert (flushes.recorded_at_switch, flushes.recorded_received) == (1, 0)


# The command.


def test_the_command_tells_a_recording_from_a_scenario(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["compare", str(RECORDING), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["agrees"], found["recorded"], found["agreed"]) == (True, 10_314, 10_314)
    assert found["by_cause"]["after_dontneed"]["agreed"] == 6_504
    strace = RECORDING.parent / "snperf_contention_fast.strace.gz"
    assert main(["compare", str(strace)]) == 2
    assert "by strace shows no page faults" in capsys.readouterr().err


def test_too_much_that_differs_exits_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # faults that no kernel can have had: the pages were present all the time
    lines = [*mmap(A, 0x1000), *write(A), *[line for _ in range(40) for line in write(A)]]
    path = tmp_path / "r.ft"
    path.write_bytes(recording_bytes(lines))
    assert main(["compare", str(path)]) == 1
    assert "too much differs: 95% of all" in capsys.readouterr().out


def test_linux_leaves_what_madv_free_gave_back_and_restores_what_mprotect_closed(
    compared: Compare,
) -> None:
    pages = [line for page in range(16) for line in write(A + page * 4096)]
    freed = [*advise(A, 0x10000, 8), *mmap(B, 0x10000)]
    later = [line for page in range(16) for line in write(B + page * 4096)]
    model = compared(*mmap(A, 0x10000), *pages, *freed, *later).model
    assert faulted(model, Label.RETOUCH_FREED) == (9, 0)
    # FreeBSD's mprotect(PROT_NONE) removes the entries, and the next access faults.
    closed = [*protect(A, 0x10000, 0), *protect(A, 0x10000, 3), *mmap(B, 0x10000)]
    model = compared(*mmap(A, 0x10000), *pages, *closed, *later).model
    assert faulted(model, Label.RETOUCH_REPROTECTED)[1] > 0
    assert model.precision == 1.0


def test_a_mapping_that_mprotect_cut_is_unmapped_whole(compared: Compare) -> None:
    model = compared(*mmap(A, 0x4000), *protect(A + 0x1000, 0x1000, 1), *mmap(A, 0x4000)).model
    assert model.recorded == 0


def faulted(run: Comparison, label: Label) -> tuple[int, int]:
    row = run.by_label[label.name.lower()]
    return row.accesses, row.faulted
