"""What the user may choose for an import."""

from enum import StrEnum

import msgspec


class ReuseRange(StrEnum):
    """How much of a released range its first touch takes back into use."""

    RANGE = "range"
    PAGE = "page"
    NONE = "none"


class AssumedTouch(StrEnum):
    """Which touches are assumed where the recording shows none."""

    NONE = "none"
    RELEASE = "release"
    FIRST = "first"


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Choices of an import; the defaults are those of the command line."""

    #: pid of the process to import; None: the one with most memory events, forks without exec last
    process: int | None = None
    #: also import the children that it forks, and theirs, as processes (faults only)
    children: bool = False
    reuse: ReuseRange = ReuseRange.RANGE
    #: keep faults in file mappings (faults only)
    file_touches: bool = True
    #: how long a recorded fault is taken to have lasted (faults only)
    fault_ns: int = 700
    #: touches that are made up (strace only)
    touch: AssumedTouch = AssumedTouch.RELEASE
    #: of a range's pages, at most this fraction is touched
    touch_fraction: float = 0.5
    #: and at most so many per call
    touch_pages: int = 512
