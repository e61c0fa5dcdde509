"""State of a `vm` actor and the small edits that its operations share.

A vm holds the address spaces of one process family: state, not a CPU. It never acts on its own;
every edit is a step of an operation, charged to the operation's initiator.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Self

from actors.facts import Resident
from actors.machine import Effect, Machine, Note, Send
from actors.message import PageKey
from actors.messages import (
    Hint,
    Sleep,
    Wakeup,
    ZeroJob,
)
from actors.operations.operation import Op, OpState, replace
from actors.settings import Settings
from kernel import pte as pte_bits
from kernel.hazards import Hazard
from kernel.hole import IN_HANDS, Action, HoleEvent, HoleState, transition
from kernel.page import NOBODY, Page
from kernel.policy import zero_may_skip
from kernel.vmspace import VmSpace


class VmState(Machine):
    """Address spaces, objects, pages, operations in flight."""

    ROLE = "vm"

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a vm with the empty address spaces of its processes."""
        self.me = me
        self.settings = settings
        self.spaces = {p: VmSpace() for p, vm in enumerate(settings.vm_of) if vm == me}
        #: resident pages of each object, by page index
        self.objects: dict[int, dict[int, Page]] = {}
        #: address space that each object belongs to
        self.owner: dict[int, int] = {}
        self.next_oid = 1
        self.ops: dict[int, Op] = {}
        #: operations that sleep until a page is no longer busy
        self.busy_waiters: dict[PageKey, tuple[int, ...]] = {}

    def clone(self) -> Self:
        """Copy the containers."""
        twin = super().clone()
        twin.spaces = {asid: space.copy() for asid, space in self.spaces.items()}
        twin.objects = {oid: pages.copy() for oid, pages in self.objects.items()}
        return twin

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return (
            tuple(space.freeze() for space in self.spaces.values()),
            tuple((o, tuple(sorted(p.items()))) for o, p in sorted(self.objects.items())),
            tuple(sorted(self.ops.items())),
            tuple(sorted(self.busy_waiters.items())),
            tuple(sorted(self.owner.items())),
            self.next_oid,
        )

    def waiting(self) -> list[str]:
        """Name operations in flight, held locks and busy pages."""
        found = [
            f"operation {op.kind.name} of lane {op.op} waits for {op.state.name}"
            for op in self.ops.values()
        ]
        for asid, space in self.spaces.items():
            if not space.lock.idle():
                found.append(f"map lock of process {asid} is held: {space.lock}")
        found += [
            f"page {page.vpn:#x} is busy for lane {page.busy}"
            for pages in self.objects.values()
            for page in pages.values()
            if page.busy != NOBODY
        ]
        return found

    # Pages.

    def page_at(self, space: VmSpace, vpn: int) -> tuple[PageKey, Page] | None:
        """Find the resident page that the map shows at `vpn`."""
        entry = space.map.lookup(vpn)
        if entry is None:
            return None
        key = (entry.oid, entry.pindex(vpn))
        page = self.objects[entry.oid].get(key[1])
        return None if page is None else (key, page)

    def resident_in(self, space: VmSpace, start: int, end: int) -> Iterator[int]:
        """Yield the vpns of the resident pages in [start, end), ascending; gaps are skipped.

        Costs by resident page or by page of the range, whichever is less.
        """
        for piece in space.map.pieces(start, end):
            pages = self.objects[piece.oid]
            if piece.end - piece.start <= len(pages):
                shift = piece.start - piece.offset
                for pindex in range(piece.offset, piece.pindex(piece.end)):
                    if pindex in pages:
                        yield pindex + shift
            else:
                yield from sorted(
                    i - piece.offset + piece.start
                    for i in pages
                    if piece.offset <= i < piece.pindex(piece.end)
                )

    def put(self, key: PageKey, page: Page) -> None:
        """Replace the page under its key."""
        self.objects[key[0]][key[1]] = page

    def get(self, key: PageKey) -> Page | None:
        """Find a page by its identity."""
        pages = self.objects.get(key[0])
        return None if pages is None else pages.get(key[1])

    def unbusy(self, key: PageKey, page: Page, out: list[Effect]) -> None:
        """Release the page's busy lock and wake who waits for it."""
        self.put(key, page.with_busy(NOBODY))
        self.wake_page(key, out)

    def wake_page(self, key: PageKey, out: list[Effect]) -> None:
        """Wake who waits for the page: it is no longer busy, or it is gone."""
        for waiter in self.busy_waiters.pop(key, ()):
            self.wake(waiter, out)

    def wake(self, waiter: int, out: list[Effect]) -> None:
        """Tell the initiator of a sleeping operation to go on with it."""
        out.append(Send(self.ops[waiter].by, Wakeup(waiter)))

    def sleep_on_page(self, op: Op, key: PageKey, out: list[Effect]) -> Op:
        """Put the operation to sleep until the page is no longer busy."""
        self.busy_waiters[key] = (*self.busy_waiters.get(key, ()), op.op)
        out.append(Send(op.by, Sleep(op.op, OpState.PAGE_BUSY, op.ns)))
        return replace(op, state=OpState.PAGE_BUSY, ns=0)

    # The map lock.

    def lock_map(self, space: VmSpace, op: Op, out: list[Effect], *, write: bool) -> Op | None:
        """Take the map lock; None if it is held now, else the operation put to sleep."""
        if space.lock.held_by(op.op):
            return None  # handed over by the release that woke us
        space.lock, taken = space.lock.acquire(op.op, write=write)
        if taken:
            return None
        out.append(Send(op.by, Sleep(op.op, OpState.LOCK, op.ns)))
        return replace(op, state=OpState.LOCK, ns=0)

    def unlock_map(self, space: VmSpace, op: Op, out: list[Effect]) -> None:
        """Release the map lock and wake whom it is handed to."""
        space.lock, woken = space.lock.release(op.op)
        for waiter in woken:
            self.wake(waiter, out)

    # Holes.

    def hole_event(
        self, key: PageKey, event: HoleEvent, op: Op, out: list[Effect]
    ) -> tuple[Page | None, tuple[Action, ...]]:
        """Raise an event of THE TABLE on a page; accounting is done here, the rest is told.

        Gives the page as it is now (None: it left its object) and the actions left to do.
        """
        page = self.objects[key[0]][key[1]]
        state, actions = transition(page.hole, event)
        if state is None:
            del self.objects[key[0]][key[1]]
            after = None
        elif state != page.hole:
            after = page.with_hole(state)
            self.put(key, after)
        else:
            after = page
        first = actions[0]
        if first is Action.ACCOUNT_OUT:
            self.account(op, -1, out)
        elif first is Action.ACCOUNT_IN:
            self.account(op, 1, out)
        elif event is HoleEvent.HOLE and self.settings.hazards & Hazard.RESIDENT_SET_DRIFT:
            self.account(op, -1, out)
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

    def account(self, op: Op, pages: int, out: list[Effect]) -> None:
        """Change the resident set of the address space that `op` works on."""
        space = self.spaces[op.asid]
        space.resident += pages
        out.append(Note(Resident(op.op, op.asid, space.resident)))

    def may_offer(self, space: VmSpace, page: Page) -> bool:
        """Say whether background zeroing of the page could be trusted later.

        Where entries stay, a store through a TLB entry with a cached dirty bit leaves no mark: only
        a page whose entry is clean (so that no TLB has the bit) can be watched.
        """
        if zero_may_skip(self.settings.policy):
            return True
        if self.settings.hazards & Hazard.KNOWN_ZERO_WHILE_WRITABLE:
            return True
        return not self.dirtied(space, page)

    def dirtied(self, space: VmSpace, page: Page) -> bool:
        """Say whether the page's entry has its dirty bit set, or had when mprotect took it.

        Without W, too: the store was before mprotect, or is on its way while that flushes.
        """
        return page.dirty or bool(space.pmap.ptes.get(page.vpn, 0) & pte_bits.D)

    def note_dirty(self, space: VmSpace, vpn: int) -> None:
        """Keep with its page the dirty bit of an entry that goes."""
        found = self.page_at(space, vpn)
        if found is not None:
            self.put(found[0], found[1].with_dirty(dirty=True))

    def offer(self, space: VmSpace, op: Op, keys: list[PageKey], out: list[Effect]) -> None:
        """Hand flushed pages of a hole to the zeroing thread."""
        if self.settings.policy.zeroing == "inline":
            return
        offered = []
        for key in keys:
            page = self.get(key)
            if page is None or page.hole is not HoleState.IDLE:
                continue
            if self.may_offer(space, page):
                self.hole_event(key, HoleEvent.OFFER, op, out)
                offered.append(key)
        if offered:
            out.append(Send(self.settings.zeroer_of(op.asid), ZeroJob(op.op, tuple(offered))))

    def hint(self, op: int, keys: list[PageKey], out: list[Effect]) -> None:
        """Tell the page daemons of the frames' domains that these pages look reclaimable."""
        by_daemon: dict[int, list[PageKey]] = {}
        for key in keys:
            page = self.get(key)
            if page is not None and page.pfn >= 0:
                by_daemon.setdefault(self.settings.daemon_of(page.pfn), []).append(key)
        out.extend(
            Send(daemon, Hint(op, tuple(found))) for daemon, found in sorted(by_daemon.items())
        )

    # Page-table entries.

    def take_access(self, space: VmSpace, vpn: int, op: Op, *, keep: bool) -> bool:
        """Remove the entry of a page, or clear its user permission; say if a TLB may hold it.

        Where another operation has taken the entry and waits for its shootdown, one may: every
        reader of page tables honours a flush that is outstanding.
        """
        ptes = space.pmap.ptes
        pte = ptes.get(vpn, 0)
        if not pte & pte_bits.P or (keep and not pte & pte_bits.U):
            return self._flush_is_outstanding(op, vpn)
        if keep:
            ptes[vpn] = pte & ~pte_bits.U
        else:
            del ptes[vpn]
        return True

    def _flush_is_outstanding(self, op: Op, vpn: int) -> bool:
        return any(
            vpn in other.vpns
            for other in self.ops.values()
            if other.asid == op.asid and other.op != op.op
        )

    def flushes_outstanding(self, op: Op) -> list[int]:
        """List pages of the operation's range whose entry another one took and has not flushed."""
        vpns = {
            vpn
            for other in self.ops.values()
            if other.asid == op.asid and other.op != op.op
            for vpn in other.vpns
            if op.start <= vpn < op.end
        }
        return sorted(vpns.difference(op.vpns))


Phase = Callable[[VmState, VmSpace, Op, list[Effect]], Op]
