"""Lines of a recording, plain or compressed, streamed within bounded memory.

A damaged or cut gzip or zstd file yields what can be read of it, and sets `truncated`.
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from cluster.input_error import InputError

#: longer lines are not of a recording: they are skipped and counted in `overlong`
MAX_LINE_BYTES = 64 * 1024
_CHUNK_BYTES = 16 * 1024
#: zstd cannot be told to stop in the middle of its input; 1 kB grows to 32 MB at worst
_ZSTD_CHUNK_BYTES = 1024
_OUTPUT_BYTES = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class ForeignLineError(Exception):
    """A line from elsewhere, such as the recorded program's own output."""


#: called with bytes read so far and bytes to read in all
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


class RecordingLines:
    """Iterate over the lines of one recording, without their newlines.

    Attributes:
        lines: lines so far, the skipped ones included.
        bytes: uncompressed bytes read so far.
        overlong: lines skipped because they were too long.
        truncated: the file ended or broke inside a compressed stream.
    """

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        self._path = path
        self._progress = progress
        self.lines = 0
        self.bytes = 0
        self.overlong = 0
        self.truncated = False

    def __iter__(self) -> Iterator[bytes]:
        rest, skipping = b"", False
        for piece in self._pieces():
            self.bytes += len(piece)
            whole = (rest + piece).split(b"\n")
            rest = whole.pop()
            if skipping and whole:
                # the end of an overlong line, which has been counted already
                whole.pop(0)
                skipping = False
            for line in whole:
                self.lines += 1
                if len(line) <= MAX_LINE_BYTES:
                    yield line
                else:
                    self.overlong += 1
            if skipping or len(rest) > MAX_LINE_BYTES:
                if not skipping:
                    self.lines += 1
                    self.overlong += 1
                rest, skipping = b"", True
        if rest:
            self.lines += 1
            yield rest

    def _pieces(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as source:
                magic = source.peek(4)[:4]
                if magic[:2] == _GZIP_MAGIC:
                    yield from self._gunzip(source)
                elif magic == _ZSTD_MAGIC:
                    yield from self._unzstd(source)
                else:
                    yield from self._chunks(source, _OUTPUT_BYTES)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}.") from error

    def _chunks(self, source: BinaryIO, size: int) -> Iterator[bytes]:
        done = 0
        while chunk := source.read(size):
            done += len(chunk)
            self._progress(done)
            yield chunk

    def _gunzip(self, source: BinaryIO) -> Iterator[bytes]:
        """Decompress all members; zero padding after the last one is ignored."""
        member = zlib.decompressobj(wbits=31)
        fresh = True
        for chunk in self._chunks(source, _CHUNK_BYTES):
            pending = chunk
            while pending:
                if member.eof:
                    member, fresh = zlib.decompressobj(wbits=31), True
                try:
                    piece = member.decompress(pending, _OUTPUT_BYTES)
                except zlib.error:
                    self.truncated = True
                    return
                fresh = False
                pending = member.unconsumed_tail or member.unused_data
                if member.eof and not pending.strip(b"\0"):
                    pending = b""
                if piece:
                    yield piece
        self.truncated = not (member.eof or fresh)

    def _unzstd(self, source: BinaryIO) -> Iterator[bytes]:
        frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        for chunk in self._chunks(source, _ZSTD_CHUNK_BYTES):
            pending = chunk
            while pending:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
                try:
                    piece = frame.decompress(pending)
                except zstandard.ZstdError:
                    self.truncated = True
                    return
                pending = frame.unused_data if frame.eof else b""
                if piece:
                    yield piece
        self.truncated = not frame.eof


def open_recording(path: Path) -> int:
    """Check that a recording can be read; return its size on disk in bytes.

    Raises:
        InputError: it is missing, empty or not a regular file.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file.")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; recordings are read twice.")
    size = path.stat().st_size
    if not size:
        raise InputError(f"{path}: is empty.")
    return size
