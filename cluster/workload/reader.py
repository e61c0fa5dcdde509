"""Read a workload file (`.hzw`) as a `Guest`: instructions by (thread, index), decoded on demand.

Memory is bounded by the number of blocks (16 bytes each for the index) and by
`DECODED_INSTRUCTIONS`, whatever the size of the file and the number of threads. The format is
described in `workload_format`, the writer is `workload_writer`.
"""

import os
from array import array
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import Any, Self

import msgspec

from actors.guest.program import Instruction, ThreadInfo
from cluster.input_error import InputError
from cluster.workload.format import (
    BLOCK_HEAD,
    BLOCK_INSTRUCTIONS,
    BLOCK_TAG,
    END_HEAD,
    END_TAG,
    HEADER_SIZE,
    MAGIC,
    MAX_BLOCK_BYTES,
    MAX_HEADER_BYTES,
    MAX_THREADS,
    MAX_TRAILER_BYTES,
    SCHEMA,
    VERSION,
    ContentDigest,
    FormatError,
    Trailer,
    WorkloadMeta,
    inflate,
    raw_digest,
    require,
    require_possible,
)

#: Decoded instructions kept at most, of all threads together (about 150 bytes each).
DECODED_INSTRUCTIONS = 1 << 17

#: What decoding damaged bytes raises (bad UTF-8 is no MsgspecError, deep nesting neither).
_UNREADABLE = (FormatError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

#: The stretch that a thread is reading: index of its first instruction, and the instructions.
_Cursor = tuple[int, list[Instruction]]
_NO_CURSOR: _Cursor = (0, [])


class _Content:
    """The bytes of a workload, in memory or in a file that is read as needed."""

    def __init__(self, name: str, source: bytes | int) -> None:
        self.name = name
        self._source = source
        self.size = len(source) if isinstance(source, bytes) else os.fstat(source).st_size

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Give exactly `size` bytes or say that the file was cut short."""
        if isinstance(self._source, bytes):
            piece = self._source[offset : offset + size]
        else:
            piece = os.pread(self._source, size, offset)
        if len(piece) != size:
            raise InputError(
                f"{self.name}: cut short at byte {self.size:,}, in {what}. "
                "Copy or import the file again."
            )
        return piece

    def close(self) -> None:
        if not isinstance(self._source, bytes):
            os.close(self._source)
            self._source = b""


class Workload:
    """A recorded guest; implements `actors.guest.program.Guest`.

    `digest` covers threads and instructions; every block is checked against it when the file is
    opened (about 0.1 s for each million instructions).
    """

    threads: tuple[ThreadInfo, ...]
    digest: bytes

    def __init__(self, content: _Content) -> None:
        self._content = content
        self._decoder = msgspec.msgpack.Decoder(list[Instruction])
        self._firsts: list[array[int]] = []
        self._offsets: list[array[int]] = []
        self._lengths: list[int] = []
        offset = self._read_header()
        trailer = self._scan(offset)
        self.threads = trailer.threads
        self.digest = trailer.digest
        self._meta = trailer.meta
        self._cursors: list[_Cursor] = [_NO_CURSOR] * len(self.threads)
        self._decoded: OrderedDict[tuple[int, int], list[Instruction]] = OrderedDict()
        self._decoded_count = 0

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a workload file.

        Raises:
            InputError: there is no such file, or it is no workload that this version reads.
        """
        path = Path(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"{path}: can not be read: {error.strerror}.") from error
        content = _Content(str(path), fd)
        try:
            return cls(content)
        except IsADirectoryError as error:
            content.close()
            raise InputError(f"{path}: is a folder, not a workload file.") from error
        except BaseException:
            content.close()
            raise

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "workload in memory") -> Self:
        """Read a workload whose bytes are at hand; `name` is for messages.

        Raises:
            InputError: it is no workload that this version reads.
        """
        return cls(_Content(name, bytes(content)))

    @property
    def meta(self) -> WorkloadMeta:
        """Where the workload comes from and what it leaves out."""
        return self._meta

    @property
    def instructions(self) -> int:
        """Instructions of all threads together."""
        return sum(self._lengths)

    def length(self, thread: int) -> int:
        """Give the number of instructions of one thread."""
        return self._lengths[thread]

    def families(self, processes: int) -> tuple[int, ...]:
        """Number the families of processes: a recording's are all of one tree."""
        return (0,) * processes

    def at(self, thread: int, index: int) -> Instruction | None:
        """Give instruction `index` of `thread`, or None behind its end.

        Raises:
            IndexError: there is no such thread, or the index is negative.
            InputError: the file changed or broke under us.
        """
        first, instructions = self._cursors[thread]
        place = index - first
        if 0 <= place < len(instructions):
            return instructions[place]
        return self._turn_to(thread, index)

    def close(self) -> None:
        """Close the file; only blocks that are decoded can be read from then on."""
        self._content.close()

    def __del__(self) -> None:
        content = getattr(self, "_content", None)
        if content is not None:
            content.close()

    def _turn_to(self, thread: int, index: int) -> Instruction | None:
        """Make the block that holds `index` the one that the thread is reading."""
        if index < 0 or thread < 0:
            raise IndexError(f"{self._content.name}: no instruction ({thread}, {index})")
        if index >= self._lengths[thread]:
            return None
        block = bisect_right(self._firsts[thread], index) - 1
        key = (thread, block)
        instructions = self._decoded.get(key)
        if instructions is None:
            instructions = self._decode(thread, block)
            self._decoded[key] = instructions
            self._decoded_count += len(instructions)
            self._forget_oldest()
        else:
            self._decoded.move_to_end(key)
        first = self._firsts[thread][block]
        self._cursors[thread] = (first, instructions)
        return instructions[index - first]

    def _forget_oldest(self) -> None:
        """Drop the blocks that were turned to longest ago until the bound holds."""
        while self._decoded_count > DECODED_INSTRUCTIONS and len(self._decoded) > 1:
            (thread, _), dropped = self._decoded.popitem(last=False)
            self._decoded_count -= len(dropped)
            if self._cursors[thread][1] is dropped:
                self._cursors[thread] = _NO_CURSOR

    def _decode(self, thread: int, block: int) -> list[Instruction]:
        offset = self._offsets[thread][block]
        head = self._content.read(offset, BLOCK_HEAD.size, "the head of a block")
        _, _, _, count, raw_bytes, stored_bytes, digest = BLOCK_HEAD.unpack(head)
        stored = self._content.read(offset + BLOCK_HEAD.size, stored_bytes, "a block")
        try:
            raw = inflate(stored, raw_bytes, MAX_BLOCK_BYTES)
            require(raw_digest(raw) == digest, "changed since the file was opened")
            instructions = self._decoder.decode(raw)
            require(len(instructions) == count, f"does not hold the {count} of its head")
            require_possible(instructions, len(self.threads))
        except _UNREADABLE as error:
            raise self._corrupt(offset, f"the block of thread {thread}", error) from error
        return instructions

    def _read_header(self) -> int:
        """Check magic, schema and version; give the offset of the first block."""
        name, start = self._content.name, len(MAGIC)
        magic = self._content.read(0, min(start, self._content.size), "the magic")
        if magic != MAGIC:
            raise InputError(
                f"{name}: not a holezero workload (it starts with {magic!r}). A recording becomes "
                "one by `holezero import faults FILE -o W` or `holezero import strace FILE -o W`."
            )
        (size,) = HEADER_SIZE.unpack(self._content.read(start, HEADER_SIZE.size, "the header"))
        if size > MAX_HEADER_BYTES:
            raise self._corrupt(start, "the header", FormatError(f"claims {size:,} bytes"))
        raw = self._content.read(start + HEADER_SIZE.size, size, "the header")
        try:
            header = msgspec.msgpack.decode(raw, type=dict[str, Any])
        except _UNREADABLE as error:
            raise self._corrupt(start, "the header", error) from error
        if header.get("schema") != SCHEMA:
            raise InputError(f"{name}: holds a {header.get('schema')!r}, not a {SCHEMA!r}.")
        if header.get("version") != VERSION:
            raise InputError(
                f"{name}: workload format version {header.get('version')!r}, written by "
                f"{header.get('tool')!r}; this holezero reads version {VERSION}. Import the "
                "recording again with this holezero, or use the one that wrote the file."
            )
        return start + HEADER_SIZE.size + len(raw)

    def _scan(self, offset: int) -> Trailer:
        """Index and check every block; give the trailer."""
        digest, blocks = ContentDigest(), 0
        while True:
            tag = self._content.read(offset, len(BLOCK_TAG), "a block (there is no trailer)")
            if tag == END_TAG:
                break
            if tag != BLOCK_TAG:
                raise self._corrupt(offset, "a block", FormatError(f"starts with {tag!r}"))
            offset = self._scan_block(offset, digest)
            blocks += 1
        trailer = self._read_trailer(offset)
        if len(self._lengths) > len(trailer.threads):
            raise self._corrupt(offset, "the trailer", FormatError("names too few threads"))
        for _ in range(len(trailer.threads) - len(self._lengths)):
            self._add_thread()
        total = sum(self._lengths)
        if (trailer.blocks, trailer.instructions) != (blocks, total):
            raise self._corrupt(offset, "the trailer", FormatError("counts other blocks"))
        if trailer.digest != digest.finish(trailer.threads):
            raise self._corrupt(offset, "the trailer", FormatError("has another digest"))
        return trailer

    def _scan_block(self, offset: int, digest: ContentDigest) -> int:
        head = self._content.read(offset, BLOCK_HEAD.size, "the head of a block")
        _, thread, first, count, raw_bytes, stored_bytes, content = BLOCK_HEAD.unpack(head)
        try:
            require(thread < MAX_THREADS, "is of an impossible thread")
            require(0 < count <= BLOCK_INSTRUCTIONS, f"claims {count} instructions")
            require(stored_bytes <= 2 * MAX_BLOCK_BYTES, f"claims {stored_bytes:,} bytes")
            stored = self._content.read(offset + BLOCK_HEAD.size, stored_bytes, "a block")
            raw = inflate(stored, raw_bytes, MAX_BLOCK_BYTES)
            require(raw_digest(raw) == content, "does not match its checksum")
            while thread >= len(self._lengths):
                self._add_thread()
            require(first == self._lengths[thread], f"starts at {first}, out of order")
        except FormatError as error:
            raise self._corrupt(offset, f"the block of thread {thread}", error) from error
        self._firsts[thread].append(first)
        self._offsets[thread].append(offset)
        self._lengths[thread] += count
        digest.add_block(thread, first, count, content)
        return offset + BLOCK_HEAD.size + len(stored)

    def _read_trailer(self, offset: int) -> Trailer:
        head = self._content.read(offset, END_HEAD.size, "the trailer")
        _, raw_bytes, stored_bytes, digest = END_HEAD.unpack(head)
        start = offset + END_HEAD.size
        try:
            require(stored_bytes <= 2 * MAX_TRAILER_BYTES, f"claims {stored_bytes:,} bytes")
            stored = self._content.read(start, stored_bytes, "the trailer")
            raw = inflate(stored, raw_bytes, MAX_TRAILER_BYTES)
            require(raw_digest(raw) == digest, "does not match its checksum")
            require(start + stored_bytes == self._content.size, "is not the end of the file")
            return msgspec.msgpack.decode(raw, type=Trailer)
        except _UNREADABLE as error:
            raise self._corrupt(offset, "the trailer", error) from error

    def _add_thread(self) -> None:
        self._firsts.append(array("Q"))
        self._offsets.append(array("Q"))
        self._lengths.append(0)

    def _corrupt(self, offset: int, what: str, error: Exception) -> InputError:
        return InputError(
            f"{self._content.name}: damaged at byte {offset:,}: {what} {error}. "
            "Copy or import the file again."
        )
