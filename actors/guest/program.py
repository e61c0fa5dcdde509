"""What a guest thread does: immutable instructions, addressed by (thread, index).

A guest is neutral about the policy that is studied: an allocator's release and reuse of memory are
instructions of their own (`Release`, `Reuse`), which `calls` turns into the system calls that the
policy's advice makes of them. Addresses and lengths are bytes.
"""

from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Protocol

import msgspec


class Prot(IntFlag):
    """mmap(2) protection bits."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXEC = 4


class Advice(IntEnum):
    """madvise(2) advice that a guest may give outright."""

    FREE = 1
    DONTNEED = 2
    HOLE = 3
    ZERO = 4
    NORMAL = 5
    RANDOM = 6
    SEQUENTIAL = 7
    WILLNEED = 8
    COLD = 9
    PAGEOUT = 10
    POPULATE_READ = 11
    POPULATE_WRITE = 12
    #: what a child gets: nothing (minherit's INHERIT_NONE), a copy again, zero, a copy again
    DONTFORK = 13
    DOFORK = 14
    WIPEONFORK = 15
    KEEPONFORK = 16
    #: a hole in what is shared, for all that map it
    REMOVE = 17
    #: DONTNEED of pages that mlock holds as well
    DONTNEED_LOCKED = 18
    #: every access is SIGSEGV, and contents are lost; until they are taken away again
    GUARD_INSTALL = 19
    GUARD_REMOVE = 20


class How(IntFlag):
    """How a recorded program released or reused a range."""

    #: madvise(MADV_FREE)
    FREE = 1
    #: madvise(MADV_DONTNEED)
    DONTNEED = 2
    #: mprotect(PROT_NONE)
    NONE = 4
    #: mprotect(PROT_READ|PROT_WRITE)
    OPEN = 8
    #: no call was made: the first touch after a release implies the reuse
    TOUCH = 16


#: `Map.file` of anonymous memory
NO_FILE = -1


class Map(msgspec.Struct, frozen=True, array_like=True, tag="map", gc=False):
    """mmap(MAP_FIXED) of `[va, va+length)`: anonymous, or of a file from page `first` on."""

    va: int
    length: int
    prot: int
    #: MAP_SHARED
    shared: bool = False
    file: int = NO_FILE
    first: int = 0


class Unmap(msgspec.Struct, frozen=True, array_like=True, tag="unmap", gc=False):
    """munmap(2)."""

    va: int
    length: int


class Protect(msgspec.Struct, frozen=True, array_like=True, tag="protect", gc=False):
    """mprotect(2)."""

    va: int
    length: int
    prot: int


class Advise(msgspec.Struct, frozen=True, array_like=True, tag="advise", gc=False):
    """madvise(2) with an `Advice`, the same under every policy; another number is no advice."""

    va: int
    length: int
    advice: int


class Move(msgspec.Struct, frozen=True, array_like=True, tag="move", gc=False):
    """mremap(MREMAP_FIXED) to `to`, with a new length; `keep`: the old range stays, empty."""

    va: int
    length: int
    to: int
    new_length: int
    keep: bool = False


class Lock(msgspec.Struct, frozen=True, array_like=True, tag="lock", gc=False):
    """mlock(2)."""

    va: int
    length: int


class Unlock(msgspec.Struct, frozen=True, array_like=True, tag="unlock", gc=False):
    """munlock(2)."""

    va: int
    length: int


class InCore(msgspec.Struct, frozen=True, array_like=True, tag="incore", gc=False):
    """mincore(2)."""

    va: int
    length: int


class Release(msgspec.Struct, frozen=True, array_like=True, tag="release", gc=False):
    """The allocator gives a range back; `how` (a `How`) is what the recorded program called."""

    va: int
    length: int
    how: int


class Reuse(msgspec.Struct, frozen=True, array_like=True, tag="reuse", gc=False):
    """The allocator takes a released range (or part of it) into use again."""

    va: int
    length: int
    how: int


class Access(msgspec.Struct, frozen=True, array_like=True, tag="access", gc=False):
    """`count` loads or stores of one granule each: at va, va+stride, va+2*stride, ..."""

    va: int
    count: int
    stride: int
    write: bool


class Copy(msgspec.Struct, frozen=True, array_like=True, tag="copy", gc=False):
    """A system call in which the kernel stores to (`write`: read(2)) or loads from user memory.

    The accesses are those of an `Access`. One that is not permitted ends the call with EFAULT.
    """

    va: int
    count: int
    stride: int
    write: bool


class Dma(msgspec.Struct, frozen=True, array_like=True, tag="dma", gc=False):
    """A transfer (aio_read, aio_write): a device stores to user memory (`write`), or loads from it.

    The kernel pins the pages and hands their frames to the device; the thread goes on meanwhile.
    The granules are those of an `Access`. EFAULT if memory is not there or cannot be written to.
    """

    va: int
    count: int
    stride: int
    write: bool
    device: int = 0


class DmaWait(msgspec.Struct, frozen=True, array_like=True, tag="dma-wait", gc=False):
    """Go on only when all transfers that the thread has asked for are complete (aio_suspend)."""


class Think(msgspec.Struct, frozen=True, array_like=True, tag="think", gc=False):
    """The thread computes, or waits for something that is not modelled, for `ns`."""

    ns: int


class Await(msgspec.Struct, frozen=True, array_like=True, tag="await", gc=False):
    """Go on only when `thread` has finished its instruction number `index`."""

    thread: int
    index: int


class Create(msgspec.Struct, frozen=True, array_like=True, tag="create", gc=False):
    """Start another thread of the guest."""

    thread: int


class Exit(msgspec.Struct, frozen=True, array_like=True, tag="exit", gc=False):
    """The thread ends."""


class Fork(msgspec.Struct, frozen=True, array_like=True, tag="fork", gc=False):
    """fork(2): the child's process is that of `thread`, which starts in it."""

    thread: int


class Quit(msgspec.Struct, frozen=True, array_like=True, tag="quit", gc=False):
    """exit_group(2): the process ends, and all its memory goes; so does the thread."""


class Exec(msgspec.Struct, frozen=True, array_like=True, tag="exec", gc=False):
    """execve(2): the thread goes on in an address space with nothing in it."""


class Fence(msgspec.Struct, frozen=True, array_like=True, tag="fence", gc=False):
    """Wait until every earlier store of the thread has been performed."""


Instruction = (
    Map
    | Unmap
    | Protect
    | Advise
    | Move
    | Lock
    | Unlock
    | InCore
    | Release
    | Reuse
    | Access
    | Copy
    | Dma
    | DmaWait
    | Think
    | Await
    | Create
    | Exit
    | Fork
    | Quit
    | Exec
    | Fence
)


class ThreadInfo(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One guest thread: its name, its process (address space) and where it starts."""

    name: str
    process: int
    #: the core that it is bound to, or -1: the wiring spreads such threads over the cores
    core: int
    #: runs from the start; others wait for a `Create`
    initial: bool


class Guest(Protocol):
    """An immutable program of one or more threads, bound by its digest."""

    @property
    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads, in the order of their numbers."""
        ...

    def families(self, processes: int) -> tuple[int, ...]:
        """Number by process the families of those that share memory, each from 0 on."""
        ...

    @property
    def digest(self) -> bytes:
        """Return the digest that binds the whole program."""
        ...

    def at(self, thread: int, index: int) -> Instruction | None:
        """Return instruction `index` of `thread`, or None after its end (an implicit `Exit`).

        Machines call this, so it is pure: it reads memory only, and does not fail.
        """
        ...


def started_by(guest: Guest, thread: int, end: int) -> tuple[int, ...]:
    """Return the threads that a thread has started in its process before instruction `end`."""
    threads = guest.threads
    process = threads[thread].process
    found: dict[int, None] = {}
    for index in range(end):
        one = guest.at(thread, index)
        if one is None:
            break
        if isinstance(one, Create) and threads[one.thread].process == process:
            found[one.thread] = None
    return tuple(found)


def families(processes: int, related: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Number the families of processes: who is related to whom, directly or by others."""
    root = list(range(processes))

    def eldest(process: int) -> int:
        while root[process] != process:
            process = root[process]
        return process

    for one, other in related:
        a, b = sorted((eldest(one), eldest(other)))
        root[b] = a
    numbers = {r: i for i, r in enumerate(sorted({eldest(p) for p in range(processes)}))}
    return tuple(numbers[eldest(p)] for p in range(processes))
