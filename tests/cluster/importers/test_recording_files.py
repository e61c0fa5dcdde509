"""Recordings as files: compressed, damaged, foreign, large; and the command that imports them."""

import gzip
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard
from click.testing import CliRunner

from cluster.commands.importing import import_group
from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.report import ImportReport
from cluster.input_error import InputError
from cluster.workload.reader import Workload
from tests.support.faults_recording import A, advise, mmap, recording_bytes, write
from tests.support.places import ROOT

RECORDING = ROOT / "tests/recordings/sqlite_snmalloc_enforce_free2dn.ft.gz"

GOOD = [*mmap(A, 0x1000), *write(A)]


def plain_import(tmp_path: Path, content: bytes) -> ImportReport:
    (tmp_path / "r").write_bytes(content)
    return import_faults(tmp_path / "r", tmp_path / "w.hzw", ImportOptions(), no_progress)


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        zstandard.ZstdCompressor().compress,
        lambda raw: gzip.compress(raw[:50]) + gzip.compress(raw[50:]) + b"\0" * 100,
        lambda raw: raw.removesuffix(b"\n"),
    ],
)
def test_compression_changes_nothing(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    raw = recording_bytes(GOOD)
    expected = plain_import(tmp_path, raw)
    report = plain_import(tmp_path, pack(raw))
    assert report.digest == expected.digest
    assert not report.truncated


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize("damage", ["cut", "broken"])
def test_of_a_damaged_file_the_readable_part_is_kept(
    tmp_path: Path, pack: Callable[[bytes], bytes], damage: str
) -> None:
    chance = random.Random(1)
    pages = [A + (chance.randrange(1 << 20) << 12) for _ in range(40_000)]
    raw = recording_bytes([*mmap(A, 1 << 32), *[line for va in pages for line in write(va)]])
    packed = bytearray(pack(raw))
    middle = len(packed) // 2
    if damage == "cut":
        del packed[middle:]
    else:
        packed[middle : middle + 200] = bytes(200)
    report = plain_import(tmp_path, bytes(packed))
    assert report.truncated
    assert 1000 < report.instructions["access"] <= 40_000
    assert "cut short or damaged" in report.warnings[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x7fELF" + bytes(range(256)) * 2000, "not a faults recording"),
        (b"just text\n" * 5000, "not a faults recording.*Expected lines such as"),
        (b"12 1.000001 munmap(0x1000, 4096) = 0 <0.1>\n" * 9, "try `holezero import strace`"),
        (gzip.compress(b""), "not a faults recording"),
        (b"x" * (1 << 20), "not a faults recording"),
        (b"1 10 N 10 env\n1 10 Q\n", "without a single memory call"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plain_import(tmp_path, content)
    assert not (tmp_path / "w.hzw").exists()


def test_the_recording_is_not_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "r"
    source.write_bytes(recording_bytes(GOOD))
    with pytest.raises(InputError, match="the recording itself"):
        import_faults(source, source, ImportOptions(), no_progress)
    with pytest.raises(InputError, match="no such file"):
        import_faults(tmp_path / "none", source, ImportOptions(), no_progress)


def test_the_shipped_workload_is_this_recording(tmp_path: Path) -> None:
    """Also under two hash seeds: the bytes depend on nothing but the recording."""
    digests = set()
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.hzw"
        subprocess.run(
            [sys.executable, "-c", _IMPORT, RECORDING, out],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        digests.add(out.read_bytes())
    assert len(digests) == 1
    shipped = Workload.open(ROOT / "cluster/shipped/workloads/sqlite-snmalloc.hzw")
    assert Workload.open(out).digest == shipped.digest
    assert shipped.meta.counts["release"] == 28


_IMPORT = """
import sys
from pathlib import Path
from cluster.importers.faults import import_faults
from cluster.importers.recording.lines import no_progress
from cluster.importers.options import ImportOptions
import_faults(Path(sys.argv[1]), Path(sys.argv[2]), ImportOptions(), no_progress)
"""


def peak_bytes(tmp_path: Path, rounds: int) -> int:
    """Import `rounds` rounds of touching and releasing; return the peak of Python's memory."""
    round_lines = [line for page in range(64) for line in write(A + (page << 12))]
    round_lines += advise(A, 0x40000, 4)
    recording = recording_bytes([*mmap(A, 0x40000), *round_lines * rounds])
    (tmp_path / "r").write_bytes(recording)
    del recording
    tracemalloc.start()
    try:
        report = import_faults(tmp_path / "r", tmp_path / "w", ImportOptions(), no_progress)
        assert report.instructions["access"] == rounds * 64
        assert report.instructions["reuse"] == rounds - 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    small, large = peak_bytes(tmp_path, 120), peak_bytes(tmp_path, 300)
    assert large < small + (64 << 10) < 4 << 20


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    out = tmp_path / "w.hzw"
    arguments = ["faults", str(RECORDING), "-o", str(out), "--reuse", "page", "--fault-ns", "0"]
    shown = CliRunner().invoke(import_group, arguments, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "28" in next(line for line in shown.stdout.splitlines() if "release" in line)
    shown = CliRunner().invoke(import_group, [*arguments, "--json"], catch_exceptions=False)
    report = msgspec.json.decode(shown.stdout, type=ImportReport)
    assert report.digest == Workload.open(out).digest.hex()
    with pytest.raises(InputError, match="no such file"):
        CliRunner().invoke(import_group, ["faults", "none", "-o", str(out)], catch_exceptions=False)
