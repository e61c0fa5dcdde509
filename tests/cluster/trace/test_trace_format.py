"""The bytes of a trace: what was written is read, and nothing else is accepted."""

import struct
import tracemalloc
from pathlib import Path

import msgpack
import msgspec
import pytest
import zstandard

from cluster.hosts import model
from cluster.input_error import InputError
from cluster.replay.replaying import replay
from cluster.scenario.shipped import shipped
from cluster.trace import reader
from cluster.trace.format import (
    BLOCK_HEAD,
    BODY_TAG,
    HEAD_TAG,
    LAST_TAG,
    MAGIC,
    MAX_BLOCK_BYTES,
    Delivery,
    End,
    Header,
    Order,
    ReceiverCheckpoint,
    RunCheckpoint,
    TimerDelivery,
    block_digest,
    header_of,
    rebuild,
)
from cluster.trace.reader import TraceReader
from cluster.trace.writer import TraceWriter
from tests.support.traced_runs import contended, record_inline

END = End(deliveries=5, digest="00", complete=True, failures={"vm0": "E: no"})
RECORDS = [
    Delivery(0, b"abc"),
    TimerDelivery(1, b""),
    Order(2, (-1, 7, 3, 1, 7, 1)),
    ReceiverCheckpoint(2, 4, b"d" * 16),
    RunCheckpoint(5, b"e" * 16),
]


def write(path: Path, records: list = RECORDS, end: End | None = END) -> Header:
    header = header_of(contended(), engine="ray-free", kind="full")
    with TraceWriter(path, header) as trace:
        for record in records:
            trace.add(record)
            trace.flush()
        if end is not None:
            trace.finish(end)
    return header


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Return (offset, tag) of each block."""
    found, at = [], len(MAGIC)
    while at < len(data):
        tag, _, stored, _ = BLOCK_HEAD.unpack_from(data, at)
        found.append((at, tag))
        at += BLOCK_HEAD.size + stored
    return found


def block(tag: bytes, raw: bytes, *, claim: int | None = None) -> bytes:
    stored = zstandard.compress(raw)
    size = len(raw) if claim is None else claim
    return BLOCK_HEAD.pack(tag, size, len(stored), block_digest(tag, stored)) + stored


def forge(path: Path, *bodies: bytes, header: dict | None = None) -> Path:
    """Write a trace with correct checksums, whatever is in it."""
    made = msgspec.to_builtins(header_of(contended(), engine="ray-free"), builtin_types=(bytes,))
    made |= header or {}
    path.write_bytes(
        MAGIC
        + block(HEAD_TAG, msgpack.packb(made))
        + b"".join(block(BODY_TAG, body) for body in bodies)
        + block(LAST_TAG, msgspec.msgpack.encode(END))
    )
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    header = write(tmp_path / "t.trace")
    with TraceReader(tmp_path / "t.trace") as reader:
        assert reader.header == header
        assert reader.end == END
        assert list(reader) == RECORDS
        assert list(reader) == RECORDS  # again
    tags = [tag for _, tag in blocks((tmp_path / "t.trace").read_bytes())]
    assert tags == [HEAD_TAG, *[BODY_TAG] * 5, LAST_TAG]


def test_a_header_holds_all_that_a_run_starts_from(tmp_path: Path) -> None:
    setup = contended()
    header = write(tmp_path / "t.trace")
    again = rebuild(header, "here")
    assert again.settings == setup.settings
    assert again.guest == setup.guest
    assert again.profile == setup.profile
    assert again.wiring == setup.wiring
    assert header.lane_name(1) == "b"
    assert header.lane_named("zeroer0") == header.lane_named(str((1 << 30) + 5))
    with pytest.raises(InputError, match="no operation 'c'"):
        header.lane_named("c")
    with pytest.raises(InputError, match="no actor 'core7'"):
        header.actor_named("core7")


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    record_inline(tmp_path / "a.trace", "full")
    record_inline(tmp_path / "b.trace", "full")
    assert (tmp_path / "a.trace").read_bytes() == (tmp_path / "b.trace").read_bytes()


def test_a_file_cut_anywhere_is_refused_or_read_as_a_prefix(tmp_path: Path) -> None:
    write(tmp_path / "whole.trace")
    data = (tmp_path / "whole.trace").read_bytes()
    starts = [at for at, _ in blocks(data)]
    path = tmp_path / "cut.trace"
    for size in sorted({*range(0, len(data), 7), *starts, *(at + 20 for at in starts)}):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"cut\.trace: (cut short|not a holezero trace)"):
            TraceReader(path)
        if size < starts[1]:
            with pytest.raises(InputError):
                TraceReader(path, allow_prefix=True)
            continue
        with TraceReader(path, allow_prefix=True) as reader:
            assert reader.end is None
            whole = sum(at <= size for at in starts[2:])
            assert list(reader) == RECORDS[:whole]


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    write(tmp_path / "whole.trace")
    data = bytearray((tmp_path / "whole.trace").read_bytes())
    path = tmp_path / "bad.trace"
    for at in range(0, len(data), 3):  # every bit of every field is hit at some offset
        data[at] ^= 1 << at % 8
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"bad\.trace: "), TraceReader(path) as reader:
            list(reader)
        data[at] ^= 1 << at % 8


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    write(tmp_path / "t.trace")
    data = bytearray((tmp_path / "t.trace").read_bytes())
    at = blocks(data)[3][0]
    data[at + BLOCK_HEAD.size + 6] ^= 0xFF
    (tmp_path / "t.trace").write_bytes(data)
    with (
        TraceReader(tmp_path / "t.trace") as reader,
        pytest.raises(InputError, match=f"the block at byte {at:,} "),
    ):
        list(reader)


def test_what_follows_the_last_record_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t.trace")
    with (tmp_path / "t.trace").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="follows the last record"):
        TraceReader(tmp_path / "t.trace")


@pytest.mark.parametrize("content", [b"", b"[machine]\ncores = 2\n", b"\x89HZW\r\n\x1a\nabcdef"])
def test_a_foreign_file_is_told_apart(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.trace").write_bytes(content)
    with pytest.raises(InputError, match="not a holezero trace"):
        TraceReader(tmp_path / "t.trace")


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        TraceReader(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        TraceReader(tmp_path / "none.trace")
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write(tmp_path / "none" / "t.trace")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = forge(tmp_path / "t.trace", header={"version": 9, "holezero": "3.1"})
    with pytest.raises(InputError, match=r"version 9, written by holezero 3\.1; this holezero"):
        TraceReader(path)
    path = forge(tmp_path / "t.trace", header={"schema": "pizza"})
    with pytest.raises(InputError, match="holds a 'pizza'"):
        TraceReader(path)


def test_another_model_names_the_release_that_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "t.trace")
    monkeypatch.setattr(reader, "MODEL", model.MODEL + 1)
    monkeypatch.setitem(model.RELEASES, model.MODEL, "0.4")
    with pytest.raises(InputError, match=r"model \d .* has model \d.*\. holezero 0\.4 replays it"):
        TraceReader(tmp_path / "t.trace")
    monkeypatch.undo()
    path = forge(tmp_path / "t.trace", header={"model": 99, "holezero": "7.0"})
    with pytest.raises(InputError, match=r"model 99 by holezero 7\.0.*holezero 7\.0 replays it"):
        TraceReader(path)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ([1, 99, b""], "names actor 99"),
        ([1, -1, b""], "names actor -1"),
        ([1, 0, "text"], "Expected `bytes`"),
        ([9, 0, b""], "Invalid value 9"),
        ([3, 0, [1, 2]], "an order cut short"),
        ([3, 0, [1, 2, 0]], "an order of nothing"),
        ({"a": 1}, "Expected `array`"),
        (7, "Expected `array`"),
    ],
)
def test_records_that_are_none_are_refused(tmp_path: Path, record: object, text: str) -> None:
    path = forge(tmp_path / "t.trace", msgpack.packb(record))
    with TraceReader(path) as reader, pytest.raises(InputError, match=text):
        list(reader)


def test_a_record_cut_short_within_a_block_is_refused(tmp_path: Path) -> None:
    path = forge(tmp_path / "t.trace", msgpack.packb([1, 0, b"abcdef"])[:-2])
    with TraceReader(path) as reader, pytest.raises(InputError, match="is cut short"):
        list(reader)


def test_messages_that_are_none_are_refused_by_replay(tmp_path: Path) -> None:
    path = forge(tmp_path / "t.trace", msgpack.packb([1, 0, b"\x93\x01"]))
    with pytest.raises(InputError, match="a message that is none"):
        replay(path)
    path = forge(tmp_path / "t.trace", msgpack.packb([5, 10, b"d" * 16]))
    with pytest.raises(InputError, match="a live trace with a record of an inline one"):
        replay(path)
    path = forge(tmp_path / "t.trace", msgpack.packb([1, 0, b""]), header={"engine": "inline"})
    with pytest.raises(InputError, match="holds a record of a live trace"):
        replay(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zstandard.compress(bytes(1 << 28))
    for claim in (100, 1 << 28, 0xFFFFFFFF):
        head = BLOCK_HEAD.pack(BODY_TAG, claim, len(bomb), block_digest(BODY_TAG, bomb))
        path = forge(tmp_path / "t.trace")
        data = path.read_bytes()
        at = blocks(data)[-1][0]
        path.write_bytes(data[:at] + head + bomb + data[at:])
        tracemalloc.start()
        with TraceReader(path) as reader, pytest.raises(InputError, match=r"claims|another size"):
            list(reader)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * MAX_BLOCK_BYTES
    assert struct.calcsize("<4sII16s") == BLOCK_HEAD.size


def test_memory_does_not_grow_with_the_trace(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        path = tmp_path / f"{records}.trace"
        with TraceWriter(path, header_of(contended(), kind="full")) as trace:
            for number in range(records):
                trace.record(number % 6, number.to_bytes(8) * 8)
            trace.finish(END)
        tracemalloc.start()
        with TraceReader(path) as reader:
            assert sum(1 for _ in reader) == records
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(16_000) < 1.2 * peak(4_000)


def test_a_writer_that_can_not_write_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TraceWriter(tmp_path / "t.trace", header_of(contended())) as trace:
        trace.add(RECORDS[0])

        class Full:
            closed = False

            def write(self, data: bytes) -> None:
                raise OSError(28, "No space left on device")

            def close(self) -> None:
                self.closed = True

        trace._file.close()
        monkeypatch.setattr(trace, "_file", Full())
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            trace.close()


def test_a_run_with_a_workload_needs_that_workload(tmp_path: Path) -> None:
    header = msgspec.structs.replace(
        write(tmp_path / "t.trace"), scenario={"workload": {"file": "nowhere.hzw"}}
    )
    with TraceWriter(tmp_path / "t.trace", header) as trace:
        trace.finish(END)
    with pytest.raises(InputError, match="needs the workload nowhere"):
        replay(tmp_path / "t.trace")
    other = shipped("workloads", ".hzw")["sqlite-snmalloc"]
    with pytest.raises(InputError, match="recorded with another guest"):
        replay(tmp_path / "t.trace", workload=other)
