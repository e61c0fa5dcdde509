"""What a `vm` does for the zeroing thread: gives it pages, and takes them back zeroed."""

from actors.facts import BackgroundZeroed
from actors.machine import Effect, Note, Send
from actors.messages import Ceded, Claimed, PageZeroed, Take, Taken
from actors.operation import Op, OpKind, OpState
from actors.vm.operations.advice import advise_zero
from actors.vm.steps import VmRun
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState
from kernel.page import NOBODY
from kernel.policy.keys import Claim

#: of a take's number, the rest is the vm's
_TAKE_BITS = 32


class VmZeroing(VmRun):
    """Pages of holes in the hands of the zeroing thread."""

    def take(self, src: int, m: Take) -> list[Effect]:
        """Busy the pages that are still queued; the others are not to be had any more."""
        out: list[Effect] = []
        pages = []
        for key in m.keys:
            page = self.get(key)
            if page is None or Action.REFUSE in self.table_says(page, HoleEvent.TAKE):
                continue
            if page.busy != NOBODY and page.hole not in IN_HANDS:
                continue
            if not self.may_offer(page):
                continue
            op = Op(m.op, src, OpKind.ZERO, -1, 0, 0)
            after, _ = self.hole_event(key, HoleEvent.TAKE, op)
            assert after is not None
            self.put(key, after.with_busy(m.op))
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
            op = Op(m.op, src, OpKind.ZERO, -1, 0, 0)
            after, _ = self.hole_event(key, HoleEvent.DONE, op)
            assert after is not None
            if after.hole is HoleState.ZEROED:
                self.taken.pop(key, None)
                self.unbusy(key, after, out)
        return out

    def ceded(self, _src: int, m: Ceded) -> list[Effect]:
        """Go on with a ZERO that takes pages over."""
        op = self.in_flight(m, m.thief, OpState.ZEROING)
        out: list[Effect] = []
        return self.run(advise_zero.ceded(self, op, m.pages, out), out)

    def claimed(self, _src: int, m: Claimed) -> list[Effect]:
        """Go on with a ZERO that has taken pages over by their claim words."""
        op = self.in_flight(m, m.op, OpState.ZEROING)
        out: list[Effect] = []
        for key, _ in m.pages:
            del self.taken[key]
        return self.run(advise_zero.ceded(self, op, m.pages, out), out)
