"""strace recordings: tiny ones with their exact instructions, cut calls, and odd layouts."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actors.guest.program import (
    Access,
    Await,
    Create,
    Exit,
    How,
    Instruction,
    Map,
    Release,
    Reuse,
    Think,
    Unmap,
)
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.report import ImportReport
from cluster.importers.strace import import_strace
from cluster.input_error import InputError
from cluster.workload.reader import Workload
from tests.support.faults_recording import Streams, streams
from tests.support.places import TESTS

RECORDINGS = TESTS / "recordings"
START = '10 1700000000.000000 execve("/bin/prog", ["prog", "-x"], 0x7ff /* 4 vars */) = 0 <0.0>'
A, B = 0x7F0000000000, 0x7F0000100000
NO_TOUCH = {"touch": "none"}
CLONE = "clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SETTLS, stack=0x7f, stack_size=0x7fff80}"

Import = Callable[..., tuple[ImportReport, Streams]]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    def run(*lines: str, thinking: bool = False, **options: object) -> tuple[ImportReport, Streams]:
        recording, out = tmp_path / "r.strace", tmp_path / "w.hzw"
        recording.write_text("\n".join(lines) + "\n")
        chosen = msgspec.convert(options, ImportOptions)
        report = import_strace(recording, out, chosen, no_progress)
        return report, streams(out, thinking=thinking)

    return run


def line(text: str, tid: int = 10, at_us: int = 0) -> str:
    return f"{tid} 1700000000.{at_us:06} {text}"


def mmap(va: int, length: int, flags: str = "MAP_PRIVATE|MAP_ANONYMOUS", tid: int = 10) -> str:
    text = f"mmap(NULL, {length}, PROT_READ|PROT_WRITE, {flags}, -1, 0) = {va:#x} <0.000000>"
    return line(text, tid)


def advise(va: int, length: int, advice: str, tid: int = 10) -> str:
    return line(f"madvise({va:#x}, {length}, MADV_{advice})   = 0 <0.000000>", tid)


def protect(va: int, length: int, prot: str) -> str:
    return line(f"mprotect({va:#x}, {length}, {prot}) = 0 <0.000000>")


def munmap(va: int, length: int, tid: int = 10) -> str:
    return line(f"munmap({va:#x}, {length})              = 0 <0.000000>", tid)


def written(va: int, pages: int) -> Access:
    return Access(va, pages, 4096, write=True)


def test_calls_become_instructions(imported: Import) -> None:
    report, (stream,) = imported(
        START,
        line("brk(NULL)         = 0x5000 <0.000001>"),
        line("brk(0x6000)       = 0x6000 <0.000001>"),
        mmap(A, 0x3001),
        advise(A, 0x4000, "FREE"),
        protect(A, 0x4000, "PROT_NONE"),
        protect(A, 0x1000, "PROT_READ|PROT_WRITE"),
        line(f"munmap({A:#x}, 8) = -1 EINVAL (Invalid argument) <0.000001>"),
        line("mincore(0x7f, 4096, 0x7ffd) = 0 <0.000001>"),
        line("madvise(0x7f0000000000, 4096, 0x63 /* MADV_??? */) = 0 <0.000001>"),
        line("--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---"),
        line("munmap(0x7f0000000000, 4096 <unfinished ...>"),
        line("+++ exited with 0 +++"),
        **NO_TOUCH,
    )
    assert stream == [
        Map(0x5000, 0x1000, 3),
        Map(A, 0x4000, 3),
        Release(A, 0x4000, How.FREE | How.NONE),
        Reuse(A, 0x1000, How.OPEN),
        Exit(),
    ]
    assert report.program == "/bin/prog -x"
    assert report.left_out == {
        "failed.munmap": 1,
        "signal": 1,
        "unfinished_call": 1,
        "unsupported.advice_99": 1,
        "unsupported.mincore": 1,
    }


def test_thinking_leaves_out_the_time_in_calls(imported: Import) -> None:
    _, (stream,) = imported(
        START,
        line("brk(NULL) = 0x5000 <0.000100>", at_us=50),
        line("brk(0x6000) = 0x6000 <0.000010>", at_us=200),
        line("brk(0x7000 <unfinished ...>", at_us=215),
        line("munmap(0x1000, 1) = 0 <0.1>", tid=99, at_us=220),
        line("<... brk resumed>) = 0x7000 <0.000015>", at_us=240),
        line("brk(0x6000) = 0x6000 <0.000010>", at_us=250),
        thinking=True,
        **NO_TOUCH,
    )
    assert stream == [
        Think(200_000),
        Map(0x5000, 0x1000, 3),
        Think(5_000),
        Map(0x6000, 0x1000, 3),
        Think(10_000),
        Unmap(0x6000, 0x1000),
    ]


def test_threads_are_told_from_processes_even_when_their_lines_come_early(
    imported: Import,
) -> None:
    report, (main, thread) = imported(
        START,
        mmap(A, 0x4000),
        line(f"{CLONE} <unfinished ...>"),
        advise(A, 0x1000, "DONTNEED", tid=11),
        line("+++ exited with 0 +++", tid=11),
        line("<... clone3 resumed> => {parent_tid=[11]}, 88) = 11 <0.000161>"),
        line("clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 11 <0.0001>"),
        mmap(B, 0x1000, tid=11),
        line("vfork( <unfinished ...>"),
        munmap(B, 0x1000, tid=12),
        line("<... vfork resumed>) = 12 <0.000808>"),
        munmap(A, 0x2000),
        **NO_TOUCH,
    )
    assert main == [Map(A, 0x4000, 3), Create(1), Await(1, 0), Unmap(A, 0x2000)]
    assert thread == [Release(A, 0x1000, How.DONTNEED), Exit()]
    assert report.left_out == {"other_process.mmap": 1, "other_process.munmap": 1}


def test_cut_calls_take_memory_at_entry_and_give_it_at_return(imported: Import) -> None:
    _, (main, other) = imported(
        START,
        mmap(A, 0x1000),
        line(f"{CLONE} => {{parent_tid=[11]}}, 88) = 11 <0.000161>"),
        line("mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS <unfinished ...>", tid=11),
        line(f"munmap({A:#x}, 4096 <unfinished ...>"),
        line(f"<... mmap resumed>, -1, 0) = {A:#x} <0.000024>", tid=11),
        line("<... munmap resumed>)             = 0 <0.000072>"),
        **NO_TOUCH,
    )
    assert main == [Map(A, 0x1000, 3), Create(1), Unmap(A, 0x1000)]
    assert [one for one in other if not isinstance(one, Think)] == [
        Await(0, 2),
        Map(A, 0x1000, 1),
    ]


LIFE = (
    START,
    mmap(A, 0x8000),
    advise(A, 0x8000, "FREE"),
    advise(A, 0x8000, "FREE"),
    advise(A, 0x8000, "DONTNEED"),
    munmap(A, 0x8000),
)
RELEASES: list[Instruction] = [
    Release(A, 0x8000, How.FREE),
    Release(A, 0x8000, How.FREE),
    Release(A, 0x8000, How.DONTNEED),
    Unmap(A, 0x8000),
]


@pytest.mark.parametrize(
    ("touch", "extra"),
    [
        ("none", {}),
        ("release", {1: [written(A, 4)], 2: [Reuse(A, 0x8000, How.TOUCH), written(A, 4)]}),
        ("first", {1: [written(A, 4)], 2: [Reuse(A, 0x8000, How.TOUCH), written(A, 4)]}),
    ],
)
def test_touches_are_assumed_by_a_stated_rule(
    imported: Import, touch: str, extra: dict[int, list[Instruction]]
) -> None:
    """A second FREE means a second life of the range; a DONTNEED or munmap after it does not."""
    _, (stream,) = imported(*LIFE, touch=touch)
    expected: list[Instruction] = [Map(A, 0x8000, 3)]
    for place, release in enumerate(RELEASES, start=1):
        expected += [*extra.get(place, []), release]
    assert stream == expected


def test_assumed_touches_are_bounded(imported: Import) -> None:
    huge = 1 << 38
    report, (stream,) = imported(
        START,
        mmap(A, huge),
        munmap(A, huge),
        mmap(B, 0x800000, "MAP_PRIVATE|MAP_ANONYMOUS|MAP_STACK"),
        munmap(B, 0x800000),
        mmap(A, 0x1000, "MAP_SHARED|MAP_ANONYMOUS"),
        munmap(A, 0x1000),
        touch_pages=100,
        touch_fraction=1.0,
    )
    assert [one for one in stream if isinstance(one, Access)] == [
        written(A, 100),
        written(B + 0x7FC000, 4),
    ]
    assert report.pages == 104


def test_first_touches_follow_every_grant(imported: Import) -> None:
    _, (stream,) = imported(
        START,
        mmap(A, 0x4000),
        protect(A, 0x4000, "PROT_NONE"),
        protect(A, 0x2000, "PROT_READ|PROT_WRITE"),
        touch="first",
    )
    assert stream == [
        Map(A, 0x4000, 3),
        written(A, 2),
        Release(A, 0x4000, How.NONE),
        Reuse(A, 0x2000, How.OPEN),
        written(A, 1),
    ]


@pytest.mark.parametrize(
    "layout", ["{tid} {text}", "[pid    {tid}] {text}", "{text}", "{tid} 12:00:00.000001 {text}"]
)
def test_other_layouts_of_strace_are_read(imported: Import, layout: str) -> None:
    lines = [one.split(" ", 2)[2] for one in (START, mmap(A, 0x1000), munmap(A, 0x1000))]
    report, (stream,) = imported(*[layout.format(tid=10, text=text) for text in lines], **NO_TOUCH)
    assert stream == [Map(A, 0x1000, 3), Unmap(A, 0x1000)]
    untimed = [text for text in report.warnings if "no times" in text]
    assert bool(untimed) == (":" not in layout)


def test_lines_of_the_program_and_broken_lines_are_counted(imported: Import) -> None:
    report, (stream,) = imported(
        START,
        "Hello from the program",
        "strace: Process 11 attached",
        line("mmap(NULL, 4096, PROT_READ|PROT_WR"),
        line("<... munmap resumed>) = 0 <0.1>"),
        line("madvise(0x7f0000000000, x, MADV_FREE) = 0 <0.1>"),
        line("mprotect(0x7f0000000000) = 0 <0.1>"),
        line("munmap(0x7f0000000000, 99999999999999999999999) = 0 <0.1>"),
        mmap(A, 0x1000),
        "x" * 100_000,
        **NO_TOUCH,
    )
    assert stream == [Map(A, 0x1000, 3)]
    assert (report.malformed, report.foreign) == (6, 2)


def test_a_faults_recording_is_told_from_this(imported: Import) -> None:
    with pytest.raises(InputError, match="try `holezero import faults`"):
        imported("1 10 N 10 env", "2 10 F 7f0000 6")
    with pytest.raises(InputError, match="no process 77 with memory events"):
        imported(*LIFE, process=77)


@pytest.mark.parametrize(
    ("name", "threads", "releases", "reuses"),
    [("sqlite_snmalloc_enforce", 1, 21, 12), ("snperf_contention_fast", 16, 128, 12)],
)
def test_recordings_of_real_programs(
    tmp_path: Path, name: str, threads: int, releases: int, reuses: int
) -> None:
    source = RECORDINGS / f"{name}.strace.gz"
    reports = [
        import_strace(source, tmp_path / out, ImportOptions(), no_progress)
        for out in ("a.hzw", "b.hzw")
    ]
    assert (tmp_path / "a.hzw").read_bytes() == (tmp_path / "b.hzw").read_bytes()
    counts = reports[0].instructions
    assert (counts["release"], counts["reuse"]) == (releases, reuses)
    assert (reports[0].malformed, reports[0].foreign, reports[0].truncated) == (0, 0, False)
    workload = Workload.open(tmp_path / "a.hzw")
    assert len(workload.threads) == threads
    assert "strace" in workload.meta.format
    assert any("Assumed: just before a range" in text for text in workload.meta.assumptions)
