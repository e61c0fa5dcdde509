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

    Sent on the zeroing thread's own lane, so that it cannot overtake the Taken of these pages.
    """

    thief: int
    keys: tuple[PageKey, ...]


class Ceded(Message, frozen=True, tag=37):
    """vm <- zeroer: they are yours, operation `thief`; (key, chunks done).

    Sent on the zeroing thread's own lane, so that it cannot overtake a PageZeroed of these pages.
    """

    thief: int
    pages: tuple[tuple[PageKey, int], ...]


class Scan(Message, frozen=True, tag=38):
    """vm <- pagedaemon: go through your queue `queue` (a Queue) until `target` is met.

    `short`: frames that are short, now that the queues before were gone through.
    """

    queue: int
    target: int
    short: int


class Scanned(Message, frozen=True, tag=39):
    """pagedaemon <- vm: the queue is gone through; `lengths` of all queues are now these.

    `moved`: pages laundered, or weighed, that became inactive.
    """

    freed: int
    moved: int
    lengths: tuple[int, ...]
    ns: int


class PassEnded(Message, frozen=True, tag=68):
    """memory <- pagedaemon: a pass is over, in vain or not: how short are you?

    Answered by Pressure. With no shortage, or in vain and nobody waiting, the page daemon sleeps;
    so it does, unanswered, if it `gives_up`.
    """

    in_vain: bool
    gives_up: bool = False


class Census(Message, frozen=True, tag=70):
    """vm <- pagedaemon: how large are your processes?"""


class Sizes(Message, frozen=True, tag=71):
    """pagedaemon <- vm: so large: process, pages resident, pages in swap.

    Of your domain's frames, `held` may be free some time, `kept` (pages of files) not. More of them
    held than pages: holes, which do not count, or a process that is going.
    """

    sizes: tuple[tuple[int, int, int], ...]
    held: int
    kept: int


class Kill(Message, frozen=True, tag=72):
    """vm <- pagedaemon: memory is out, with `free` frames free: kill this process."""

    asid: int
    free: int


class Rescan(Message, frozen=True, tag=69):
    """pagedaemon <- pagedaemon (timer): the pause after a pass in vain is over."""


class Claim(Message, frozen=True, tag=81):
    """core <- vm: claim these pages (key, pfn, take) from the zeroing thread, then Claimed."""

    claims: tuple[tuple[PageKey, int, int], ...]
    ns: int


class Claimed(Message, frozen=True, tag=82):
    """vm <- core: they are yours; (key, chunks that the zeroing thread has done)."""

    pages: tuple[tuple[PageKey, int], ...]


class StoreWords(Message, frozen=True, tag=83):
    """memory <- core, zeroer: write these claim words (pfn, value) of a side."""

    side: int
    words: tuple[tuple[int, int], ...]


class WordsStored(Message, frozen=True, tag=84):
    """core, zeroer <- memory: they are written."""


class LoadWords(Message, frozen=True, tag=85):
    """memory <- core, zeroer: read the claim words of a side."""

    side: int
    pfns: tuple[int, ...]


class WordsLoaded(Message, frozen=True, tag=86):
    """core, zeroer <- memory: they are, in order (0: never written)."""

    values: tuple[int, ...]


class Poll(Message, frozen=True, tag=87):
    """core <- core (timer): read the zeroing thread's word again."""


#: all messages of the family
DAEMONS: tuple[type[Message], ...] = (
    ZeroJob, Take, Taken, PageZeroed, Steal, Ceded, Scan, Scanned, PassEnded, Census, Sizes,
    Kill, Rescan, Claim, Claimed, StoreWords, WordsStored, LoadWords, WordsLoaded, Poll,
)  # fmt: skip
