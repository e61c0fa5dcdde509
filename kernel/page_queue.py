"""Queues of resident pages, by which the page daemon finds what to take (FreeBSD's vm_pagequeue).

A queue is a hint: who acts on a page looks at it again once it is busy. Every page is in one queue
at most, a page that an operation has taken off is in none until it is put back.
Source: FreeBSD vm_page.h (PQ_INACTIVE, PQ_ACTIVE, PQ_LAUNDRY; act_count), vm_pageout.c.
"""

from collections.abc import Hashable
from enum import IntEnum
from itertools import islice
from typing import Self


class Queue(IntEnum):
    """Queues of one memory domain, in the order in which the page daemon looks at them."""

    #: pages of holes: their frames go without a page-out, whatever their dirty bits say
    HOLES = 0
    #: next to go: MADV_FREE was called for them, or they were just laundered. FreeBSD puts them
    #: near the head of the inactive queue (vm_page_deactivate_noreuse)
    NOREUSE = 1
    INACTIVE = 2
    #: dirty: to be written to swap before their frames can go
    LAUNDRY = 3
    ACTIVE = 4


QUEUES = len(Queue)
#: activity of a page: what a reference adds, what a scan without one takes away, and the most
ACT_ADVANCE = 3
ACT_DECLINE = 1
ACT_MAX = 64
#: of a clean page that ages, when a dirty one counts one (FreeBSD's act_scan_laundry_weight)
CLEAN_WEIGHT = 3


class PageQueues:
    """The queues of all domains, by `domain * QUEUES + queue`; frames in the order of arrival."""

    __slots__ = ("lists", "where")

    def __init__(self) -> None:
        """Start with empty queues."""
        #: frame -> its page's activity (active pages)
        self.lists: dict[int, dict[int, int]] = {}
        self.where: dict[int, int] = {}

    def put(self, pfn: int, number: int, activity: int = 0) -> None:
        """Put a page at the tail of a queue, out of the one that it is in."""
        if pfn in self.where:
            self.remove(pfn)
        self.where[pfn] = number
        found = self.lists.get(number)
        if found is None:
            found = self.lists[number] = {}
        found[pfn] = activity

    def remove(self, pfn: int) -> None:
        """Take a page out of the queue that it is in, if it is in one."""
        number = self.where.pop(pfn, None)
        if number is not None:
            del self.lists[number][pfn]

    def take(self, number: int, most: int) -> list[tuple[int, int]]:
        """Take pages off the head of a queue: (frame, activity)."""
        found = list(islice(self.lists.get(number, {}).items(), most))
        for pfn, _ in found:
            self.remove(pfn)
        return found

    def length(self, number: int) -> int:
        """Count the pages in a queue."""
        return len(self.lists.get(number, ()))

    def copy(self) -> Self:
        """Copy the containers."""
        twin = object.__new__(type(self))
        twin.lists = {number: found.copy() for number, found in self.lists.items()}
        twin.where = self.where.copy()
        return twin

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return tuple(
            (number, tuple(found.items())) for number, found in sorted(self.lists.items()) if found
        )
