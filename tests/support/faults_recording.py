"""Tiny faults recordings, written line by line, and what an import makes of them."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.guest.program import Access, Instruction, Think
from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.report import ImportReport
from cluster.workload.reader import Workload

#: Nearly all happens at 1 us: no thinking time, and indexes are easy to read.
START = ["1 10 N 10 env", "1 10 E /bin/prog"]
ANON, NORESERVE = "22", "4022"
A, B = 0x7F0000000000, 0x7F0000100000

Streams = list[list[Instruction]]
Import = Callable[..., tuple[ImportReport, Streams]]


def importer(folder: Path) -> Import:
    """Give a function that imports the lines of a recording, whose begin is `START`."""

    def run(*lines: str, thinking: bool = False, **options: object) -> tuple[ImportReport, Streams]:
        out = folder / "w.hzw"
        (folder / "r.ft").write_bytes(recording_bytes(list(lines)))
        chosen = msgspec.convert(options, ImportOptions)
        report = import_faults(folder / "r.ft", out, chosen, no_progress)
        return report, streams(out, thinking=thinking)

    return run


def recording_bytes(lines: list[str]) -> bytes:
    return ("\n".join([*START, *lines]) + "\n").encode()


def streams(out: Path, *, thinking: bool) -> list[list[Instruction]]:
    workload = Workload.open(out)
    found = []
    for thread in range(len(workload.threads)):
        stream = [workload.at(thread, index) for index in range(workload.length(thread))]
        found.append([one for one in stream if one and (thinking or not isinstance(one, Think))])
    return found


def call(tid: int, name: str, *args: int | str, result: int = 0, at: int = 1) -> list[str]:
    """Give the two lines of a call whose arguments are numbers or hex texts."""
    shown = " ".join(one if isinstance(one, str) else f"{one:08x}" for one in args)
    return [f"{at} {tid} S {name} {shown}", f"{at} {tid} R {name} {result & (1 << 64) - 1:x}"]


def mmap(va: int, length: int, prot: int = 3, flags: str = ANON, tid: int = 10) -> list[str]:
    return call(tid, "mmap", 0, length, prot, flags, "ffffffff", 0, result=va)


def advise(va: int, length: int, advice: int, tid: int = 10) -> list[str]:
    return call(tid, "madvise", va, length, advice)


def protect(va: int, length: int, prot: int, tid: int = 10) -> list[str]:
    return call(tid, "mprotect", va, length, prot)


def write(va: int, tid: int = 10) -> list[str]:
    return [f"1 {tid} F {va:x} 6"]


def access(va: int, *, store: bool = True) -> Access:
    return Access(va, 1, 4096, store)
