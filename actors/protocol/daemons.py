"""The zeroing thread and the page daemon."""

from actors.message import Message, PageKey


class ZeroJob(Message, frozen=True, tag=32):
    """zeroer <- vm: these pages of a hole may be zeroed."""

    keys: tuple[PageKey, ...]


class Take(Message, frozen=True, tag=33):
    """vm <- zeroer: may I have these pages now?"""

    keys: tuple[PageKey, ...]


class Taken(Message, frozen=True, tag=34):
    """zeroer <- vm: these of them (key, pfn), busy for you until PageZeroed or Ceded."""

    pages: tuple[tuple[PageKey, int], ...]


class PageZeroed(Message, frozen=True, tag=35):
    """vm <- zeroer: these pages are zero."""

    keys: tuple[PageKey, ...]


class Steal(Message, frozen=True, tag=36):
    """zeroer <- vm: give up these pages to operation `thief`, once your own chunks are done.

    Sent on the zeroing thread's own lane, so that it can not overtake the Taken of these pages.
    """

    thief: int
    keys: tuple[PageKey, ...]


class Ceded(Message, frozen=True, tag=37):
    """vm <- zeroer: they are yours, operation `thief`; (key, chunks done).

    Sent on the zeroing thread's own lane, so that it can not overtake a PageZeroed of these pages.
    """

    thief: int
    pages: tuple[tuple[PageKey, int], ...]


class Hint(Message, frozen=True, tag=38):
    """pagedaemon <- vm: these pages look reclaimable."""

    keys: tuple[PageKey, ...]


class Reclaim(Message, frozen=True, tag=39):
    """vm <- pagedaemon: reclaim these pages if they are still holes or free, and not held."""

    keys: tuple[PageKey, ...]
