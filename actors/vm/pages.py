"""Resident pages by identity, which page each frame is, and the queues that they are in.

Owns the frames (FreeBSD's vm_page array), the page queues, and the swap slots let go of in a step.
Touches the containers of objects, in which pages and slots are.
"""

from collections.abc import Hashable
from typing import Self

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import FreeSlots
from actors.settings import DOMAIN_SHIFT, Settings
from actors.vm.objects import Objects
from kernel.hazards.switches import Hazard
from kernel.hole import HoleState
from kernel.page import Page
from kernel.page_queue import QUEUES, PageQueues, Queue

#: loads of enum members are slow, and each fault ends with these
_ACTIVE, _HOLES, _LIVE = int(Queue.ACTIVE), int(Queue.HOLES), HoleState.LIVE


class Pages:
    """Finding, replacing and removing pages by their identity (object, index)."""

    __slots__ = ("_by_oid", "dropped", "frames", "objects", "queues", "settings")

    def __init__(self, settings: Settings, objects: Objects) -> None:
        """Begin with none."""
        self.settings = settings
        self.objects = objects
        self._by_oid = objects.by_oid
        #: which page each frame is
        self.frames: dict[int, PageKey] = {}
        self.queues = PageQueues()
        #: slots of swap that nothing refers to any more; told when the step ends
        self.dropped: dict[int, None] = {}

    def clone(self, objects: Objects) -> Self:
        """Copy the containers, for a vm with these objects."""
        twin = type(self)(self.settings, objects)
        twin.frames = self.frames.copy()
        twin.queues = self.queues.copy()
        twin.dropped = self.dropped.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state; between deliveries no slot waits to be told."""
        return tuple(self.frames.items()), self.queues.freeze()

    def put(self, key: PageKey, page: Page) -> None:
        """Replace the page under its key."""
        self._by_oid[key[0]].pages[key[1]] = page

    def at(self, key: PageKey) -> Page:
        """Return the page under a key; KeyError if it is not resident."""
        return self._by_oid[key[0]].pages[key[1]]

    def get(self, key: PageKey) -> Page | None:
        """Find a page by its identity."""
        one = self._by_oid.get(key[0])
        return None if one is None else one.pages.get(key[1])

    def give_frame(self, key: PageKey, page: Page, pfn: int) -> Page:
        """Enter the frame that a page waited for; return the page with it."""
        page = page.with_frame(pfn)
        self.put(key, page)
        self.frames[pfn] = key
        return page

    def forget(self, key: PageKey, page: Page) -> None:
        """Take a page out of its object."""
        del self._by_oid[key[0]].pages[key[1]]
        self.frames.pop(page.pfn, None)
        self.queues.remove(page.pfn)

    # Swap.

    def drop_slot(self, key: PageKey) -> None:
        """Let go of a page's copy in swap, if there is one."""
        slot = self._by_oid[key[0]].swap.pop(key[1], None)
        if slot is not None:
            self.dropped[slot] = None

    def free_slots(self, lane: int, out: list[Effect]) -> None:
        """Tell the swap device which slots are free."""
        (swap,) = self.settings.swaps
        out.append(Send(swap, FreeSlots(lane, tuple(self.dropped))))
        self.dropped.clear()

    # Queues.

    def enqueue(self, pfn: int, queue: Queue, activity: int = 0) -> None:
        """Put a page at the tail of a queue of its frame's domain."""
        self.queues.put(pfn, (pfn >> DOMAIN_SHIFT) * QUEUES + queue, activity)

    def activate(self, page: Page) -> None:
        """Put a page that is used into the active queue, one of a hole among those to go."""
        pfn, queues = page.pfn, self.queues
        number = (pfn >> DOMAIN_SHIFT) * QUEUES + (_ACTIVE if page.hole is _LIVE else _HOLES)
        if queues.where.get(pfn) != number:
            queues.put(pfn, number, self.settings.act_init)

    def hint(self, keys: list[PageKey], queue: Queue) -> None:
        """Queue pages that look reclaimable for the page daemons of their frames' domains."""
        for key in keys:
            page = self.get(key)
            if page is None or page.pfn < 0:
                continue
            in_laundry = self.queues.where.get(page.pfn, 0) % QUEUES == Queue.LAUNDRY
            if not (in_laundry and self.settings.hazards & Hazard.HOLE_TO_SWAP):
                self.enqueue(page.pfn, queue)
