"""What the user may choose when a recording is imported."""

from enum import StrEnum

import msgspec


class ReuseRange(StrEnum):
    """How much of a released range its first touch takes into use again."""

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

    #: the process to import; None: the one with most memory events that is no fork without exec
    process: int | None = None
    #: import the children that it forks, and theirs, as processes of their own (faults only)
    children: bool = False
    reuse: ReuseRange = ReuseRange.RANGE
    #: keep faults in file mappings (faults only)
    file_touches: bool = True
    #: what a recorded fault is taken to have lasted (faults only)
    fault_ns: int = 700
    #: touches that are made up (strace only)
    touch: AssumedTouch = AssumedTouch.RELEASE
    #: of the pages of a range, at most this part is touched, and
    touch_fraction: float = 0.5
    #: at most so many a call
    touch_pages: int = 512
