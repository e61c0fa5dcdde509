"""State of a `vm` as its operations see it: pages, entries, and the life of holes.

Whatever changes the hole state of a page goes through `hole_event`, which asks THE TABLE.
"""

from collections.abc import Callable

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import ZeroJob
from actors.operations.operation import Op
from actors.vm_pages import VmPages
from kernel.hazards import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState, transition
from kernel.page import NOBODY, Page
from kernel.page_queue import QUEUES, Queue
from kernel.policy import zero_may_skip
from kernel.vmspace import VmSpace


class VmState(VmPages):
    """Holes: events, offers to the zeroing thread, hints for the page daemons."""

    def hole_event(
        self, key: PageKey, event: HoleEvent, op: Op
    ) -> tuple[Page | None, tuple[Action, ...]]:
        """Raise an event of THE TABLE on a page; accounting is done here, the rest is told.

        Gives the page as it is now (None: it left its object) and the actions left to do.
        """
        page = self.objects[key[0]].pages[key[1]]
        state, actions = transition(page.hole, event)
        after: Page | None = page
        if Action.ACCOUNT_OUT in actions:
            self.account(page, -1)
        elif event is HoleEvent.HOLE and self.settings.hazards & Hazard.RESIDENT_SET_DRIFT:
            self.change_resident(op.asid, -1)
        if state is None:
            self.forget(key, page)
            return None, actions
        if state != page.hole:
            after = page.with_hole(state)
            self.put(key, after)
        if Action.ACCOUNT_IN in actions:
            self.account(page, 1)
        return after, actions

    def must_wait(self, page: Page, event: HoleEvent) -> bool:
        """Say whether an operation must sleep before it raises an event on a page.

        Of a page of a hole that somebody works on THE TABLE says so; others may be busy for a fault
        or another operation.
        """
        if page.hole in IN_HANDS:
            return Action.WAIT in self.table_says(page, event)
        return page.busy != NOBODY

    def table_says(self, page: Page, event: HoleEvent) -> tuple[Action, ...]:
        """Ask THE TABLE what an event would have done, without raising it."""
        return transition(page.hole, event)[1]

    def may_offer(self, page: Page) -> bool:
        """Say whether background zeroing of the page could be trusted later.

        Where entries stay, a store through a TLB entry with a cached dirty bit leaves no mark: only
        a page whose entry is clean (so that no TLB has the bit) can be watched.
        """
        if zero_may_skip(self.settings.policy):
            return True
        if self.settings.hazards & Hazard.KNOWN_ZERO_WHILE_WRITABLE:
            return True
        return not self.dirtied(page)

    def offer(self, op: Op, keys: list[PageKey], out: list[Effect]) -> None:
        """Hand flushed pages of a hole to the zeroing thread."""
        if self.settings.policy.zeroing == "inline":
            return
        offered = []
        for key in keys:
            page = self.get(key)
            if page is None or page.hole is not HoleState.IDLE:
                continue
            if self.may_offer(page):
                self.hole_event(key, HoleEvent.OFFER, op)
                offered.append(key)
        if offered:
            out.append(Send(self.settings.zeroer_of(op.asid), ZeroJob(op.op, tuple(offered))))

    def hint(self, keys: list[PageKey], queue: Queue) -> None:
        """Queue pages that look reclaimable for the page daemons of their frames' domains."""
        for key in keys:
            page = self.get(key)
            if page is None or page.pfn < 0:
                continue
            in_laundry = self.queues.where.get(page.pfn, 0) % QUEUES == Queue.LAUNDRY
            if not (in_laundry and self.settings.hazards & Hazard.HOLE_TO_SWAP):
                self.enqueue(page.pfn, queue)


Phase = Callable[[VmState, VmSpace, Op, list[Effect]], Op]

#: says whether a phase has nothing to do for an operation
Idle = Callable[[VmState, VmSpace, Op], bool]
#: phases that may have nothing to do: they are no step then, but end with the step before
IDLE_PHASES: dict[Phase, Idle] = {}


def idle_if(idle: Idle) -> Callable[[Phase], Phase]:
    """Mark a phase that does nothing but go on when `idle` is true."""

    def mark(phase: Phase) -> Phase:
        IDLE_PHASES[phase] = idle
        return phase

    return mark


def named(name: str, phase: Phase) -> Phase:
    """Give a phase that was made the name that readers see."""
    phase.__name__ = name
    return phase
