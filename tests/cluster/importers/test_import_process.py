"""Which process of a recording is imported when nobody chose one."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.report import ImportReport
from cluster.importers.strace import import_strace
from tests.support.faults_recording import A, B, mmap, recording_bytes, write

Run = Callable[..., ImportReport]

#: a server that forks a save child, which is busier than the server
SAVE_CHILD = [
    *mmap(A, 0x1000),
    *write(A),
    "1 10 P 20",
    "1 20 N 20 server",
    *[line for _ in range(9) for line in write(A, tid=20)],
]
STRACE_SAVE_CHILD = [
    '10 1700000000.0 execve("/bin/server", ["server"], 0x7ff) = 0 <0.0>',
    "10 1700000000.1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS) = 0x7f0000000000 <0.0>",
    "10 1700000000.2 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 20 <0.0>",
    *["20 1700000000.3 madvise(0x7f0000000000, 4096, MADV_DONTNEED) = 0 <0.0>"] * 9,
]


@pytest.fixture
def faults(tmp_path: Path) -> Run:
    def run(*lines: str, **options: object) -> ImportReport:
        (tmp_path / "r.ft").write_bytes(recording_bytes(list(lines)))
        chosen = msgspec.convert(options, ImportOptions)
        return import_faults(tmp_path / "r.ft", tmp_path / "w.hzw", chosen, no_progress)

    return run


def test_a_busy_fork_child_is_not_the_program(faults: Run) -> None:
    report = faults(*SAVE_CHILD)
    assert report.process == 10
    assert report.left_out == {"other_process.fault": 9}
    (warning,) = report.warnings
    assert warning.endswith("choose one by --process PID, such as 20 (9 events)")
    assert faults(*SAVE_CHILD, process=20).process == 20


def test_a_child_that_did_an_exec_is_a_program_of_its_own(faults: Run) -> None:
    report = faults(*SAVE_CHILD, "1 20 E /bin/compiler", *mmap(B, 0x1000, tid=20), *write(B, 20))
    assert (report.process, report.program) == (10, "/bin/prog")
    report = faults(
        *SAVE_CHILD, "1 20 E /bin/compiler", *[line for _ in range(9) for line in write(B, tid=20)]
    )
    assert (report.process, report.program) == (20, "/bin/compiler")


def test_a_recording_of_nothing_but_children_takes_the_busiest(faults: Run) -> None:
    assert faults("1 10 P 20", "1 20 N 20 server", *write(A, tid=20)).process == 20


def test_a_busy_fork_child_of_an_strace_recording_is_not_the_program(tmp_path: Path) -> None:
    recording = tmp_path / "r.strace"
    recording.write_text("\n".join(STRACE_SAVE_CHILD) + "\n")
    reports = [
        import_strace(recording, tmp_path / "w.hzw", options, no_progress)
        for options in (ImportOptions(), ImportOptions(process=20))
    ]
    assert [report.process for report in reports] == [10, 20]
    assert reports[0].left_out == {"other_process.madvise": 9}
