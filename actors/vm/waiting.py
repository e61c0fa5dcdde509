"""Who waits for a busy page, and for the map lock.

Owns the sleepers on busy pages. Touches pages (their busy lock), the map locks of address spaces,
and operations in flight, whose initiators it wakes.
"""

from collections.abc import Hashable
from typing import Self

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Sleep
from actors.operation import OpState
from actors.vm.in_flight import InFlight
from actors.vm.op import Op, P, replace
from actors.vm.pages import Pages
from kernel.page import NOBODY, Page
from kernel.vmspace import VmSpace


class Waiting:
    """Sleepers by page; those on a map lock are in the lock itself."""

    __slots__ = ("busy_waiters", "in_flight", "pages")

    def __init__(self, in_flight: InFlight, pages: Pages) -> None:
        """Begin with nobody asleep."""
        self.in_flight = in_flight
        self.pages = pages
        #: lanes that sleep until a page is no longer busy, in the order in which they came
        self.busy_waiters: dict[PageKey, tuple[int, ...]] = {}

    def clone(self, in_flight: InFlight, pages: Pages) -> Self:
        """Copy the containers, for a vm with these neighbours."""
        twin = type(self)(in_flight, pages)
        twin.busy_waiters = self.busy_waiters.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.busy_waiters.items()))

    # Busy pages.

    def unbusy(self, key: PageKey, page: Page, out: list[Effect]) -> None:
        """Release the page's busy lock and wake who waits for it."""
        self.pages.put(key, page.with_busy(NOBODY))
        if self.busy_waiters:
            self.wake_page(key, out)

    def wake_page(self, key: PageKey, out: list[Effect]) -> None:
        """Wake who waits for the page: it is no longer busy, or it is gone."""
        for waiter in self.busy_waiters.pop(key, ()):
            self.in_flight.wake(waiter, out)

    def sleep_on_page(self, op: Op[P], key: PageKey, out: list[Effect]) -> Op[P]:
        """Put the operation to sleep until the page is no longer busy.

        Lock order: an operation that holds pages waits only for one above them, never for its own.
        """
        assert self.pages.at(key).busy != op.lane, f"{op} waits for {key}, which it holds itself"
        assert all(vpn <= op.cursor for _, vpn in op.own.busy), f"lock order: {op} wants {key}"
        self.busy_waiters[key] = (*self.busy_waiters.get(key, ()), op.lane)
        out.append(Send(op.by, Sleep(op.lane, OpState.PAGE_BUSY, op.ns)))
        return replace(op, state=OpState.PAGE_BUSY, ns=0)

    # The map lock.

    def lock_map(
        self, space: VmSpace, op: Op[P], out: list[Effect], *, write: bool
    ) -> Op[P] | None:
        """Take the map lock; None if the operation has it now, else the operation put to sleep."""
        if space.lock.held_by(op.lane):
            return None  # handed over by the release that woke us
        if space.lock.acquire(op.lane, write=write):
            return None
        assert not op.own.busy, f"lock order: {op} holds pages and waits for the map"
        out.append(Send(op.by, Sleep(op.lane, OpState.LOCK, op.ns)))
        return replace(op, state=OpState.LOCK, ns=0)

    def unlock_map(self, space: VmSpace, op: Op[P], out: list[Effect]) -> None:
        """Release the map lock and wake those to whom it is handed."""
        for waiter in space.lock.release(op.lane):
            self.in_flight.wake(waiter, out)

    def downgrade_map(self, space: VmSpace, op: Op[P], out: list[Effect]) -> None:
        """Keep the map lock as a reader, and wake the readers that are let in."""
        for waiter in space.lock.downgrade(op.lane):
            self.in_flight.wake(waiter, out)
