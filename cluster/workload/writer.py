"""Write a workload file as a stream, keeping only one open block per thread."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import zstandard

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
    SCHEMA,
    VERSION,
    ContentDigest,
    Trailer,
    WorkloadMeta,
    raw_digest,
)

#: how many of a thread's latest instructions `amend` reaches at least
AMEND_WINDOW = 16


class WorkloadWriter:
    """Write a workload; use it in a `with` block and call `finish` as its last statement.

    The file appears under its name at `finish`, whole; without that nothing is left. Equal calls
    write equal bytes.

    Raises:
        InputError: the file cannot be written (no such folder, no space, no permission).
    """

    def __init__(self, path: Path, tool: str) -> None:
        self._path = path
        self._tool = tool
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._threads: list[ThreadInfo] = []
        self._open: list[list[Instruction]] = []
        self._written: list[int] = []
        self._blocks = 0
        self._digest = ContentDigest()
        self._encoder = msgspec.msgpack.Encoder()
        self._compressor = zstandard.ZstdCompressor(level=6)
        self.counts: Counter[str] = Counter()
        self._file: BinaryIO | None = None
        try:
            self._file = self._part.open("wb")
            header = msgspec.msgpack.encode({"schema": SCHEMA, "version": VERSION, "tool": tool})
            self._file.write(MAGIC + HEADER_SIZE.pack(len(header)) + header)
        except OSError as error:
            self._discard()
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    @property
    def instructions(self) -> int:
        """Return how many instructions have been written, of all threads."""
        return sum(self._written) + sum(map(len, self._open))

    @property
    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads so far; they become `Workload.threads` of the file."""
        return tuple(self._threads)

    def add_thread(self, info: ThreadInfo) -> int:
        """Declare the next thread; return its number."""
        self._threads.append(info)
        self._open.append([])
        self._written.append(0)
        return len(self._threads) - 1

    def rename_thread(self, thread: int, name: str) -> None:
        """Rename a thread, when its name becomes known later."""
        self._threads[thread] = msgspec.structs.replace(self._threads[thread], name=name)

    def append(self, thread: int, instruction: Instruction) -> int:
        """Add an instruction to a thread; return its index.

        Raises:
            InputError: the disk is full or gone.
        """
        pending = self._open[thread]
        pending.append(instruction)
        if len(pending) >= BLOCK_INSTRUCTIONS + AMEND_WINDOW:
            self._write_block(thread)
        return self._written[thread] + len(pending) - 1

    def amend(self, thread: int, index: int, instruction: Instruction) -> bool:
        """Replace a recent instruction; return False if it has been written out already.

        The last `AMEND_WINDOW` instructions of a thread can always be replaced.
        """
        place = index - self._written[thread]
        if place < 0:
            return False
        self._open[thread][place] = instruction
        return True

    def finish(self, meta: WorkloadMeta) -> bytes:
        """Write what is open and the trailer, publish the file, return the digest.

        `meta.tool` and `meta.counts` are filled in.

        Raises:
            InputError: the disk is full or gone.
        """
        for thread, pending in enumerate(self._open):
            while pending:
                self._write_block(thread)
        threads = tuple(self._threads)
        digest = self._digest.finish(threads)
        counts = dict(sorted(self.counts.items()))
        trailer = Trailer(
            threads=threads,
            meta=msgspec.structs.replace(meta, tool=self._tool, counts=counts),
            blocks=self._blocks,
            instructions=sum(self._written),
            digest=digest,
        )
        raw = msgspec.msgpack.encode(trailer)
        stored = self._compressor.compress(raw)
        self._write(END_HEAD.pack(END_TAG, len(raw), len(stored), raw_digest(raw)) + stored)
        self._publish()
        return digest

    def _write_block(self, thread: int) -> None:
        pending = self._open[thread]
        block = pending[:BLOCK_INSTRUCTIONS]
        del pending[:BLOCK_INSTRUCTIONS]
        first = self._written[thread]
        self._written[thread] += len(block)
        self._blocks += 1
        self.counts.update(str(one.__struct_config__.tag) for one in block)
        raw = self._encoder.encode(block)
        stored = self._compressor.compress(raw)
        digest = raw_digest(raw)
        self._digest.add_block(thread, first, len(block), digest)
        head = BLOCK_HEAD.pack(BLOCK_TAG, thread, first, len(block), len(raw), len(stored), digest)
        self._write(head + stored)

    def _write(self, record: bytes) -> None:
        if self._file is None:
            raise RuntimeError(f"{self._path.name}: written to after finish")
        try:
            self._file.write(record)
        except OSError as error:
            raise self._refused(error) from error

    def _publish(self) -> None:
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._refused(error) from error
        self._file = None

    def _discard(self) -> None:
        """Remove the unfinished file; after `finish`, do nothing."""
        if self._file is None:
            return
        # a full disk also fails the flush in close(), and the first error is the one to report
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)
        self._file = None

    def _refused(self, error: OSError) -> InputError:
        reason = error.strerror or str(error)
        return InputError(
            f"{self._path}: cannot be written: {reason}; nothing was left there. "
            "Choose another place with -o, or make room."
        )
