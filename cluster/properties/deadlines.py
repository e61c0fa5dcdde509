"""By when other cores must have lost what a call, or the use of a frame, takes away: one table.

A deadline says when, never how: whoever took the entry away, and whatever told the cores. At each,
every translation sent earlier to any core gives no more than the page table's entry does then, or
an event of that core which is known by then shows neither the entry nor a live walk for it. A core
that has another root loaded, as far as is known by then, owes that by the time it loads this one.

No deadline takes back the accessed bit, rights that an entry never had, or read-only entries of the
frame that is still mapped.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from actors.operation import OpKind
from kernel.policy.keys import (
    AdviceKind,
    HoleAccess,
    Invalidate,
    NoAccess,
    NotStarted,
    Policy,
    TrackClean,
    defers,
)


class Due(StrEnum):
    """Which translations are too much, against the page table's entry at the deadline."""

    #: those that give rights, or a frame, which the entry does not
    RIGHTS = "rights"
    #: those that give the right to store, which the entry does not
    WRITE = "writing"
    #: those whose dirty bit is set, and clear in an entry of the same frame
    DIRTY = "dirty bit"
    #: RIGHTS and DIRTY
    BOTH = "rights, dirty bit"
    #: those that lead to another frame
    FRAME = "other frames"
    #: any
    ALL = "all"


class Deadline(msgspec.Struct, frozen=True):
    """One row: what happens then, which pages and translations it is about, under which policy."""

    #: how it is named in reports: "... has returned", "... is freed"
    name: str
    when: str
    pages: str
    due: Due
    #: whether a policy has it; `text` says the same
    under: Callable[[Policy], bool] = lambda _policy: True
    text: str = "always"
    #: whether a call with these arguments has it; `when` says the same
    taking: Callable[[tuple[int, ...]], bool] = lambda _args: True
    #: left to each core's next occasion
    left: bool = False


def _closes(policy: Policy) -> bool:
    return policy.no_access is not NoAccess.NONE and policy.invalidate is not Invalidate.NONE


def _at_once(policy: Policy) -> bool:
    return _closes(policy) and not defers(policy)


def _flushes_first(policy: Policy) -> bool:
    closed = _at_once(policy) and policy.hole_access is HoleAccess.FATAL
    return closed and policy.zero_not_started is NotStarted.FLUSH_THEN_ZERO


_READ, _WRITE = 1, 2
_RANGE, _SPACE = "its range", "the whole address space"

#: by kind of call: what is due when it returns
RETURNS: dict[OpKind, tuple[Deadline, ...]] = {
    OpKind.MUNMAP: (Deadline("munmap", "munmap returns", _RANGE, Due.RIGHTS),),
    OpKind.MMAP: (Deadline("mmap", "mmap over what was there returns", _RANGE, Due.RIGHTS),),
    OpKind.MPROTECT: (
        Deadline(
            "mprotect", "mprotect to no access returns", _RANGE, Due.RIGHTS,
            taking=lambda args: not args[0] & _READ,
        ),
        Deadline(
            "mprotect", "mprotect to read-only returns", _RANGE, Due.WRITE,
            taking=lambda args: args[0] & (_READ | _WRITE) == _READ,
        ),
    ),
    OpKind.MREMAP: (
        Deadline("mremap", "mremap returns", "the range left, and the new one", Due.RIGHTS),
    ),
    OpKind.ADVISE_DONTNEED: (
        Deadline(
            "MADV_DONTNEED", "MADV_DONTNEED returns", _RANGE, Due.RIGHTS,
            lambda p: p.advice is not AdviceKind.DONTNEED_FREEBSD, "where it discards",
        ),
    ),
    OpKind.ADVISE_REMOVE: (
        Deadline("MADV_REMOVE", "MADV_REMOVE returns", "its shared memory", Due.RIGHTS),
    ),
    OpKind.GUARD_INSTALL: (
        Deadline("MADV_GUARD_INSTALL", "MADV_GUARD_INSTALL returns", _RANGE, Due.RIGHTS),
    ),
    OpKind.ADVISE_FREE: (
        Deadline("MADV_FREE", "MADV_FREE returns", _RANGE, Due.DIRTY),
    ),
    OpKind.FORK: (Deadline("fork", "fork returns", "the parent's private memory", Due.WRITE),),
    OpKind.EXIT: (Deadline("exit", "the process's exit is complete", _SPACE, Due.RIGHTS),),
    OpKind.EXEC: (Deadline("execve", "execve returns", _SPACE, Due.RIGHTS),),
    OpKind.HOLE: (
        Deadline(
            "HOLE", "HOLE returns", _RANGE, Due.RIGHTS, _at_once,
            "entries are taken, and not left to others",
        ),
        Deadline(
            "HOLE", "a core's first occasion after HOLE has returned", _RANGE, Due.RIGHTS,
            lambda p: _closes(p) and defers(p), "invalidate=deferred-*", left=True,
        ),
        Deadline(
            "HOLE", "HOLE returns", _RANGE, Due.DIRTY,
            lambda p: p.track_clean is TrackClean.ON,
            "track_clean=on",
        ),
    ),
    OpKind.ZERO: (
        Deadline(
            "ZERO", "ZERO returns", _RANGE, Due.RIGHTS, _flushes_first,
            "hole_access=fatal, zero_not_started=flush-then-zero",
        ),
    ),
}  # fmt: skip
#: of a frame
FREED = Deadline("free", "a frame is freed", "all that show it", Due.ALL)
ZEROED = Deadline(
    "zeroing", "a page is given out to be zeroed", "all that show it", Due.WRITE, _closes,
    "entries are taken; by a ZERO only with zero_not_started=flush-then-zero",
)  # fmt: skip
COPIED = Deadline("copy", "a frame is given out to be copied", "all that show it", Due.WRITE)
PAGED_OUT = Deadline("page-out", "a frame is sent to swap", "all that show it", Due.BOTH)
REPLACED = Deadline(
    "replacement",
    "a fault lets a page be stored to in another frame, and no call takes the page away",
    "that page",
    Due.FRAME,
)
FRAMES = (FREED, ZEROED, COPIED, PAGED_OUT, REPLACED)
