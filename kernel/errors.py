"""Error numbers that system calls return to the simulated program, and signal codes."""

from enum import IntEnum


class Errno(IntEnum):
    """errno(2) values, FreeBSD numbers."""

    OK = 0
    EPERM = 1
    EINTR = 4
    ENXIO = 6
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EINVAL = 22


class SegvCode(IntEnum):
    """Why SIGSEGV (or SIGBUS) was sent."""

    MAPERR = 1
    ACCERR = 2
    #: hole_access = fatal: the page is in a hole
    HOLE = 3
    #: past the end of the mapped object (SIGBUS)
    OBJECT = 4
    #: no signal: the process was killed
    KILLED = 5
    #: MADV_GUARD_INSTALL has left a marker there (Linux says SEGV_MAPERR)
    GUARD = 6


class FaultCause(IntEnum):
    """How a page fault was resolved; NONE in a Translation: there was no fault."""

    NONE = 0
    #: a new frame, zeroed
    ZERO_FILL = 1
    #: the page was resident, but its entry was gone
    SOFT = 2
    #: the entry was there but did not permit the access
    PERMISSION = 3
    #: a page of a permissive hole
    ROGUE = 4
    #: the entry permitted the access after all (another fault had resolved it)
    SPURIOUS = 5
    #: an older copy was copied to a private page
    COPY = 6
    #: read from a file or from swap, whatever else followed
    PAGE_IN = 7
    #: the shared zero page
    ZERO_PAGE = 8
