"""Read a workload file (`.hzw`) as a `Guest`: instructions by (thread, index), decoded on demand.

The whole file is read and checked when it is opened, and kept in memory as it is, compressed (some
two bytes an instruction). From then on reading is pure: nothing opens a file, and nothing fails.
Decoded are at most `DECODED_INSTRUCTIONS`, whatever the number of threads. The format is described
in `cluster.workload.format`, the writer is `cluster.workload.writer`.
"""

from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import Self

import msgspec

from actors.guest.program import Instruction, ThreadInfo
from cluster.input_error import InputError
from cluster.workload.format import BLOCK_HEAD, MAX_BLOCK_BYTES, WorkloadMeta, inflate
from cluster.workload.index import check

#: Decoded instructions kept at most, of all threads together (about 150 bytes each).
DECODED_INSTRUCTIONS = 1 << 17

#: The stretch that a thread is reading: index of its first instruction, and the instructions.
_Cursor = tuple[int, list[Instruction]]
_NO_CURSOR: _Cursor = (0, [])


class Workload:
    """A recorded guest; implements `actors.guest.program.Guest`."""

    #: the bytes of the file
    content: bytes
    threads: tuple[ThreadInfo, ...]
    #: of threads and instructions
    digest: bytes
    #: where the workload comes from, and what it leaves out
    meta: WorkloadMeta

    def __init__(self, content: bytes, name: str) -> None:
        """Check the bytes of a file; `name` is for messages.

        Raises:
            InputError: it is no workload that this version reads.
        """
        index = check(content, name)
        self.content = content
        self.threads = index.threads
        self.digest = index.digest
        self.meta = index.meta
        self._lengths = index.lengths
        self._firsts = index.firsts
        self._offsets = index.offsets
        self._decoder = msgspec.msgpack.Decoder(list[Instruction])
        self._cursors: list[_Cursor] = [_NO_CURSOR] * len(self.threads)
        self._decoded: OrderedDict[tuple[int, int], list[Instruction]] = OrderedDict()
        self._decoded_count = 0

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Read a workload file.

        Raises:
            InputError: there is no such file, or it is no workload that this version reads.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except IsADirectoryError as error:
            raise InputError(f"{path}: is a folder, not a workload file.") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
        return cls(content, str(path))

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "workload in memory") -> Self:
        """Read a workload whose bytes are at hand; `name` is for messages.

        Raises:
            InputError: it is no workload that this version reads.
        """
        return cls(content, name)

    @property
    def instructions(self) -> int:
        """Instructions of all threads together."""
        return sum(self._lengths)

    def length(self, thread: int) -> int:
        """Return the number of instructions of one thread."""
        return self._lengths[thread]

    def families(self, processes: int) -> tuple[int, ...]:
        """Number the families of processes: a recording's are all of one tree."""
        return (0,) * processes

    def at(self, thread: int, index: int) -> Instruction | None:
        """Return instruction `index` of `thread`, or None after its end.

        Raises:
            IndexError: there is no such thread, or the index is negative.
        """
        first, instructions = self._cursors[thread]
        place = index - first
        if 0 <= place < len(instructions):
            return instructions[place]
        return self._turn_to(thread, index)

    def _turn_to(self, thread: int, index: int) -> Instruction | None:
        """Make the block that holds `index` the one that the thread is reading."""
        if index < 0 or thread < 0:
            raise IndexError(f"no instruction ({thread}, {index})")
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
        """Decode a block: it was checked, so this cannot fail."""
        offset = self._offsets[thread][block]
        _, _, _, _, raw_bytes, stored_bytes, _ = BLOCK_HEAD.unpack_from(self.content, offset)
        start = offset + BLOCK_HEAD.size
        stored = self.content[start : start + stored_bytes]
        return self._decoder.decode(inflate(stored, raw_bytes, MAX_BLOCK_BYTES))
