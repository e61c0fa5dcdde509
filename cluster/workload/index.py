"""Check a whole workload file (`.hzw`), and find where its blocks are.

Every block is decompressed, compared with its checksum, decoded, and its instructions are checked:
what reads a checked file later cannot fail. One block at a time is decoded.
"""

from array import array
from typing import Any

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
    Named,
    Trailer,
    WorkloadMeta,
    inflate,
    raw_digest,
    require,
    require_possible,
)

#: What decoding damaged bytes raises (bad UTF-8 is no MsgspecError, deep nesting neither).
_UNREADABLE = (FormatError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class BlockIndex(msgspec.Struct, frozen=True):
    """What a checked file holds; 16 bytes a block."""

    threads: tuple[ThreadInfo, ...]
    digest: bytes
    meta: WorkloadMeta
    #: by thread: number of instructions
    lengths: list[int]
    #: by thread, of each block: index of its first instruction, and where the block begins
    firsts: "list[array[int]]"
    offsets: "list[array[int]]"


def check(content: bytes, name: str) -> BlockIndex:
    """Check the bytes of a file; `name` is for messages.

    Takes about 0.4 s for each million instructions.

    Raises:
        InputError: it is no workload that this version reads.
    """
    return _Check(content, name).index()


class _Check:
    """One pass over a file."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self.digest = ContentDigest()
        self.decoder = msgspec.msgpack.Decoder(list[Instruction])
        self.blocks = 0
        self.lengths: list[int] = []
        self.firsts: list[array[int]] = []
        self.offsets: list[array[int]] = []
        #: of the instructions that name another thread the one with the highest; where it stands
        self.farthest: Named | None = None
        self.place = (0, 0)

    def index(self) -> BlockIndex:
        offset = self._header()
        while True:
            tag = self._read(offset, len(BLOCK_TAG), "a block (there is no trailer)")
            if tag == END_TAG:
                break
            if tag != BLOCK_TAG:
                raise self._damaged(offset, "a block", FormatError(f"starts with {tag!r}"))
            offset = self._block(offset)
        trailer = self._trailer(offset)
        self._compare(offset, trailer)
        return BlockIndex(
            trailer.threads, trailer.digest, trailer.meta, self.lengths, self.firsts, self.offsets
        )

    def _header(self) -> int:
        """Check magic, schema and version; return where the first block begins."""
        start = len(MAGIC)
        magic = self._read(0, min(start, len(self.content)), "the magic")
        if magic != MAGIC:
            raise InputError(
                f"{self.name}: not a holezero workload (it starts with {magic!r}). A recording "
                "becomes one by `holezero import faults FILE -o W` or `holezero import strace "
                "FILE -o W`."
            )
        (size,) = HEADER_SIZE.unpack(self._read(start, HEADER_SIZE.size, "the header"))
        if size > MAX_HEADER_BYTES:
            raise self._damaged(start, "the header", FormatError(f"claims {size:,} bytes"))
        raw = self._read(start + HEADER_SIZE.size, size, "the header")
        try:
            header = msgspec.msgpack.decode(raw, type=dict[str, Any])
        except _UNREADABLE as error:
            raise self._damaged(start, "the header", error) from error
        if header.get("schema") != SCHEMA:
            raise InputError(f"{self.name}: holds a {header.get('schema')!r}, not a {SCHEMA!r}.")
        if header.get("version") != VERSION:
            raise InputError(
                f"{self.name}: workload format version {header.get('version')!r}, written by "
                f"{header.get('tool')!r}; this holezero reads version {VERSION}. Import the "
                "recording again with this holezero, or use the one that wrote the file."
            )
        return start + HEADER_SIZE.size + len(raw)

    def _block(self, offset: int) -> int:
        """Check a block; return where it ends."""
        head = self._read(offset, BLOCK_HEAD.size, "the head of a block")
        fields: tuple[bytes, int, int, int, int, int, bytes] = BLOCK_HEAD.unpack(head)
        _, thread, first, count, raw_bytes, stored_bytes, content = fields
        try:
            require(thread < MAX_THREADS, "is of an impossible thread")
            require(0 < count <= BLOCK_INSTRUCTIONS, f"claims {count} instructions")
            require(stored_bytes <= 2 * MAX_BLOCK_BYTES, f"claims {stored_bytes:,} bytes")
            stored = self._read(offset + BLOCK_HEAD.size, stored_bytes, "a block")
            raw = inflate(stored, raw_bytes, MAX_BLOCK_BYTES)
            require(raw_digest(raw) == content, "does not match its checksum")
            while thread >= len(self.lengths):
                self._add_thread()
            require(first == self.lengths[thread], f"starts at {first}, out of order")
            self._instructions(raw, count, (offset, thread))
        except _UNREADABLE as error:
            raise self._damaged(offset, f"the block of thread {thread}", error) from error
        self.firsts[thread].append(first)
        self.offsets[thread].append(offset)
        self.lengths[thread] += count
        self.blocks += 1
        self.digest.add_block(thread, first, count, content)
        return offset + BLOCK_HEAD.size + stored_bytes

    def _instructions(self, raw: bytes, count: int, place: tuple[int, int]) -> None:
        instructions = self.decoder.decode(raw)
        require(len(instructions) == count, f"does not hold the {count} of its head")
        farthest = require_possible(instructions)
        # how many threads there are is known at the end of the file only
        known = self.farthest
        if farthest is not None and (known is None or farthest.thread > known.thread):
            self.farthest, self.place = farthest, place

    def _trailer(self, offset: int) -> Trailer:
        head = self._read(offset, END_HEAD.size, "the trailer")
        _, raw_bytes, stored_bytes, digest = END_HEAD.unpack(head)
        start = offset + END_HEAD.size
        try:
            require(stored_bytes <= 2 * MAX_TRAILER_BYTES, f"claims {stored_bytes:,} bytes")
            stored = self._read(start, stored_bytes, "the trailer")
            raw = inflate(stored, raw_bytes, MAX_TRAILER_BYTES)
            require(raw_digest(raw) == digest, "does not match its checksum")
            require(start + stored_bytes == len(self.content), "is not the end of the file")
            return msgspec.msgpack.decode(raw, type=Trailer)
        except _UNREADABLE as error:
            raise self._damaged(offset, "the trailer", error) from error

    def _compare(self, offset: int, trailer: Trailer) -> None:
        """Compare what was found with what the trailer says."""
        threads = len(trailer.threads)
        if len(self.lengths) > threads:
            raise self._damaged(offset, "the trailer", FormatError("names too few threads"))
        while len(self.lengths) < threads:
            self._add_thread()
        if (trailer.blocks, trailer.instructions) != (self.blocks, sum(self.lengths)):
            raise self._damaged(offset, "the trailer", FormatError("counts other blocks"))
        if trailer.digest != self.digest.finish(trailer.threads):
            raise self._damaged(offset, "the trailer", FormatError("has another digest"))
        if self.farthest is not None and self.farthest.thread >= threads:
            block, thread = self.place
            error = FormatError(f"holds an impossible instruction, {self.farthest!r}")
            raise self._damaged(block, f"the block of thread {thread}", error)

    def _add_thread(self) -> None:
        self.firsts.append(array("Q"))
        self.offsets.append(array("Q"))
        self.lengths.append(0)

    def _read(self, offset: int, size: int, what: str) -> bytes:
        """Return exactly `size` bytes, or say that the file was cut short."""
        piece = self.content[offset : offset + size]
        if len(piece) != size:
            raise InputError(
                f"{self.name}: cut short at byte {len(self.content):,}, in {what}. "
                "Copy or import the file again."
            )
        return piece

    def _damaged(self, offset: int, what: str, error: Exception) -> InputError:
        return InputError(
            f"{self.name}: damaged at byte {offset:,}: {what} {error}. "
            "Copy or import the file again."
        )
