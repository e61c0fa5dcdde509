"""The zeroing thread and the page daemon."""

from actors.message import Message, PageKey


class ZeroJob(Message, frozen=True, tag=32):
    """zeroer <- vm: these pages of a hole may be zeroed."""

    keys: tuple[PageKey, ...]


class Take(Message, frozen=True, tag=33):
    """vm <- zeroer: may I have these pages now?"""

    keys: tuple[PageKey, ...]


class Taken(Message, frozen=True, tag=34):
    """zeroer <- vm: these of them (key, pfn), busy for you until PageZeroed or Ceded.

    `take` numbers the takes of all vms.
    """

    pages: tuple[tuple[PageKey, int], ...]
    take: int


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


class Claim(Message, frozen=True, tag=66):
    """core <- vm: claim these pages (key, pfn, take) from the zeroing thread, then Claimed."""

    claims: tuple[tuple[PageKey, int, int], ...]
    ns: int


class Claimed(Message, frozen=True, tag=67):
    """vm <- core: they are yours; (key, chunks that the zeroing thread has done)."""

    pages: tuple[tuple[PageKey, int], ...]


class StoreWords(Message, frozen=True, tag=68):
    """memory <- core, zeroer: write these claim words (pfn, value) of a side."""

    side: int
    words: tuple[tuple[int, int], ...]


class WordsStored(Message, frozen=True, tag=69):
    """core, zeroer <- memory: they are written."""


class LoadWords(Message, frozen=True, tag=70):
    """memory <- core, zeroer: read the claim words of a side."""

    side: int
    pfns: tuple[int, ...]


class WordsLoaded(Message, frozen=True, tag=71):
    """core, zeroer <- memory: they are, in order (0: never written)."""

    values: tuple[int, ...]


class Poll(Message, frozen=True, tag=72):
    """core <- core (timer): read the zeroing thread's word again."""
