"""Operations of the kernel, as messages name them: system calls, faults, scans, context switches.

Their records are a `vm`'s own business: see `actors/vm/op.py`.
"""

from enum import IntEnum


class OpKind(IntEnum):
    """Kinds of operations; system calls carry theirs in `Call.kind`."""

    FAULT = 1
    MMAP = 2
    MUNMAP = 3
    MPROTECT = 4
    ADVISE_FREE = 5
    ADVISE_DONTNEED = 6
    HOLE = 7
    ZERO = 8
    RECLAIM = 9
    SWITCH = 10
    FORK = 11
    EXIT = 12
    EXEC = 13
    MREMAP = 14
    MLOCK = 15
    MUNLOCK = 16
    MINCORE = 17
    MINHERIT = 18
    #: advice that moves nothing and discards nothing
    ADVISE_HINT = 19
    ADVISE_COLD = 20
    ADVISE_PAGEOUT = 21
    ADVISE_REMOVE = 22
    POPULATE = 23
    #: advice that no kernel knows
    ADVISE_UNKNOWN = 24
    #: read(2) and the like: the kernel stores to the caller's memory
    COPYOUT = 25
    #: write(2) and the like: the kernel loads from the caller's memory
    COPYIN = 26
    #: the deadline of invalidations that were left to other cores
    CATCH_UP = 27
    #: MADV_FREE_REUSE as XNU has it
    REUSE = 28
    #: of the page daemon, as RECLAIM: dirty pages to swap, activity of active pages
    LAUNDER = 29
    AGE = 30
    #: a transfer between a device and the caller's memory: its pages are pinned
    DMA = 31
    #: Linux's guard regions: markers in place of entries of the page table
    GUARD_INSTALL = 32
    GUARD_REMOVE = 33


class OpState(IntEnum):
    """READY, or what the operation waits for."""

    READY = 0
    #: the map lock
    LOCK = 1
    #: a busy page
    PAGE_BUSY = 2
    #: acknowledgements of a shootdown
    ACKS = 3
    #: the zeroing thread, to cede
    ZEROING = 4
    #: a frame
    FRAME = 5
    #: its initiator works (charges time, or zeroes frames) and sends Step
    WORK = 6
    #: the pager, which reads a page of a file, or the swap device
    PAGER = 7
    #: frames: no domain had any, everything was given up
    LOW_MEMORY = 8
    #: the other threads of its process, to end
    SIBLINGS = 9


#: states in which the thread is off its core
SLEEPING = frozenset(
    {OpState.LOCK, OpState.PAGE_BUSY, OpState.PAGER, OpState.LOW_MEMORY, OpState.SIBLINGS}
)


#: second argument of a fault, besides whether it is for a store: of a user's access, of one that
#: the kernel makes for a system call, or of no access at all (mlock, MADV_POPULATE_*)
USER, KERNEL, POPULATES = 0, 1, 2
