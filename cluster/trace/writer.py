"""Write a trace file while the run goes on.

    with TraceWriter(path, header_of(setup, engine="inline", kind="full")) as trace:
        host = InlineHost(..., record=trace.record)         # kind="order": without `record`
        host.start()
        while not trace.run(host): ...                       # about 4096 deliveries each
        trace.finish(end_of(host.outcome(), verdict="kept"))

Without `finish` the file lacks its last record: readers refuse it unless told to take a prefix.
"""

import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import zstandard

from cluster.hosts.codec import ENCODER
from cluster.hosts.inline import InlineHost
from cluster.hosts.untimed import failure_text
from cluster.input_error import InputError
from cluster.trace.format import (
    BLOCK_BYTES,
    BLOCK_HEAD,
    BODY_TAG,
    CHECKPOINT_EVERY,
    HEAD_TAG,
    LAST_TAG,
    MAGIC,
    Delivery,
    End,
    Header,
    Record,
    RunCheckpoint,
    block_digest,
)

#: pending records are written at least this often, as long as the writer is called
_FLUSH_EVERY_S = 1.0


class TraceWriter:
    """Appends records; the file grows under its own name, block by block.

    Raises (every method):
        InputError: the file cannot be written (no such folder, no space, no permission).
    """

    def __init__(self, path: Path, header: Header) -> None:
        """Create the file, replacing any that is there, and write the header."""
        self.path = path
        self.header = header
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._flushed_s = time.monotonic()
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as e:
            raise self._failed(e) from e
        try:
            self._write(MAGIC)
            self._block(HEAD_TAG, msgspec.msgpack.encode(header))
        except InputError:
            self._shut()
            raise

    # Records.

    def record(self, dst: int, data: bytes) -> None:
        """Add one delivery of an inline run in full; fits `InlineHost(record=...)`."""
        self.append(ENCODER.encode(Delivery(dst, data)))

    def add(self, record: Record) -> None:
        """Add a record of any kind."""
        self.append(ENCODER.encode(record))

    def append(self, packed: bytes) -> None:
        """Add whole records, encoded by `cluster.trace.format.pack`."""
        self._pending.append(packed)
        self._pending_bytes += len(packed)
        if self._pending_bytes >= BLOCK_BYTES:
            self.flush()

    def run(self, host: InlineHost, deliveries: int = CHECKPOINT_EVERY) -> bool:
        """Run an inline host for so many deliveries and write a checkpoint.

        Returns True when the run is over: nothing in flight, or `host.limit` reached. If a machine
        raises, the trace is finished (its replay raises the same) and the exception passed on.
        """
        try:
            quiescent = host.run(pause_after=deliveries)
        except InputError:
            raise
        except Exception as e:
            self.finish_failed(host, e)
            raise
        self.checkpoint(host)
        return quiescent or host.deliveries == host.limit

    def checkpoint(self, host: InlineHost) -> None:
        """Write the run's digest so far, which replay compares. Any spacing will do."""
        self.add(RunCheckpoint(host.deliveries, host.digest.combined()))
        self.flush_now_and_then()

    def finish_failed(self, host: InlineHost, error: Exception) -> None:
        """Write the last record of an inline run that ended in an exception."""
        self.finish(
            End(
                deliveries=host.deliveries,
                digest=host.digest.combined().hex(),
                simulated_ns=host.now,
                verdict="failed",
                complete=False,
                failures={"run": failure_text(error)},
            )
        )

    # The file.

    def flush(self) -> None:
        """Write what is pending as a block; from then on it survives the end of this process."""
        if self._pending:
            self._block(BODY_TAG, b"".join(self._pending))
            self._pending.clear()
            self._pending_bytes = 0
        self._flushed_s = time.monotonic()

    def flush_now_and_then(self) -> None:
        """Write what is pending if a second has passed since the last time."""
        if time.monotonic() - self._flushed_s > _FLUSH_EVERY_S:
            self.flush()

    def finish(self, end: End) -> None:
        """Write the last record and close the file."""
        self.flush()
        self._block(LAST_TAG, msgspec.msgpack.encode(end))
        self.close()

    def close(self) -> None:
        """Write what is pending and close; without `finish`, the trace stays a prefix."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._shut()

    def _shut(self) -> None:
        try:
            self._file.close()
        except OSError as e:  # it tries again to write what it could not write before
            raise self._failed(e) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _block(self, tag: bytes, raw: bytes) -> None:
        stored = self._compressor.compress(raw)
        self._write(BLOCK_HEAD.pack(tag, len(raw), len(stored), block_digest(tag, stored)) + stored)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as e:
            raise self._failed(e) from e

    def _failed(self, error: OSError) -> InputError:
        return InputError(f"{self.path}: the trace cannot be written: {error.strerror}.")
