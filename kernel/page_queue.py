"""Queues of resident pages in which the page daemon looks for candidates (FreeBSD's vm_pagequeue).

A queue is a hint: whoever acts on a page checks it again once it is busy. A page is in at most one
queue; one that an operation has taken off a queue is in none until it is put back.
Source: FreeBSD vm_page.h (PQ_INACTIVE, PQ_ACTIVE, PQ_LAUNDRY; act_count), vm_pageout.c.
"""

from collections.abc import Hashable
from enum import IntEnum
from itertools import islice


class Queue(IntEnum):
    """Queues of one memory domain, in the order in which the page daemon looks at them."""

    #: pages of holes: their frames go without a page-out, whatever their dirty bits say
    HOLES = 0
    #: next to go: MADV_FREE was called for them, or they have just been laundered. FreeBSD puts
    #: them near the head of the inactive queue (vm_page_deactivate_noreuse)
    NOREUSE = 1
    INACTIVE = 2
    #: dirty: to be written to swap before their frames can go
    LAUNDRY = 3
    ACTIVE = 4


QUEUES = len(Queue)
#: activity of a page: what a reference adds, what a scan without one subtracts, and the maximum
ACT_ADVANCE = 3
ACT_DECLINE = 1
ACT_MAX = 64
#: weight of a clean page that ages; a dirty one counts 1 (FreeBSD's act_scan_laundry_weight)
CLEAN_WEIGHT = 3


class PageQueues:
    """The queues of all domains, by `domain * QUEUES + queue`; frames in order of arrival."""

    __slots__ = ("lists", "where")

    def __init__(self) -> None:
        """Start with empty queues."""
        #: queue -> frame -> its page's activity (0 but in active queues)
        self.lists: dict[int, dict[int, int]] = {}
        #: frame -> queue
        self.where: dict[int, int] = {}

    def put(self, pfn: int, number: int, activity: int = 0) -> None:
        """Move a page to the tail of a queue, from whichever queue it is in."""
        if pfn in self.where:
            self.remove(pfn)
        self.where[pfn] = number
        found = self.lists.get(number)
        if found is None:
            found = self.lists[number] = {}
        found[pfn] = activity

    def remove(self, pfn: int) -> None:
        """Take a page off the queue that it is in, if any."""
        number = self.where.pop(pfn, None)
        if number is not None:
            del self.lists[number][pfn]

    def take(self, number: int, most: int) -> list[tuple[int, int]]:
        """Take up to `most` pages off the head of a queue: (frame, activity)."""
        found = list(islice(self.lists.get(number, {}).items(), most))
        for pfn, _ in found:
            self.remove(pfn)
        return found

    def length(self, number: int) -> int:
        """Count the pages in a queue."""
        return len(self.lists.get(number, ()))

    def copy(self) -> "PageQueues":
        """Copy the containers."""
        twin = PageQueues()
        twin.lists = {number: found.copy() for number, found in self.lists.items()}
        twin.where = self.where.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(
            (number, tuple(found.items())) for number, found in sorted(self.lists.items()) if found
        )
