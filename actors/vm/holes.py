"""State of a `vm` as its operations see it: pages, entries, and the life of holes.

Whatever changes the hole state of a page goes through `hole_event`, which asks THE TABLE.
"""

from collections.abc import Callable, Iterator

from actors.facts import PagePinned
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import ZeroJob
from actors.operation import Op, replace
from actors.vm.pins import VmPins
from kernel.hazards.switches import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState, transition
from kernel.page import KNOWN_ZERO, NOBODY, Page
from kernel.page_queue import QUEUES, Queue
from kernel.policy.keys import AdviceKind, HoleRecord, NotStarted, zero_may_skip
from kernel.vm_map import HOLE, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace


class VmState(VmPins):
    """Holes: events, offers to the zeroing thread, hints for the page daemons."""

    def hole_event(
        self, key: PageKey, event: HoleEvent, op: Op
    ) -> tuple[Page | None, tuple[Action, ...]]:
        """Raise an event of THE TABLE on a page; accounting is done here, the rest is told.

        Gives the page as it is now (None: it left its object) and the actions left to do.
        """
        page = self.objects[key[0]].pages[key[1]]
        state, actions = transition(page.hole, event)
        if page.hole is HoleState.DEFERRED and state is not page.hole:
            del self.deferred[key]
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

    def hold(self, op: Op, key: PageKey, vpn: int, out: list[Effect]) -> Op:
        """Pin a page for a device, out of the hole that it may be in; the operation has the frame.

        Nobody works on it, or the operation itself does.
        """
        page = self.objects[key[0]].pages[key[1]]
        if page.hole is not HoleState.LIVE:
            _, actions = self.hole_event(key, HoleEvent.ROGUE, op)
            assert Action.WAIT not in actions, "somebody works on it"
        self.pin(key)
        out.append(Note(PagePinned(op.op, op.asid, vpn, page.pfn)))
        ns = op.ns + self.settings.costs.pin_page_ns
        return replace(op, held=(*op.held, page.pfn), ns=ns)

    @property
    def zeroes_now(self) -> bool:
        """Say whether ZERO zeroes a page whose flush is outstanding without waiting for it."""
        return self.settings.policy.zero_not_started is NotStarted.ZERO_THEN_REPERMIT

    def in_hole(self, space: VmSpace, entry: MapEntry, vpn: int) -> bool:
        """Say whether the record of holes has a page: of shared memory the object keeps it."""
        if entry.flags & SHARED:
            return self.objects[entry.oid].holes.holds(entry.pindex(vpn))
        return bool(entry.flags & HOLE) or space.holes.holds(vpn)

    def mark_hole(self, space: VmSpace, start: int, end: int, *, hole: bool) -> None:
        """Change the record of holes for what is mapped in [start, end)."""
        record = self.settings.policy.hole_state
        if record is HoleRecord.PAGE_FLAG:
            return
        for piece in list(space.map.pieces(start, end)):
            if hole and piece.flags & WIRED:
                continue
            if piece.flags & SHARED:
                holes, low, high = (
                    self.objects[piece.oid].holes,
                    piece.offset,
                    piece.pindex(piece.end),
                )
            elif record is HoleRecord.RANGE_LIST:
                holes, low, high = space.holes, piece.start, piece.end
            else:
                on, off = (HOLE, 0) if hole else (0, HOLE)
                change = MapEntry.with_flags
                space.map.change(piece.start, piece.end, lambda e: change(e, on, off))  # noqa: B023
                continue
            (holes.add if hole else holes.remove)(low, high)

    def unclip_holes(self, space: VmSpace) -> None:
        """Let entries say no more where holes are, if the record is beside the map."""
        if self.settings.policy.hole_state is HoleRecord.RANGE_LIST:
            for entry in [e for e in space.map.entries if e.flags & HOLE]:
                space.map.change(entry.start, entry.end, lambda e: e.with_flags(off=HOLE))

    def punch_files(self, space: VmSpace, start: int, end: int) -> None:
        """Let the files that are mapped shared in [start, end) read as zero there from now on."""
        for piece in space.map.pieces(start, end):
            one = self.objects[piece.oid]
            if piece.flags & SHARED and not one.anonymous:
                one.punched.add(piece.offset, piece.pindex(piece.end))

    def holes_in(self, space: VmSpace, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of [start, end) that the record of holes has."""
        for piece in space.map.pieces(start, end):
            if piece.flags & SHARED:
                shift = piece.start - piece.offset
                holes = self.objects[piece.oid].holes
                inside = holes.inside(piece.offset, piece.pindex(piece.end))
                yield from ((low + shift, high + shift) for low, high in inside)
            elif piece.flags & HOLE:
                yield piece.start, piece.end
            else:
                yield from space.holes.inside(piece.start, piece.end)

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

    def known_zero(self, page: Page) -> bool:
        """Say whether a page is known to be zero: it was, and its entries say no store since."""
        return bool(page.flags & KNOWN_ZERO) and not self.dirtied(page)

    def offer(self, op: Op, keys: list[PageKey], out: list[Effect]) -> None:
        """Hand flushed pages of a hole to the zeroing threads of their frames' domains."""
        policy = self.settings.policy
        if policy.zeroing == "inline" or policy.advice is AdviceKind.REUSABLE_REUSE:
            return
        by_zeroer: dict[int, list[PageKey]] = {}
        for key in keys:
            page = self.get(key)
            if page is None or page.hole is not HoleState.IDLE:
                continue
            if self.may_offer(page):
                self.hole_event(key, HoleEvent.OFFER, op)
                by_zeroer.setdefault(self.settings.zeroer_of(page.pfn), []).append(key)
        out.extend(
            Send(zeroer, ZeroJob(op.op, tuple(found)))
            for zeroer, found in sorted(by_zeroer.items())
        )

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
