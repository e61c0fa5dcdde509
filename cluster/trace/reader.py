"""Read a trace file block by block; every byte is checked before it is used.

Memory is bounded by one block (`MAX_BLOCK_BYTES`), whatever the file claims.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
import msgspec

from cluster.hosts.model import MODEL, release, release_for
from cluster.input_error import InputError
from cluster.trace.format import (
    BLOCK_HEAD,
    BODY_TAG,
    HEAD_TAG,
    LAST_TAG,
    MAGIC,
    MAX_BLOCK_BYTES,
    MAX_HEADER_BYTES,
    SCHEMA,
    VERSION,
    End,
    Header,
    Order,
    Record,
    RunCheckpoint,
    block_digest,
)
from cluster.workload.format import FormatError, inflate, require


class TraceReader:
    """A trace opened for reading; iterate over it for its records, as often as you like.

    `end` is None for a prefix (only with `allow_prefix`).
    """

    header: Header
    end: End | None

    def __init__(self, path: Path, *, allow_prefix: bool = False) -> None:
        """Check the header and find the last record; the rest is checked as it is read.

        allow_prefix: accept a file without its last record, up to its last whole block.

        Raises:
            InputError: no such file, not a trace, another version or model, damaged, cut short.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(f"{path}: cannot be read: {e.strerror}.") from e
        try:
            self._size = os.fstat(self._fd).st_size
            first = self._read_header()
            self._body, self.end = self._survey(first, allow_prefix=allow_prefix)
        except IsADirectoryError as e:
            self.close()
            raise InputError(f"{path}: is a folder, not a trace.") from e
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in the order of the file.

        Raises:
            InputError: a block or a record is damaged; names the byte where the block begins.
        """
        offset, stop = self._body
        while offset < stop:
            raw, after = self._block(offset, MAX_BLOCK_BYTES)
            try:
                yield from self._records(raw)
            except (FormatError, msgspec.MsgspecError, ValueError) as e:
                raise self._damaged(offset, f"holds an invalid record: {e}") from e
            offset = after

    def _records(self, raw: bytes) -> Iterator[Record]:
        unpacker = msgpack.Unpacker(max_buffer_size=MAX_BLOCK_BYTES, strict_map_key=True)
        unpacker.feed(raw)
        actors = len(self.header.actors)
        for item in unpacker:
            record: Record = msgspec.convert(item, Record, builtin_types=(bytes,))
            if not isinstance(record, RunCheckpoint):
                require(0 <= record.dst < actors, f"names actor {record.dst}")
            if isinstance(record, Order):
                require(len(record.runs) % 3 == 0, "has an order cut short")
                require(min(record.runs[2::3], default=1) > 0, "has an order of nothing")
            yield record
        # the unpacker stops silently inside a record
        require(unpacker.tell() == len(raw), "is cut short")

    # Opening.

    def _read_header(self) -> int:
        magic = os.pread(self._fd, len(MAGIC), 0)
        if magic != MAGIC:
            raise InputError(
                f"{self.path}: not a holezero trace (it starts with {magic!r}). "
                "`holezero run SCENARIO` keeps one in the run's folder."
            )
        head, _ = self._head(len(MAGIC))
        if head is None:
            raise self._cut_short("in its header")
        if head[0] != HEAD_TAG:
            raise self._damaged(len(MAGIC), "is not a header")
        raw, after = self._block(len(MAGIC), MAX_HEADER_BYTES)
        try:
            self._take_header(raw)
        except msgspec.MsgspecError as e:
            raise self._damaged(len(MAGIC), f"is not a header: {e}") from e
        return after

    def _take_header(self, raw: bytes) -> None:
        self._check_versions(msgspec.msgpack.decode(raw, type=dict[str, Any]))
        self.header = msgspec.msgpack.decode(raw, type=Header)

    def _check_versions(self, found: dict[str, Any]) -> None:
        by = found.get("holezero")
        if found.get("schema") != SCHEMA:
            raise InputError(f"{self.path}: holds a {found.get('schema')!r}, not a {SCHEMA!r}.")
        if found.get("version") != VERSION:
            raise InputError(
                f"{self.path}: trace format version {found.get('version')!r}, written by holezero "
                f"{by}; this holezero ({release()}) reads version {VERSION}. Use the one that "
                "wrote it, or record the run again."
            )
        model = found.get("model")
        if model != MODEL:
            wanted = release_for(model, str(by)) if isinstance(model, int) else by
            raise InputError(
                f"{self.path}: recorded with machines of model {model!r} by holezero {by}; this "
                f"holezero ({release()}) has model {MODEL}, whose machines behave differently. "
                f"holezero {wanted} replays it; or record the run again."
            )

    def _survey(self, first: int, *, allow_prefix: bool) -> tuple[tuple[int, int], End | None]:
        """Step over the blocks by their heads; return the body's range, and the last record."""
        offset = first
        while True:
            head, after = self._head(offset)
            if head is None or after > self._size:
                if allow_prefix:
                    return (first, offset), None
                raise self._cut_short(f"at byte {self._size:,}: there is no last record")
            if head[0] == LAST_TAG:
                break
            if head[0] != BODY_TAG:
                raise self._damaged(offset, f"starts with {head[0]!r}")
            offset = after
        if after != self._size:
            raise self._damaged(after, "follows the last record")
        raw, _ = self._block(offset, MAX_HEADER_BYTES)
        try:
            return (first, offset), msgspec.msgpack.decode(raw, type=End)
        except msgspec.MsgspecError as e:
            raise self._damaged(offset, f"is not a last record: {e}") from e

    # Blocks.

    def _head(self, offset: int) -> tuple[tuple[bytes, int, int, bytes] | None, int]:
        """Return the head of a block (None: the file ends) and where the next block begins."""
        data = os.pread(self._fd, BLOCK_HEAD.size, offset)
        if len(data) < BLOCK_HEAD.size:
            return None, offset
        tag, raw_bytes, stored_bytes, digest = BLOCK_HEAD.unpack(data)
        return (tag, raw_bytes, stored_bytes, digest), offset + BLOCK_HEAD.size + stored_bytes

    def _block(self, offset: int, limit: int) -> tuple[bytes, int]:
        """Return the content of a block, checked, and where the next block begins."""
        head, after = self._head(offset)
        if head is None or after > self._size:
            raise self._cut_short(f"at byte {self._size:,}")
        tag, raw_bytes, stored_bytes, digest = head
        try:
            require(stored_bytes <= 2 * limit, f"claims {stored_bytes:,} bytes")
            stored = os.pread(self._fd, stored_bytes, offset + BLOCK_HEAD.size)
            require(block_digest(tag, stored) == digest, "does not match its checksum")
            raw = inflate(stored, raw_bytes, limit)
        except FormatError as e:
            raise self._damaged(offset, str(e)) from e
        return raw, after

    def _cut_short(self, where: str) -> InputError:
        return InputError(
            f"{self.path}: cut short {where}: the run was killed or is still going on, or the file "
            "was not copied whole. `holezero replay --prefix` takes what is there."
        )

    def _damaged(self, offset: int, what: str) -> InputError:
        return InputError(
            f"{self.path}: damaged: the block at byte {offset:,} {what}. Copy it again."
        )
