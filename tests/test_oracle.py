"""Simulated page faults against those of a real kernel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.guest.program import Access, How, Instruction, Release, ThreadInfo
from cluster.importers.faults import import_faults
from cluster.importers.lines import no_progress
from cluster.importers.options import ImportOptions
from cluster.oracle.attribution import FaultWatch
from cluster.oracle.comparison import Comparison, Oracle, compare_recording, run_beside
from cluster.oracle.expected import Expectations, Label
from cluster.workload import Workload
from kernel.units import PAGE_SIZE
from tests.faults_recording import A, B, advise, mmap, protect, recording_bytes, write

Compare = Callable[..., Oracle]

RECORDING = Path(__file__).resolve().parent / "recordings/sqlite_snmalloc_enforce_free2dn.ft.gz"


def test_sqlite_faults_where_the_recorded_kernel_faulted() -> None:
    found = compare_recording(RECORDING)
    model, null = found.model, found.null
    assert model.recorded == 10_314
    # Linux maps a shared zero page for a load, and faults again for the first store. The model
    # gives a page of its own at once, as FreeBSD does: these seven faults are all that differ.
    assert faulted(model, Label.ZERO_PAGE_WRITE) == (7, 0)
    assert (model.recall_modelled, round(model.recall, 6)) == (1.0, 0.999321)
    assert (faulted(model, Label.RETOUCH), model.precision) == ((10_312, 0), 1.0)
    # Who ignores advice misses every fault that follows it, and no other.
    assert faulted(model, Label.AFTER_DONTNEED) == (6_504, 6_504)
    assert faulted(null, Label.AFTER_DONTNEED) == (6_504, 0)
    assert faulted(null, Label.FIRST_TOUCH) == faulted(model, Label.FIRST_TOUCH) == (3_803, 3_803)
    assert found.excluded == {"file": 123, "implied": 24, "before_exec.fault": 59}


class Greedy:
    """A guest whose releases take a page more at either end."""

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
