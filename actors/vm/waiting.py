"""Operations of a `vm` asleep and awake: in flight, waiting for busy pages, for the map lock.

A vm holds the address spaces of one process family: state, not a CPU. It never acts on its own;
every edit is a step of an operation, charged to the operation's initiator.
"""

from collections.abc import Hashable
from typing import Self

import msgspec

from actors.machine import Effect, Machine, Send
from actors.message import PageKey
from actors.messages import Sleep, Wakeup
from actors.operation import SLEEPING, Op, OpState, replace
from actors.settings import Settings
from kernel.page import NOBODY, Page
from kernel.page_queue import PageQueues
from kernel.vm_object import VmObject
from kernel.vmspace import VmSpace


class Deferral(msgspec.Struct, frozen=True, gc=False):
    """An invalidation left to other cores: entries taken away, and (asid, cores that it awaits)."""

    gone: tuple[tuple[int, int], ...]
    awaiting: tuple[tuple[int, int], ...]


class VmLocks(Machine):
    """The fields of a vm, and how operations wait for one another."""

    ROLE = "vm"

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a vm with the empty address spaces of its processes."""
        self.me = me
        self.settings = settings
        self.spaces = {p: VmSpace() for p, vm in enumerate(settings.vm_of) if vm == me}
        self.objects: dict[int, VmObject] = {}
        #: objects that each lane has made: they are named after it
        self.made: dict[int, int] = {}
        #: which page each frame is (FreeBSD's vm_page array)
        self.frames: dict[int, PageKey] = {}
        #: holds on frames whose page has left its object: pins, a shootdown that is due
        self.unowned: dict[int, int] = {}
        self.queues = PageQueues()
        #: entries that operations took away and have not flushed yet: their frames, one for each
        self.unflushed: dict[int, tuple[int, ...]] = {}
        #: spaces whose resident set has changed in this delivery
        self.restated: dict[int, None] = {}
        #: slots of swap that nothing refers to since this delivery
        self.dropped: dict[int, None] = {}
        self.ops: dict[int, Op] = {}
        #: operations that sleep until a page is no longer busy
        self.busy_waiters: dict[PageKey, tuple[int, ...]] = {}
        #: ranges that a HOLE or ZERO has for itself, and who waits for its end
        self.claims: dict[int, tuple[tuple[int, int, int], ...]] = {}
        self.claim_waiters: dict[int, tuple[int, ...]] = {}
        #: invalidations left to other cores, by number; pages whose flush is: number, asid, vpn
        self.deferrals: dict[int, Deferral] = {}
        self.deferred: dict[PageKey, tuple[int, int, int]] = {}
        self.last_deferral = 0
        #: takes of the zeroing thread, and which one each page that it has belongs to
        self.takes = 0
        self.taken: dict[PageKey, int] = {}

    def clone(self) -> Self:
        """Copy the containers."""
        twin = super().clone()
        twin.spaces = {asid: space.copy() for asid, space in self.spaces.items()}
        twin.objects = {oid: one.copy() for oid, one in self.objects.items()}
        return twin

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return (
            tuple(space.freeze() for space in self.spaces.values()),
            tuple((oid, one.freeze()) for oid, one in sorted(self.objects.items())),
            tuple(sorted(self.made.items())),
            tuple(self.frames.items()),
            tuple(sorted(self.unowned.items())),
            self.queues.freeze(),
            tuple(sorted(self.unflushed.items())),
            tuple(sorted(self.ops.items())),
            tuple(sorted(self.busy_waiters.items())),
            tuple(sorted(self.claims.items())),
            tuple(sorted(self.claim_waiters.items())),
            tuple(self.deferrals.items()),
            tuple(sorted(self.deferred.items())),
            self.last_deferral,
            self.takes,
            tuple(sorted(self.taken.items())),
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
        for oid, one in self.objects.items():
            found += [
                f"page {index} of object {oid} is busy for lane {page.busy}"
                for index, page in one.pages.items()
                if page.busy != NOBODY
            ]
            found += [
                f"page {index} of object {oid} is pinned {page.pins} times"
                for index, page in one.pages.items()
                if page.pins
            ]
        found += [f"frame {pfn:#x} without a page has {n} holds" for pfn, n in self.unowned.items()]
        return found

    # Busy pages.

    def put(self, key: PageKey, page: Page) -> None:
        """Replace the page under its key."""
        self.objects[key[0]].pages[key[1]] = page

    def get(self, key: PageKey) -> Page | None:
        """Find a page by its identity."""
        one = self.objects.get(key[0])
        return None if one is None else one.pages.get(key[1])

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
        """Put the operation to sleep until the page is no longer busy.

        Lock order: of several pages those below first (`cursor` is where the operation is).
        """
        assert all(vpn <= op.cursor for _, vpn in op.pages), f"lock order: {op} wants {key}"
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
        assert not op.pages, f"lock order: {op} holds pages and waits for the map"
        out.append(Send(op.by, Sleep(op.op, OpState.LOCK, op.ns)))
        return replace(op, state=OpState.LOCK, ns=0)

    def contention_ns(self, core: int, asid: int) -> int:
        """Give what an operation that begins pays for those of other threads of the space.

        The lock word, the counters and the page table's lock come from their cores' caches. Asleep
        they touch none. Exploring has no time.
        """
        settings = self.settings
        if not self.ops or settings.fine:
            return 0
        here, ns = settings.domain_of(core), 0
        for other in self.ops.values():
            if other.asid == asid and other.by < settings.cores and other.state not in SLEEPING:
                near = settings.domain_of(other.by) == here
                costs = settings.costs
                ns += costs.contention_ns if near else costs.contention_other_domain_ns
        return ns

    def unlock_map(self, space: VmSpace, op: Op, out: list[Effect]) -> None:
        """Release the map lock and wake whom it is handed to."""
        space.lock, woken = space.lock.release(op.op)
        for waiter in woken:
            self.wake(waiter, out)
