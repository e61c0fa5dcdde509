"""An operation in flight: a system call, fault, reclaim or context switch as a record with a state.

One module of this package per kind. An operation is a tuple of phases (`PHASES`); a phase takes
the operation one step further and says in what state it is left. What another actor may see in
between is just what lies between two phases (or two pages of a scanning phase).
"""

from enum import IntEnum

import msgspec

from actors.message import PageKey


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


class OpState(IntEnum):
    """READY, or what the operation waits for; nothing interrupts a sleep yet."""

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


#: states in which the thread is off its core
SLEEPING = frozenset({OpState.LOCK, OpState.PAGE_BUSY, OpState.PAGER, OpState.LOW_MEMORY})


#: second argument of a fault, besides whether it is for a store: of a user's access, of one that
#: the kernel makes for a system call, or of no access at all (mlock, MADV_POPULATE_*)
USER, KERNEL, POPULATES = 0, 1, 2


class Op(msgspec.Struct, frozen=True, gc=False):
    """The record; `ns` is kernel work done and not yet charged to the initiator `by`."""

    op: int
    by: int
    kind: OpKind
    asid: int
    start: int
    end: int
    args: tuple[int, ...] = ()
    index: int = 0
    state: OpState = OpState.READY
    phase: int = 0
    #: next page that a scanning phase looks at
    cursor: int = 0
    round: int = 0
    #: pages held busy, by key and vpn
    pages: tuple[tuple[PageKey, int], ...] = ()
    #: pages of the zeroing thread that ZERO wants
    wanted: tuple[tuple[PageKey, int], ...] = ()
    #: entries taken away whose invalidation is due: (asid << ASID_SHIFT | vpn, frame)
    gone: tuple[tuple[int, int], ...] = ()
    #: frames to free once the invalidation is complete
    frames: tuple[int, ...] = ()
    ns: int = 0
    error: int = 0
    value: int = 0
    #: objects that lost a reference, to be settled when the map is unlocked
    drops: tuple[int, ...] = ()
    #: pages that ZERO zeroes inline: vpn, chunks done by the zeroing thread, vpn, chunks, ...
    todo: tuple[int, ...] = ()
    #: number of the invalidation that it left to other cores; -1: none was to do it
    deferral: int = 0
    #: cores that need no interrupt in its next shootdown (a mask)
    spared: int = 0
    #: ZERO: pages below have been decided
    claimed: int = 0
    #: what it saw before it slept on a busy page (the hazard no-restart-after-busy uses it)
    seen: tuple[int, ...] = ()
    #: frames that it has pinned for a device; of a fork: that it has for copies of such pages
    held: tuple[int, ...] = ()
    #: pages that ZERO has left as they were: a device had them pinned
    left: tuple[int, ...] = ()


replace = msgspec.structs.replace


def advance(op: Op, ns: int = 0) -> Op:
    """Go to the next phase; scanning starts over at the range's first page."""
    return replace(op, phase=op.phase + 1, cursor=op.start, ns=op.ns + ns)
