"""Events of a recording, in terms that all importers share; times in ns from its start."""

import msgspec


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A page fault: the thread read or wrote `va`."""

    tid: int
    va: int
    write: bool
    #: the page was present: a copy-on-write, a zero page replaced, or a forbidden access
    present: bool
    start_ns: int


class Call(msgspec.Struct, frozen=True, gc=False):
    """A memory system call; arguments and result as unsigned 64-bit numbers."""

    tid: int
    name: str
    args: tuple[int, ...]
    start_ns: int
    end_ns: int
    result: int


class Birth(msgspec.Struct, frozen=True, gc=False):
    """`tid` created the thread `child` of its own process."""

    tid: int
    child: int
    start_ns: int


class Death(msgspec.Struct, frozen=True, gc=False):
    """The thread ended; its tid may come back as another thread."""

    tid: int
    start_ns: int


class Fork(msgspec.Struct, frozen=True, gc=False):
    """The process forked a child; from now on both share private memory copy-on-write.

    `borrows`: the child lives in its parent's memory until it does an exec (vfork). The strace
    importer reports no forks.
    """

    tid: int
    start_ns: int
    child: int
    borrows: bool = False


class Exec(msgspec.Struct, frozen=True, gc=False):
    """The process goes on with an empty address space."""

    tid: int
    start_ns: int


class Flush(msgspec.Struct, frozen=True, gc=False):
    """The kernel flushed a TLB in the thread; `context` is the call that it is in, or `fault`."""

    tid: int
    start_ns: int
    reason: int
    context: str


Event = Touch | Call | Birth | Death | Fork | Exec | Flush
