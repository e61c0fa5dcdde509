"""The format of a workload file (`.hzw`), version 1: what reader and writer must agree on.

    magic      8 bytes
    header     u32 size, then a msgpack map {schema, version, tool}
    block      BLOCK_HEAD, then one zstd frame: a msgpack array of the instructions of ONE thread
    ...        blocks of the threads interleave; those of one thread are in order, without gaps
    trailer    END_HEAD, then one zstd frame: a msgpack map (`Trailer`); nothing follows it

Integers are little-endian. An instruction is `["map", va, length, prot]` and so on, as
`actors/guest/program.py` declares it. A file without a trailer was cut short. The trailer is last
because the writer streams: counts and thread names are known only at the end.

The digest of a workload covers what a run can observe (threads and instructions, cut into blocks),
but neither the metadata nor the compressed bytes: another zstd gives the same digest.
"""

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec
import zstandard

from actors.guest.program import (
    Access,
    Advise,
    Await,
    Copy,
    Create,
    Dma,
    DmaWait,
    Exec,
    Exit,
    Fence,
    Fork,
    InCore,
    Instruction,
    Lock,
    Map,
    Move,
    Protect,
    Quit,
    Release,
    Reuse,
    Think,
    ThreadInfo,
    Unlock,
    Unmap,
)
from kernel.stamp import ELEMENTS_MAX

MAGIC = b"\x89HZW\r\n\x1a\n"
SCHEMA = "holezero-workload"
VERSION = 1
SUFFIX = ".hzw"

HEADER_SIZE = struct.Struct("<I")
#: tag, thread, index of the first instruction, instructions, raw bytes, stored bytes, raw digest
BLOCK_HEAD = struct.Struct("<4sIQIII16s")
BLOCK_TAG = b"BLK\n"
#: tag, raw bytes, stored bytes, raw digest
END_HEAD = struct.Struct("<4sII16s")
END_TAG = b"END\n"

BLOCK_INSTRUCTIONS = 256
#: an instruction takes at most 40 bytes: a larger block is not ours (or is a zip bomb)
MAX_BLOCK_BYTES = 64 * BLOCK_INSTRUCTIONS
MAX_HEADER_BYTES = 64 * 1024
#: most threads of a workload; each costs the reader memory before the trailer is read
MAX_THREADS = 1 << 20
MAX_TRAILER_BYTES = 16 * 1024 * 1024
#: one past the largest address of a 48-bit address space
VA_LIMIT = 1 << 48
#: a month: no recorded program thinks longer
MAX_THINK_NS = 30 * 86_400 * 10**9
DIGEST_BYTES = 16


#: instructions that name another thread
Named = Await | Create | Fork
_NAMED: frozenset[type] = frozenset((Await, Create, Fork))


class WorkloadMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Where a workload comes from, and what it leaves out; no run depends on any of it.

    All counts are totals over the threads. `left_out` and `approximated` are keyed by kind.
    """

    #: name of the recording, without its folder
    source: str = ""
    #: kind of recording (`faults`, `strace`, ...), or `written`
    format: str = ""
    tool: str = ""
    #: the recorded program, as far as the recording says
    program: str = ""
    #: instructions by kind (`map`, `access`, ...)
    counts: dict[str, int] = {}
    #: recorded events that did not become instructions
    left_out: dict[str, int] = {}
    #: recorded events that became instructions that are not quite the same
    approximated: dict[str, int] = {}
    assumptions: tuple[str, ...] = ()
    #: page faults of the recorded program by cause, as the recording kernel saw them
    recorded_faults: dict[str, int] = {}
    #: distinct pages that the accesses touch
    pages: int = 0
    #: from the first recorded event to the last
    duration_ns: int = 0


class Trailer(msgspec.Struct, frozen=True, kw_only=True):
    """The last record of a file: what the writer knows only at the end."""

    threads: tuple[ThreadInfo, ...]
    meta: WorkloadMeta
    blocks: int
    instructions: int
    digest: bytes


class FormatError(Exception):
    """Bytes of a workload that cannot be right; the reader adds in which file, and where."""


def require(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - it is the condition
    """Check a condition that holds for every well-formed file.

    Raises:
        FormatError: the condition does not hold.
    """
    if not condition:
        raise FormatError(otherwise)


def raw_digest(raw: bytes) -> bytes:
    """Return the digest of uncompressed content, 16 bytes."""
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


class ContentDigest:
    """The digest of a workload, block by block in file order."""

    def __init__(self) -> None:
        self._hash = blake2b(SCHEMA.encode(), digest_size=DIGEST_BYTES)

    def add_block(self, thread: int, first: int, count: int, digest: bytes) -> None:
        """Take in one block by the digest of its raw bytes."""
        self._hash.update(struct.pack("<IQI", thread, first, count) + digest)

    def finish(self, threads: tuple[ThreadInfo, ...]) -> bytes:
        """Take in the threads; return the digest, 16 bytes."""
        self._hash.update(msgspec.msgpack.encode(threads))
        return self._hash.digest()


def inflate(stored: bytes, raw_bytes: int, limit: int) -> bytes:
    """Decompress one zstd frame, which must hold exactly `raw_bytes`, at most `limit`.

    Raises:
        FormatError: the frame is damaged, or claims or has another size.
    """
    if raw_bytes > limit:
        raise FormatError(f"claims {raw_bytes:,} bytes of content where {limit:,} is the most")
    try:
        # a frame that states its size is allocated at that size, whatever cap is passed below
        if zstandard.frame_content_size(stored) not in (raw_bytes, -1):
            raise FormatError("has a frame of another size than its head says")
        raw = zstandard.ZstdDecompressor().decompress(
            stored, max_output_size=max(raw_bytes, 1), allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise FormatError(f"does not decompress ({error})") from error
    if len(raw) != raw_bytes:
        raise FormatError("has a frame of another size than its head says")
    return raw


def require_possible(instructions: list[Instruction]) -> Named | None:
    """Check that the machine could run the instructions of an untrusted file.

    Return the one that names the thread with the highest number, if any names another thread; the
    caller checks whether there are so many.

    Raises:
        FormatError: one names an impossible address, size or thread.
    """
    for one in instructions:
        if not _POSSIBLE[one.__class__](one):
            raise FormatError(f"holds an impossible instruction, {one!r}")
    # by class: isinstance of a union takes as long as all the rest
    named: list[Any] = [one for one in instructions if one.__class__ in _NAMED]
    return max(named, key=lambda one: int(one.thread), default=None)


def _accesses(one: Access | Copy | Dma) -> bool:
    return (
        one.va >= 0
        and 0 < one.count <= ELEMENTS_MAX
        and one.stride >= 0
        and one.va + one.count * one.stride < VA_LIMIT + one.stride
    )


def _any_range(one: Unmap | Protect | Advise | Lock | Unlock | InCore) -> bool:
    """Allow an impossible range: the simulated kernel has an answer to it."""
    return 0 <= one.va <= VA_LIMIT and 0 <= one.length <= VA_LIMIT


def _range(one: Map | Release | Reuse) -> bool:
    return one.va >= 0 and one.length > 0 and one.va + one.length <= VA_LIMIT


def _move(one: Move) -> bool:
    return all(0 <= number <= VA_LIMIT for number in (one.va, one.to, one.length, one.new_length))


def _think(one: Think) -> bool:
    return 0 <= one.ns <= MAX_THINK_NS


def _await(one: Await) -> bool:
    return one.thread >= 0 and one.index >= 0


def _other_thread(one: Create | Fork) -> bool:
    return one.thread >= 0


def _always(_: Instruction) -> bool:
    return True


_POSSIBLE: dict[type[Instruction], Callable[[Any], bool]] = {
    **dict.fromkeys((Access, Copy, Dma), _accesses),
    **dict.fromkeys((Unmap, Protect, Advise, Lock, Unlock, InCore), _any_range),
    **dict.fromkeys((Map, Release, Reuse), _range),
    Move: _move,
    Think: _think,
    Await: _await,
    **dict.fromkeys((Create, Fork), _other_thread),
    **dict.fromkeys((Exit, Quit, Exec, Fence, DmaWait), _always),
}
