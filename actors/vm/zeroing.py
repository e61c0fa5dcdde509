"""What a vm does for the zeroing threads: offers pages, hands them out, takes them back zeroed.

Owns the takes (claim = dekker): which one each page in a zeroing thread's hands belongs to. Touches
the hole state of pages, and their busy lock.
"""

from collections.abc import Hashable
from typing import Any, Self

from actors.facts import BackgroundZeroed
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import PageZeroed, Take, Taken, ZeroJob
from actors.operation import OpKind
from actors.settings import Settings
from actors.vm.holes import Holes
from actors.vm.op import Op
from actors.vm.payloads import NOTHING
from actors.vm.waiting import Waiting
from kernel.hazards.switches import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState
from kernel.page import Page
from kernel.policy.keys import AdviceKind, Claim, zero_may_skip

#: of a take's number, the rest is the vm's
_TAKE_BITS = 32


class Zeroing:
    """Pages of holes on their way to the zeroing threads and back."""

    __slots__ = ("holes", "me", "settings", "taken", "takes", "waiting")

    def __init__(self, me: int, settings: Settings, holes: Holes, waiting: Waiting) -> None:
        """Begin with no page handed out."""
        self.me = me
        self.settings = settings
        self.holes = holes
        self.waiting = waiting
        #: how many there were, and which one each page belongs to
        self.takes = 0
        self.taken: dict[PageKey, int] = {}

    def clone(self, holes: Holes, waiting: Waiting) -> Self:
        """Copy the containers, for a vm with these neighbours."""
        twin = type(self)(self.me, self.settings, holes, waiting)
        twin.takes = self.takes
        twin.taken = self.taken.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return self.takes, tuple(sorted(self.taken.items()))

    def may_offer(self, page: Page) -> bool:
        """Say whether background zeroing of the page could be trusted later.

        Where entries stay, a store through a TLB entry with a cached dirty bit leaves no mark: only
        a page whose entry is clean (so that no TLB has the bit) can be watched.
        """
        if zero_may_skip(self.settings.policy):
            return True
        if self.settings.hazards & Hazard.KNOWN_ZERO_WHILE_WRITABLE:
            return True
        return not self.holes.entries.dirtied(page)

    def offer(self, op: Op[Any], keys: list[PageKey], out: list[Effect]) -> None:
        """Hand flushed pages of a hole to the zeroing threads of their frames' domains."""
        policy = self.settings.policy
        if policy.zeroing == "inline" or policy.advice is AdviceKind.REUSABLE_REUSE:
            return
        by_zeroer: dict[int, list[PageKey]] = {}
        for key in keys:
            page = self.holes.pages.get(key)
            if page is None or page.hole is not HoleState.IDLE:
                continue
            if self.may_offer(page):
                self.holes.event(key, HoleEvent.OFFER, op)
                by_zeroer.setdefault(self.settings.zeroer_of(page.pfn), []).append(key)
        out.extend(
            Send(zeroer, ZeroJob(op.lane, tuple(found)))
            for zeroer, found in sorted(by_zeroer.items())
        )

    def take(self, src: int, m: Take) -> list[Effect]:
        """Busy the pages that are still queued; the others are not to be had any more."""
        holes, out = self.holes, list[Effect]()
        pages = []
        for key in m.keys:
            page = holes.pages.get(key)
            if page is None or Action.REFUSE in holes.table_says(page, HoleEvent.TAKE):
                continue
            if page.is_busy and page.hole not in IN_HANDS:
                continue
            if not self.may_offer(page):
                continue
            op = Op(m.op, src, OpKind.ZERO, -1, 0, 0, NOTHING)
            after, _ = holes.event(key, HoleEvent.TAKE, op)
            assert after is not None
            holes.pages.put(key, after.with_busy(m.op))
            pages.append((key, page.pfn))
        take = 0
        if self.settings.policy.claim is Claim.DEKKER:
            self.takes += 1
            take = self.me << _TAKE_BITS | self.takes
            self.taken.update((key, take) for key, _ in pages)
        out.append(Send(src, Taken(m.op, tuple(pages), take)))
        return out

    def page_zeroed(self, src: int, m: PageZeroed) -> list[Effect]:
        """Take in that pages are zero."""
        out: list[Effect] = [Note(BackgroundZeroed(m.op, len(m.keys)))]
        by_words = self.settings.policy.claim is Claim.DEKKER
        for key in m.keys:
            if by_words and key not in self.taken:
                continue  # a ZERO has read that it is zero, and claimed it
            op = Op(m.op, src, OpKind.ZERO, -1, 0, 0, NOTHING)
            after, _ = self.holes.event(key, HoleEvent.DONE, op)
            assert after is not None
            if after.hole is HoleState.ZEROED:
                self.taken.pop(key, None)
                self.waiting.unbusy(key, after, out)
        return out

    def claimed(self, pages: tuple[tuple[PageKey, int], ...]) -> None:
        """Take in that a ZERO has claimed pages by their words: they are no take's any more."""
        for key, _ in pages:
            del self.taken[key]
