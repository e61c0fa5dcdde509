"""The workload file: what goes in comes out, and damage of any kind is an InputError."""

import errno
import tracemalloc
from pathlib import Path

import msgspec
import pytest
import zstandard

from actors.guest.program import (
    Access,
    Await,
    Create,
    Dma,
    DmaWait,
    Exit,
    Instruction,
    Map,
    Release,
    Reuse,
    Think,
    ThreadInfo,
)
from cluster.input_error import InputError
from cluster.workload import reader as workload_module
from cluster.workload.format import (
    BLOCK_HEAD,
    BLOCK_TAG,
    HEADER_SIZE,
    MAGIC,
    SCHEMA,
    WorkloadMeta,
    raw_digest,
)
from cluster.workload.reader import Workload
from cluster.workload.writer import WorkloadWriter

SMALL: list[Instruction] = [
    Map(0x1000, 0x3000, 3),
    Create(1),
    Access(0x1010, 3, 4096, write=True),
    Think(250),
    Release(0x1000, 0x3000, 5),
    Reuse(0x1000, 0x1000, 8),
    Dma(0x1010, 2, 4096, write=True),
    DmaWait(),
    Exit(),
]


def write_small(path: Path, source: str = "") -> bytes:
    with WorkloadWriter(path, "test") as writer:
        writer.add_thread(ThreadInfo("main/1", process=0, core=-1, initial=True))
        writer.add_thread(ThreadInfo("child/2", process=0, core=-1, initial=False))
        for instruction in SMALL:
            writer.append(0, instruction)
        writer.append(1, Await(0, 4))
        return writer.finish(WorkloadMeta(source=source, left_out={"failed.mmap": 2}))


def read_all(workload: Workload, thread: int) -> list[Instruction]:
    found = []
    while (instruction := workload.at(thread, len(found))) is not None:
        found.append(instruction)
    return found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.hzw"
    digest = write_small(path, source="a.gz")
    for workload in (Workload.open(path), Workload.from_bytes(path.read_bytes())):
        assert workload.digest == digest
        assert [info.name for info in workload.threads] == ["main/1", "child/2"]
        assert [info.initial for info in workload.threads] == [True, False]
        assert read_all(workload, 0) == SMALL
        assert read_all(workload, 1) == [Await(0, 4)]
        assert workload.meta.source == "a.gz"
        assert workload.meta.left_out == {"failed.mmap": 2}
        assert workload.meta.counts["access"] == 1
        assert workload.instructions == len(SMALL) + 1
    assert [path.name for path in tmp_path.iterdir()] == ["w.hzw"]


def test_blocks_are_cut_and_found_again_in_any_order(tmp_path: Path) -> None:
    path, count = tmp_path / "w.hzw", 1500
    with WorkloadWriter(path, "test") as writer:
        for number in range(3):
            writer.add_thread(ThreadInfo(str(number), 0, -1, initial=True))
        for index in range(count):
            for thread in range(2):
                assert writer.append(thread, Think(1000 * thread + index)) == index
        writer.finish(WorkloadMeta())
    workload = Workload.open(path)
    for thread in range(2):
        for index in (*range(0, count, 7), *range(count - 1, 0, -11)):
            assert workload.at(thread, index) == Think(1000 * thread + index)
        assert workload.length(thread) == count
        assert workload.at(thread, count) is None
    assert workload.at(2, 0) is None
    for place in ((3, 0), (0, -1), (-1, 0)):
        with pytest.raises(IndexError):
            workload.at(*place)


def test_recent_instructions_can_be_amended(tmp_path: Path) -> None:
    path = tmp_path / "w.hzw"
    with WorkloadWriter(path, "test") as writer:
        writer.add_thread(ThreadInfo("t", 0, -1, initial=True))
        for index in range(1000):
            writer.append(0, Think(index))
            assert writer.amend(0, max(0, index - 15), Think(7))
        assert not writer.amend(0, 3, Think(9))
        writer.finish(WorkloadMeta())
    assert set(read_all(Workload.open(path), 0)[:985]) == {Think(7)}


def test_the_digest_is_of_content_and_not_of_metadata(tmp_path: Path) -> None:
    first = write_small(tmp_path / "a.hzw", source="a")
    assert write_small(tmp_path / "b.hzw", source="b") == first
    assert write_small(tmp_path / "c.hzw", source="a") == first
    assert (tmp_path / "a.hzw").read_bytes() == (tmp_path / "c.hzw").read_bytes()
    with WorkloadWriter(tmp_path / "d.hzw", "test") as writer:
        writer.add_thread(ThreadInfo("main/1", 0, -1, initial=True))
        assert writer.finish(WorkloadMeta()) != first


def test_an_unfinished_file_leaves_nothing(tmp_path: Path) -> None:
    with WorkloadWriter(tmp_path / "w.hzw", "test") as writer:
        writer.add_thread(ThreadInfo("t", 0, -1, initial=True))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.hzw"
    write_small(path)
    before = path.read_bytes()

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"w\.hzw: cannot be written: No space left"):
        write_small(path)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["w.hzw"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        WorkloadWriter(tmp_path / "no" / "w.hzw", "test")
    with pytest.raises(InputError, match="cannot be read"):
        Workload.open(tmp_path / "none.hzw")
    with pytest.raises(InputError, match="folder"):
        Workload.open(tmp_path)


def test_every_cut_is_found(tmp_path: Path) -> None:
    path = tmp_path / "w.hzw"
    write_small(path)
    content = path.read_bytes()
    for size in range(len(content)):
        with pytest.raises(InputError):
            Workload.from_bytes(content[:size])
    with pytest.raises(InputError, match="not the end"):
        Workload.from_bytes(content + b"x")


def test_every_damaged_byte_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "w.hzw"
    digest = write_small(path)
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in (1, 128):
            damaged = bytearray(content)
            damaged[place] ^= bit
            try:
                workload = Workload.from_bytes(bytes(damaged))
            except InputError:
                continue
            # the name of the tool, or a meaningless bit of the zstd frame
            assert workload.digest == digest
            assert read_all(workload, 0) == SMALL


def test_other_files_and_versions_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a holezero workload.*holezero import"):
        Workload.from_bytes(b"\x1f\x8b\x08 this is a gzip file, say", "x.gz")
    with pytest.raises(InputError, match="not a holezero workload"):
        Workload.from_bytes(b"", "empty.hzw")
    for header, message in (
        ({"schema": SCHEMA, "version": 2, "tool": "new"}, "version 2, written by 'new'"),
        ({"schema": "cake", "version": 1}, "holds a 'cake'"),
    ):
        raw = msgspec.msgpack.encode(header)
        with pytest.raises(InputError, match=message):
            Workload.from_bytes(MAGIC + HEADER_SIZE.pack(len(raw)) + raw)


def header() -> bytes:
    raw = msgspec.msgpack.encode({"schema": SCHEMA, "version": 1, "tool": "t"})
    return MAGIC + HEADER_SIZE.pack(len(raw)) + raw


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("claimed", [100, 1 << 30])
def test_a_bomb_does_not_go_off(claimed: int, sized: bool) -> None:
    bomb = b"\0" * (64 << 20)
    stored = zstandard.ZstdCompressor(write_content_size=sized).compress(bomb)
    head = BLOCK_HEAD.pack(BLOCK_TAG, 0, 0, 1, claimed, len(stored), raw_digest(bomb))
    del bomb
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="damaged"):
            Workload.from_bytes(header() + head + stored)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "instruction",
    [
        Access(-16, 1, 0, write=False),
        Access(0x1000, 0, 0, write=False),
        Access(0x1000, 1 << 40, 4096, write=False),
        Map(0x1000, 0, 3),
        Map(1 << 48, 0x1000, 3),
        Think(-1),
        Await(1, 0),
        Create(9),
    ],
)
def test_impossible_instructions_are_refused(tmp_path: Path, instruction: Instruction) -> None:
    path = tmp_path / "w.hzw"
    with WorkloadWriter(path, "test") as writer:
        writer.add_thread(ThreadInfo("t", 0, -1, initial=True))
        writer.append(0, instruction)
        writer.finish(WorkloadMeta())
    told = r"damaged at byte \d+: the block of thread 0 holds an impossible instruction"
    with pytest.raises(InputError, match=told):
        Workload.open(path)


def test_a_thread_that_is_named_late_is_possible(tmp_path: Path) -> None:
    """How many threads there are is known at the end of the file only."""
    path = tmp_path / "w.hzw"
    with WorkloadWriter(path, "test") as writer:
        writer.add_thread(ThreadInfo("main", 0, -1, initial=True))
        for _ in range(600):
            writer.append(0, Create(1))
        writer.add_thread(ThreadInfo("child", 0, -1, initial=False))
        writer.finish(WorkloadMeta())
    assert read_all(Workload.open(path), 0) == [Create(1)] * 600


def test_a_block_whose_instructions_are_none_is_damaged() -> None:
    for raw, told in (
        (msgspec.msgpack.encode([["fly", 1]]), "Invalid value 'fly'"),
        (msgspec.msgpack.encode([["exit"], ["exit"]]), "does not hold the 1 of its head"),
        (b"\x91\xc1", "damaged at byte"),
    ):
        stored = zstandard.compress(raw)
        head = BLOCK_HEAD.pack(BLOCK_TAG, 0, 0, 1, len(raw), len(stored), raw_digest(raw))
        with pytest.raises(InputError, match=told):
            Workload.from_bytes(header() + head + stored)


def test_the_file_may_go_once_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "w.hzw"
    write_small(path)
    workload = Workload.open(path)
    path.unlink()
    assert read_all(workload, 0) == SMALL
    files = Path("/proc/self/fd").glob("*")
    assert not any(str(path) in str(file.readlink()) for file in files if file.is_symlink())


def test_many_threads_share_the_bound_on_decoded_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload_module, "DECODED_INSTRUCTIONS", 2000)
    path = tmp_path / "w.hzw"
    with WorkloadWriter(path, "test") as writer:
        for number in range(20):
            writer.add_thread(ThreadInfo(str(number), 0, -1, initial=True))
            for index in range(600):
                writer.append(number, Think(index * 100 + number))
        writer.finish(WorkloadMeta())
    workload = Workload.open(path)
    for index in range(0, 600, 50):
        for number in range(20):
            assert workload.at(number, index) == Think(index * 100 + number)
            kept = sum(map(len, workload._decoded.values()))
            assert kept == workload._decoded_count <= 2000
            held = {id(instructions) for _, instructions in workload._cursors if instructions}
            assert held <= {id(instructions) for instructions in workload._decoded.values()}


def test_writer_and_reader_keep_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_module, "DECODED_INSTRUCTIONS", 4096)
    path = tmp_path / "w.hzw"
    tracemalloc.start()
    try:
        with WorkloadWriter(path, "test") as writer:
            writer.add_thread(ThreadInfo("t", 0, -1, initial=True))
            for index in range(60_000):
                writer.append(0, Access(index << 12, 1, 4096, write=True))
            writer.finish(WorkloadMeta())
        workload = Workload.open(path)
        for index in range(60_000):
            workload.at(0, index)
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
