"""Values of a core's state: what a thread does, what waits in a core. All are immutable."""

from enum import IntEnum
from typing import Final

import msgspec

from actors.message import PageKey, StoreItem

NO_THREAD: Final = -1
NO_SPACE: Final = -1
#: instruction after the end of every program: where a killed thread is
NEVER: Final = 1 << 60


class Doing(IntEnum):
    """What a thread does or waits for; from THINK on it is off the core."""

    #: runnable
    RUN = 0
    #: a translation
    WALK = 1
    #: a load that memory has
    LOAD = 2
    #: the kernel, for a system call
    CALL = 3
    #: the kernel, for a page fault
    FAULT = 4
    #: the store buffer to drain (or to have room)
    DRAIN = 5
    #: the context switch to its address space
    SWITCH = 6
    #: a Go that it sent itself (exploring: between two instructions)
    GO = 7
    #: the end of a computation that takes the core, or of its time slice
    COMPUTE = 13
    THINK = 8
    #: an instruction of another thread
    EDGE = 9
    #: asleep in the kernel
    SLEEP = 10
    #: woken in the kernel, waits for the core
    WOKEN = 11
    DONE = 12
    #: transfers of devices
    TRANSFER = 14


# Each under a name of its own: to look one up in the enum takes longer than what is done with it.
RUN: Final = Doing.RUN
WALK: Final = Doing.WALK
LOAD: Final = Doing.LOAD
CALL: Final = Doing.CALL
FAULT: Final = Doing.FAULT
DRAIN: Final = Doing.DRAIN
SWITCH: Final = Doing.SWITCH
GO: Final = Doing.GO
COMPUTE: Final = Doing.COMPUTE
THINK: Final = Doing.THINK
EDGE: Final = Doing.EDGE
SLEEP: Final = Doing.SLEEP
WOKEN: Final = Doing.WOKEN
DONE: Final = Doing.DONE
TRANSFER: Final = Doing.TRANSFER


class Thread(msgspec.Struct, frozen=True, gc=False):
    """A thread that is not running: where it goes on, and what it waits for."""

    #: index of the instruction in the guest
    pc: int = 0
    #: system call of the instruction, or element of the access run
    part: int = 0
    doing: Doing = RUN
    #: CALL, FAULT or WALK: where a sleeper in the kernel goes on
    resume: Doing = RUN
    #: what is left of a computation that was preempted, in ns
    left_ns: int = 0


class Buffered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the store buffer: stores of one stretch, or an interrupt's acknowledgement."""

    op: int
    asid: int
    items: tuple[StoreItem, ...] = ()
    #: for an acknowledgement: whom it goes to
    ack_to: int = -1
    round: int = 0
    #: of a broadcast invalidation, not of an interrupt
    broadcast: bool = False
    #: claim words (pfn, value) that it writes
    words: tuple[tuple[int, int], ...] = ()


class Zeroing(msgspec.Struct, frozen=True, gc=False):
    """Frames that the core zeroes for an operation: (pfn, chunk) still to do, in order."""

    vm: int
    todo: tuple[tuple[int, int], ...]


class Copying(msgspec.Struct, frozen=True, gc=False):
    """A frame that the core copies for an operation."""

    vm: int
    src: int
    dst: int


class WordClaim(msgspec.Struct, frozen=True, gc=False):
    """Pages to claim by words: (key, pfn, take) still to do, the first is under way; those done."""

    vm: int
    todo: tuple[tuple[PageKey, int, int], ...]
    #: (key, chunks that the zeroing thread has done)
    done: tuple[tuple[PageKey, int], ...] = ()
    #: the own word is written, as far as the fence tells
    fenced: bool = False
