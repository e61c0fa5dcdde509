"""How much of what it was called for a call that failed may have done, by the policy's errors."""

from enum import Enum

from actors.operation import OpKind
from kernel.errors import Errno
from kernel.policy.keys import Errors


class Outcome(Enum):
    """What a call has done by the time it has returned."""

    #: all that it was called for, wherever something is mapped
    DONE = 1
    #: some of it, perhaps
    PART = 2
    #: nothing: everything must be as before
    NOTHING = 3


#: errors after which what precedes the place of the error stays done
_STOPS: dict[Errors, frozenset[int]] = {
    Errors.FREEBSD: frozenset(),
    Errors.LINUX: frozenset({Errno.EINVAL, Errno.ENOMEM, Errno.EPERM, Errno.EACCES}),
    Errors.XNU: frozenset({Errno.EINVAL, Errno.EPERM}),
    Errors.STRICT: frozenset(),
}
#: calls that go entry by entry, and stop at one that they are not for, on FreeBSD as well
_WALKS = frozenset({OpKind.ADVISE_DONTNEED, OpKind.ADVISE_REMOVE})
_ADVICE = frozenset(
    {
        OpKind.HOLE, OpKind.ZERO, OpKind.REUSE, OpKind.ADVISE_FREE, OpKind.ADVISE_DONTNEED,
        OpKind.ADVISE_REMOVE, OpKind.MINHERIT, OpKind.GUARD_INSTALL, OpKind.GUARD_REMOVE,
    }
)  # fmt: skip
#: calls that change one range as a whole, or nothing
_WHOLE = frozenset({OpKind.MMAP, OpKind.MUNMAP})
#: calls that may have begun when they fail, whatever the policy: mremap has unmapped what was at
#: its new place, mlock has locked what precedes the page that it could not bring in
_BEGIN = frozenset({OpKind.MREMAP, OpKind.MLOCK, OpKind.FORK, OpKind.EXIT, OpKind.EXEC})


def outcome(errors: Errors, kind: int, error: int, *, vetoed: bool) -> Outcome:
    """Say what a call that returned an error has done.

    vetoed: a device may have pinned some of its pages: a ZERO does the others, and fails.

    Source: madvise(2), "ENOMEM: addresses in the specified range are not currently mapped": the
    rest was done (Linux); the walks of madvise_walk_vmas and do_mprotect_pkey, which stop where
    they meet an error, of FreeBSD's linux_madvise_dontneed, and of XNU's vm_map_behavior_set.
    """
    if not error:
        return Outcome.DONE
    if kind in _WHOLE:
        return Outcome.NOTHING
    if kind in _BEGIN:
        return Outcome.PART
    if error == Errno.ENOMEM and kind in _ADVICE and errors is Errors.LINUX:
        return Outcome.DONE
    if kind == OpKind.ZERO and (vetoed or errors is Errors.FREEBSD):
        return Outcome.PART
    if error == Errno.EBUSY:  # of some page: those before it are done
        return Outcome.PART
    walks = kind in _WALKS and errors is Errors.FREEBSD
    return Outcome.PART if walks or error in _STOPS[errors] else Outcome.NOTHING
